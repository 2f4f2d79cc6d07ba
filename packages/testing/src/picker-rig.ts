import {
  backend,
  loadTable,
  type MutableLoadTable,
  type Picker,
  type Roster,
  roster,
  type Selector,
  Tried,
  untried,
} from '@steelyard/core'
import { seededRandom } from './seeded-random.ts'

/** A member of a {@link PickerRig}. */
export interface RigMember {
  readonly id: string
  /** Weight in force, any positive number. Default 1. */
  readonly weight?: number
  /**
   * The member's own weight, more than that in force during a slow start. Default: that in force,
   * rounded up.
   */
  readonly ownWeight?: number
  /** Connection limit. Default 0: none. */
  readonly limit?: number
}

/** One selector with its roster, load and clock in the hands of a test. */
export interface PickerRig {
  readonly selector: Selector
  readonly load: MutableLoadTable
  readonly roster: Roster
  /** Uniform in [0, 1), seeded. */
  random(): number
  /** Makes these the members, in any order; each keeps its slot for good. */
  set(members: readonly RigMember[], boundedLoad?: number): void
  /** The id of who is picked, or `undefined`. */
  pick(key?: number, tried?: Tried): string | undefined
  /** The ids in the order in which a retry walks on, until there is no other. */
  walk(key?: number): string[]
  slotOf(id: string): number
  /**
   * Picks, counts and reports a latency of 5 ms for each; at most `inFlight` connections are open
   * at one time, the oldest close first. Time goes on by 1 ms a pick. Gives picks by id.
   */
  drive(picks: number, inFlight: number, keys?: () => number): Map<string, number>
}

/** Opens a picker on a roster of its own. */
export function pickerRig(picker: Picker, members: readonly RigMember[] = [], seed = 1): PickerRig {
  const random = seededRandom(seed)
  const load = loadTable(4096)
  const slots = new Map<string, number>()
  const ids: string[] = []
  let now = 0
  let current = emptyRoster(load)
  const selector = picker.open({ random, now: () => now })
  // Slots begin at 3, so that whoever takes an index for a slot is found out.
  const slotOf = (id: string): number => {
    let slot = slots.get(id)
    if (slot === undefined) {
      slot = slots.size + 3
      slots.set(id, slot)
      ids[slot] = id
    }
    return slot
  }
  const open: number[] = []
  const rig: PickerRig = {
    selector,
    load,
    random,
    slotOf,
    get roster() {
      return current
    },
    set(wanted, boundedLoad = 0) {
      for (const { id } of wanted) slotOf(id)
      const sorted = [...wanted].sort((a, b) => (a.id < b.id ? -1 : 1))
      current = roster({
        backends: sorted.map(({ id, weight = 1, ownWeight = Math.ceil(weight), limit = 0 }) =>
          backend({
            id,
            address: `10.0.0.1:${slotOf(id)}`,
            weight: ownWeight,
            maxConnections: limit,
          }),
        ),
        slots: Int32Array.from(sorted, ({ id }) => slotOf(id)),
        weights: Float64Array.from(sorted, ({ weight = 1 }) => weight),
        limits: Int32Array.from(sorted, ({ limit = 0 }) => limit),
        load,
        boundedLoad,
      })
      selector.update(current)
    },
    pick: (key = 0, tried = untried) => ids[selector.pick(key, tried)],
    walk(key = 0) {
      const tried = new Tried()
      const order: string[] = []
      for (let slot = selector.pick(key, tried); slot >= 0; slot = selector.pick(key, tried)) {
        order.push(ids[slot]!)
        if (tried.has(slot)) break
        tried.add(slot)
      }
      return order
    },
    drive(picks, inFlight, keys = () => Math.floor(random() * 0x1_0000_0000)) {
      const counts = new Map<string, number>()
      for (let i = 0; i < picks; i++) {
        now += 1
        const slot = selector.pick(keys(), untried)
        const id = ids[slot]
        if (id === undefined) throw new Error(`nobody was picked at pick ${i}: slot ${slot}`)
        counts.set(id, (counts.get(id) ?? 0) + 1)
        load.open(slot)
        selector.observe?.(slot, 5)
        open.push(slot)
        while (open.length > inFlight) load.close(open.shift()!)
      }
      return counts
    },
  }
  rig.set(members)
  return rig
}

function emptyRoster(load: MutableLoadTable): Roster {
  return roster({
    backends: [],
    slots: new Int32Array(0),
    weights: new Float64Array(0),
    limits: new Int32Array(0),
    load,
    boundedLoad: 0,
  })
}
