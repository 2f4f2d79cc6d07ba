import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { roundRobin } from '../../src/index.ts'

pickerSuite('roundRobin', roundRobin, { weighted: true, affinity: false, evenness: 0.001 })
pickerSuite('roundRobin ignoring weights', () => roundRobin({ ignoreWeights: true }), {
  weighted: false,
  affinity: false,
  evenness: 0.001,
})

const abc = ['a', 'b', 'c'].map((id) => ({ id }))
const sequence = (length: number, pick: () => string | undefined): string =>
  Array.from({ length }, pick).join(' ')

describe('roundRobin', () => {
  it('goes through equals in list order', () => {
    const rig = pickerRig(roundRobin(), abc)
    expect(sequence(7, () => rig.pick())).toBe('a b c a b c a')
  })

  it('is smooth by weight while weights differ', () => {
    const rig = pickerRig(roundRobin(), [{ id: 'a', weight: 5 }, { id: 'b' }, { id: 'c' }])
    expect(sequence(14, () => rig.pick())).toBe('a a b a c a a a a b a c a a')
  })

  it('goes on where it was when members, weights or both change', () => {
    const rig = pickerRig(roundRobin(), abc)
    expect(sequence(2, () => rig.pick())).toBe('a b')
    rig.set([...abc, { id: 'bb' }])
    expect(sequence(4, () => rig.pick())).toBe('c a b bb')
    rig.set(abc.slice(0, 2))
    expect(sequence(3, () => rig.pick())).toBe('a b a')
    rig.set([])
    rig.set(abc)
    expect(sequence(3, () => rig.pick())).toBe('b c a')
    // One gets more for a while: those who wait for their turn still come first.
    rig.set([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 2 }])
    expect(sequence(4, () => rig.pick())).toBe('c b c a')
    rig.set(abc)
    expect(sequence(3, () => rig.pick())).toBe('b c a')
  })

  it('passes over a full member, and goes on behind the one that it picked', () => {
    const rig = pickerRig(roundRobin(), [{ id: 'a' }, { id: 'b', limit: 1 }, { id: 'c' }])
    rig.load.open(rig.slotOf('b'))
    expect(sequence(4, () => rig.pick())).toBe('a c a c')
    rig.load.close(rig.slotOf('b'))
    expect(sequence(3, () => rig.pick())).toBe('a b c')
  })

  it('starts anywhere when asked to', () => {
    const starts = new Set<string | undefined>()
    for (let seed = 0; seed < 40; seed++) {
      starts.add(pickerRig(roundRobin({ randomStart: true }), abc, seed).pick())
    }
    expect([...starts].toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('refuses options that are not yes or no', () => {
    expect(() => roundRobin({ ignoreWeights: 1 as unknown as boolean })).toThrow(
      'roundRobin.ignoreWeights: 1 is neither true nor false',
    )
  })
})
