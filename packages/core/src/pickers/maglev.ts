import { invalidOption } from '../errors.ts'
import { hashText } from '../hash.ts'
import type { Picker } from '../picker.ts'
import { apportion } from './apportion.ts'
import { type HashKeyOptions, hashKey } from './hash-key.ts'
import { type TableBuilder, tableSelector } from './hash-table.ts'
import { type Entries, entriesFor, interleave } from './interleave.ts'
import { wholeNumber } from './option-values.ts'

/** How {@link maglev} hashes. */
export interface MaglevOptions extends HashKeyOptions {
  /** A prime from 251 to 5000011, at least a hundred times the number of members. Default 65537. */
  readonly tableSize?: number
}

/**
 * The same client gets the same member, on **every** node that has the same members, without any
 * shared state: the one to use where routers spread clients over several balancers (ECMP by BGP).
 * Maglev hashing (Eisenbud et al. 2016, §3.4; Envoy, Katran and IPVS `mh`): one lookup in a table
 * that members have filled in turns, each in the order of its own permutation.
 *
 * Very even (shares are exact to one entry of the table), and when one of n members goes nearly
 * only its own clients move; a small part of the others does too, see the tests for how many. The
 * table depends on ids and weights, not on order, slot, history or a slow start. Turns are in
 * proportion to the weights, each member has at least one entry. The next candidate is the next
 * other member in the table.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function maglev(options: MaglevOptions = {}, path = 'maglev'): Picker {
  const key = hashKey(options, path)
  const tableSize = wholeNumber(options.tableSize ?? 65_537, 251, 5_000_011, `${path}.tableSize`)
  if (!isPrime(tableSize)) {
    throw invalidOption(
      `${path}.tableSize`,
      `${tableSize} is not a prime: the next one is ${nextPrime(tableSize)}`,
    )
  }
  const build: TableBuilder = (ids, weights) => {
    const entries = maglevTable(ids, weights, tableSize)
    return { entries, locate: (hash) => (hash >>> 0) % tableSize }
  }
  return Object.freeze<Picker>({ name: 'maglev', key, open: () => tableSelector(build) })
}

/** The lookup table: for each of `size` places the index of a member. */
export function maglevTable(ids: readonly string[], weights: Float64Array, size: number): Entries {
  const entries = entriesFor(size, ids.length)
  const taken = new Uint8Array(size)
  const wish = Uint32Array.from(ids, (id) => hashText(id) % size)
  const skip = Uint32Array.from(ids, (id) => (hashText(id, 0x9747b28c) % (size - 1)) + 1)
  for (const member of interleave(apportion(weights, size))) {
    const step = skip[member]!
    let place = wish[member]!
    while (taken[place] === 1) {
      place += step
      if (place >= size) place -= size
    }
    taken[place] = 1
    entries[place] = member
    const next = place + step
    wish[member] = next >= size ? next - size : next
  }
  return entries
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false
  }
  return true
}

function nextPrime(value: number): number {
  let next = value
  while (!isPrime(next)) next += 1
  return next
}
