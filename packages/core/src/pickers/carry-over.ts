import type { Roster } from '../roster.ts'

/**
 * For each member of `next`, its index in `previous`, or -1 for a newcomer. A member is the same
 * while it keeps id, slot and address: a returning one, or another server under an old name, is a
 * newcomer.
 */
export function carryOver(previous: Roster | undefined, next: Roster): Int32Array {
  const places = new Map<string, number>()
  previous?.backends.forEach(({ id }, index) => places.set(id, index))
  return Int32Array.from(next.backends, ({ id, address }, index) => {
    const place = places.get(id)
    if (previous === undefined || place === undefined) return -1
    const same =
      previous.slots[place] === next.slots[index] && previous.backends[place]!.address === address
    return same ? place : -1
  })
}
