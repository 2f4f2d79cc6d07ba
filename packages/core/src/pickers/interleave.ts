/** Indices of members, small enough for the cache. */
export type Entries = Uint16Array | Uint32Array

/** Room for `length` indices below `members`. */
export function entriesFor(length: number, members: number): Entries {
  return members <= 0x1_0000 ? new Uint16Array(length) : new Uint32Array(length)
}

/**
 * A sequence in which member `i` appears `counts[i]` times, evenly spread: its k-th appearance,
 * from 0, stands at `(k + 1/2) / counts[i]` of the whole; members at the same point in order of
 * index.
 */
export function interleave(counts: Uint32Array): Entries {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const entries = entriesFor(total, counts.length)
  const points = new Float64Array(total)
  // One bucket for each whole number that the points fall on; on average each holds one of them.
  const starts = new Uint32Array(total + 1)
  for (const count of counts) {
    for (let k = 0; k < count; k++) starts[Math.floor(pointOf(k, count, total)) + 1]! += 1
  }
  for (let bucket = 0; bucket < total; bucket++) starts[bucket + 1]! += starts[bucket]!
  const ends = starts.slice()
  counts.forEach((count, member) => {
    for (let k = 0; k < count; k++) {
      const point = pointOf(k, count, total)
      const bucket = Math.floor(point)
      const start = starts[bucket]!
      let place = ends[bucket]!
      ends[bucket] = place + 1
      for (; place > start && points[place - 1]! > point; place--) {
        points[place] = points[place - 1]!
        entries[place] = entries[place - 1]!
      }
      points[place] = point
      entries[place] = member
    }
  })
  return entries
}

function pointOf(k: number, count: number, total: number): number {
  return ((k + 0.5) * total) / count
}
