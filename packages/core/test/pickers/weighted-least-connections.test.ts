import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { weightedLeastConnections } from '../../src/index.ts'

pickerSuite('weightedLeastConnections', weightedLeastConnections, {
  weighted: true,
  affinity: false,
  evenness: 0.06,
})

/** Who is picked of members given as [weight, open connections]. */
function among(...members: readonly (readonly [number, number])[]): string | undefined {
  const specs = members.map(([weight], index) => ({ id: 'abcdef'[index]!, weight }))
  const rig = pickerRig(weightedLeastConnections(), specs)
  members.forEach(([, connections], index) => {
    for (let i = 0; i < connections; i++) rig.load.open(rig.slotOf('abcdef'[index]!))
  })
  return rig.pick()
}

describe('weightedLeastConnections', () => {
  it("compares HAProxy's keys: 0 when idle, else (connections + 1) / weight", () => {
    // Idle before any weight: keys 2/100 and 0.
    expect(among([100, 1], [1, 0])).toBe('b')
    // Both idle: the first, though its weight is less.
    expect(among([1, 0], [5, 0])).toBe('a')
    // 3/2 and 4/3: by connections / weight (IPVS wlc) both are 1 and the first would win.
    expect(among([2, 2], [3, 3])).toBe('b')
    // 2/1 and 4/2 are equal: the first.
    expect(among([1, 1], [2, 3])).toBe('a')
    // 3/1 and 4/2: the second, with more connections.
    expect(among([1, 2], [2, 3])).toBe('b')
    // 11/256 and 2/50: exact where a division by whole numbers is not.
    expect(among([256, 10], [50, 1])).toBe('b')
    expect(among([65_535, 65_534], [65_534, 65_533], [65_534, 65_532])).toBe('c')
  })

  it('serves equal keys in turn', () => {
    const rig = pickerRig(weightedLeastConnections(), [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 9 },
      { id: 'c', weight: 4 },
    ])
    expect([rig.pick(), rig.pick(), rig.pick(), rig.pick()].join(' ')).toBe('a b c a')
  })

  it('fills members up in proportion to their weights', () => {
    const rig = pickerRig(weightedLeastConnections(), [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 2 },
      { id: 'c', weight: 5 },
    ])
    for (let i = 0; i < 800; i++) rig.load.open(rig.slotOf(rig.pick()!))
    const open = ['a', 'b', 'c'].map((id) => rig.load.active[rig.slotOf(id)]!)
    expect(open[0]).toBeGreaterThanOrEqual(98)
    expect(open[0]).toBeLessThanOrEqual(101)
    expect(open[2]).toBeGreaterThanOrEqual(498)
    expect(open[2]).toBeLessThanOrEqual(503)
  })
})
