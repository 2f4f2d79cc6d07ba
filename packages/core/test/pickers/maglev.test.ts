import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { hash32, hashText, maglev } from '../../src/index.ts'
import { maglevTable } from '../../src/pickers/maglev.ts'

pickerSuite('maglev', maglev, {
  weighted: true,
  affinity: true,
  evenness: 0.05,
  strayMoves: 0.01,
})
pickerSuite('maglev with a small table', () => maglev({ tableSize: 1021 }), {
  weighted: true,
  affinity: true,
  evenness: 0.08,
  strayMoves: 0.05,
})

const ids = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`).toSorted()
const ones = (count: number): Float64Array => new Float64Array(count).fill(1)
/** §3.4, Pseudocode 1, to the letter: everybody takes the next free entry of its permutation in turn. */
function populate(names: readonly string[], size: number): number[] {
  const permutations = names.map((name) => {
    const offset = hashText(name) % size
    const skip = (hashText(name, 0x9747_b28c) % (size - 1)) + 1
    return Array.from({ length: size }, (_, j) => (offset + j * skip) % size)
  })
  const next = names.map(() => 0)
  const entry = Array<number>(size).fill(-1)
  for (let filled = 0; ; ) {
    for (let i = 0; i < names.length; i++) {
      let candidate = permutations[i]![next[i]!]!
      while (entry[candidate]! >= 0) {
        next[i]! += 1
        candidate = permutations[i]![next[i]!]!
      }
      entry[candidate] = i
      next[i]! += 1
      filled += 1
      if (filled === size) return entry
    }
  }
}

const countsOf = (entries: Uint16Array | Uint32Array, members: number): number[] => {
  const counts = Array<number>(members).fill(0)
  for (const index of entries) counts[index]! += 1
  return counts
}

describe('maglev', () => {
  it('fills the table with the algorithm of the paper while weights are equal', () => {
    for (const [members, size] of [
      [1, 251],
      [7, 251],
      [10, 1021],
      [100, 4093],
      [250, 251],
      [300, 251],
    ] as const) {
      const names = ids(members)
      expect([...maglevTable(names, ones(members), size)]).toEqual(populate(names, size))
    }
  })

  it('builds this very table on every node (golden values)', () => {
    const bytes = (table: Uint16Array | Uint32Array): Uint8Array => {
      const view = new DataView(new ArrayBuffer(table.length * 2))
      table.forEach((index, place) => {
        view.setUint16(place * 2, index)
      })
      return new Uint8Array(view.buffer)
    }
    const small = maglevTable(['a', 'b', 'c'], ones(3), 251)
    expect(small.subarray(0, 24).join('')).toBe('022211110220011111122000')
    expect(hash32(bytes(maglevTable(ids(100), ones(100), 65_537)))).toBe(1434628014)
    const weights = Float64Array.from({ length: 100 }, (_, index) => 1 + (index % 7) / 4)
    expect(hash32(bytes(maglevTable(ids(100), weights, 65_537)))).toBe(172190969)
  })

  it('gives shares that are exact to one entry, whole weights or not', () => {
    for (const weights of [
      [1, 1, 1],
      [1, 2, 5],
      [0.05, 1, 1],
      [65_535, 1, 30_000],
      [0.3, 0.7],
    ]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const table = maglevTable(ids(weights.length), Float64Array.from(weights), 65_537)
      countsOf(table, weights.length).forEach((count, index) => {
        const due = (65_537 * weights[index]!) / total
        expect(Math.abs(count - Math.max(1, due))).toBeLessThan(1.0001)
      })
    }
  })

  it('leaves nobody out, however small', () => {
    const weights = Float64Array.from({ length: 200 }, (_, index) => (index < 100 ? 65_535 : 1))
    const counts = countsOf(maglevTable(ids(200), weights, 65_537), 200)
    expect(counts.slice(100)).toEqual(Array(100).fill(1))
    expect(Math.min(...counts.slice(0, 100))).toBe(654)
    expect(Math.max(...counts.slice(0, 100))).toBe(655)
  })

  it('moves few entries of others when one of 100 goes: under 1 %', () => {
    const names = ids(100)
    const before = maglevTable(names, ones(100), 65_537)
    let worst = 0
    for (const gone of [0, 31, 50, 99]) {
      const left = names.filter((_, index) => index !== gone)
      const after = maglevTable(left, ones(99), 65_537)
      let stray = 0
      before.forEach((index, place) => {
        if (index !== gone && names[index] !== left[after[place]!]) stray += 1
      })
      worst = Math.max(worst, stray / 65_537)
    }
    expect(worst).toBeLessThan(0.01)
  })

  it('works with more members than entries', () => {
    const members = ids(300).map((id) => ({ id }))
    const rig = pickerRig(maglev({ tableSize: 251 }), members)
    expect(new Set(rig.walk(12_345)).size).toBe(300)
  })

  it('wants a prime size', () => {
    expect(() => maglev({ tableSize: 65_536 })).toThrow(
      'maglev.tableSize: 65536 is not a prime: the next one is 65537',
    )
    expect(() => maglev({ tableSize: 5_000_013 })).toThrow(
      /^maglev\.tableSize: 5000013 does not fit/,
    )
  })
})
