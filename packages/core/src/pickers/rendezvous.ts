import type { Picker, Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { type HashKeyOptions, hashKey } from './hash-key.ts'
import { mix32, type Salts, saltsOf } from './mix.ts'

/**
 * The same client gets the same member, and when a member comes, goes or gets another weight only
 * its own clients move, exactly (highest random weight, Thaler and Ravishankar 1998; weighted by
 * `-weight / ln(hash)`, Schindelhauer and Schomaker 2005; Traefik `hrw`, Caddy `ip_hash`). No
 * table: each pick scores every member, so it suits small pools. The next candidate has the next
 * highest score.
 *
 * The same on every node: a score depends on key, id and weight. A slow start counts by the weight
 * in force, which moves only clients of the member that warms up.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function rendezvous(options: HashKeyOptions = {}, path = 'rendezvous'): Picker {
  const key = hashKey(options, path)
  return Object.freeze<Picker>({ name: 'rendezvous', key, open: () => new HighestRandomWeight() })
}

class HighestRandomWeight implements Selector {
  #roster: Roster | undefined
  #salts: Salts = saltsOf([])
  #equal = true

  update(roster: Roster): void {
    const { backends, weights } = roster
    const before = this.#roster?.backends
    const same =
      before?.length === backends.length &&
      backends.every(({ id }, index) => id === before[index]!.id)
    if (!same) this.#salts = saltsOf(backends.map(({ id }) => id))
    this.#equal = weights.every((weight) => weight === weights[0])
    this.#roster = roster
  }

  pick(key: number, tried: Tried): number {
    const roster = this.#roster
    if (roster === undefined) return -1
    const index = this.#equal
      ? this.#highestHash(roster, key, tried)
      : this.#highestScore(roster, key, tried)
    return index < 0 ? -1 : roster.slots[index]!
  }

  /** With equal weights the hashes are in the same order as the scores. */
  #highestHash(roster: Roster, key: number, tried: Tried): number {
    const { a, b } = this.#salts
    let best = -1
    let highest = -1
    for (let index = 0; index < roster.size; index++) {
      const hash = mix32(key, a[index]!, b[index]!) >>> 0
      if (hash > highest && roster.admits(index, tried)) {
        best = index
        highest = hash
      }
    }
    return best
  }

  #highestScore(roster: Roster, key: number, tried: Tried): number {
    const { weights } = roster
    const { a, b } = this.#salts
    let best = -1
    let highest = 0
    for (let index = 0; index < roster.size; index++) {
      const uniform = ((mix32(key, a[index]!, b[index]!) >>> 0) + 0.5) / 0x1_0000_0000
      const weight = weights[index]!
      // -ln(u) is at least 1 - u, so this bounds the score from above and saves most logarithms.
      if (weight / (1 - uniform) <= highest) continue
      const score = weight / -Math.log(uniform)
      if (score > highest && roster.admits(index, tried)) {
        best = index
        highest = score
      }
    }
    return best
  }
}
