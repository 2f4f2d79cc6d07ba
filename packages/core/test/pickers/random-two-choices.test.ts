import { pickerRig, pickerSuite } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { randomTwoChoices } from '../../src/index.ts'
import { RandomStream } from '../../src/pickers/random-stream.ts'
import { WeightedDraw } from '../../src/pickers/weighted-draw.ts'

pickerSuite('randomTwoChoices', randomTwoChoices, {
  weighted: true,
  affinity: false,
  evenness: 0.06,
})
pickerSuite('randomTwoChoices of five', () => randomTwoChoices({ choices: 5 }), {
  weighted: true,
  affinity: false,
  evenness: 0.06,
})
pickerSuite('randomTwoChoices of one', () => randomTwoChoices({ choices: 1 }), {
  weighted: true,
  affinity: false,
  evenness: 0.04,
})

describe('randomTwoChoices', () => {
  it('never takes the most loaded of all while two are compared', () => {
    const rig = pickerRig(randomTwoChoices(), [{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    rig.load.open(rig.slotOf('b'))
    const seen = new Set(Array.from({ length: 500 }, () => rig.pick()))
    expect([...seen].toSorted()).toEqual(['a', 'c'])
  })

  it('compares loads for their weights', () => {
    const rig = pickerRig(randomTwoChoices(), [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 10 },
    ])
    rig.load.open(rig.slotOf('a'))
    for (let i = 0; i < 9; i++) rig.load.open(rig.slotOf('b'))
    const seen = new Set(Array.from({ length: 200 }, () => rig.pick()))
    expect([...seen]).toEqual(['b'])
  })

  it('keeps the fullest of 100 members far closer to the mean than chance alone', () => {
    const members = Array.from({ length: 100 }, (_, index) => ({ id: `m${index}` }))
    const fullest = (choices: number): number => {
      const rig = pickerRig(randomTwoChoices({ choices }), members)
      for (let i = 0; i < 10_000; i++) rig.load.open(rig.slotOf(rig.pick()!))
      return Math.max(...rig.load.active)
    }
    expect(fullest(2)).toBeLessThanOrEqual(104)
    expect(fullest(1)).toBeGreaterThan(115)
  })

  it('finds the one member with room among a thousand', () => {
    const members = Array.from({ length: 1000 }, (_, index) => ({ id: `m${index}`, limit: 1 }))
    const rig = pickerRig(randomTwoChoices(), members)
    for (const { id } of members) if (id !== 'm777') rig.load.open(rig.slotOf(id))
    for (let i = 0; i < 20; i++) expect(rig.pick()).toBe('m777')
  })

  it('refuses a number of choices that is none', () => {
    for (const choices of [0, 1.5, 65, Number.NaN, '2' as unknown as number]) {
      expect(() => randomTwoChoices({ choices })).toThrow(/^randomTwoChoices\.choices: /)
    }
  })
})

describe('weighted draw', () => {
  it('draws in proportion, from 1 to 65535 and fractions', () => {
    for (const weights of [[1], [1, 1, 1], [1, 2, 5], [0.25, 1, 1], [1, 65_535], [3, 0.001, 7]]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      const draw = new WeightedDraw(Float64Array.from(weights), total)
      const stream = new RandomStream(() => 0.3)
      const counts = new Float64Array(weights.length)
      const draws = 200_000
      for (let i = 0; i < draws; i++) counts[draw.draw(stream)]! += 1
      weights.forEach((weight, index) => {
        const wanted = (draws * weight) / total
        // Five standard deviations.
        const slack = 5 * Math.sqrt(wanted * (1 - weight / total)) + 1
        expect(Math.abs(counts[index]! - wanted)).toBeLessThanOrEqual(slack)
      })
    }
  })
})
