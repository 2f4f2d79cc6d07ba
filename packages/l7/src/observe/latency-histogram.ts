/** A distribution of milliseconds in bounded memory; quantiles are off by 3.2 percent at most. */
export interface LatencyHistogram {
  readonly count: number
  /** Of all values, in milliseconds. */
  readonly sum: number
  /** The largest value, exactly. */
  readonly max: number
  /** Adds a value; what is below 0 or no number counts as 0, what is above 4 hours as that. */
  record(ms: number): void
  /** Adds all values of another one. */
  merge(other: LatencyHistogram): void
  /** The value that this share, 0 to 1, of all values does not exceed; 0 when there are none. */
  quantile(share: number): number
  /** Forgets all values. */
  clear(): void
}

/** Values up to here have a bucket each: steps of 0.01 ms. */
const unitsPerMs = 100
const subBits = 4
const subCount = 1 << subBits
/** 2 ** 30 steps and a bit: 4 hours. */
const mostUnits = 1_440_000_000
const buckets = bucketOf(mostUnits) + 1

/**
 * Makes a {@link LatencyHistogram}: buckets are linear within each power of two, 16 of them, from 0.01 ms on, which are
 * 450 counters of 4 bytes (as in HdrHistogram).
 */
export function latencyHistogram(): LatencyHistogram {
  return new LogLinear()
}

class LogLinear implements LatencyHistogram {
  count = 0
  sum = 0
  max = 0
  readonly counts: Uint32Array = new Uint32Array(buckets)

  record(ms: number): void {
    const value = ms > 0 ? Math.min(ms, mostUnits / unitsPerMs) : 0
    this.counts[bucketOf(Math.round(value * unitsPerMs))]! += 1
    this.count += 1
    this.sum += value
    if (value > this.max) this.max = value
  }

  merge(other: LatencyHistogram): void {
    const { counts, count, sum, max } = other as LogLinear
    if (count === 0) return
    for (let bucket = 0; bucket < buckets; bucket++) this.counts[bucket]! += counts[bucket]!
    this.count += count
    this.sum += sum
    if (max > this.max) this.max = max
  }

  quantile(share: number): number {
    if (this.count === 0) return 0
    const rank = Math.max(1, Math.ceil(Math.min(1, Math.max(0, share)) * this.count))
    let seen = 0
    for (let bucket = 0; bucket < buckets; bucket++) {
      seen += this.counts[bucket]!
      if (seen >= rank) return Math.min(this.max, middleOf(bucket) / unitsPerMs)
    }
    return this.max
  }

  clear(): void {
    if (this.count === 0) return
    this.counts.fill(0)
    this.count = 0
    this.sum = 0
    this.max = 0
  }
}

function bucketOf(units: number): number {
  if (units < subCount) return units
  const shift = 31 - Math.clz32(units) - subBits
  return (shift + 1) * subCount + (units >>> shift) - subCount
}

function middleOf(bucket: number): number {
  if (bucket < subCount * 2) return bucket
  const shift = Math.floor(bucket / subCount) - 1
  const least = (subCount + (bucket % subCount)) * 2 ** shift
  return least + (2 ** shift - 1) / 2
}
