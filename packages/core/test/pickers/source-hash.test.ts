import { pickerRig, pickerSuite, seededRandom } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { addressHash, sourceHash } from '../../src/index.ts'
import { buildMap } from '../../src/pickers/source-hash.ts'

pickerSuite('sourceHash', sourceHash, {
  weighted: true,
  affinity: true,
  evenness: 0.05,
  strayMoves: false,
})
pickerSuite('sourceHash consistent', () => sourceHash({ consistent: true }), {
  weighted: true,
  affinity: true,
  evenness: 0.25,
})

describe('sourceHash', () => {
  const mapOf = (weights: readonly number[]): string => {
    const ids = 'abcdef'.slice(0, weights.length).split('')
    const { entries } = buildMap(ids, Float64Array.from(weights))
    return [...entries].map((index) => ids[index]).join(' ')
  }

  it('looks the hash modulo the sum of weights up in an evenly spread map', () => {
    expect(mapOf([1, 1, 1])).toBe('a b c')
    expect(mapOf([5, 1, 1])).toBe('a a a b c a a')
    expect(mapOf([2, 3, 1])).toBe('b a b c a b')
    const rig = pickerRig(sourceHash(), [
      { id: 'a', weight: 2 },
      { id: 'b', weight: 3 },
      { id: 'c' },
    ])
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((key) => rig.pick(key)).join(' ')).toBe('b a b c a b b a')
    expect(rig.pick(0xffff_ffff)).toBe('c')
  })

  it('scales weights down only when they add up to more than 65536, and leaves nobody out', () => {
    const counts = (weights: readonly number[]): number[] => {
      const { entries } = buildMap(
        weights.map((_, index) => `m${index}`),
        Float64Array.from(weights),
      )
      return weights.map((_, index) => entries.filter((entry) => entry === index).length)
    }
    expect(counts([256, 512, 1])).toEqual([256, 512, 1])
    expect(counts([65_535, 1])).toEqual([65_535, 1])
    expect(counts([65_535, 65_535, 1])).toEqual([32_768, 32_767, 1])
    expect(counts([0.5, 1])).toEqual([21_845, 43_691])
  })

  it('moves most clients when a member goes, as a map does, and few when consistent', () => {
    const moved = (consistent: boolean): number => {
      const members = Array.from({ length: 10 }, (_, index) => ({ id: `m${index}` }))
      const rig = pickerRig(sourceHash({ consistent }), members)
      const random = seededRandom(3)
      const keys = Array.from({ length: 5000 }, () => Math.floor(random() * 2 ** 32))
      const before = keys.map((key) => rig.pick(key))
      rig.set(members.slice(1))
      return keys.filter((key, index) => rig.pick(key) !== before[index]).length / keys.length
    }
    expect(moved(false)).toBeGreaterThan(0.8)
    expect(moved(true)).toBeLessThan(0.15)
  })

  it('says what the key is made of', () => {
    expect(sourceHash().key).toBe('source')
    expect(sourceHash({ port: true }).key).toBe('source-port')
    expect(sourceHash({ key: 'source-port', port: true }).key).toBe('source-port')
    expect(sourceHash({ key: 'request' }).key).toBe('request')
    expect(() => sourceHash({ key: 'request', port: true })).toThrow(
      'sourceHash.port: does not go together with key "request"',
    )
    expect(() => sourceHash({ key: 'cookie' as 'source' })).toThrow(
      'sourceHash.key: "cookie" is none of source, source-port, request',
    )
  })

  it('spreads neighbouring addresses, and the connections of one with port', () => {
    const members = Array.from({ length: 8 }, (_, index) => ({ id: `m${index}` }))
    const rig = pickerRig(sourceHash(), members)
    const spread = (keys: readonly number[]): number => {
      const counts = new Map<string | undefined, number>()
      for (const key of keys) counts.set(rig.pick(key), (counts.get(rig.pick(key)) ?? 0) + 1)
      expect(counts.size).toBe(8)
      return Math.max(...counts.values()) / Math.min(...counts.values())
    }
    const hosts = Array.from({ length: 4096 }, (_, i) => addressHash(`10.9.${i >> 8}.${i & 255}`))
    expect(spread(hosts)).toBeLessThan(1.4)
    const ports = Array.from({ length: 4096 }, (_, i) => addressHash('192.0.2.7', 32_768 + i))
    expect(spread(ports)).toBeLessThan(1.4)
  })
})
