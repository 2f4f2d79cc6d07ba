import { pickerRig, pickerSuite, seededRandom } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { rendezvous } from '../../src/index.ts'
import { mix32, saltsOf } from '../../src/pickers/mix.ts'

pickerSuite('rendezvous', rendezvous, { weighted: true, affinity: true, evenness: 0.05 })

describe('rendezvous', () => {
  it('orders members by weighted score, computed here without the shortcuts', () => {
    const random = seededRandom(4)
    for (const weights of [
      Array<number>(12).fill(3),
      Array.from({ length: 12 }, (_, i) => 0.1 + i),
    ]) {
      const members = weights.map((weight, index) => ({ id: `m${10 + index}`, weight }))
      const salts = saltsOf(members.map(({ id }) => id))
      const rig = pickerRig(rendezvous(), members)
      for (let i = 0; i < 200; i++) {
        const key = Math.floor(random() * 2 ** 32)
        const score = (index: number): number => {
          const hash = mix32(key, salts.a[index]!, salts.b[index]!) >>> 0
          return -weights[index]! / Math.log((hash + 0.5) / 2 ** 32)
        }
        const order = members
          .map(({ id }, index) => ({ id, score: score(index) }))
          .toSorted((a, b) => b.score - a.score)
        expect(rig.walk(key)).toEqual(order.map(({ id }) => id))
      }
    }
  })

  it('maps these keys to these members on every node (golden values)', () => {
    const members = Array.from({ length: 10 }, (_, index) => ({
      id: `m${index}`,
      weight: 1 + (index % 3),
    }))
    const rig = pickerRig(rendezvous(), members)
    const keys = Array.from({ length: 16 }, (_, index) => (index * 0x9e37_79b1) >>> 0)
    expect(keys.map((key) => rig.pick(key)).join(' ')).toBe(
      'm4 m4 m3 m4 m4 m8 m5 m0 m2 m4 m4 m6 m1 m1 m8 m8',
    )
  })
})
