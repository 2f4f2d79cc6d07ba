import {
  type Counter,
  functionOption,
  type Histogram,
  invalidOption,
  listOption,
  type Metrics,
  objectOption,
  type Pool,
  type Report,
} from '@steelyard/core'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import { wordOption } from '../filters/number-option.ts'
import { boundedLabel, nameTree } from './bounded-labels.ts'

/** Names of which product: `l7lb` of Traffic Guru's balancer, `fgw` of the Flomesh gateway. */
export type AliasSet = 'l7lb' | 'fgw'

/**
 * Which alias names are measured, so that dashboards made for another product go on working.
 *
 * | name | labels | what |
 * | --- | --- | --- |
 * | `l7lb_request_count` | target | exchanges by member |
 * | `l7lb_response_status` | target, status | the same by status |
 * | `l7lb_request_latency` | target | histogram, milliseconds |
 * | `fgw_http_status` | service, code, route | exchanges; service is the pool |
 * | `fgw_http_requests_total` | | exchanges |
 * | `fgw_bandwidth` | service, type, route | body bytes; type `ingress` or `egress` |
 * | `fgw_http_latency` | service, route, type | histogram, milliseconds; type `request` (all), `upstream` (first byte), `fgw` (the rest until the response) |
 * | `fgw_upstream_tx_bytes_total`, `fgw_upstream_rx_bytes_total` | service, target | body bytes to and from members |
 * | `http_local_rate_limiter` | http_local_rate_limit | `rate_limited`: exchanges turned away by a rate limit |
 * | `access_control` | result | `denied`: exchanges turned away by address |
 * | `fgw_http_current_connections` | state | `active`: open client connections, with {@link AliasOptions.connections} |
 * | `fgw_upstream_status` | name, ip, port | 1 for a member that is up, else 0, with {@link AliasOptions.pools} |
 * | `fgw_upstream_connection_active` | name, ip, port | connections that the pool counts, likewise |
 */
export interface AliasOptions {
  /** Default: both. */
  readonly sets?: readonly AliasSet[]
  /** Open client connections at this moment, such as `() => balancer.stats().connections`. */
  readonly connections?: () => number
  /** The pools whose members are told. */
  readonly pools?: () => Iterable<Pool>
}

/** Alias series. */
export interface AliasMetrics extends Disposable {
  observe(record: ExchangeRecord): void
}

/** Milliseconds up to an hour. */
const buckets: readonly number[] = Object.freeze([
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
])

/**
 * Makes {@link AliasMetrics}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function aliasMetrics(
  metrics: Metrics,
  options: AliasOptions,
  most: number,
  path: string,
): AliasMetrics {
  const { sets = ['l7lb', 'fgw'], connections, pools } = objectOption(options, path)
  const chosen = listOption(sets, `${path}.sets`).map((set, index) =>
    wordOption(set, ['l7lb', 'fgw'], `${path}.sets[${index}]`),
  )
  if (chosen.length === 0) throw invalidOption(`${path}.sets`, 'name one set at least')
  if (connections !== undefined) functionOption(connections, `${path}.connections`)
  if (pools !== undefined) functionOption(pools, `${path}.pools`)
  const observers: ((record: ExchangeRecord) => void)[] = []
  if (chosen.includes('l7lb')) observers.push(l7lb(metrics, most))
  if (chosen.includes('fgw')) observers.push(fgw(metrics, most))
  const collecting = metrics.collect((report) => {
    if (!chosen.includes('fgw')) return
    if (connections !== undefined) {
      report('gauge', 'fgw_http_current_connections', 'Open client connections.', connections(), {
        state: 'active',
      })
    }
    for (const pool of pools?.() ?? []) reportPool(pool, report)
  })
  return {
    observe(record) {
      for (const observe of observers) observe(record)
    },
    [Symbol.dispose]: () => collecting[Symbol.dispose](),
  }
}

function l7lb(metrics: Metrics, most: number): (record: ExchangeRecord) => void {
  const target = boundedLabel(most)
  const members = nameTree<{ count: Counter; latency: Histogram; statuses: Map<number, Counter> }>(
    most * 2,
  )
  return ({ backend, status, times }) => {
    let member = members.find('', undefined, undefined, backend)
    const labels = member === undefined ? { target: target(backend) } : undefined
    if (member === undefined) {
      member = {
        count: metrics.counter('l7lb_request_count', 'Exchanges.', labels),
        latency: metrics.histogram(
          'l7lb_request_latency',
          'Milliseconds of exchanges.',
          buckets,
          labels,
        ),
        statuses: new Map(),
      }
      members.put('', undefined, undefined, backend, member)
    }
    member.count.add(1)
    if (status !== 101 && times.total >= 0) member.latency.observe(times.total)
    let counter = member.statuses.get(status)
    if (counter === undefined) {
      counter = metrics.counter('l7lb_response_status', 'Exchanges by status.', {
        target: target(backend),
        status: String(status),
      })
      member.statuses.set(status, counter)
    }
    counter.add(1)
  }
}

interface Service {
  readonly codes: Map<number, Counter>
  readonly labels: { readonly service: string; readonly route: string }
  readonly ingress: Counter
  readonly egress: Counter
  readonly sent: Counter | undefined
  readonly received: Counter | undefined
  readonly whole: Histogram
  readonly upstream: Histogram
  readonly own: Histogram
}

function fgw(metrics: Metrics, most: number): (record: ExchangeRecord) => void {
  const service = boundedLabel(most)
  const route = boundedLabel(most)
  const target = boundedLabel(most)
  const services = nameTree<Service>(most * 2)
  const total = metrics.counter('fgw_http_requests_total', 'Exchanges.')
  let limited: Counter | undefined
  let denied: Counter | undefined

  function serviceOf(record: ExchangeRecord): Service {
    const known = services.find('', record.pool, record.route, record.backend)
    if (known !== undefined) return known
    const labels = { service: service(record.pool), route: route(record.route) }
    const bandwidth = (type: string): Counter =>
      metrics.counter('fgw_bandwidth', 'Bytes of bodies.', { ...labels, type })
    const latency = (type: string): Histogram =>
      metrics.histogram('fgw_http_latency', 'Milliseconds of exchanges.', buckets, {
        ...labels,
        type,
      })
    const bytes = (direction: 'tx' | 'rx'): Counter | undefined =>
      record.backend === undefined
        ? undefined
        : metrics.counter(`fgw_upstream_${direction}_bytes_total`, 'Bytes of bodies.', {
            service: labels.service,
            target: target(record.backend),
          })
    const made: Service = {
      codes: new Map(),
      labels,
      ingress: bandwidth('ingress'),
      egress: bandwidth('egress'),
      sent: bytes('tx'),
      received: bytes('rx'),
      whole: latency('request'),
      upstream: latency('upstream'),
      own: latency('fgw'),
    }
    services.put('', record.pool, record.route, record.backend, made)
    return made
  }

  return (record) => {
    const { status, bytesIn, bytesOut, times, reason } = record
    const of = serviceOf(record)
    total.add(1)
    let code = of.codes.get(status)
    if (code === undefined) {
      code = metrics.counter('fgw_http_status', 'Exchanges by status.', {
        ...of.labels,
        code: String(status),
      })
      of.codes.set(status, code)
    }
    code.add(1)
    if (bytesIn > 0) {
      of.ingress.add(bytesIn)
      of.sent?.add(bytesIn)
    }
    if (bytesOut > 0) {
      of.egress.add(bytesOut)
      of.received?.add(bytesOut)
    }
    if (status !== 101 && times.total >= 0) {
      const upstream = Math.max(0, times.firstByte)
      of.whole.observe(times.total)
      if (times.firstByte >= 0) of.upstream.observe(upstream)
      of.own.observe(Math.max(0, times.total - upstream - Math.max(0, times.response)))
    }
    if (reason === 'rate-limited') {
      limited ??= metrics.counter('http_local_rate_limiter', 'Exchanges by verdict.', {
        http_local_rate_limit: 'rate_limited',
      })
      limited.add(1)
    } else if (reason === 'ip-denied') {
      denied ??= metrics.counter('access_control', 'Exchanges by verdict.', { result: 'denied' })
      denied.add(1)
    }
  }
}

function reportPool(pool: Pool, report: Report): void {
  for (const { backend, condition, active } of pool.members()) {
    const labels = { name: pool.name, ip: backend.host, port: String(backend.port) }
    report(
      'gauge',
      'fgw_upstream_status',
      'Members that are up.',
      condition === 'up' ? 1 : 0,
      labels,
    )
    report('gauge', 'fgw_upstream_connection_active', 'Open connections.', active, labels)
  }
}
