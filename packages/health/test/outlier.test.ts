import { type Backend, backend, type OutlierSubject, pool, SteelyardError } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type OutlierOptions, outlierDetection } from '../src/index.ts'
import {
  afterEjection,
  afterFailure,
  afterReadmission,
  blank,
  type EjectionRule,
  ejectionMs,
  ejectionsAt,
  mayEject,
} from '../src/outlier/ejection.ts'

const rule: EjectionRule = {
  consecutiveFailures: 3,
  baseMs: 30_000,
  maxMs: 100_000,
  maxPercent: 10,
  atLeastOne: true,
  jitterMs: 0,
}

describe('ejection rules', () => {
  it.each([
    [0, 1, {}, false],
    [0, 2, {}, true],
    [1, 2, {}, false],
    [0, 5, { atLeastOne: false }, false],
    [0, 10, { atLeastOne: false }, true],
    [1, 10, {}, false],
    [1, 20, {}, true],
    [2, 20, {}, false],
    [3, 5, { maxPercent: 100 }, true],
    [4, 5, { maxPercent: 100 }, false],
    [0, 100, { maxPercent: 0, atLeastOne: false }, false],
  ])('%i out of %i with %j: %s', (ejected, members, change, allowed) => {
    expect(mayEject(ejected, members, { ...rule, ...change })).toBe(allowed)
  })

  it('never eject more than the share, nor all', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 100 }),
        fc.boolean(),
        (members, maxPercent, atLeastOne) => {
          let ejected = 0
          while (mayEject(ejected, members, { ...rule, maxPercent, atLeastOne })) ejected += 1
          expect(ejected).toBeLessThan(members)
          const share = Math.floor((members * maxPercent) / 100)
          expect(ejected).toBeLessThanOrEqual(Math.max(share, atLeastOne ? 1 : 0))
        },
      ),
    )
  })

  it('last longer each time, up to the limit, and forgive one for each base time spent well', () => {
    let standing = blank
    const lengths: number[] = []
    for (let i = 0; i < 5; i++) {
      standing = afterEjection(standing, rule, 0)
      lengths.push(ejectionMs(standing, rule, 0))
      standing = afterReadmission(standing, 0)
    }
    expect(lengths).toEqual([30_000, 60_000, 90_000, 100_000, 100_000])
    expect(ejectionsAt(standing, rule, 29_999)).toBe(5)
    expect(ejectionsAt(standing, rule, 60_000)).toBe(3)
    expect(ejectionsAt(standing, rule, 1e9)).toBe(0)
    expect(ejectionMs(standing, { ...rule, jitterMs: 1000 }, 0.5)).toBe(100_500)
    expect(afterFailure(afterEjection(blank, rule, 0)).failures).toBe(0)
  })
})

const refusal: SteelyardError = new SteelyardError('connection refused', {
  code: 'refused',
  source: 'backend',
})

function rig(count: number, options: OutlierOptions = {}) {
  const clock = manualClock()
  const members: Backend[] = Array.from({ length: count }, (_, i) => backend(`10.0.0.${i + 1}:80`))
  const out = new Map<string, string>()
  const log: string[] = []
  const subject: OutlierSubject = {
    name: 'web',
    members: () => members,
    ejected: () => out.size,
    eject(id, reason) {
      out.set(id, reason)
      log.push(`${clock.now()} out ${id}`)
    },
    readmit(id) {
      out.delete(id)
      log.push(`${clock.now()} in ${id}`)
    },
  }
  const observer = outlierDetection({ clock, random: () => 0, ...options }).attach(subject)
  return {
    clock,
    members,
    out,
    log,
    observer,
    fail(id: string, times = 1, error = refusal) {
      for (let i = 0; i < times; i++) observer.failed(id, error)
    },
  }
}

describe('outlier detection', () => {
  const a = '10.0.0.1:80'
  const b = '10.0.0.2:80'

  it('ejects at the n-th failure in a row, for longer each time', () => {
    const { clock, log, out, observer, fail } = rig(10)
    fail(a, 4)
    observer.succeeded(a)
    fail(a, 4)
    expect(out.size).toBe(0)
    fail(a)
    expect(out.get(a)).toBe('5 failures in a row, out for 30s: connection refused')
    fail(a, 50)
    clock.advance(30_000)
    fail(a, 5)
    clock.advance(60_000)
    expect(log).toEqual([`0 out ${a}`, `30000 in ${a}`, `30000 out ${a}`, `90000 in ${a}`])
    expect(clock.pending).toBe(0)
  })

  it('forgives with time', () => {
    const { clock, log, fail } = rig(10)
    for (let i = 0; i < 3; i++) {
      fail(a, 5)
      clock.advance(30_000 * (i + 1))
    }
    clock.advance(60_000)
    fail(a, 5)
    clock.advance(59_999)
    expect(log.at(-1)).toBe(`240000 out ${a}`)
    clock.advance(1)
    expect(log.at(-1)).toBe(`300000 in ${a}`)
  })

  it('keeps the share, and takes the next one when there is room again', () => {
    const { clock, out, fail } = rig(10)
    fail(a, 5)
    fail(b, 7)
    expect([...out.keys()]).toEqual([a])
    clock.advance(30_000)
    fail(b)
    expect([...out.keys()]).toEqual([b])
  })

  it('never empties a pool', () => {
    const lonely = rig(1)
    lonely.fail(a, 50)
    expect(lonely.out.size).toBe(0)
    const pair = rig(2, { maxEjectedPercent: 100 })
    pair.fail(a, 5)
    pair.fail(b, 5)
    expect([...pair.out.keys()]).toEqual([a])
  })

  it('does not blame a backend for failures of others', () => {
    const { out, fail } = rig(10)
    for (const source of ['client', 'config', 'system'] as const) {
      fail(a, 10, new SteelyardError('no', { code: 'no', source }))
    }
    expect(out.size).toBe(0)
  })

  it('ends an ejection when an active check passes, unless told otherwise', () => {
    const { clock, log, observer, fail } = rig(10)
    fail(a, 5)
    clock.advance(1000)
    observer.checkedUp(a)
    observer.checkedUp(b)
    expect(log.at(-1)).toBe(`1000 in ${a}`)
    expect(clock.pending).toBe(0)
    const strict = rig(10, { readmitOnCheck: false })
    strict.fail(a, 5)
    strict.observer.checkedUp(a)
    expect(strict.out.size).toBe(1)
  })

  it('forgets members that leave, and all when it ends', () => {
    const { clock, out, observer, members, fail } = rig(20)
    fail(a, 5)
    observer.removed(a)
    expect(clock.pending).toBe(0)
    out.clear()
    fail(a, 5)
    fail(b, 5)
    expect(clock.pending).toBe(2)
    observer[Symbol.dispose]()
    expect(clock.pending).toBe(0)
    members.shift()
    const gone = rig(10)
    gone.members.shift()
    gone.fail(a, 5)
    expect(gone.out.size).toBe(0)
  })

  it('works in a pool: failing connects take a member out, and no failing check brings it back', () => {
    const clock = manualClock()
    const web = pool({
      backends: ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'],
      outlier: outlierDetection({ consecutiveFailures: 2, clock }),
      check: { attach: () => ({ [Symbol.dispose]() {} }) },
      clock,
    })
    const told: unknown[] = []
    web.on('outlier', ({ backend: { id }, ejected }) => told.push([id, ejected]))
    const slot = web.roster.current.slots[0]!
    const since = clock.wallNow()
    web.report(a, { state: 'up', since, reason: 'fine', lastCheck: 'passed' })
    web.failed(slot, refusal)
    web.failed(slot, refusal)
    expect(told).toEqual([[a, true]])
    expect(web.roster.current.backends.map(({ id }) => id)).not.toContain(a)
    web.report(a, { state: 'up', since, reason: 'refused (1 of 3)', lastCheck: 'failed' })
    web.report(a, { state: 'up', since, reason: 'late', lastCheck: 'inconclusive' })
    expect(told.length).toBe(1)
    web.report(a, { state: 'up', since, reason: 'fine', lastCheck: 'passed' })
    expect(told).toEqual([
      [a, true],
      [a, false],
    ])
  })

  it.each([
    [{ consecutiveFailures: 0 }, 'outlierDetection.consecutiveFailures: 0 is not a count'],
    [{ maxEjectedPercent: 101 }, 'outlierDetection.maxEjectedPercent: 101 is no percentage'],
    [{ baseEjection: 0 }, 'outlierDetection.baseEjection: must be longer'],
    [
      { baseEjection: '2m', maxEjection: '1m' },
      'outlierDetection.maxEjection: must not be shorter',
    ],
    [{ jitter: 'x' }, 'outlierDetection.jitter: "x" is not a duration'],
  ])('refuses %j', (options, message) => {
    expect(() => outlierDetection(options)).toThrow(message)
  })
})
