import type { RateAlgorithm, RateDecision, RateRule } from './rate-rule.ts'

/** What passed in each slice of time, for one key. */
export interface WindowState {
  /** By slice number modulo {@link kept}. */
  readonly counts: Float64Array
  sum: number
  /** Number of the latest slice that was looked at; -1 for none. */
  slice: number
}

/** The window moves on in steps of this part of it. */
const slices = 10
/** The slices that a window may touch: one more than it is long. */
const kept: number = slices + 1

/**
 * A sliding window for each key: at most `limit` pass in any window, wherever it begins. Time is cut into tenths of
 * the window; a tenth counts until it is wholly out, so what was taken comes back up to a tenth of a window late,
 * and never early.
 */
export function slidingWindow(rule: RateRule): RateAlgorithm<WindowState> {
  const sliceMs = rule.windowMs / slices
  const { limit } = rule
  return {
    fresh: () => ({ counts: new Float64Array(kept), sum: 0, slice: -1 }),
    take(state, cost, now): RateDecision {
      const slice = Math.floor(now / sliceMs)
      advance(state, slice)
      const { counts } = state
      const allowed = state.sum + cost <= limit
      if (allowed) {
        counts[slice % kept]! += cost
        state.sum += cost
      }
      return {
        allowed,
        remaining: Math.max(0, Math.floor(limit - state.sum)),
        resetMs: state.sum === 0 ? 0 : outMs(latest(state), sliceMs, now),
        retryMs: allowed ? 0 : retryMs(state, state.sum + cost - limit, sliceMs, now),
      }
    },
    restsAt: (state) => (state.slice + kept) * sliceMs,
  }
}

/** Forgets the slices that are out of the window. */
function advance(state: WindowState, slice: number): void {
  const passed = state.slice < 0 ? 0 : Math.min(kept, slice - state.slice)
  for (let i = 1; i <= passed; i++) {
    const at = (state.slice + i) % kept
    state.sum -= state.counts[at]!
    state.counts[at] = 0
  }
  // Sums of fractions do not come back to nothing by themselves.
  if (passed === kept) state.sum = 0
  if (slice > state.slice) state.slice = slice
}

/** When a slice is out of every window that ends now or later. */
function outMs(slice: number, sliceMs: number, now: number): number {
  return (slice + kept) * sliceMs - now
}

function latest(state: WindowState): number {
  let slice = state.slice
  for (let i = 0; i < slices && state.counts[slice % kept] === 0; i++) slice -= 1
  return slice
}

/** When so much will have gone out, the oldest first. */
function retryMs(state: WindowState, excess: number, sliceMs: number, now: number): number {
  let left = excess
  for (let slice = Math.max(0, state.slice - slices); slice <= state.slice; slice++) {
    left -= state.counts[slice % kept]!
    if (left <= 0) return outMs(slice, sliceMs, now)
  }
  return Number.POSITIVE_INFINITY
}
