import type { Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import type { Entries } from './interleave.ts'
import { mix32, type Salts, saltsOf } from './mix.ts'

/** Members in a fixed circular order, in which each key has its place. */
export interface HashTable {
  /** Members by index in the roster. */
  readonly entries: Entries
  /** Where a key begins. */
  locate(key: number): number
  /** Where its walk goes on when its own member does not admit. Default: at the next entry. */
  detour?(key: number): number
}

/**
 * Makes a table of ids and weights alone; both in order of id. The weights may be any positive
 * numbers.
 */
export type TableBuilder = (ids: readonly string[], weights: Float64Array) => HashTable

/**
 * The selector of all pickers that look a key up in a table: the member at the key's place, and if
 * it does not admit one more, the next other member in the order of the table, so a retry, a full
 * member and a bounded load all walk on the same way.
 *
 * The table is made of the members' own weights and only when ids or weights changed, at the first
 * pick after it: many changes in a row cost one build. A slow start does not touch it. A member at
 * 30 % of its weight turns away 70 % of its keys, always the same ones, and takes them back one by
 * one as it warms up; no key of another member moves. While all others are full or tried it takes
 * what it turned away.
 */
export function tableSelector(build: TableBuilder): Selector {
  return new TableSelector(build)
}

class TableSelector implements Selector {
  readonly #build: TableBuilder
  #roster: Roster | undefined
  #stale = false
  #ids: readonly string[] = []
  #weights: Float64Array = new Float64Array(0)
  #table: HashTable | undefined
  #salts: Salts = saltsOf([])
  /** Of 2^32: the part of its keys that a member takes; absent while all take all. */
  #taken: Float64Array | undefined
  /** The walk that met the member last. */
  #met: Int32Array = new Int32Array(0)
  #walk = 0

  constructor(build: TableBuilder) {
    this.#build = build
  }

  update(roster: Roster): void {
    const ids = roster.backends.map(({ id }) => id)
    const weights = Float64Array.from(roster.weights, (weight, index) =>
      Math.max(weight, roster.backends[index]!.weight),
    )
    const taken = roster.weights.map((weight, index) => (weight / weights[index]!) * 0x1_0000_0000)
    const same =
      ids.length === this.#ids.length &&
      ids.every((id, index) => id === this.#ids[index] && weights[index] === this.#weights[index])
    this.#stale ||= !same
    this.#ids = ids
    this.#weights = weights
    this.#taken = taken.every((part) => part === 0x1_0000_0000) ? undefined : taken
    this.#roster = roster
  }

  pick(key: number, tried: Tried): number {
    const roster = this.#roster
    if (roster === undefined || roster.size === 0) return -1
    if (this.#stale) this.#rebuild()
    const table = this.#table!
    const place = table.locate(key)
    const index = table.entries[place]!
    if (roster.admits(index, tried) && this.#takes(index, key)) return roster.slots[index]!
    const next = this.#walkFrom(roster, place, key, tried, true)
    if (next >= 0 || this.#taken === undefined) return next
    return this.#walkFrom(roster, place, key, tried, false)
  }

  #rebuild(): void {
    this.#table = this.#build(this.#ids, this.#weights)
    this.#salts = saltsOf(this.#ids)
    this.#met = new Int32Array(this.#ids.length)
    this.#walk = 0
    this.#stale = false
  }

  #takes(index: number, key: number): boolean {
    if (this.#taken === undefined) return true
    const { a, b } = this.#salts
    return mix32(key, b[index]!, a[index]!) >>> 0 < this.#taken[index]!
  }

  /** Walks past every member once. */
  #walkFrom(roster: Roster, place: number, key: number, tried: Tried, choosy: boolean): number {
    const { size, slots } = roster
    const table = this.#table!
    const { entries } = table
    const met = this.#met
    this.#walk = this.#walk === 0x7fff_ffff ? 1 : this.#walk + 1
    if (this.#walk === 1) met.fill(0)
    const walk = this.#walk
    let unmet = size
    let at = place
    for (let left = entries.length; left >= 0 && unmet > 0; left--) {
      const index = entries[at]!
      if (met[index] !== walk) {
        met[index] = walk
        unmet -= 1
        if (roster.admits(index, tried) && (!choosy || this.#takes(index, key)))
          return slots[index]!
      }
      at = left === entries.length && table.detour !== undefined ? table.detour(key) : at + 1
      if (at === entries.length) at = 0
    }
    // Without a place in the table: there are more members than entries.
    for (let index = 0; index < size && unmet > 0; index++) {
      if (met[index] === walk) continue
      unmet -= 1
      if (roster.admits(index, tried) && (!choosy || this.#takes(index, key))) return slots[index]!
    }
    return -1
  }
}
