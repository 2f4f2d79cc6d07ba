import type { Picker, Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { fromFirst, Turn } from './turn.ts'

/**
 * The member with the fewest open connections for its weight, in HAProxy's form (`leastconn`): the
 * key is 0 for an idle member and `(connections + 1) / weight` for a busy one; the lowest is
 * picked, equals take turns in list order. So idle members come first, whatever their weight, and
 * for the others it is the load with the new connection on board that is compared.
 *
 * This form and not IPVS's `wlc` (`connections / weight`, the first of equals): there the first
 * member of the list gets everything while traffic is light, and the load after the pick is not
 * looked at. HAProxy adds the connections that wait in the member's own queue; here a pool has one
 * queue for all, so nobody waits at a member.
 *
 * Looks at every member until it finds an idle one. Compares by cross-multiplication, so that whole
 * weights are compared exactly. The next candidate has the next lowest key.
 */
export function weightedLeastConnections(): Picker {
  return Object.freeze<Picker>({
    name: 'weighted-least-connections',
    key: 'none',
    open: () => new WeightedLeastConnections(),
  })
}

class WeightedLeastConnections implements Selector {
  readonly #turn = new Turn()
  #roster: Roster | undefined

  update(roster: Roster): void {
    this.#roster = roster
    this.#turn.follow(roster, fromFirst)
  }

  pick(_key: number, tried: Tried): number {
    const roster = this.#roster
    if (roster === undefined) return -1
    const { size, slots, weights } = roster
    const { active } = roster.load
    let best = -1
    // The lowest key so far, as a fraction.
    let load = Infinity
    let share = 1
    let index = this.#turn.index
    for (let seen = 0; seen < size && load > 0; seen++) {
      const connections = active[slots[index]!]!
      const loaded = connections === 0 ? 0 : connections + 1
      const weight = weights[index]!
      if (loaded * share < load * weight && roster.admits(index, tried)) {
        best = index
        load = loaded
        share = weight
      }
      index += 1
      if (index === size) index = 0
    }
    if (best < 0) return -1
    this.#turn.passed(best)
    return slots[best]!
  }
}
