import { type Picker, type Pool, pool, Tried, untried, type Verdict } from '@steelyard/core'
import { expect, it } from 'vitest'
import { type PickerRig, pickerRig, type RigMember } from '../picker-rig.ts'
import { seededRandom } from '../seeded-random.ts'
import { named } from './members.ts'

const up: Verdict = { state: 'up', since: 0, reason: 'test' }
const down: Verdict = { state: 'down', since: 0, reason: 'test' }

/** What hash pickers promise on top. */
export function affinityTests(makePicker: () => Picker, strayMoves: number | false): void {
  const keys = (count = 20_000): number[] => {
    const random = seededRandom(11)
    return Array.from({ length: count }, () => Math.floor(random() * 0x1_0000_0000))
  }
  const homes = (rig: PickerRig, of: readonly number[]): (string | undefined)[] =>
    of.map((key) => rig.pick(key))

  it('gives a key the same member, whatever the load and whatever was picked before', () => {
    const rig = pickerRig(makePicker(), named(10))
    const all = keys(5000)
    const before = homes(rig, all)
    rig.drive(5000, 500)
    expect(homes(rig, all)).toEqual(before)
  })

  it('moves the keys of a full or tried member only, each to its own second choice', () => {
    const rig = pickerRig(
      makePicker(),
      named(10).map((member) => ({ ...member, limit: 1 })),
    )
    const all = keys(5000)
    const before = homes(rig, all)
    rig.load.open(rig.slotOf('member-4'))
    const tried = new Tried()
    tried.add(rig.slotOf('member-4'))
    const second = new Set<string>()
    all.forEach((key, index) => {
      const now = rig.pick(key)
      if (before[index] !== 'member-4') return expect(now).toBe(before[index])
      expect(now).not.toBe('member-4')
      expect(rig.walk(key)[0]).toBe(now)
      second.add(now!)
    })
    expect(second.size).toBe(9)
    rig.load.close(rig.slotOf('member-4'))
    expect(all.map((key) => rig.pick(key, tried))).toEqual(
      all.map((key) => rig.walk(key).find((id) => id !== 'member-4')),
    )
  })

  it('moves only keys of a member in slow start, and those back one by one', () => {
    const of = (weight: number): RigMember[] => [
      ...named(9),
      { id: 'warming', weight, ownWeight: 1 },
    ]
    const rig = pickerRig(makePicker(), of(1))
    const all = keys(10_000)
    const full = homes(rig, all)
    let before: (string | undefined)[] | undefined
    for (const weight of [0.05, 0.3, 0.6, 0.95, 1]) {
      rig.set(of(weight))
      const now = homes(rig, all)
      now.forEach((id, index) => {
        if (full[index] !== 'warming') expect(id).toBe(full[index])
        if (before?.[index] === 'warming') expect(id).toBe('warming')
      })
      before = now
    }
    expect(before).toEqual(full)
  })

  it('maps keys the same on every node, whatever the order, the slots and the history', () => {
    const backends = Array.from({ length: 12 }, (_, index) => ({
      id: `backend-${index}`,
      address: `10.1.0.${index + 1}:80`,
      weight: 1 + (index % 3),
    }))
    const first = pool({ pick: makePicker(), backends, random: seededRandom(1) })
    const second = pool({ pick: makePicker(), random: seededRandom(2) })
    second.set(['192.0.2.1:80', '192.0.2.2:80', ...backends.slice(6)])
    second.pick(1, untried)
    second.set([...backends.slice(3, 9), '192.0.2.3:80'])
    second.pick(2, untried)
    second.set(backends.toReversed())
    second.report('backend-5', down)
    second.pick(3, untried)
    second.report('backend-5', up)
    const idOf = (of: Pool, key: number): string => of.backendAt(of.pick(key, untried)).id
    const all = keys(5000)
    expect(all.map((key) => idOf(second, key))).toEqual(all.map((key) => idOf(first, key)))
  })

  it('maps every key back when a member returns', () => {
    const rig = pickerRig(makePicker(), named(10))
    const all = keys(5000)
    const before = homes(rig, all)
    rig.set(named(9))
    rig.pick(1)
    rig.set(named(10))
    expect(homes(rig, all)).toEqual(before)
  })

  if (strayMoves === false) return
  it(`moves at most ${strayMoves * 100} % of the others' keys when one of ten goes or comes`, () => {
    const rig = pickerRig(makePicker(), named(10))
    const all = keys()
    const before = homes(rig, all)
    for (const gone of ['member-0', 'member-5', 'member-9']) {
      rig.set(named(10).filter(({ id }) => id !== gone))
      const after = homes(rig, all)
      const heirs = new Map<string, number>()
      let stray = 0
      let own = 0
      after.forEach((id, index) => {
        if (before[index] === gone) {
          own += 1
          heirs.set(id!, (heirs.get(id!) ?? 0) + 1)
        } else if (id !== before[index]) stray += 1
      })
      expect(stray / (all.length - own)).toBeLessThanOrEqual(strayMoves)
      // Its keys spread over all others, so that no single one takes the load of two.
      expect(heirs.size).toBe(9)
      expect(Math.max(...heirs.values()) / own).toBeLessThan(0.3)
    }
  })

  it("moves at most the changed part, and as many strays, when one member's weight changes", () => {
    const weigh = (weight: number): RigMember[] => [
      ...named(9).map((member) => ({ ...member, weight: 2 })),
      { id: 'changing', weight },
    ]
    const rig = pickerRig(makePicker(), weigh(2))
    const all = keys()
    const before = homes(rig, all)
    rig.set(weigh(4))
    const after = homes(rig, all)
    let stray = 0
    after.forEach((id, index) => {
      if (id !== before[index] && id !== 'changing') stray += 1
    })
    expect(stray / all.length).toBeLessThanOrEqual(strayMoves)
    rig.set(weigh(2))
    expect(homes(rig, all)).toEqual(before)
  })
}
