import { type Picker, Tried, untried } from '@steelyard/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pickerRig } from '../picker-rig.ts'
import { expectAdmitted } from './admitted.ts'
import { named } from './members.ts'

/** Who may be picked at all. */
export function contractTests(makePicker: () => Picker): void {
  it('is frozen, and opens selectors that share nothing', () => {
    const picker = makePicker()
    expect(Object.isFrozen(picker)).toBe(true)
    const busy = pickerRig(picker, named(3))
    const fresh = pickerRig(picker, named(3))
    const alone = pickerRig(makePicker(), named(3))
    for (let i = 0; i < 10; i++) busy.pick(i)
    const keys = Array.from({ length: 20 }, (_, key) => key * 0x0a0b_0c0d)
    expect(keys.map((key) => fresh.pick(key))).toEqual(keys.map((key) => alone.pick(key)))
  })

  it('picks nobody before the first roster, and nobody from an empty one', () => {
    const selector = makePicker().open({ random: () => 0.5, now: () => 0 })
    expect(selector.pick(7, untried)).toBe(-1)
    const rig = pickerRig(makePicker())
    expect(rig.selector.pick(7, untried)).toBe(-1)
    rig.set(named(2))
    rig.pick(7)
    rig.set([])
    expect(rig.selector.pick(7, untried)).toBe(-1)
    rig.set(named(2))
    expect(rig.pick(7)).toBeDefined()
  })

  it('picks the only member each time, by its slot', () => {
    const rig = pickerRig(makePicker(), named(1))
    for (let key = 0; key < 100; key++) expect(rig.pick(key * 0x0123_4567)).toBe('member-0')
  })

  it('walks over all members, each once, and then to nobody', () => {
    for (const weights of [[1], [1, 1], [1, 2, 5], [0.05, 1, 65_535], Array<number>(40).fill(1)]) {
      const members = weights.map((weight, index) => ({ id: `member-${index}`, weight }))
      const rig = pickerRig(makePicker(), members)
      for (let i = 0; i < 20; i++) {
        const walk = rig.walk(Math.floor(rig.random() * 0x1_0000_0000))
        expect(walk.toSorted()).toEqual(members.map(({ id }) => id).toSorted())
      }
    }
  })

  it('gives a member that admits whenever there is one, and never another', () => {
    const member = fc.record({
      weight: fc.oneof(
        fc.integer({ min: 1, max: 65_535 }),
        fc.double({ min: 0.001, max: 300, noNaN: true }),
      ),
      limit: fc.integer({ min: 0, max: 3 }),
      active: fc.integer({ min: 0, max: 4 }),
      tried: fc.boolean(),
      present: fc.boolean(),
    })
    const step = fc.record({
      members: fc.array(member, { minLength: 0, maxLength: 12 }),
      boundedLoad: fc.constantFrom(0, 1.25, 2),
      keys: fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 1, maxLength: 5 }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
        const rig = pickerRig(makePicker())
        for (const { members, boundedLoad, keys } of steps) {
          rig.set(
            members
              .map((spec, index) => ({ ...spec, id: `member-${index}` }))
              .filter(({ present }) => present),
            boundedLoad,
          )
          const tried = new Tried()
          members.forEach((spec, index) => {
            const slot = rig.slotOf(`member-${index}`)
            rig.load.clear(slot)
            for (let i = 0; i < spec.active; i++) rig.load.open(slot)
            if (spec.tried) tried.add(slot)
          })
          for (const key of keys) expectAdmitted(rig, rig.selector.pick(key, tried), tried)
        }
      }),
      { numRuns: 40, seed: 20_260_101 },
    )
  })
}
