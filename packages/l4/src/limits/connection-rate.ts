import {
  type Clock,
  clockOption,
  invalidOption,
  objectOption,
  shown,
  systemClock,
} from '@steelyard/core'

/** How many connections a second. */
export interface ConnectionRateOptions {
  /** New connections a second in the long run; fractions are welcome. */
  readonly perSecond: number
  /** How many may come at once after a quiet time. Default: one second's worth, 1 at least. */
  readonly burst?: number
  readonly clock?: Clock
}

/** A bound on new connections a second. */
export interface ConnectionRate {
  /** Counts one and says `true`, or `false` when it comes too soon. */
  tryAcquire(): boolean
}

/**
 * Makes a {@link ConnectionRate}: a token bucket, full at first.
 *
 * @throws `invalid-option`
 */
export function connectionRate(options: ConnectionRateOptions): ConnectionRate {
  const { perSecond, clock = systemClock } = objectOption(options, 'connectionRate')
  if (!(typeof perSecond === 'number' && perSecond > 0 && perSecond <= 1e9)) {
    throw invalidOption('perSecond', `${shown(perSecond)} is not a rate: use a number above 0`)
  }
  const burst = options.burst ?? Math.max(1, Math.ceil(perSecond))
  if (!Number.isInteger(burst) || burst < 1) {
    throw invalidOption('burst', `${shown(burst)} is not a burst: use a whole number from 1`)
  }
  let tokens = burst
  let filledAt = clockOption(clock, 'clock').now()
  return {
    tryAcquire() {
      const now = clock.now()
      tokens = Math.min(burst, tokens + ((now - filledAt) * perSecond) / 1000)
      filledAt = now
      // The sum of many small fillings falls short of a whole token by rounding.
      if (tokens < 1 - 1e-9) return false
      tokens -= 1
      return true
    },
  }
}
