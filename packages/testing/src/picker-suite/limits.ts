import { type Picker, untried } from '@steelyard/core'
import { expect, it } from 'vitest'
import { pickerRig } from '../picker-rig.ts'

/** Connection limits and bounded load. */
export function limitTests(makePicker: () => Picker): void {
  it('never goes beyond a connection limit, and fills every place', () => {
    const limits = [3, 1, 7, 2]
    const rig = pickerRig(
      makePicker(),
      limits.map((limit, index) => ({ id: `member-${index}`, limit, weight: 1 + index })),
    )
    for (let i = 0; i < 13; i++) rig.load.open(rig.selector.pick(i * 0x1357_9bdf, untried))
    expect(limits.map((_, index) => rig.load.active[rig.slotOf(`member-${index}`)])).toEqual(limits)
    expect(rig.pick(1)).toBeUndefined()
    rig.load.close(rig.slotOf('member-2'))
    for (let key = 0; key < 50; key++) expect(rig.pick(key)).toBe('member-2')
  })

  it('skips full members that it would prefer, and comes back to them', () => {
    const rig = pickerRig(makePicker(), [
      { id: 'a', limit: 1 },
      { id: 'b', limit: 1, weight: 3 },
      { id: 'c' },
    ])
    rig.load.open(rig.slotOf('a'))
    rig.load.open(rig.slotOf('b'))
    for (let key = 0; key < 50; key++) expect(rig.pick(key * 0x0f0f_0f0f)).toBe('c')
    for (let i = 0; i < 50; i++) rig.load.open(rig.slotOf('c'))
    rig.load.close(rig.slotOf('a'))
    const keys = Array.from({ length: 200 }, () => Math.floor(rig.random() * 0x1_0000_0000))
    expect(keys.some((key) => rig.pick(key) === 'a')).toBe(true)
    expect(keys.every((key) => rig.pick(key) !== 'b')).toBe(true)
  })

  it('keeps every member within its bounded load, also when one key is hot', () => {
    const factor = 1.25
    for (const weights of [Array<number>(8).fill(1), [1, 2, 5, 1, 2, 5]]) {
      const members = weights.map((weight, index) => ({ id: `member-${index}`, weight }))
      const whole = weights.reduce((sum, weight) => sum + weight, 0)
      const rig = pickerRig(makePicker())
      rig.set(members, factor)
      for (let open = 1; open <= 800; open++) {
        const slot = rig.selector.pick(0xfeed_beef, untried)
        expect(slot).toBeGreaterThanOrEqual(0)
        rig.load.open(slot)
        const weight = weights[members.findIndex(({ id }) => rig.slotOf(id) === slot)]!
        const cap = Math.ceil((open * factor * weight) / whole - 1e-9)
        expect(rig.load.active[slot]).toBeLessThanOrEqual(cap)
      }
    }
  })
}
