import { pickerRig, pickerSuite, seededRandom } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { hash32, ringHash } from '../../src/index.ts'
import { ringBuilder } from '../../src/pickers/ring-hash.ts'

pickerSuite('ringHash', ringHash, { weighted: true, affinity: true, evenness: 0.25 })
pickerSuite('ringHash with 1000 points', () => ringHash({ pointsPerWeight: 1000 }), {
  weighted: true,
  affinity: true,
  evenness: 0.1,
})

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`).toSorted()
const countsOf = (entries: Uint16Array | Uint32Array, members: number): number[] =>
  Array.from({ length: members }, (_, member) => entries.filter((index) => index === member).length)

describe('ringHash', () => {
  it('gives each member points by weight, and at least one', () => {
    const { entries } = ringBuilder(160)(ids(4), Float64Array.of(1, 2, 0.5, 0.0001))
    expect(countsOf(entries, 4)).toEqual([160, 320, 80, 1])
  })

  it('finds the first point at or after the hash, and goes round at the end', () => {
    const { locate } = ringBuilder(1)(ids(3), Float64Array.of(1, 1, 1))
    const borders: number[] = []
    let previous = locate(0)
    expect(previous).toBe(0)
    expect(locate(0xffff_ffff)).toBe(0)
    // Bisect for the keys at which the place changes.
    for (const place of [0, 1, 2]) {
      let low = 0
      let high = 0xffff_ffff
      while (low < high) {
        const middle = low + Math.floor((high - low) / 2)
        const at = locate(middle)
        if (at > place || (at === 0 && middle > (borders.at(-1) ?? 0) && place > 0)) high = middle
        else if (place === 0 && at !== 0) high = middle
        else low = middle + 1
      }
      borders.push(low)
      previous = place
    }
    expect(previous).toBe(2)
    expect(borders[0]).toBeLessThan(borders[1]!)
    expect(borders[1]).toBeLessThan(borders[2]!)
    expect(locate(borders[0]! - 1)).toBe(0)
    expect(locate(borders[0]!)).toBe(1)
    expect(locate(borders[1]!)).toBe(2)
    expect(locate(borders[2]!)).toBe(0)
  })

  it('halves all points together when there would be too many, so that the rest stay in place', () => {
    const weights = Float64Array.of(100, 200, 300)
    const { entries } = ringBuilder(160, 32_768)(ids(3), weights)
    expect(countsOf(entries, 3)).toEqual([4000, 8000, 12_000])
    const huge = ringBuilder(160, 1024)(ids(3), Float64Array.of(65_535, 65_535, 1))
    const counts = countsOf(huge.entries, 3)
    expect(counts[2]).toBe(1)
    expect(huge.entries.length).toBeLessThanOrEqual(1025)
    expect(huge.entries.length).toBeGreaterThan(500)
  })

  it('builds this very ring on every node (a golden value)', () => {
    const { entries } = ringBuilder()(ids(10), new Float64Array(10).fill(1))
    expect(entries.length).toBe(1600)
    expect(hash32(Uint8Array.from(entries))).toBe(1045112781)
  })

  it('gives a full member its keys to the next on the ring: the walk of bounded loads', () => {
    const members = ids(20).map((id) => ({ id }))
    const rig = pickerRig(ringHash())
    rig.set(members, 1.25)
    const random = seededRandom(5)
    const hot = Math.floor(random() * 2 ** 32)
    const order = rig.walk(hot)
    const taken: (string | undefined)[] = []
    for (let i = 0; i < 40; i++) {
      const id = rig.pick(hot)
      taken.push(id)
      rig.load.open(rig.slotOf(id!))
    }
    expect(taken[0]).toBe(order[0])
    expect([...new Set(taken)]).toEqual(order.slice(0, new Set(taken).size))
  })

  it('refuses points out of range', () => {
    expect(() => ringHash({ pointsPerWeight: 0 })).toThrow(/^ringHash\.pointsPerWeight: 0 does not/)
    expect(() => ringHash({ maxPoints: 2 ** 30 })).toThrow(/^ringHash\.maxPoints: /)
  })
})
