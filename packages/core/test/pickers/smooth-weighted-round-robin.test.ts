import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { smoothWeightedRoundRobin } from '../../src/index.ts'

pickerSuite('smoothWeightedRoundRobin', smoothWeightedRoundRobin, {
  weighted: true,
  affinity: false,
  evenness: 0.001,
})

const sequence = (length: number, pick: () => string | undefined): string =>
  Array.from({ length }, pick).join(' ')
const weighing = (weights: Readonly<Record<string, number>>) =>
  Object.entries(weights).map(([id, weight]) => ({ id, weight }))

describe('smoothWeightedRoundRobin', () => {
  it("gives NGINX's sequences", () => {
    const sequenceOf = (weights: Readonly<Record<string, number>>, length: number): string => {
      const rig = pickerRig(smoothWeightedRoundRobin(), weighing(weights))
      return sequence(length, () => rig.pick())
    }
    expect(sequenceOf({ a: 5, b: 1, c: 1 }, 14)).toBe('a a b a c a a a a b a c a a')
    expect(sequenceOf({ a: 1, b: 2 }, 6)).toBe('b a b b a b')
    expect(sequenceOf({ a: 4, b: 2, c: 1 }, 7)).toBe('a b a c a b a')
    expect(sequenceOf({ a: 1, b: 1, c: 1 }, 6)).toBe('a b c a b c')
  })

  it('leaves full members out of the round, as NGINX does, and does not owe them turns', () => {
    const rig = pickerRig(smoothWeightedRoundRobin(), [
      { id: 'a', weight: 2 },
      { id: 'b', limit: 1 },
      { id: 'c' },
    ])
    rig.load.open(rig.slotOf('b'))
    expect(sequence(30, () => rig.pick())).toBe(Array(10).fill('a c a').join(' '))
    rig.load.close(rig.slotOf('b'))
    expect(sequence(8, () => rig.pick())).toBe('a b c a a b c a')
  })

  it('goes on where it was after an update that changes nothing', () => {
    const rig = pickerRig(smoothWeightedRoundRobin(), weighing({ a: 5, b: 1, c: 1 }))
    const whole: (string | undefined)[] = []
    for (let i = 0; i < 14; i++) {
      whole.push(rig.pick())
      rig.set(weighing({ a: 5, b: 1, c: 1 }))
    }
    expect(whole.join(' ')).toBe('a a b a c a a a a b a c a a')
  })

  it('does not restart when a member comes or goes', () => {
    const rig = pickerRig(smoothWeightedRoundRobin(), weighing({ a: 1, b: 1, c: 1, d: 1 }))
    expect(sequence(2, () => rig.pick())).toBe('a b')
    rig.set(weighing({ a: 1, b: 1, c: 1 }))
    expect(sequence(4, () => rig.pick())).toBe('c a b c')
  })

  it('starts newcomers at the mean, whatever those who left were owed', () => {
    const ten = Object.fromEntries('abcdefghij'.split('').map((id) => [id, 1]))
    const rig = pickerRig(smoothWeightedRoundRobin(), weighing(ten))
    expect(sequence(5, () => rig.pick())).toBe('a b c d e')
    // Those who had their turn stay, those who wait for it leave.
    rig.set(weighing({ a: 1, b: 1, c: 1, d: 1, e: 1, z: 1 }))
    expect(sequence(7, () => rig.pick())).toBe('a b c d e z a')
  })

  it('lets no debt build up however often members come and go', () => {
    const rig = pickerRig(smoothWeightedRoundRobin(), weighing({ a: 1, b: 1 }))
    for (let i = 0; i < 2000; i++) {
      rig.set(weighing({ a: 1, b: 1, [`passing-${i}`]: 40 }))
      rig.pick()
      rig.set(weighing({ a: 1, b: 1 }))
      rig.pick()
    }
    rig.set(weighing({ a: 1, b: 1, z: 1 }))
    const first = sequence(6, () => rig.pick()).split(' ')
    expect(first.filter((id) => id === 'z').length).toBeGreaterThanOrEqual(1)
    expect(first.filter((id) => id === 'z').length).toBeLessThanOrEqual(3)
  })

  it('starts anywhere when asked to, with the same shares', () => {
    const weights = { a: 5, b: 2, c: 1 }
    const starts = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const picker = smoothWeightedRoundRobin({ randomStart: true })
      const rig = pickerRig(picker, weighing(weights), seed)
      starts.add(sequence(8, () => rig.pick()))
      const counts = rig.drive(8000, 10)
      for (const [id, weight] of Object.entries(weights)) {
        expect(Math.abs(counts.get(id)! - weight * 1000)).toBeLessThanOrEqual(2)
      }
    }
    expect(starts.size).toBeGreaterThan(3)
  })
})
