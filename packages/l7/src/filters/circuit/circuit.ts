import { type RollingWindow, rollingWindow } from './rolling-window.ts'

/**
 * How a circuit stands. `closed`: everything passes and is judged. `open`: nothing passes. `half-open`: a few
 * probes pass, and decide.
 */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** What opens a circuit, and how it closes. Times in milliseconds; what is `Infinity` never applies. */
export interface CircuitRule {
  readonly windowMs: number
  /** Nothing opens before so many results are in the window. */
  readonly minRequests: number
  readonly errorRatio: number
  readonly errorCount: number
  readonly slowMs: number
  readonly slowRatio: number
  readonly slowCount: number
  /** Mean latency of the window. */
  readonly latencyMs: number
  readonly openMs: number
  /** At one time, and in a row to close. */
  readonly probes: number
}

/** Why a circuit opened. */
export type CircuitCause =
  | 'error-ratio'
  | 'error-count'
  | 'slow-ratio'
  | 'slow-count'
  | 'latency'
  | 'probe-failed'

/** A change of {@link CircuitState}. */
export interface CircuitTransition {
  readonly from: CircuitState
  readonly to: CircuitState
  /** Why it opened; absent for the other changes. */
  readonly cause?: CircuitCause
}

/**
 * The state machine of one circuit breaker. Pure: time is told, and every change is returned by {@link Circuit.take}.
 *
 * ```text
 *            a rule is met                 openMs have passed
 *   closed ────────────────▶ open ◀──────────────────────┐
 *     ▲                       │ a request comes,          │ a probe fails
 *     │ `probes` succeed      ▼ openMs have passed        │
 *     └─────────────────── half-open ─────────────────────┘
 * ```
 */
export interface Circuit {
  readonly state: CircuitState
  /** When an open circuit lets the first probe pass. */
  readonly openUntil: number
  readonly window: RollingWindow
  /** May a request pass now? A permit above 0, which is owed one {@link Circuit.settle} or {@link Circuit.forgo}; else 0. */
  admit(now: number): number
  /** How it went. Permits from before the last change decide nothing any more. */
  settle(permit: number, now: number, error: boolean, latencyMs: number): void
  /** It told nothing of the other side: the client went away, or it was never sent. */
  forgo(permit: number): void
  /** The change that the last call made, once; undefined for none. */
  take(): CircuitTransition | undefined
  /** Milliseconds until a request may pass; 0 when one may now. */
  retryMs(now: number): number
}

/** Makes a closed {@link Circuit}. */
export function circuit(rule: CircuitRule): Circuit {
  return new Breaker(rule)
}

class Breaker implements Circuit {
  readonly window: RollingWindow
  state: CircuitState = 'closed'
  openUntil = 0
  readonly #rule: CircuitRule
  /** Permits of earlier states are told from those of this one by it. */
  #epoch = 1
  #probing = 0
  #succeeded = 0
  #transition: CircuitTransition | undefined

  constructor(rule: CircuitRule) {
    this.#rule = rule
    this.window = rollingWindow(rule.windowMs)
  }

  admit(now: number): number {
    if (this.state === 'closed') return this.#epoch
    if (this.state === 'open') {
      if (now < this.openUntil) return 0
      this.#change('half-open')
      this.#probing = 0
      this.#succeeded = 0
    }
    // Once the probes under way would be enough to close it, the next must wait for what they say.
    if (this.#probing + this.#succeeded >= this.#rule.probes) return 0
    this.#probing += 1
    return this.#epoch
  }

  settle(permit: number, now: number, error: boolean, latencyMs: number): void {
    if (permit !== this.#epoch) return
    const slow = latencyMs >= this.#rule.slowMs
    if (this.state === 'closed') {
      this.window.add(now, error, slow, latencyMs)
      const cause = causeOf(this.window, this.#rule)
      if (cause !== undefined) this.#open(now, cause)
      return
    }
    this.#probing -= 1
    if (error || slow) {
      this.#open(now, 'probe-failed')
      return
    }
    this.#succeeded += 1
    if (this.#succeeded >= this.#rule.probes) {
      this.#change('closed')
      this.window.clear()
    }
  }

  forgo(permit: number): void {
    if (permit === this.#epoch && this.state === 'half-open') this.#probing -= 1
  }

  take(): CircuitTransition | undefined {
    const transition = this.#transition
    this.#transition = undefined
    return transition
  }

  retryMs(now: number): number {
    return this.state === 'open' ? Math.max(0, this.openUntil - now) : 0
  }

  #open(now: number, cause: CircuitCause): void {
    this.#change('open', cause)
    this.openUntil = now + this.#rule.openMs
    this.window.clear()
  }

  #change(to: CircuitState, cause?: CircuitCause): void {
    this.#transition = { from: this.state, to, ...(cause === undefined ? {} : { cause }) }
    this.state = to
    this.#epoch += 1
  }
}

/** The first rule that a window meets. */
function causeOf(window: RollingWindow, rule: CircuitRule): CircuitCause | undefined {
  const { total, errors, slow, latencyMs } = window
  if (total < rule.minRequests || total === 0) return undefined
  if (errors >= rule.errorCount) return 'error-count'
  if (errors > 0 && errors >= rule.errorRatio * total) return 'error-ratio'
  if (slow >= rule.slowCount) return 'slow-count'
  if (slow > 0 && slow >= rule.slowRatio * total) return 'slow-ratio'
  if (latencyMs > rule.latencyMs * total) return 'latency'
  return undefined
}
