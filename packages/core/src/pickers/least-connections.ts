import type { Picker, Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { fromFirst, Turn } from './turn.ts'

/**
 * The member with the fewest open connections, whatever its weight (IPVS `lc`, without its count of
 * closed connections, which a proxy has none of); equals take turns in list order. A weight only
 * decides whether a member is in the roster: 0 drains. For shares by weight see {@link
 * weightedLeastConnections}.
 *
 * Looks at every member until it finds an idle one: the counters are shared with other workers, so
 * no order of members can be kept up to date. The next candidate is the least loaded of the rest.
 */
export function leastConnections(): Picker {
  return Object.freeze<Picker>({
    name: 'least-connections',
    key: 'none',
    open: () => new LeastConnections(),
  })
}

class LeastConnections implements Selector {
  readonly #turn = new Turn()
  #roster: Roster | undefined

  update(roster: Roster): void {
    this.#roster = roster
    this.#turn.follow(roster, fromFirst)
  }

  pick(_key: number, tried: Tried): number {
    const roster = this.#roster
    if (roster === undefined) return -1
    const { size, slots } = roster
    const { active } = roster.load
    let best = -1
    let least = Infinity
    let index = this.#turn.index
    for (let seen = 0; seen < size && least > 0; seen++) {
      const connections = active[slots[index]!]!
      if (connections < least && roster.admits(index, tried)) {
        best = index
        least = connections
      }
      index += 1
      if (index === size) index = 0
    }
    if (best < 0) return -1
    this.#turn.passed(best)
    return slots[best]!
  }
}
