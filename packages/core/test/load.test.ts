import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backend, loadTable, roster, Tried, untried } from '../src/index.ts'

describe('load table', () => {
  it('counts what is open, what was opened and what failed, by slot and in sum', () => {
    const load = loadTable(3)
    load.open(0)
    load.open(2)
    load.open(2)
    load.close(2)
    load.fail(1)
    expect([[...load.active], [...load.total], [...load.failures]]).toEqual([
      [1, 0, 1],
      [1, 0, 2],
      [0, 1, 0],
    ])
    expect(load.sum()).toBe(2)
    load.clear(2)
    expect([load.sum(), load.active[2], load.total[2]]).toEqual([1, 0, 0])
  })

  it('lies in shared memory', () => {
    const load = loadTable(1)
    for (const counters of [load.active, load.total, load.failures]) {
      expect(counters.buffer).toBeInstanceOf(SharedArrayBuffer)
    }
  })

  it('has as its sum what its slots add up to', () => {
    const call = fc.tuple(fc.constantFrom('open', 'close', 'clear'), fc.nat(3))
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const load = loadTable(4)
        for (const [name, slot] of calls) {
          if (name === 'close' && load.active[slot] === 0) continue
          load[name as 'open'](slot)
          expect(load.sum()).toBe([...load.active].reduce((a, b) => a + b, 0))
        }
      }),
    )
  })
})

describe('roster', () => {
  const make = (members: readonly { weight?: number; limit?: number }[], boundedLoad = 0) => {
    const load = loadTable(members.length + 1)
    const members_ = roster({
      backends: members.map((_, i) => backend(`10.0.0.${i + 1}:80`)),
      slots: Int32Array.from(members, (_, i) => i),
      weights: Float64Array.from(members, ({ weight = 1 }) => weight),
      limits: Int32Array.from(members, ({ limit = 0 }) => limit),
      load,
      boundedLoad,
    })
    return { load, members: members_ }
  }

  it('is frozen, and knows its size and total weight', () => {
    const { members } = make([{ weight: 2 }, { weight: 0.5 }])
    expect([members.size, members.totalWeight]).toEqual([2, 2.5])
    expect([Object.isFrozen(members), Object.isFrozen(members.backends)]).toEqual([true, true])
    expect(make([]).members.totalWeight).toBe(0)
  })

  it('admits up to the limit, and not who was tried', () => {
    const { load, members } = make([{ limit: 2 }, {}])
    const tried = new Tried()
    load.open(0)
    expect(members.admits(0, untried)).toBe(true)
    load.open(0)
    expect(members.admits(0, untried)).toBe(false)
    for (let i = 0; i < 100; i++) load.open(1)
    expect(members.admits(1, tried)).toBe(true)
    tried.add(1)
    expect(members.admits(1, tried)).toBe(false)
    tried.clear()
    expect(members.admits(1, tried)).toBe(true)
  })

  it('holds each member to its weighted share times the factor, rounded up', () => {
    const { load, members } = make([{ weight: 3 }, { weight: 1 }], 1.5)
    // With nothing open everybody may take the first one.
    expect([members.admits(0, untried), members.admits(1, untried)]).toEqual([true, true])
    load.open(1)
    // The second would be the 2nd of 2: its share is ceil(1.5 × 2 × 1/4) = 1.
    expect([members.admits(0, untried), members.admits(1, untried)]).toEqual([true, false])
    load.open(0)
    load.open(0)
    load.open(0)
    // ceil(1.5 × 5 × 1/4) = 2, and ceil(1.5 × 5 × 3/4) = 6.
    expect([members.admits(0, untried), members.admits(1, untried)]).toEqual([true, true])
  })

  it('always admits somebody under bounded load alone, and never goes beyond the bound', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 })
    const factor = fc.constantFrom(1.001, 1.25, 2)
    fc.assert(
      fc.property(weights, factor, fc.array(fc.nat(), { maxLength: 80 }), (all, bound, picks) => {
        const { load, members } = make(
          all.map((weight) => ({ weight })),
          bound,
        )
        for (const pick of picks) {
          const open = all.map((_, i) => i).filter((i) => members.admits(i, untried))
          expect(open.length).toBeGreaterThan(0)
          if (pick % 3 === 0) {
            const busy = all.findIndex((_, i) => load.active[i]! > 0)
            if (busy >= 0) load.close(busy)
            continue
          }
          const chosen = open[pick % open.length]!
          const most = Math.ceil((load.sum() + 1) * bound * (all[chosen]! / members.totalWeight))
          load.open(chosen)
          expect(load.active[chosen]).toBeLessThanOrEqual(most + 1e-9)
        }
      }),
    )
  })
})
