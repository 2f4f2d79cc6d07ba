import { type Picker, Tried, untried } from '@steelyard/core'
import { expect, it } from 'vitest'
import { bytesPerStep } from '../allocation.ts'
import { pickerRig, type RigMember } from '../picker-rig.ts'
import { seededRandom } from '../seeded-random.ts'
import { named } from './members.ts'

/** What a pick may cost. */
export function costTests(makePicker: () => Picker): void {
  it('allocates nothing for a pick, 200,000 times', () => {
    // Strings among the keys keep numbers above 2^31 in boxes of their own, made here and not in
    // the loop.
    const keys: unknown[] = ['']
    const random = seededRandom(13)
    for (let i = 1; i < 1024; i++) keys.push(Math.floor(random() * 0x1_0000_0000))
    const cases: RigMember[][] = [
      named(10),
      named(10).map((member, index) => ({ ...member, weight: 1 + (index % 3), limit: 100 })),
      named(10).map((member, index) => ({ ...member, weight: index === 3 ? 0.3 : 1, limit: 100 })),
    ]
    for (const members of cases) {
      const { selector, load, set } = pickerRig(makePicker())
      set(members, 2)
      const tried = new Tried()
      const run = (steps: number): void => {
        for (let i = 0; i < steps; i += 2) {
          const key = keys[1 + (i % 1023)] as number
          const slot = selector.pick(key, untried)
          load.open(slot)
          tried.clear()
          tried.add(slot)
          selector.pick(key, tried)
          load.close(slot)
        }
      }
      expect(bytesPerStep(run)).toBeLessThan(1)
    }
  })
}
