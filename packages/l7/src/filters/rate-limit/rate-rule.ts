/** How a rate is held. */
export type RateAlgorithmName = 'token-bucket' | 'sliding-window'

/** A rate limit, in numbers. */
export interface RateRule {
  readonly algorithm: RateAlgorithmName
  /** How much may pass in each window in the long run. */
  readonly limit: number
  readonly windowMs: number
  /** What a bucket holds: how much may come at once after a quiet time. The limit itself for a sliding window. */
  readonly burst: number
}

/** What a limiter says to a request. */
export interface RateDecision {
  readonly allowed: boolean
  /** What is left, in whole units, from 0. */
  readonly remaining: number
  /** Milliseconds until all of it is back. */
  readonly resetMs: number
  /** Milliseconds until the same may be asked again with success; 0 when it was allowed, `Infinity` when it never will be. */
  readonly retryMs: number
}

/** How one key's state is kept and moved on. Pure: time is told. */
export interface RateAlgorithm<State> {
  /** The state of a key that was never seen. */
  fresh(): State
  /** Takes `cost` from the key's quota, or nothing when there is not enough. */
  take(state: State, cost: number, now: number): RateDecision
  /** From when on the state is no different from a fresh one. */
  restsAt(state: State): number
}
