import { noMetrics } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type HttpMetricsOptions, httpMetrics } from '../../src/observe/http-metrics.ts'
import { exchangeError } from './errors.ts'
import {
  fakeExchange,
  fakeRecord,
  fakeRefusal,
  fakeRequest,
  type MemoryMetrics,
  memoryMetrics,
  times,
} from './fakes.ts'

const group = 'listener="web",route="shop",pool="carts",member="c1"'

function measured(options: HttpMetricsOptions = {}): {
  metrics: MemoryMetrics
  filter: ReturnType<typeof httpMetrics>
} {
  const metrics = memoryMetrics()
  return { metrics, filter: httpMetrics(metrics, options) }
}

describe('metrics of exchanges', () => {
  it('count by listener, route, pool, member, method and class', () => {
    const { metrics, filter } = measured()
    filter.done(fakeRecord({ bytesIn: 5 }))
    filter.done(fakeRecord({ request: fakeRequest({ method: 'POST' }), status: 503, attempts: 3 }))
    filter.done(fakeRecord({ request: fakeRequest({ method: 'X-OWN' }), status: 0 }))
    filter.done(fakeRefusal())
    const seen = metrics.read()
    const count = (labels: string): number | undefined =>
      seen.get(`steelyard_http_requests_total{${labels}}`)
    expect(count(`${group},method="GET",class="2xx"`)).toBe(1)
    expect(count(`${group},method="POST",class="5xx"`)).toBe(1)
    expect(count(`${group},method="other",class="none"`)).toBe(1)
    expect(count('listener="web",route="",pool="",member="",method="none",class="4xx"')).toBe(1)
    expect(seen.get(`steelyard_http_attempts_repeated_total{${group}}`)).toBe(2)
    expect(seen.get(`steelyard_http_request_body_bytes_total{${group}}`)).toBe(5)
    expect(seen.get(`steelyard_http_response_body_bytes_total{${group}}`)).toBe(3 * 2750)
  })

  it('observe seconds of the phases that were reached', () => {
    const { metrics, filter } = measured()
    filter.done(fakeRecord())
    filter.done(fakeRecord({ reused: true, times: { ...times, queue: 2000, connect: 0 } }))
    filter.done(fakeRecord({ status: 101 }))
    const seen = metrics.read()
    const of = (name: string): (number | undefined)[] =>
      ['count', 'sum'].map((part) => seen.get(`steelyard_http_${name}_seconds_${part}{${group}}`))
    expect(of('request')).toEqual([2, 0.2195])
    expect(of('first_byte')[0]).toBe(3)
    expect(of('connect')).toEqual([2, 0.061])
    expect(of('queue')).toEqual([1, 2])
  })

  it('tell why exchanges did not end well', () => {
    const { metrics, filter } = measured({ limits: { reasons: 2 } })
    for (const reason of ['rate-limited', 'circuit-open', 'rate-limited', 'x', 'y', 'done']) {
      filter.done(fakeRecord({ reason }))
    }
    const seen = [...metrics.read()].filter(([name]) => name.includes('ended_total'))
    expect(Object.fromEntries(seen)).toEqual({
      'steelyard_http_ended_total{listener="web",route="shop",reason="rate-limited"}': 2,
      'steelyard_http_ended_total{listener="web",route="shop",reason="circuit-open"}': 1,
      'steelyard_http_ended_total{listener="web",route="shop",reason="other"}': 2,
    })
  })

  it('know what is in flight, and forget it when disposed', () => {
    const { metrics, filter } = measured()
    const [one, two] = [fakeExchange(), fakeExchange()]
    const inFlight = (): number | undefined =>
      metrics.read().get('steelyard_http_requests_in_flight{listener="web",route="shop"}')
    void filter.request!(one)
    void filter.request!(two)
    expect(inFlight()).toBe(2)
    filter.done(fakeRecord(), one)
    expect(inFlight()).toBe(1)
    // It never came to the filter.
    filter.onExchange(fakeRefusal({ route: 'shop' }))
    expect(inFlight()).toBe(1)
    filter.done(fakeRecord(), two)
    expect(inFlight()).toBe(0)
    filter[Symbol.dispose]()
    expect(inFlight()).toBeUndefined()
  })

  it('count each exchange once, by either way or both', () => {
    const { metrics, filter } = measured()
    const record = fakeRecord()
    filter.done(record, fakeExchange())
    filter.onExchange(record)
    filter.onExchange(fakeRecord())
    expect(
      metrics.read().get(`steelyard_http_requests_total{${group},method="GET",class="2xx"}`),
    ).toBe(2)
  })

  it('are looked up once', () => {
    const { metrics, filter } = measured()
    filter.done(fakeRecord())
    const { made } = metrics
    for (let i = 0; i < 100; i++) filter.done(fakeRecord())
    expect(metrics.made).toBe(made)
  })

  it('stay bounded whatever names come', () => {
    const { metrics, filter } = measured({
      limits: { routes: 3, members: 2, pools: 2, listeners: 2, groups: 5, reasons: 2 },
      aliases: {},
    })
    for (let i = 0; i < 500; i++) {
      const name = `n${i}`
      const x = fakeExchange({ route: name, listener: name })
      void filter.request!(x)
      filter.done(
        fakeRecord({ listener: name, route: name, pool: name, backend: name, reason: name }),
        x,
      )
    }
    const seen = metrics.read()
    const total = [...seen]
      .filter(([name]) => name.startsWith('steelyard_http_requests_total'))
      .reduce((sum, [, value]) => sum + value, 0)
    expect(total).toBe(500)
    expect(
      seen.get(
        'steelyard_http_requests_total{listener="other",route="other",pool="other",member="other",method="GET",class="2xx"}',
      ),
    ).toBe(497)
    expect(seen.size).toBeLessThan(250)
    expect([...seen].filter(([name]) => name.includes('in_flight')).every(([, v]) => v === 0)).toBe(
      true,
    )
  })

  it('cost nothing to those who measure nothing', () => {
    const filter = httpMetrics(noMetrics)
    expect(() => filter.done(fakeRecord())).not.toThrow()
  })
})

describe('alias names', () => {
  it('tell the same numbers', () => {
    const { metrics, filter } = measured({ aliases: { connections: () => 7 } })
    filter.done(fakeRecord({ bytesIn: 5 }))
    const error = exchangeError('no-backend', 'backend', 'pick')
    filter.done(fakeRecord({ backend: undefined, status: 503, reason: 'no-backend', error }))
    filter.done(fakeRecord({ backend: undefined, status: 429, reason: 'rate-limited' }))
    filter.done(fakeRecord({ backend: undefined, status: 403, reason: 'ip-denied' }))
    const seen = metrics.read()
    expect(Object.fromEntries([...seen].filter(([name]) => !/^steelyard|_sum/.test(name)))).toEqual(
      {
        'l7lb_request_count{target="c1"}': 1,
        'l7lb_request_count{target=""}': 3,
        'l7lb_request_latency_count{target="c1"}': 1,
        'l7lb_request_latency_count{target=""}': 3,
        'l7lb_response_status{target="c1",status="200"}': 1,
        'l7lb_response_status{target="",status="503"}': 1,
        'l7lb_response_status{target="",status="429"}': 1,
        'l7lb_response_status{target="",status="403"}': 1,
        fgw_http_requests_total: 4,
        'fgw_http_current_connections{state="active"}': 7,
        'fgw_http_status{service="carts",route="shop",code="200"}': 1,
        'fgw_http_status{service="carts",route="shop",code="503"}': 1,
        'fgw_http_status{service="carts",route="shop",code="429"}': 1,
        'fgw_http_status{service="carts",route="shop",code="403"}': 1,
        'fgw_bandwidth{service="carts",route="shop",type="ingress"}': 5,
        'fgw_bandwidth{service="carts",route="shop",type="egress"}': 4 * 2750,
        'fgw_upstream_tx_bytes_total{service="carts",target="c1"}': 5,
        'fgw_upstream_rx_bytes_total{service="carts",target="c1"}': 2750,
        'fgw_http_latency_count{service="carts",route="shop",type="request"}': 4,
        'fgw_http_latency_count{service="carts",route="shop",type="upstream"}': 4,
        'fgw_http_latency_count{service="carts",route="shop",type="fgw"}': 4,
        'http_local_rate_limiter{http_local_rate_limit="rate_limited"}': 1,
        'access_control{result="denied"}': 1,
      },
    )
    expect(seen.get('fgw_http_latency_sum{service="carts",route="shop",type="fgw"}')).toBeCloseTo(
      4 * (109.75 - 69 - 4.002),
    )
  })

  it('are those of one product when only that is wanted', () => {
    const { metrics, filter } = measured({ aliases: { sets: ['l7lb'] } })
    filter.done(fakeRecord())
    expect([...metrics.read().keys()].some((name) => name.startsWith('fgw'))).toBe(false)
  })
})

describe('options of metrics', () => {
  it.each([
    [{ buckets: [] }, /httpMetrics\.buckets: has 0 bounds/],
    [{ buckets: [1, 1] }, /httpMetrics\.buckets\[1\]/],
    [{ prefix: '1x' }, /httpMetrics\.prefix/],
    [{ limits: { routes: 0 } }, /httpMetrics\.limits\.routes/],
    [{ aliases: { sets: ['x'] } }, /httpMetrics\.aliases\.sets\[0\]: "x" is none of l7lb, fgw/],
  ])('refuses %j', (options, message) => {
    expect(() => httpMetrics(memoryMetrics(), options as HttpMetricsOptions)).toThrow(message)
  })
})
