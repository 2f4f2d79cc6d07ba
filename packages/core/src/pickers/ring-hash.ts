import type { Picker } from '../picker.ts'
import { type HashKeyOptions, hashKey } from './hash-key.ts'
import { type TableBuilder, tableSelector } from './hash-table.ts'
import { type Entries, entriesFor } from './interleave.ts'
import { mix32, saltsOf } from './mix.ts'
import { wholeNumber } from './option-values.ts'

/** How {@link ringHash} hashes. */
export interface RingHashOptions extends HashKeyOptions {
  /**
   * Points on the ring for each unit of weight, 1 to 65536. More are more even: shares vary by
   * about 1 / √points. Default 160.
   */
  readonly pointsPerWeight?: number
  /**
   * Points of all members together; beyond it all have half as many, and so on. 1024 to 4194304.
   * Default 262144.
   */
  readonly maxPoints?: number
}

/**
 * The same client gets the same member, and when a member comes or goes only its own clients move
 * (consistent hashing, Karger et al. 1997; ketama, NGINX `consistent`, HAProxy `hash-type
 * consistent`, Envoy `RING_HASH`). Each member has points on a ring of 2^32, the nearest at or
 * after the key's hash is its own. The next candidate is the next other member on the ring; with a
 * bounded load that is Mirrokni's walk.
 *
 * Points come from the member's id, in an order in which a smaller weight leaves out the last ones:
 * another weight moves only what this member gains or loses. 160 points a unit of weight as in
 * ketama and NGINX; the points themselves are our own, so clients do not land where those put them.
 * Lookup by binary search. Every member has at least one point.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function ringHash(options: RingHashOptions = {}, path = 'ringHash'): Picker {
  const key = hashKey(options, path)
  const build = ringBuilder(
    wholeNumber(options.pointsPerWeight ?? 160, 1, 65_536, `${path}.pointsPerWeight`),
    wholeNumber(options.maxPoints ?? 262_144, 1024, 4_194_304, `${path}.maxPoints`),
  )
  return Object.freeze<Picker>({ name: 'ring-hash', key, open: () => tableSelector(build) })
}

/** Makes rings; the defaults are those of {@link ringHash}. */
export function ringBuilder(pointsPerWeight = 160, maxPoints = 262_144): TableBuilder {
  return (ids, weights) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    // By halves: a change of the sum that does not cross a power of two leaves all points where
    // they are.
    let density = pointsPerWeight
    while (density * total > maxPoints) density /= 2
    const counts = Uint32Array.from(weights, (weight) => Math.max(1, Math.round(weight * density)))
    const size = counts.reduce((sum, count) => sum + count, 0)
    const salts = saltsOf(ids)
    let points: Uint32Array = new Uint32Array(size)
    let entries: Entries = entriesFor(size, ids.length)
    let filled = 0
    counts.forEach((count, owner) => {
      for (let point = 0; point < count; point++) {
        points[filled] = mix32(point, salts.a[owner]!, salts.b[owner]!)
        entries[filled] = owner
        filled += 1
      }
    })
    // Owners in order of their points, equal points in order of id: three passes of a stable radix
    // sort.
    for (const shift of [0, digitBits, 2 * digitBits]) {
      const sorted = sortedByDigit(points, entries, shift)
      points = sorted.points
      entries = sorted.entries
    }
    return { entries, locate: (key) => firstAtOrAfter(points, key >>> 0) }
  }
}

const digitBits = 11
const digits = 1 << digitBits

function sortedByDigit(
  points: Uint32Array,
  entries: Entries,
  shift: number,
): { points: Uint32Array; entries: Entries } {
  const starts = new Uint32Array(digits + 1)
  for (const point of points) starts[((point >>> shift) & (digits - 1)) + 1]! += 1
  for (let digit = 0; digit < digits; digit++) starts[digit + 1]! += starts[digit]!
  const sortedPoints = new Uint32Array(points.length)
  const sortedEntries = entries.slice()
  for (let i = 0; i < points.length; i++) {
    const digit = (points[i]! >>> shift) & (digits - 1)
    const place = starts[digit]!
    starts[digit] = place + 1
    sortedPoints[place] = points[i]!
    sortedEntries[place] = entries[i]!
  }
  return { points: sortedPoints, entries: sortedEntries }
}

function firstAtOrAfter(points: Uint32Array, hash: number): number {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (points[middle]! < hash) low = middle + 1
    else high = middle
  }
  return low === points.length ? 0 : low
}
