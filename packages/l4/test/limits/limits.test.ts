import { timerWheel } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connectionLimit } from '../../src/limits/connection-limit.ts'
import { connectionRate } from '../../src/limits/connection-rate.ts'
import { retryBudget } from '../../src/limits/retry-budget.ts'

describe('connection limit', () => {
  it('counts up to its limit and no further', () => {
    const limit = connectionLimit(2)
    expect([limit.tryAcquire(), limit.tryAcquire(), limit.tryAcquire()]).toEqual([
      true,
      true,
      false,
    ])
    limit.release()
    expect(limit.active).toBe(1)
    expect(limit.tryAcquire()).toBe(true)
  })

  it('knows no limit with 0', () => {
    const limit = connectionLimit(0)
    for (let i = 0; i < 1000; i++) expect(limit.tryAcquire()).toBe(true)
    expect(limit.active).toBe(1000)
  })

  it('tells of room only after a refusal, and each in turn', () => {
    const limit = connectionLimit(1)
    const log: string[] = []
    const taker = (name: string) => () => {
      if (limit.tryAcquire()) log.push(name)
    }
    limit.onRoom(taker('a'))
    const b = limit.onRoom(taker('b'))
    limit.tryAcquire()
    limit.release()
    expect(log).toEqual([])
    limit.tryAcquire()
    limit.tryAcquire()
    limit.release()
    expect(log).toEqual(['a'])
    limit.release()
    expect(log).toEqual(['a', 'b'])
    b[Symbol.dispose]()
    limit.release()
    expect(log).toEqual(['a', 'b', 'a'])
  })

  it('changes at run time, and tells of the room that this makes', () => {
    const limit = connectionLimit(2)
    limit.tryAcquire()
    limit.tryAcquire()
    limit.setMax(1)
    limit.release()
    expect(limit.tryAcquire()).toBe(false)
    let rooms = 0
    limit.onRoom(() => (rooms += 1))
    limit.setMax(3)
    expect(rooms).toBe(1)
    expect([limit.tryAcquire(), limit.tryAcquire(), limit.tryAcquire()]).toEqual([
      true,
      true,
      false,
    ])
  })

  it('refuses wrong limits and a release too many', () => {
    for (const max of [-1, 1.5, Number.NaN, 2 ** 31]) {
      expect(() => connectionLimit(max)).toThrow('connectionLimit')
    }
    expect(() => connectionLimit(1).release()).toThrow(RangeError)
  })
})

describe('connection rate', () => {
  it('lets a burst pass and then one at each interval', () => {
    const clock = manualClock()
    const rate = connectionRate({ perSecond: 10, burst: 3, clock })
    const taken = (): number => {
      let count = 0
      while (rate.tryAcquire()) count += 1
      return count
    }
    expect(taken()).toBe(3)
    clock.advance(99)
    expect(taken()).toBe(0)
    clock.advance(1)
    expect(taken()).toBe(1)
    clock.advance(60_000)
    expect(taken()).toBe(3)
  })

  it('knows rates below one a second', () => {
    const clock = manualClock()
    const rate = connectionRate({ perSecond: 0.5, clock })
    expect([rate.tryAcquire(), rate.tryAcquire()]).toEqual([true, false])
    clock.advance(2000)
    expect(rate.tryAcquire()).toBe(true)
  })

  it('refuses wrong options', () => {
    expect(() => connectionRate({ perSecond: 0 })).toThrow('perSecond')
    expect(() => connectionRate({ perSecond: 1, burst: 0 })).toThrow('burst')
  })
})

describe('retry budget', () => {
  it('allows a share of the connections, and a minimum', () => {
    const clock = manualClock()
    const budget = retryBudget({ clock })
    expect([1, 2, 3, 4].map(() => budget.tryRetry())).toEqual([true, true, true, false])
    for (let i = 0; i < 20; i++) budget.record()
    expect(budget.available).toBe(1)
    expect([budget.tryRetry(), budget.tryRetry()]).toEqual([true, false])
  })

  it('forgets what has left the window', () => {
    const clock = manualClock()
    const budget = retryBudget({ clock, window: '10s' })
    for (let i = 0; i < 100; i++) budget.record()
    clock.advance(5000)
    for (let i = 0; i < 20; i++) expect(budget.tryRetry()).toBe(true)
    expect(budget.tryRetry()).toBe(false)
    clock.advance(5000)
    // The connections are forgotten, the retries not yet.
    expect(budget.available).toBe(0)
    clock.advance(5000)
    expect(budget.available).toBe(3)
    clock.advance(3_600_000)
    expect(budget.available).toBe(3)
  })

  it('never lets more pass in a window than the share and the minimum', () => {
    const event = fc.tuple(
      fc.constantFrom('record', 'retry', 'wait'),
      fc.integer({ min: 1, max: 900 }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const clock = manualClock()
        const budget = retryBudget({ clock, window: 10_000, percent: 20, minimum: 3 })
        const firsts: number[] = []
        const retries: number[] = []
        for (const [kind, ms] of events) {
          if (kind === 'wait') clock.advance(ms)
          else if (kind === 'record') {
            budget.record()
            firsts.push(clock.now())
          } else if (budget.tryRetry()) {
            retries.push(clock.now())
            // One step of the window is the error that counting in steps may make.
            const since = (times: number[], span: number): number =>
              times.filter((time) => time > clock.now() - span).length
            const bound = Math.max(3, since(firsts, 10_000) * 0.2)
            expect(since(retries, 9000)).toBeLessThanOrEqual(bound + 1e-6)
          }
        }
      }),
    )
  })

  it('refuses wrong options', () => {
    expect(() => retryBudget({ percent: -1 })).toThrow('percent')
    expect(() => retryBudget({ minimum: 0.5 })).toThrow('minimum')
    expect(() => retryBudget({ window: 1 })).toThrow('window')
  })

  it('needs no timer', () => {
    const clock = manualClock()
    const budget = retryBudget({ clock })
    budget.record()
    budget.tryRetry()
    expect(clock.pending).toBe(0)
    expect(timerWheel({ clock }).size).toBe(0)
  })
})
