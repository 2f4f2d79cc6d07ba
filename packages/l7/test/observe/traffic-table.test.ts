import { manualClock, seededRandom } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latencyHistogram } from '../../src/observe/latency-histogram.ts'
import { trafficTable } from '../../src/observe/traffic-table.ts'
import { exchangeError } from './errors.ts'
import { fakeRecord, fakeRefusal, times } from './fakes.ts'

const lasting = (total: number): { times: typeof times } => ({ times: { ...times, total } })

describe('a latency histogram', () => {
  it('knows quantiles to 3.2 percent, for any values', () => {
    const values = fc.array(fc.double({ min: 0.01, max: 14_000_000, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    })
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
        const histogram = latencyHistogram()
        for (const value of all) histogram.record(value)
        const sorted = all.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
        // Half a step of 0.01 ms at the lower end.
        expect(Math.abs(histogram.quantile(share) - exact)).toBeLessThanOrEqual(
          exact * 0.032 + 0.0051,
        )
        expect(histogram.max).toBe(Math.max(...all))
        expect(histogram.count).toBe(all.length)
      }),
    )
  })

  it('is the same merged as recorded in one', () => {
    const random = seededRandom(7)
    const [whole, one, two] = [latencyHistogram(), latencyHistogram(), latencyHistogram()]
    for (let i = 0; i < 1000; i++) {
      const value = random() * 5000
      whole.record(value)
      ;(i % 3 === 0 ? one : two).record(value)
    }
    one.merge(two)
    for (const share of [0, 0.1, 0.5, 0.99, 1]) {
      expect(one.quantile(share)).toBe(whole.quantile(share))
    }
    expect(one.sum).toBeCloseTo(whole.sum)
    one.clear()
    expect([one.count, one.max, one.quantile(0.5)]).toEqual([0, 0, 0])
  })

  it('takes what is no time for 0, and what never ends for 4 hours', () => {
    const histogram = latencyHistogram()
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) histogram.record(value)
    expect(histogram.count).toBe(3)
    expect(histogram.max).toBe(14_400_000)
    expect(histogram.quantile(0.5)).toBe(0)
  })
})

describe('a traffic table', () => {
  it('tells rates, errors and latencies of each route and pool', () => {
    const clock = manualClock()
    const table = trafficTable({ clock, windowMs: 60_000 })
    for (let i = 1; i <= 100; i++) table.done(fakeRecord(lasting(i)))
    table.done(fakeRecord({ status: 502, attempts: 3, ...lasting(200) }))
    const error = exchangeError('client-aborted', 'client', 'response-body')
    table.done(fakeRecord({ error, reason: error.code, ...lasting(1) }))
    table.done(fakeRecord({ route: 'other route', pool: undefined, status: 301 }))
    clock.advance(30_000)
    const { rows, total, windowMs } = table.snapshot()
    expect(windowMs).toBe(30_000)
    expect(rows.map(({ route, requests }) => [route, requests])).toEqual([
      ['shop', 102],
      ['other route', 1],
    ])
    const [shop] = rows
    expect(shop).toMatchObject({ listener: 'web', pool: 'carts', errors: 1, retries: 2 })
    expect(shop!.perSecond).toBeCloseTo(3.4)
    expect(shop!.errorRate).toBeCloseTo(1 / 102)
    expect(shop!.bytesOutPerSecond).toBeCloseTo((102 * 2750) / 30)
    expect(shop!.latency.p50).toBeGreaterThan(48)
    expect(shop!.latency.p50).toBeLessThan(52)
    expect(shop!.latency.p99).toBeGreaterThan(96)
    expect(shop!.latency.max).toBe(200)
    expect(total.requests).toBe(103)
  })

  it('forgets what is behind the window', () => {
    const clock = manualClock()
    const table = trafficTable({ clock, windowMs: '60s', slices: 6 })
    table.done(fakeRecord({ status: 500 }))
    clock.advance(55_000)
    table.done(fakeRecord())
    expect(table.snapshot().total).toMatchObject({ requests: 2, errors: 1 })
    clock.advance(10_000)
    const later = table.snapshot()
    expect(later.total).toMatchObject({ requests: 1, errors: 0 })
    expect(later.windowMs).toBe(55_000)
    clock.advance(3_600_000)
    expect(table.snapshot()).toMatchObject({ rows: [], total: { requests: 0, perSecond: 0 } })
    table.done(fakeRecord())
    expect(table.snapshot().total.requests).toBe(1)
  })

  it('counts each exchange once, refused heads too, and no tunnel’s length', () => {
    const table = trafficTable({ clock: manualClock() })
    const record = fakeRecord({ status: 101, ...lasting(9e9) })
    table.done(record)
    table.onExchange(record)
    table.onExchange(fakeRefusal())
    const { total, rows } = table.snapshot()
    expect(total.requests).toBe(2)
    expect(total.latency.max).toBe(0)
    expect(rows.map(({ route }) => route)).toEqual(['shop', undefined])
  })

  it('is bounded, and finds room when rows have been quiet for a window', () => {
    const clock = manualClock()
    const table = trafficTable({ clock, windowMs: 1000, slices: 2, maxRows: 3 })
    for (let i = 0; i < 10; i++) table.done(fakeRecord({ route: `r${i}` }))
    expect(table.snapshot().rows.map(({ route, requests }) => [route, requests])).toEqual([
      ['other', 7],
      ['r0', 1],
      ['r1', 1],
      ['r2', 1],
    ])
    clock.advance(2000)
    table.done(fakeRecord({ route: 'new' }))
    expect(table.snapshot().rows.map(({ route }) => route)).toEqual(['new'])
  })

  it.each([[{ windowMs: 0 }], [{ slices: 0 }], [{ maxRows: 0 }]])('refuses %j', (options) => {
    expect(() => trafficTable(options)).toThrow(/trafficTable\./)
  })
})
