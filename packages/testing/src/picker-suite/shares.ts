import type { Picker } from '@steelyard/core'
import { expect, it } from 'vitest'
import { pickerRig } from '../picker-rig.ts'
import { named } from './members.ts'
import type { PickerSuiteOptions } from './promises.ts'

const picks = 100_000

/** How much everybody gets. */
export function shareTests(
  makePicker: () => Picker,
  { weighted, affinity }: PickerSuiteOptions,
  evenness: number,
): void {
  const expectShares = (
    counts: ReadonlyMap<string, number>,
    shares: Readonly<Record<string, number>>,
    error = evenness,
  ): void => {
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
    const whole = Object.values(shares).reduce((sum, share) => sum + share, 0)
    for (const [id, share] of Object.entries(shares)) {
      const wanted = (total * share) / whole
      const off = Math.abs((counts.get(id) ?? 0) - wanted) / wanted
      expect(off, `${id}: ${counts.get(id) ?? 0} picks, due ${wanted}`).toBeLessThanOrEqual(error)
    }
  }

  it(`spreads ${picks} picks over equals within ${evenness * 100} %`, () => {
    const rig = pickerRig(makePicker(), named(8))
    const shares = Object.fromEntries(named(8).map(({ id }) => [id, 1]))
    expectShares(rig.drive(picks, 160), shares)
  })

  it(`spreads ${picks} picks over weights 1, 2, 5 ${weighted ? 'by weight' : 'equally'}`, () => {
    const members = [1, 2, 5, 1, 2, 5].map((weight, index) => ({ id: `member-${index}`, weight }))
    const rig = pickerRig(makePicker(), members)
    const shares = Object.fromEntries(members.map(({ id, weight }) => [id, weighted ? weight : 1]))
    expectShares(rig.drive(picks, 160), shares)
  })

  it('follows a change of weights', () => {
    const rig = pickerRig(makePicker(), named(3))
    rig.drive(1000, 60)
    rig.set([{ id: 'member-0', weight: 6 }, { id: 'member-1', weight: 2 }, { id: 'member-2' }])
    rig.drive(1000, 60)
    const shares = weighted
      ? { 'member-0': 6, 'member-1': 2, 'member-2': 1 }
      : { 'member-0': 1, 'member-1': 1, 'member-2': 1 }
    expectShares(rig.drive(picks, 60), shares)
    rig.set(named(3))
    rig.drive(1000, 60)
    expectShares(rig.drive(picks, 60), { 'member-0': 1, 'member-1': 1, 'member-2': 1 })
  })

  it('owes nobody traffic for the time before a change', () => {
    const rig = pickerRig(makePicker(), [{ id: 'a', weight: 60_000 }, { id: 'b' }, { id: 'c' }])
    rig.drive(1000, 60)
    rig.set([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    rig.drive(200, 60)
    const counts = rig.drive(3000, 60)
    for (const id of ['a', 'b', 'c']) {
      expect(counts.get(id)).toBeGreaterThan(600)
      expect(counts.get(id)).toBeLessThan(1400)
    }
  })

  it('gives a member in slow start less, by the weight in force', () => {
    const rig = pickerRig(makePicker(), [
      { id: 'a', weight: 0.5, ownWeight: 1 },
      ...['b', 'c', 'd'].map((id) => ({ id })),
    ])
    rig.drive(1000, 80)
    const counts = rig.drive(picks, 80)
    const others = (counts.get('b')! + counts.get('c')! + counts.get('d')!) / 3
    const ratio = counts.get('a')! / others
    // A table turns half of the keys away and hands them to the others: 0.125 of 1 and 0.292 each.
    const due = weighted ? (affinity ? 0.45 : 0.5) : 1
    expect(ratio).toBeGreaterThan(due * (1 - evenness) - (affinity ? 0.1 : 0.01))
    expect(ratio).toBeLessThan(due * (1 + evenness) + (affinity ? 0.1 : 0.01))
  })

  it('gives nothing to a member that left, and its share to one that returned', () => {
    const rig = pickerRig(makePicker(), named(4))
    rig.drive(5000, 80)
    rig.set(named(3))
    expect(rig.drive(5000, 80).has('member-3')).toBe(false)
    rig.set(named(4))
    const first = rig.drive(200, 80).get('member-3') ?? 0
    expect(first).toBeGreaterThan(10)
    expect(first).toBeLessThan(affinity ? 100 : 130)
    expectShares(rig.drive(picks, 80), Object.fromEntries(named(4).map(({ id }) => [id, 1])))
  })

  it('stays fair while members come and go with connections open', () => {
    const rig = pickerRig(makePicker(), named(6))
    const counts = new Map<string, number>()
    for (let round = 0; round < 200; round++) {
      const gone = round % 2 === 0 ? `member-${1 + ((round / 2) % 5)}` : ''
      rig.set(named(6).filter(({ id }) => id !== gone))
      for (const [id, count] of rig.drive(500, 120)) {
        expect(id).not.toBe(gone)
        counts.set(id, (counts.get(id) ?? 0) + count)
      }
    }
    // Each of the five was away for a tenth of the time.
    const others = Array.from({ length: 5 }, (_, index) => counts.get(`member-${index + 1}`)!)
    expect(Math.max(...others) / Math.min(...others)).toBeLessThan(1.15 + 2 * evenness)
  })
}
