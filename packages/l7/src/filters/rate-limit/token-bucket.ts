import type { RateAlgorithm, RateDecision, RateRule } from './rate-rule.ts'

/** One bucket, as the moment when it will be full again: it says all, in one number. */
export interface BucketState {
  fullAt: number
}

/** What the sum of many small steps may be off by, in milliseconds. */
const rounding = 1e-6

/**
 * A token bucket for each key: it holds `burst`, is full at first, and gains `limit` in each window, evenly. In any
 * window at most `limit + burst` pass. Kept as in the generic cell rate algorithm (ITU-T I.371): no refilling, one
 * number a key.
 */
export function tokenBucket(rule: RateRule): RateAlgorithm<BucketState> {
  const eachMs = rule.windowMs / rule.limit
  const depthMs = eachMs * rule.burst
  return {
    fresh: () => ({ fullAt: Number.NEGATIVE_INFINITY }),
    take(state, cost, now): RateDecision {
      const from = Math.max(state.fullAt, now)
      const fullAt = from + cost * eachMs
      const over = fullAt - now - depthMs
      const allowed = over <= rounding
      const kept = allowed ? fullAt : from
      if (allowed) state.fullAt = fullAt
      return {
        allowed,
        remaining: Math.max(0, Math.floor((depthMs - (kept - now) + rounding) / eachMs)),
        resetMs: kept - now,
        retryMs: allowed ? 0 : cost > rule.burst ? Number.POSITIVE_INFINITY : over,
      }
    },
    restsAt: (state) => state.fullAt,
  }
}
