import {
  type Clock,
  clockOption,
  type Duration,
  invalidOption,
  objectOption,
  parseDuration,
  shown,
  systemClock,
} from '@steelyard/core'

/** How many retries are allowed. */
export interface RetryBudgetOptions {
  /** Retries as a share of the connections in the window, in percent. Default 20. */
  readonly percent?: number
  /** Retries that are allowed in a window however few connections there are. Default 3. */
  readonly minimum?: number
  /** How far back connections and retries count. Default `10s`. */
  readonly window?: Duration
  readonly clock?: Clock
}

/**
 * Bounds retries to a share of the traffic, so that a failing pool sees a little more load and never a
 * multiple of it. One budget may serve many listeners.
 */
export interface RetryBudget {
  /** A connection is about to be tried for the first time. */
  record(): void
  /** May it be tried once more? A `true` is spent. */
  tryRetry(): boolean
  /** Retries that could be spent now. */
  readonly available: number
}

/** The window moves on in steps of this part of it. */
const steps = 10

/**
 * Makes a {@link RetryBudget} over a sliding window, as in Finagle and Linkerd, with Envoy's defaults for
 * share and minimum.
 *
 * @throws `invalid-option`
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { percent = 20, minimum = 3, clock = systemClock } = objectOption(options, 'retryBudget')
  const windowMs = parseDuration(options.window ?? '10s', 'window')
  if (!(typeof percent === 'number' && percent >= 0 && percent <= 1000)) {
    throw invalidOption('percent', `${shown(percent)} is not a share: use 0 to 1000`)
  }
  if (!Number.isInteger(minimum) || minimum < 0) {
    throw invalidOption('minimum', `${shown(minimum)} is not a number of retries: use 0 or more`)
  }
  if (windowMs < steps)
    throw invalidOption('window', `${windowMs}ms is too short: use 10ms or more`)
  return new SlidingBudget(percent / 100, minimum, windowMs / steps, clockOption(clock, 'clock'))
}

class SlidingBudget implements RetryBudget {
  readonly #share: number
  readonly #minimum: number
  readonly #stepMs: number
  readonly #clock: Clock
  readonly #firsts: Float64Array = new Float64Array(steps)
  readonly #retries: Float64Array = new Float64Array(steps)
  #firstSum = 0
  #retrySum = 0
  /** Number of the step that `now` was last in. */
  #step: number

  constructor(share: number, minimum: number, stepMs: number, clock: Clock) {
    this.#share = share
    this.#minimum = minimum
    this.#stepMs = stepMs
    this.#clock = clock
    this.#step = this.#stepNow()
  }

  record(): void {
    this.#advance()
    this.#firsts[this.#step % steps]! += 1
    this.#firstSum += 1
  }

  tryRetry(): boolean {
    if (this.available < 1) return false
    this.#retries[this.#step % steps]! += 1
    this.#retrySum += 1
    return true
  }

  get available(): number {
    this.#advance()
    // 20 % of 15 must be 3, not 2.9999.
    const allowed = Math.floor(this.#firstSum * this.#share + 1e-9)
    return Math.max(0, Math.max(this.#minimum, allowed) - this.#retrySum)
  }

  #stepNow(): number {
    return Math.floor(this.#clock.now() / this.#stepMs)
  }

  /** Forgets the steps that have left the window. */
  #advance(): void {
    const now = this.#stepNow()
    const passed = Math.min(steps, now - this.#step)
    for (let i = 1; i <= passed; i++) {
      const slot = (this.#step + i) % steps
      this.#firstSum -= this.#firsts[slot]!
      this.#retrySum -= this.#retries[slot]!
      this.#firsts[slot] = 0
      this.#retries[slot] = 0
    }
    if (passed > 0) this.#step = now
  }
}
