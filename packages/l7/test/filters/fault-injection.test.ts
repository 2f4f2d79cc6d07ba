import { manualClock, seededRandom } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { type FaultInjectionOptions, faultInjection } from '../../src/filters/fault-injection.ts'
import { ask, asked, fakeExchange, finish, settled, statusOf } from './fake-exchange.ts'

function injector(options: FaultInjectionOptions) {
  const clock = manualClock()
  return { clock, filter: faultInjection({ clock, random: seededRandom(7), ...options }) }
}

describe('faultInjection', () => {
  it('aborts the share that it is told to', () => {
    const { filter } = injector({ abort: { percent: 25, status: 500, body: 'no' } })
    let aborted = 0
    for (let i = 0; i < 4000; i++) {
      const x = fakeExchange()
      const verdict = ask(filter, x)
      if (verdict === undefined) continue
      aborted += 1
      expect(verdict).toMatchObject({ status: 500, body: 'no', reason: 'fault-injected' })
      expect(x.flags).toEqual(['fault-abort'])
    }
    expect(aborted / 4000).toBeCloseTo(0.25, 1)
  })

  it('aborts without an answer', () => {
    const { filter } = injector({ abort: { drop: true } })
    expect(ask(filter, fakeExchange())).toEqual({ drop: true, reason: 'fault-injected' })
  })

  it('holds requests up for a fixed time, then lets them go on or aborts them', async () => {
    const { filter, clock } = injector({ delay: { fixed: '2s' }, abort: { status: 502 } })
    let ended = false
    const verdict = asked(filter, fakeExchange()).then((result) => {
      ended = true
      return statusOf(result)
    })
    clock.advance(1999)
    await settled()
    expect([ended, filter.delayed]).toEqual([false, 1])
    clock.advance(1)
    expect(await verdict).toBe(502)
    expect(filter.delayed).toBe(0)
  })

  it('holds requests up for a time out of a range', async () => {
    const { filter, clock } = injector({ delay: { range: ['100ms', '300ms'] } })
    const times: number[] = []
    for (let i = 0; i < 50; i++) {
      void asked(filter, fakeExchange()).then(() => times.push(clock.now()))
    }
    for (let i = 0; i < 400; i++) {
      clock.advance(1)
      await Promise.resolve()
    }
    await settled()
    expect(times).toHaveLength(50)
    expect(Math.min(...times)).toBeGreaterThanOrEqual(100)
    expect(Math.max(...times)).toBeLessThanOrEqual(302)
    expect(new Set(times).size).toBeGreaterThan(20)
  })

  it('lets go of those whose exchange is over', async () => {
    const { filter, clock } = injector({ delay: { fixed: '1m' } })
    const x = fakeExchange()
    const verdict = asked(filter, x)
    finish(filter, x)
    finish(filter, x)
    expect(await verdict).toBeUndefined()
    expect([filter.delayed, clock.pending]).toEqual([0, 0])
  })

  it('holds no more up than it may', () => {
    const { filter } = injector({ delay: { fixed: '1m' }, maxDelayed: 1 })
    expect(filter.request?.(fakeExchange())).toBeInstanceOf(Promise)
    expect(ask(filter, fakeExchange())).toBeUndefined()
  })

  it('concerns only requests with a header', () => {
    const { filter } = injector({ abort: {}, header: { name: 'X-Fault', value: 'on' } })
    const status = (headers: Record<string, string>) =>
      statusOf(ask(filter, fakeExchange({ headers })))
    expect([status({}), status({ 'x-fault': 'off' }), status({ 'x-fault': 'on' })]).toEqual([
      0, 0, 503,
    ])
    const any = injector({ abort: {}, header: { name: 'x-fault' } }).filter
    expect(statusOf(ask(any, fakeExchange({ headers: { 'X-Fault': '' } })))).toBe(503)
  })

  it('refuses wrong options with their path', () => {
    const wrong = (options: object) => () => faultInjection(options, 'f')
    expect(wrong({})).toThrow('f: makes no fault')
    expect(wrong({ delay: {} })).toThrow('f.delay')
    expect(wrong({ delay: { fixed: 1, range: [1, 2] } })).toThrow('f.delay')
    expect(wrong({ delay: { range: ['2s', '1s'] } })).toThrow('f.delay.range')
    expect(wrong({ delay: { fixed: 1, percent: 101 } })).toThrow('f.delay.percent')
    expect(wrong({ abort: { status: 100 } })).toThrow('f.abort.status')
  })
})
