import type { Clock } from '@steelyard/core'

/** Lets one log line a second pass for each subject, so that a flood of datagrams is no flood of lines. */
export class LogGate {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #subjects = new Map<string, { nextAt: number; withheld: number }>()

  constructor(clock: Clock, everyMs = 1000) {
    this.#clock = clock
    this.#everyMs = everyMs
  }

  /**
   * How many times the subject was withheld since its last line, when it may be logged now; otherwise -1.
   *
   * @param subject - a word from a fixed set.
   */
  pass(subject: string): number {
    const now = this.#clock.now()
    const state = this.#subjects.get(subject)
    if (state === undefined) {
      this.#subjects.set(subject, { nextAt: now + this.#everyMs, withheld: 0 })
      return 0
    }
    if (now < state.nextAt) {
      state.withheld += 1
      return -1
    }
    const { withheld } = state
    state.nextAt = now + this.#everyMs
    state.withheld = 0
    return withheld
  }
}
