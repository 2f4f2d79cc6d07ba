import { type TimerWheel, WheelTimer } from '@steelyard/core'

/** What an exchange waits for at the moment; at most one thing has a limit of its own. */
export type Awaited =
  | 'nothing'
  | 'queue'
  | 'backoff'
  | 'request-body'
  | 'first-byte'
  | 'response'
  | 'hedge'
  | 'tarpit'

/** The one timer of an exchange. */
export class Deadline {
  /** What it waits for. */
  awaited: Awaited = 'nothing'
  /** The limit, in milliseconds. */
  limitMs = 0
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer

  constructor(wheel: TimerWheel, expired: (awaited: Awaited) => void) {
    this.#wheel = wheel
    this.#timer = new WheelTimer(() => {
      const { awaited } = this
      this.awaited = 'nothing'
      expired(awaited)
    })
  }

  /** Waits for this from now on, and for nothing else; 0 waits for ever. */
  await(awaited: Awaited, limitMs: number): void {
    this.awaited = awaited
    this.limitMs = limitMs
    if (limitMs > 0) this.#wheel.arm(this.#timer, limitMs)
    else if (this.#timer.armed) this.#wheel.disarm(this.#timer)
  }

  clear(): void {
    this.awaited = 'nothing'
    if (this.#timer.armed) this.#wheel.disarm(this.#timer)
  }
}
