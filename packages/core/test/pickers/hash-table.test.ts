import { pickerRig, type RigMember } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import type { Picker } from '../../src/index.ts'
import { type HashTable, tableSelector } from '../../src/pickers/hash-table.ts'

/** A table with one entry each, which remembers what it was built of. */
function counting(builds: string[]): Picker {
  const build = (ids: readonly string[], weights: Float64Array): HashTable => {
    builds.push(ids.map((id, index) => `${id}=${weights[index]}`).join(' '))
    return { entries: Uint16Array.from(ids.keys()), locate: (key) => key % ids.length }
  }
  return { name: 'counting', key: 'source', open: () => tableSelector(build) }
}

const of = (weights: Readonly<Record<string, number>>, own?: number): RigMember[] =>
  Object.entries(weights).map(([id, weight]) => ({
    id,
    weight,
    ...(own === undefined ? {} : { ownWeight: own }),
  }))

describe('table selector', () => {
  it('builds once for many changes, when the next pick asks for it', () => {
    const builds: string[] = []
    const rig = pickerRig(counting(builds))
    for (let count = 1; count < 50; count++) {
      rig.set(Array.from({ length: count }, (_, index) => ({ id: `m${index}` })))
    }
    rig.set(of({ a: 1, b: 2 }))
    rig.set(of({ a: 1, b: 2 }))
    expect(builds).toEqual([])
    expect([rig.pick(0), rig.pick(1), rig.pick(2)]).toEqual(['a', 'b', 'a'])
    expect(builds).toEqual(['a=1 b=2'])
  })

  it('builds anew for another id or weight, and for nothing else', () => {
    const builds: string[] = []
    const rig = pickerRig(counting(builds), of({ a: 1, b: 2 }))
    rig.pick(0)
    rig.set(of({ b: 2, a: 1 }))
    rig.set(
      [
        { id: 'a', limit: 7 },
        { id: 'b', weight: 2 },
      ],
      1.5,
    )
    rig.pick(0)
    expect(builds).toEqual(['a=1 b=2'])
    rig.set(of({ a: 1, b: 3 }))
    rig.pick(0)
    rig.set(of({ a: 1, c: 3 }))
    rig.pick(0)
    rig.set(of({ a: 1, c: 3, d: 1 }))
    rig.pick(0)
    expect(builds.slice(1)).toEqual(['a=1 b=3', 'a=1 c=3', 'a=1 c=3 d=1'])
  })

  it('builds of own weights, so that no step of a slow start builds', () => {
    const builds: string[] = []
    const rig = pickerRig(counting(builds), of({ a: 4, b: 4 }, 4))
    rig.pick(0)
    for (const weight of [0.2, 1, 2.7, 3.9, 4]) {
      rig.set(of({ a: 4, b: weight }, 4))
      rig.pick(1)
    }
    expect(builds).toEqual(['a=4 b=4'])
  })

  it('turns keys away in proportion during a slow start, but not when nobody else has room', () => {
    const rig = pickerRig(counting([]), of({ a: 10, b: 3 }, 10))
    const keys = Array.from({ length: 10_000 }, (_, index) => index * 2 + 1)
    const taken = keys.filter((key) => rig.pick(key) === 'b').length
    expect(taken / keys.length).toBeGreaterThan(0.28)
    expect(taken / keys.length).toBeLessThan(0.32)
    expect(keys.every((key) => rig.walk(key).length === 2)).toBe(true)
    rig.set([
      { id: 'a', weight: 10, limit: 1 },
      { id: 'b', weight: 3, ownWeight: 10 },
    ])
    rig.load.open(rig.slotOf('a'))
    expect(keys.every((key) => rig.pick(key) === 'b')).toBe(true)
  })
})
