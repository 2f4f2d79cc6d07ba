import type { HealthState } from '@steelyard/core'

/** The state, and how many results in a row speak against it. */
export interface Tally {
  readonly state: HealthState
  readonly against: number
}

/** How many results in a row it takes. */
export interface Thresholds {
  /** Passes that bring up what is down. */
  readonly rise: number
  /** Failures that take down what is up. */
  readonly fall: number
}

/** A tally with nothing against its state. */
export function tally(state: HealthState): Tally {
  return { state, against: 0 }
}

/** Results in a row that flip this state; one for `unknown`. */
export function needed(state: HealthState, thresholds: Thresholds): number {
  if (state === 'unknown') return 1
  return state === 'up' ? thresholds.fall : thresholds.rise
}

/** Does a result speak against the state? */
export function contradicts(state: HealthState, pass: boolean): boolean {
  return state === 'unknown' || pass !== (state === 'up')
}

/** Counts one conclusive result: the n-th in a row against the state flips it, one for the state forgives all. */
export function counted(before: Tally, pass: boolean, thresholds: Thresholds): Tally {
  if (!contradicts(before.state, pass)) {
    return before.against === 0 ? before : tally(before.state)
  }
  if (before.against + 1 >= needed(before.state, thresholds)) return tally(pass ? 'up' : 'down')
  return { state: before.state, against: before.against + 1 }
}
