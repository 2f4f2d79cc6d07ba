import { timerWheel } from '@steelyard/core'
import { manualClock, seededRandom } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { loadShedding } from '../../src/filters/load-shedding.ts'
import { eventLoopDelay } from '../../src/filters/load-signal.ts'
import { ask, fakeExchange, headerOf, statusOf } from './fake-exchange.ts'

describe('loadShedding', () => {
  it('sheds nothing up to one delay, everything from another, and a growing share between', () => {
    let delay = 0
    const filter = loadShedding({ signal: () => delay, random: seededRandom(1) })
    const share = (ms: number): number => {
      delay = ms
      let shed = 0
      for (let i = 0; i < 2000; i++) if (ask(filter, fakeExchange()) !== undefined) shed += 1
      expect(shed / 2000).toBeCloseTo(filter.share, 1)
      return filter.share
    }
    expect([0, 50, 100, 150, 250, 1000].map(share)).toEqual([0, 0, 0.25, 0.5, 1, 1])
  })

  it('says that it is overloaded, and when to come back', () => {
    const filter = loadShedding({ signal: () => 999, retryAfter: '5s' })
    const x = fakeExchange()
    const reply = ask(filter, x)
    expect(reply).toMatchObject({ status: 503, reason: 'overloaded' })
    expect(headerOf(reply, 'retry-after')).toBe('5')
    expect(x.flags).toEqual(['shed'])
  })

  it('sheds what is less dear first, and what is critical never', () => {
    const priority = { cheap: 'low', dear: 'high', health: 'critical' } as const
    const statuses = (delay: number): number[] => {
      const filter = loadShedding({ signal: () => delay, random: () => 0, priority })
      return ['cheap', 'other', 'dear', 'health'].map((route) =>
        statusOf(ask(filter, fakeExchange({ route }))),
      )
    }
    expect(statuses(25)).toEqual([0, 0, 0, 0])
    expect(statuses(26)).toEqual([503, 0, 0, 0])
    expect(statuses(51)).toEqual([503, 503, 0, 0])
    expect(statuses(101)).toEqual([503, 503, 503, 0])
    const byMethod = loadShedding({
      signal: () => 9999,
      priority: (x) => (x.request.method === 'GET' ? 'critical' : ('no word' as 'low')),
    })
    expect(statusOf(ask(byMethod, fakeExchange()))).toBe(0)
    expect(statusOf(ask(byMethod, fakeExchange({ method: 'POST' })))).toBe(503)
  })

  it('keeps to the most that it may shed', () => {
    expect(loadShedding({ signal: () => 9999, most: 0.9 }).share).toBe(0.9)
  })

  it('refuses wrong options with their path', () => {
    expect(() => loadShedding({ from: '1s' }, 'a')).toThrow('a.to')
    expect(() => loadShedding({ most: 0 }, 'a')).toThrow('a.most')
    expect(() => loadShedding({ priority: { web: 'urgent' as 'low' } }, 'a')).toThrow(
      'a.priority.web',
    )
    expect(() => loadShedding({ signal: 5 as never }, 'a')).toThrow('a.signal')
  })
})

describe('eventLoopDelay', () => {
  /** A clock whose timers come late by what is set. */
  function lateClock() {
    const clock = manualClock()
    let late = 0
    return {
      clock: {
        ...clock,
        after: (ms: number, task: () => void) => clock.after(ms + late, task),
      },
      advance: (ms: number) => clock.advance(ms),
      pending: () => clock.pending,
      lag(ms: number) {
        late = ms
      },
    }
  }

  it('is nothing while timers are in time, and follows them when they are late', () => {
    const { clock, advance, lag } = lateClock()
    const signal = eventLoopDelay({ clock, wheel: timerWheel({ clock }), smoothing: '50ms' })
    expect(signal()).toBe(0)
    for (let i = 0; i < 20; i++) {
      advance(20)
      expect(signal()).toBe(0)
    }
    lag(200)
    for (let i = 0; i < 60; i++) {
      advance(50)
      signal()
    }
    expect(signal()).toBeGreaterThan(150)
    lag(0)
    for (let i = 0; i < 60; i++) {
      advance(50)
      signal()
    }
    expect(signal()).toBeLessThan(5)
  })

  it('sees a stall that the timers have not noticed yet', () => {
    const { clock, advance, lag } = lateClock()
    const signal = eventLoopDelay({ clock })
    signal()
    advance(20)
    lag(10_000)
    advance(20)
    signal()
    advance(500)
    expect(signal()).toBeGreaterThan(400)
  })

  it('rests when nobody asks', () => {
    const { clock, advance, pending } = lateClock()
    const signal = eventLoopDelay({ clock })
    signal()
    expect(pending()).toBe(1)
    advance(5000)
    expect(pending()).toBe(0)
    expect(signal()).toBe(0)
  })
})
