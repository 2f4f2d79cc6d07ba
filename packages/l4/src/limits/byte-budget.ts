import {
  type ByteBudget,
  type Clock,
  clockOption,
  invalidOption,
  objectOption,
  parseSize,
  partOption,
  type Size,
  systemClock,
  type TimerWheel,
  timerWheel,
  WheelTimer,
} from '@steelyard/core'

/** How {@link byteBudget} gives out bytes. */
export interface ByteBudgetOptions {
  /** In the long run; at least 1. */
  readonly bytesPerSecond: Size
  /**
   * How much may pass at once after a quiet time. Default: a tenth of a second's worth, 16 KiB at least.
   * A fiftieth of a second's worth is the least, because time is measured in ticks.
   */
  readonly burst?: Size
  readonly clock?: Clock
  /** Who wakes the waiting; share one between many budgets. Default: its own. */
  readonly wheel?: TimerWheel
}

/** A {@link ByteBudget} whose rate can change while relays use it. */
export interface AdjustableByteBudget extends ByteBudget {
  /** Relays that wait now. */
  readonly waiting: number
  /**
   * Another rate from now on, for those that wait too.
   *
   * @throws `invalid-option`, and then nothing changed.
   */
  adjust(rate: { readonly bytesPerSecond: Size; readonly burst?: Size }): void
}

/** The least that is given to one of many, so that relays do not creep along in single bytes. */
const leastGrant = 1024
/** How long those who wait let bytes gather. */
const gatherMs = 10

/**
 * Makes a token bucket that many relays share fairly. Who finds it empty, or finds others waiting, waits
 * in line; each in turn may take an equal part of what is there, and goes to the end of the line for
 * more. So one fast relay cannot starve the others.
 *
 * @throws `invalid-option`
 */
export function byteBudget(options: ByteBudgetOptions): AdjustableByteBudget {
  const clock = clockOption(objectOption(options, 'byteBudget').clock ?? systemClock, 'clock')
  const wheel = partOption(options.wheel, 'arm', 'wheel', 'make one with timerWheel()')
  return new TokenBucket(rateOf(options), clock, wheel ?? timerWheel({ clock }))
}

interface Rate {
  readonly bytesPerMs: number
  readonly burst: number
}

interface WaitingRelay {
  readonly task: () => void
}

class TokenBucket implements AdjustableByteBudget {
  readonly #clock: Clock
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  /** In the order in which they came. */
  readonly #line = new Set<WaitingRelay>()
  #rate: Rate
  #tokens: number
  #filledAt: number
  /** What the relay whose turn it is may take; -1 when it is nobody's turn. */
  #turn = -1

  constructor(rate: Rate, clock: Clock, wheel: TimerWheel) {
    this.#rate = rate
    this.#clock = clock
    this.#wheel = wheel
    this.#tokens = rate.burst
    this.#filledAt = clock.now()
    this.#timer = new WheelTimer(() => this.#serve())
  }

  get waiting(): number {
    return this.#line.size
  }

  take(wanted: number): number {
    if (this.#turn < 0) {
      if (this.#line.size > 0) return 0
      this.#fill()
      return this.#spend(Math.min(wanted, Math.floor(this.#tokens)))
    }
    const granted = this.#spend(Math.min(wanted, this.#turn))
    this.#turn -= granted
    return granted
  }

  whenAvailable(task: () => void): Disposable {
    const relay: WaitingRelay = { task }
    this.#line.add(relay)
    if (!this.#timer.armed && this.#turn < 0) this.#wake()
    return {
      [Symbol.dispose]: () => {
        if (this.#line.delete(relay) && this.#line.size === 0) this.#wheel.disarm(this.#timer)
      },
    }
  }

  adjust(rate: { readonly bytesPerSecond: Size; readonly burst?: Size }): void {
    const next = rateOf(rate)
    this.#fill()
    this.#rate = next
    this.#tokens = Math.min(this.#tokens, next.burst)
    if (this.#line.size > 0 && this.#turn < 0) this.#wake()
  }

  #spend(bytes: number): number {
    this.#tokens -= bytes
    return bytes
  }

  #fill(): void {
    const now = this.#clock.now()
    const { bytesPerMs, burst } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#filledAt) * bytesPerMs)
    this.#filledAt = now
  }

  /** Wakes when a few milliseconds' worth, or the least grant, has gathered. */
  #wake(): void {
    this.#fill()
    const { bytesPerMs, burst } = this.#rate
    const enough = Math.min(burst, Math.max(leastGrant, bytesPerMs * gatherMs))
    this.#wheel.arm(this.#timer, Math.max(0, (enough - this.#tokens) / bytesPerMs))
  }

  /** Gives each in the line its turn, until the bytes or the line are over. */
  #serve(): void {
    this.#fill()
    // Those who line up again during their turn come after all who are here now.
    let left = this.#line.size
    for (const relay of this.#line) {
      const available = Math.floor(this.#tokens)
      if (left === 0 || available < 1) break
      this.#line.delete(relay)
      this.#turn = Math.min(available, Math.max(leastGrant, Math.ceil(available / left)))
      left -= 1
      try {
        relay.task()
      } catch (error) {
        // One relay's bug must not stall the others; it is as visible as any uncaught error.
        queueMicrotask(() => {
          throw error
        })
      }
    }
    this.#turn = -1
    if (this.#line.size > 0) this.#wake()
  }
}

function rateOf(options: { readonly bytesPerSecond: Size; readonly burst?: Size }): Rate {
  const perSecond = parseSize(objectOption(options, 'rate').bytesPerSecond, 'bytesPerSecond')
  if (perSecond < 1)
    throw invalidOption('bytesPerSecond', 'must be 1 or more; leave it out for no limit')
  const least = Math.ceil(perSecond / 50)
  const burst =
    options.burst === undefined
      ? Math.max(16_384, Math.ceil(perSecond / 10))
      : parseSize(options.burst, 'burst')
  if (burst < Math.max(1, least)) {
    throw invalidOption('burst', `${burst} bytes are too few for this rate: use ${least} or more`)
  }
  return { bytesPerMs: perSecond / 1000, burst }
}
