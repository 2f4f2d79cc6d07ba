import { type TimerWheel, WheelTimer } from '@steelyard/core'
import type { Exchange } from '../../exchange/exchange.ts'
import type { RateDecision } from './rate-rule.ts'

/** Why a waiting request was let go. */
export type WaitEnd = RateDecision | 'timeout' | 'gone'

/** Those who wait for their turn under a rate, in a line for each key, first come first served. */
export interface WaitingLines {
  /** All who wait. */
  readonly size: number
  /** Does anybody wait under this key? Then a newcomer must not pass by. */
  has(key: string | number): boolean
  /** Undefined when there is no room. */
  join(
    x: Exchange,
    key: string | number,
    cost: number,
    denied: RateDecision | undefined,
  ): WaitingTurn | undefined
}

/** A place in a line. */
export interface WaitingTurn {
  /** The decision that let it go on (or the last one, when it can never pass), or why it ended without. Never rejects. */
  readonly end: Promise<WaitEnd>
  /** Gives the place up. */
  leave(): void
}

/** What lines need to know. */
export interface WaitingLinesOptions {
  /** Places in each line. */
  readonly length: number
  /** Places in all lines together. */
  readonly total: number
  readonly timeoutMs: number
  readonly wheel: TimerWheel
  /** Asks the store; never throws and never rejects. */
  readonly take: (
    x: Exchange,
    key: string | number,
    cost: number,
  ) => RateDecision | Promise<RateDecision>
}

/** Makes {@link WaitingLines}. */
export function waitingLines(options: WaitingLinesOptions): WaitingLines {
  return new Lines(options)
}

class Lines implements WaitingLines {
  readonly #options: WaitingLinesOptions
  readonly #lines = new Map<string | number, Line>()
  size = 0

  constructor(options: WaitingLinesOptions) {
    this.#options = options
  }

  has(key: string | number): boolean {
    return this.#lines.has(key)
  }

  join(
    x: Exchange,
    key: string | number,
    cost: number,
    denied: RateDecision | undefined,
  ): Turn | undefined {
    const { length, total, timeoutMs, wheel } = this.#options
    let line = this.#lines.get(key)
    if (this.size >= total || (line?.turns.size ?? 0) >= length) return undefined
    // Whoever stands first would wait longer than it may: it need not begin.
    if (denied !== undefined && line === undefined && denied.retryMs > timeoutMs) return undefined
    if (line === undefined) {
      line = new Line(key, this.#options, () => void this.#lines.delete(key))
      this.#lines.set(key, line)
    }
    const place = line
    const turn: Turn = new Turn(x, cost, wheel, (end) => {
      this.size -= 1
      place.left(turn, end)
    })
    this.size += 1
    wheel.arm(turn.timer, timeoutMs)
    line.turns.add(turn)
    if (line.turns.size === 1) line.wakeIn(denied?.retryMs ?? 0)
    return turn
  }
}

class Turn implements WaitingTurn {
  readonly x: Exchange
  readonly cost: number
  readonly end: Promise<WaitEnd>
  readonly timer: WheelTimer
  readonly #wheel: TimerWheel
  readonly #left: (end: WaitEnd) => void
  #resolve!: (end: WaitEnd) => void
  #over = false

  constructor(x: Exchange, cost: number, wheel: TimerWheel, left: (end: WaitEnd) => void) {
    this.x = x
    this.cost = cost
    this.#wheel = wheel
    this.#left = left
    this.end = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.timer = new WheelTimer(() => this.finish('timeout'))
  }

  leave(): void {
    this.finish('gone')
  }

  finish(end: WaitEnd): void {
    if (this.#over) return
    this.#over = true
    this.#wheel.disarm(this.timer)
    this.#resolve(end)
    this.#left(end)
  }
}

class Line {
  readonly turns: Set<Turn> = new Set()
  readonly #key: string | number
  readonly #options: WaitingLinesOptions
  readonly #emptied: () => void
  readonly #timer: WheelTimer
  /** A store is being asked for the first in the line. */
  #asking = false

  constructor(key: string | number, options: WaitingLinesOptions, emptied: () => void) {
    this.#key = key
    this.#options = options
    this.#emptied = emptied
    this.#timer = new WheelTimer(() => this.#serve())
  }

  wakeIn(delayMs: number): void {
    if (!this.#asking) this.#options.wheel.arm(this.#timer, Math.min(delayMs, 0x7fffffff))
  }

  /** Somebody has left, served or not. */
  left(turn: Turn, end: WaitEnd): void {
    const wasFirst = firstOf(this.turns) === turn
    this.turns.delete(turn)
    if (this.turns.size === 0) {
      this.#options.wheel.disarm(this.#timer)
      if (!this.#asking) this.#emptied()
    } else if (wasFirst && typeof end === 'string') {
      // The next one may want less.
      this.wakeIn(0)
    }
  }

  #serve(): void {
    for (let turn = firstOf(this.turns); turn !== undefined; turn = firstOf(this.turns)) {
      const decision = this.#options.take(turn.x, this.#key, turn.cost)
      if (decision instanceof Promise) {
        this.#asking = true
        const asked = turn
        void decision.then((answer) => {
          this.#asking = false
          const again = this.#answered(asked, answer)
          if (this.turns.size === 0) this.#emptied()
          else if (again >= 0) this.wakeIn(again)
        })
        return
      }
      const again = this.#answered(turn, decision)
      if (again > 0) return this.wakeIn(again)
    }
  }

  /** In how many milliseconds to ask again; 0 for at once. */
  #answered(turn: Turn, decision: RateDecision): number {
    if (!decision.allowed && Number.isFinite(decision.retryMs)) return Math.max(1, decision.retryMs)
    // When it has gone meanwhile, what was taken for it is lost: there is no giving back.
    turn.finish(decision)
    return 0
  }
}

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  for (const one of set) return one
  return undefined
}
