import type { Backend } from './backend.ts'
import { loadTable, type MutableLoadTable } from './load.ts'
import type { Member } from './pool-member.ts'
import type { Verdict } from './verdict.ts'

/**
 * The members of a pool by id and by slot. A removed member keeps its slot until its last connection is closed, so
 * that a slot means one server for as long as anybody counts on it.
 */
export interface SlotTable {
  readonly load: MutableLoadTable
  /** Slots of members, and of removed ones that still have connections. */
  readonly inUse: number
  get(id: string): Member | undefined
  /** Whoever has the slot, also while it drains after its removal. */
  at(slot: number): Member | undefined
  /** False for one that was removed. */
  isMember(member: Member): boolean
  /** In the order in which they came. */
  members(): readonly Member[]
  /** Gives a free slot with fresh counters. There must be one. */
  add(backend: Backend, verdict: Verdict): Member
  /** The slot becomes free at once, or by {@link SlotTable.settle} when it has connections. */
  remove(member: Member): void
  /** Frees the slot of a removed member without connections. */
  settle(member: Member): void
}

/** Makes a {@link SlotTable} with this many slots. */
export function slotTable(capacity: number): SlotTable {
  const load = loadTable(capacity)
  const byId = new Map<string, Member>()
  const slots: (Member | undefined)[] = []
  /** The one free for the longest time first: late news of a connection then meets nobody rather than a stranger. */
  const free: number[] = []

  const isMember = (member: Member): boolean => byId.get(member.backend.id) === member
  const settle = (member: Member): void => {
    const { slot } = member
    if (isMember(member) || slots[slot] !== member || load.active[slot]! > 0) return
    slots[slot] = undefined
    free.push(slot)
  }
  return {
    load,
    get inUse() {
      return slots.length - free.length
    },
    get: (id) => byId.get(id),
    at: (slot) => slots[slot],
    isMember,
    members: () => [...byId.values()],
    add(backend, verdict) {
      const slot = free.shift() ?? slots.length
      load.clear(slot)
      const member: Member = {
        backend,
        slot,
        verdict,
        ejection: undefined,
        recoveredAt: undefined,
      }
      slots[slot] = member
      byId.set(backend.id, member)
      return member
    },
    remove(member) {
      byId.delete(member.backend.id)
      settle(member)
    },
    settle,
  }
}
