/** How much each kind of oddity counts. Well-behaved clients cause them too, a few at a time. */
export const abuseWeight = {
  /** The client reset a stream before its response was whole (CVE-2023-44487). */
  reset: 0.2,
  /** The client broke the protocol on a stream, so that we had to reset it (CVE-2025-8671). */
  violation: 1,
  /** A head that was refused. */
  badHead: 1,
  /** A stream that was refused below us: too many at once, too many or too long header fields, malformed. */
  refusedStream: 0.5,
  /** A response that could not go on for want of window. */
  stall: 10,
  ping: 0.1,
  settings: 1,
  priority: 0.05,
  /** Bytes that belong to nothing that we saw, for each 64 KiB. */
  noise: 1,
} as const

/** What is to be done about a client. */
export type AbuseVerdict = 'fine' | 'retire' | 'kill'

/** Sums up oddities of one connection; it fades with time. */
export interface AbuseScore {
  /** The sum at a time in monotonic milliseconds. */
  level(now: number): number
  /** Adds to it and says what that means: at three quarters of the limit retire the connection, at the limit end it. */
  add(weight: number, now: number): AbuseVerdict
}

/**
 * Makes an {@link AbuseScore}: a bucket that holds `limit` and leaks that much in `windowMs`.
 *
 * @param limit - 0 switches it off.
 */
export function abuseScore(limit: number, windowMs: number): AbuseScore {
  let sum = 0
  let since = 0
  const level = (now: number): number => {
    // A clock that was read before the last event leaks nothing.
    const leaked = (Math.max(0, now - since) * limit) / windowMs
    return Math.max(0, sum - leaked)
  }
  return {
    level,
    add(weight, now) {
      if (limit === 0) return 'fine'
      sum = level(now) + weight
      since = Math.max(since, now)
      if (sum >= limit) return 'kill'
      return sum >= limit * 0.75 ? 'retire' : 'fine'
    },
  }
}
