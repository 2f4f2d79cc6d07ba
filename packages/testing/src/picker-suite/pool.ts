import { type Picker, type Pool, pool, Tried, untried, type Verdict } from '@steelyard/core'
import { expect, it } from 'vitest'
import { manualClock } from '../manual-clock.ts'
import { seededRandom } from '../seeded-random.ts'
import { expectAdmitted } from './admitted.ts'
import type { PickerSuiteOptions } from './promises.ts'

const up: Verdict = { state: 'up', since: 0, reason: 'test' }
const down: Verdict = { state: 'down', since: 0, reason: 'test' }

/** Who gets 300 connections with different keys, of which most stay open until the last. */
function takers(target: Pool, random: () => number): Set<string> {
  const seen = new Set<string>()
  const open: number[] = []
  for (let i = 0; i < 300; i++) {
    const slot = target.pick(Math.floor(random() * 0x1_0000_0000), untried)
    if (slot < 0) continue
    seen.add(target.backendAt(slot).id)
    target.opened(slot)
    target.succeeded(slot, 5)
    if (i % 3 === 0) target.closed(slot)
    else open.push(slot)
  }
  for (const slot of open) target.closed(slot)
  return seen
}

/** Together with a real pool. */
export function poolTests(
  makePicker: () => Picker,
  { weighted, affinity, evenness }: PickerSuiteOptions,
): void {
  const open = (backends: Parameters<typeof pool>[0]) =>
    pool({ pick: makePicker(), clock: manualClock(), random: seededRandom(5), ...backends })
  const abc = ['a', 'b', 'c'].map((id, index) => ({
    id,
    address: `10.0.0.${index + 1}:80`,
    maxConnections: 150,
  }))

  it('in a pool: weight 0, draining and disabled members get nothing, and get traffic again', () => {
    const random = seededRandom(6)
    const members = open({ backends: abc })
    expect(takers(members, random)).toEqual(
      new Set(evenness === false ? ['a', 'b'] : ['a', 'b', 'c']),
    )
    for (const change of [{ weight: 0 }, { state: 'draining' }, { state: 'disabled' }] as const) {
      const fresh = open({ backends: abc })
      fresh.edit('a', change)
      expect(takers(fresh, random).has('a')).toBe(false)
      fresh.edit('a', { weight: 1, state: 'enabled' })
      expect(takers(fresh, random).has('a')).toBe(true)
    }
  })

  it('in a pool: backups take over together, and hand back when a member returns', () => {
    const random = seededRandom(7)
    const members = open({
      backends: [...abc.map((init) => ({ ...init, backup: init.id !== 'a', maxConnections: 0 }))],
    })
    expect(takers(members, random)).toEqual(new Set(['a']))
    members.report('a', down)
    const backups = takers(members, random)
    expect(backups.has('a')).toBe(false)
    expect(backups.size).toBe(evenness === false ? 1 : 2)
    members.report('a', up)
    expect(takers(members, random)).toEqual(new Set(['a']))
  })

  it('in a pool: nobody when all are down; who returns gets everything', () => {
    const random = seededRandom(8)
    const members = open({ backends: abc.map((init) => ({ ...init, maxConnections: 0 })) })
    for (const id of ['a', 'b', 'c']) members.report(id, down)
    expect(members.pick(1, untried)).toBe(-1)
    members.report('b', up)
    expect(takers(members, random)).toEqual(new Set(['b']))
    members.report('a', up)
    members.report('b', down)
    expect(takers(members, random)).toEqual(new Set(['a']))
    members.report('a', down)
    members.reconfigure({ pick: makePicker(), whenEmpty: 'all' })
    expect(takers(members, random).size).toBe(evenness === false ? 1 : 3)
  })

  it('in a pool: a retry walks on over all usable members', () => {
    const members = open({ backends: abc })
    members.report('b', down)
    const tried = new Tried()
    const walk: string[] = []
    for (let attempt = 0; attempt < 2; attempt++) {
      const slot = members.pick(9, tried)
      walk.push(members.backendAt(slot).id)
      tried.add(slot)
    }
    expect(walk.toSorted()).toEqual(['a', 'c'])
    expect(members.pick(9, tried)).toBe(-1)
  })

  if (weighted && evenness !== false) {
    it('in a pool: a slow start begins with little and ends with the full share', () => {
      const clock = manualClock()
      const random = seededRandom(9)
      const members = pool({
        pick: makePicker(),
        clock,
        random: seededRandom(5),
        backends: abc.map((init) => ({ ...init, maxConnections: 0 })),
        slowStart: '30s',
      })
      const share = (): number => {
        const open: number[] = []
        let own = 0
        for (let i = 0; i < 6000; i++) {
          const slot = members.pick(Math.floor(random() * 0x1_0000_0000), untried)
          if (members.backendAt(slot).id === 'a') own += 1
          members.opened(slot)
          members.succeeded(slot, 5)
          open.push(slot)
          if (open.length > 300) members.closed(open.shift()!)
        }
        for (const slot of open) members.closed(slot)
        return own / 6000
      }
      members.report('a', down)
      members.report('a', up)
      const early = share()
      clock.advance(15_000)
      const half = share()
      clock.advance(16_000)
      const late = share()
      expect(early).toBeLessThan(0.05)
      expect(half).toBeGreaterThan(0.11)
      expect(half).toBeLessThan(0.26)
      expect(late).toBeGreaterThan(affinity ? 0.25 : 0.3)
    })
  }

  it('in a pool: stays right through thousands of random changes under load', () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      const members = open({ boundedLoad: seed === 3 ? 1.5 : 0 })
      const everybody = Array.from({ length: 12 }, (_, index) => ({
        id: `m${index}`,
        address: `10.0.1.${index + 1}:80`,
        maxConnections: index % 4 === 0 ? 5 : 0,
        backup: index % 6 === 5,
      }))
      const below = (count: number): number => Math.floor(random() * count)
      const held: number[] = []
      for (let step = 0; step < 2000; step++) {
        const act = below(100)
        const present = members.members()
        const somebody = present[below(present.length)]?.backend.id
        if (act < 3) members.set(everybody.filter(() => random() < 0.7))
        else if (act < 8 && somebody !== undefined) {
          members.report(somebody, random() < 0.5 ? up : down)
        } else if (act < 12 && somebody !== undefined) {
          members.edit(somebody, { weight: below(4) })
        } else if (act < 40 && held.length > 0) {
          members.closed(held.splice(below(held.length), 1)[0]!)
        } else {
          const tried = new Tried()
          for (let attempt = below(4); attempt >= 0; attempt--) {
            const slot = members.pick(below(0x1_0000_0000), tried)
            expectAdmitted({ roster: members.roster.current }, slot, tried)
            if (slot < 0) break
            tried.add(slot)
            if (attempt > 0) continue
            members.opened(slot)
            if (random() < 0.8) members.succeeded(slot, random() * 50)
            held.push(slot)
          }
        }
      }
      for (const slot of held) members.closed(slot)
      expect(members.load.sum()).toBe(0)
    }
  })
}
