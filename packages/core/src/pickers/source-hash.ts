import { flagOption } from '../option-shape.ts'
import type { Picker } from '../picker.ts'
import { apportion } from './apportion.ts'
import { type HashKeyOptions, hashKey } from './hash-key.ts'
import { type TableBuilder, tableSelector } from './hash-table.ts'
import { interleave } from './interleave.ts'
import { mix32 } from './mix.ts'
import { ringBuilder } from './ring-hash.ts'

/** How {@link sourceHash} hashes. */
export interface SourceHashOptions extends HashKeyOptions {
  /**
   * A ring instead of the map, as {@link ringHash} with its defaults: a change moves few clients.
   * Default `false`.
   */
  readonly consistent?: boolean
}

/** Entries of the map beyond which weights are scaled down. */
const maxEntries = 0x1_0000

/**
 * The same client gets the same member. Map-based like HAProxy's `balance source` with `hash-type
 * map-based`: the hash modulo the sum of all weights is a place in a map in which each member
 * stands as often as its weight says, evenly spread. Very even, but when a member comes, goes or
 * gets another weight, **most clients move**; `consistent` avoids that, as do {@link maglev} and
 * {@link rendezvous}.
 *
 * The hash itself is MurmurHash3 of the address, so clients do not land where HAProxy puts them.
 * Where HAProxy queues at a full member, here the client's hash is hashed again, as by IPVS `sh`
 * with its fallback, and the walk goes on from there, so that the clients of one member spread over
 * all others. During a slow start HAProxy's map ignores the weight; here the member turns part of
 * its clients away, and no others move. Weights that add up to more than 65536 are scaled down to
 * that.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function sourceHash(options: SourceHashOptions = {}, path = 'sourceHash'): Picker {
  const key = hashKey(options, path)
  const consistent = flagOption(options.consistent ?? false, `${path}.consistent`)
  const build = consistent ? ringBuilder() : buildMap
  return Object.freeze<Picker>({ name: 'source-hash', key, open: () => tableSelector(build) })
}

/** The map that {@link sourceHash} looks up. */
export const buildMap: TableBuilder = (ids, weights) => {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const whole = total <= maxEntries && weights.every((weight) => Number.isInteger(weight))
  const counts = whole
    ? Uint32Array.from(weights)
    : apportion(weights, Math.max(maxEntries, ids.length))
  const entries = interleave(counts)
  return {
    entries,
    locate: (key) => (key >>> 0) % entries.length,
    // With equal weights all of a member's keys have the same next entry, and that member would get
    // the load of two.
    detour: (key) => (mix32(key, 0x7f4a_7c15, 0) >>> 0) % entries.length,
  }
}
