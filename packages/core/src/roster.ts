import type { Backend } from './backend.ts'
import type { LoadTable } from './load.ts'
import type { Tried } from './tried.ts'

/**
 * The members that may take traffic now, frozen: enabled, well, of the tier in force (ordinary members,
 * or the backups while no ordinary member is usable), with a weight above zero. A change of membership,
 * health or weight makes a new roster. Sorted by backend id, so that the same members give the same
 * tables on every node.
 */
export interface Roster {
  /** Number of members; the arrays below have this length. */
  readonly size: number
  readonly backends: readonly Backend[]
  /** The member's slot in the {@link LoadTable}. */
  readonly slots: Int32Array
  /** Weight in force, above 0; a slow start makes it less than the member's own. */
  readonly weights: Float64Array
  readonly totalWeight: number
  /** Connection limit in force; 0 for none. */
  readonly limits: Int32Array
  readonly load: LoadTable
  /**
   * May this member take one more: not tried yet, below its connection limit, and below its bounded
   * load? Pickers ask this of each member they consider and skip those that may not.
   */
  admits(index: number, tried: Tried): boolean
}

/** What {@link roster} needs; the arrays are owned by the roster from then on. */
export interface RosterInit {
  readonly backends: readonly Backend[]
  readonly slots: Int32Array
  readonly weights: Float64Array
  readonly limits: Int32Array
  readonly load: LoadTable
  /**
   * Bounded load: a member takes at most this factor times its weighted share of all connections
   * (Mirrokni, Thorup and Zadimoghaddam 2016). 0 switches it off; otherwise above 1, usually 1.25 to 2.
   */
  readonly boundedLoad: number
}

/** Makes a {@link Roster}. */
export function roster(init: RosterInit): Roster {
  const { backends, slots, weights, limits, load, boundedLoad } = init
  let totalWeight = 0
  for (const weight of weights) totalWeight += weight
  const share = boundedLoad / totalWeight
  return Object.freeze({
    size: slots.length,
    backends: Object.freeze(backends),
    slots,
    weights,
    totalWeight,
    limits,
    load,
    admits(index: number, tried: Tried): boolean {
      const slot = slots[index]!
      const active = load.active[slot]!
      const limit = limits[index]!
      if (limit > 0 && active >= limit) return false
      if (boundedLoad > 0 && active >= Math.ceil((load.sum() + 1) * share * weights[index]!))
        return false
      return tried.size === 0 || !tried.has(slot)
    },
  })
}
