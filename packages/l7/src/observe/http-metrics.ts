import {
  type Counter,
  invalidOption,
  type Labels,
  type Metrics,
  objectOption,
  partOption,
  type Report,
  shown,
  textOption,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { type AliasOptions, aliasMetrics } from './alias-metrics.ts'
import { type BoundedLabel, boundedLabel, nameTree, otherLabel } from './bounded-labels.ts'
import { bucketsOption, latencyBuckets } from './latency-buckets.ts'
import { type MetricGroup, metricGroups } from './metric-group.ts'
import { type MetricLimits, metricLimits } from './metric-limits.ts'
import { recordTap } from './record-tap.ts'

/** What {@link httpMetrics} measures. */
export interface HttpMetricsOptions {
  /**
   * Upper bounds of the buckets for latencies, in seconds. Default {@link latencyBuckets}: those of Prometheus'
   * clients, with 1 ms and 2.5 ms below and 30 s and 60 s above.
   */
  readonly buckets?: readonly number[]
  readonly limits?: MetricLimits
  /** Before each name. Default `steelyard_http_`. */
  readonly prefix?: string
  /** The same numbers also under the names of other products, see {@link AliasOptions}. Default: none. */
  readonly aliases?: AliasOptions
}

/** A filter that measures; disposing it ends what is read at scrapes. */
export interface HttpMetrics extends HttpFilter, Disposable {
  readonly done: (record: ExchangeRecord, x?: Exchange) => void
  /**
   * For `onExchange`, beside the filter: counts what did not come to it, such as requests that were refused by their
   * head or that no route matched. Nothing is counted twice.
   */
  readonly onExchange: (record: ExchangeRecord) => void
}

/**
 * Measures exchanges:
 *
 * | series | labels | what |
 * | --- | --- | --- |
 * | `requests_total` | listener, route, pool, member, method, class | exchanges that are over; class `1xx` to `5xx`, `none` |
 * | `request_seconds` | listener, route, pool, member | histogram: from the head's end to the end of all; tunnels excepted |
 * | `first_byte_seconds` | the same | histogram: from the request's being sent to the response's head |
 * | `connect_seconds` | the same | histogram: new connections only |
 * | `queue_seconds` | the same | histogram: waiting for a member, of those that waited |
 * | `request_body_bytes_total`, `response_body_bytes_total` | the same | bytes of bodies |
 * | `attempts_repeated_total` | the same | attempts beyond the first |
 * | `ended_total` | listener, route, reason | exchanges that did not end well, by reason: `rate-limited`, `circuit-open`, `overloaded`, … |
 * | `requests_in_flight` | listener, route | gauge: exchanges in this filter's care |
 *
 * Methods that are not common are `other`; `none` where the head could not be read. Beyond the limits the values of
 * labels are `other`, so that no client and no reload makes series without end. Ejections of members are told by their
 * pools.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function httpMetrics(
  metrics: Metrics,
  options: HttpMetricsOptions = {},
  path = 'httpMetrics',
): HttpMetrics {
  if (metrics === undefined) throw invalidOption(`${path}.metrics`, 'is needed')
  partOption(metrics, 'collect', `${path}.metrics`, 'it needs the methods of Metrics')
  const { buckets = latencyBuckets, prefix = 'steelyard_http_' } = objectOption(options, path)
  const limits = metricLimits(options.limits ?? {}, `${path}.limits`)
  if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/.test(textOption(prefix, `${path}.prefix`))) {
    throw invalidOption(`${path}.prefix`, `${shown(prefix)} does not begin a name of Prometheus`)
  }
  const bounds = bucketsOption(buckets, `${path}.buckets`)
  const alias =
    options.aliases === undefined
      ? undefined
      : aliasMetrics(metrics, options.aliases, limits.groups, `${path}.aliases`)
  return new Measures(metricGroups(metrics, prefix, bounds), limits, metrics, prefix, alias)
}

interface Flight {
  readonly labels: Labels
  count: number
}

class Measures implements HttpMetrics {
  readonly name = 'http-metrics'
  readonly done: (record: ExchangeRecord, x?: Exchange) => void
  readonly onExchange: (record: ExchangeRecord) => void
  readonly #metrics: Metrics
  readonly #prefix: string
  readonly #makeGroup: (labels: Labels) => MetricGroup
  readonly #alias: ReturnType<typeof aliasMetrics> | undefined
  readonly #listener: BoundedLabel
  readonly #route: BoundedLabel
  readonly #pool: BoundedLabel
  readonly #member: BoundedLabel
  readonly #reason: BoundedLabel
  /** By their names as they are; several may share a group. */
  readonly #found
  readonly #groups
  readonly #ended
  readonly #flights
  readonly #overflow: () => MetricGroup
  readonly #room: number
  readonly #collecting: Disposable

  constructor(
    makeGroup: (labels: Labels) => MetricGroup,
    limits: Required<MetricLimits>,
    metrics: Metrics,
    prefix: string,
    alias: ReturnType<typeof aliasMetrics> | undefined,
  ) {
    this.#metrics = metrics
    this.#prefix = prefix
    this.#makeGroup = makeGroup
    this.#alias = alias
    this.#listener = boundedLabel(limits.listeners)
    this.#route = boundedLabel(limits.routes)
    this.#pool = boundedLabel(limits.pools)
    this.#member = boundedLabel(limits.members)
    this.#reason = boundedLabel(limits.reasons)
    this.#found = nameTree<MetricGroup>(limits.groups * 4)
    this.#groups = new Map<string, MetricGroup>()
    this.#ended = nameTree<Counter>(limits.groups * 4)
    this.#flights = new Map<string, Map<string | undefined, Flight>>()
    let overflow: MetricGroup | undefined
    this.#overflow = () => (overflow ??= makeGroup(allOther))
    this.#room = limits.groups
    const { done, onExchange } = recordTap((record, x) => this.#over(record, x))
    this.done = done
    this.onExchange = onExchange
    this.#collecting = metrics.collect((report) => this.#report(report))
  }

  request(x: Exchange): undefined {
    this.#flight(x.listener, x.route).count += 1
  }

  [Symbol.dispose](): void {
    this.#collecting[Symbol.dispose]()
    this.#alias?.[Symbol.dispose]()
  }

  #over(record: ExchangeRecord, x: Exchange | undefined): void {
    // Without the exchange it never came to `request`.
    if (x !== undefined) this.#flight(x.listener, x.route).count -= 1
    const { listener, route, pool, backend, reason } = record
    ;(this.#found.find(listener, route, pool, backend) ?? this.#newGroup(record)).observe(record)
    if (reason !== 'done') {
      ;(this.#ended.find(listener, route, reason, undefined) ?? this.#newEnd(record)).add(1)
    }
    this.#alias?.observe(record)
  }

  #newGroup(record: ExchangeRecord): MetricGroup {
    const { listener, route, pool, backend } = record
    const labels = {
      listener: this.#listener(listener),
      route: this.#route(route),
      pool: this.#pool(pool),
      member: this.#member(backend),
    }
    const key = JSON.stringify(labels)
    let group = this.#groups.get(key)
    if (group === undefined) {
      if (this.#groups.size >= this.#room) return this.#overflow()
      group = this.#makeGroup(labels)
      this.#groups.set(key, group)
    }
    this.#found.put(listener, route, pool, backend, group)
    return group
  }

  #newEnd({ listener, route, reason }: ExchangeRecord): Counter {
    const counter = this.#metrics.counter(
      `${this.#prefix}ended_total`,
      'Exchanges that did not end well.',
      {
        listener: this.#listener(listener),
        route: this.#route(route),
        reason: this.#reason(reason),
      },
    )
    this.#ended.put(listener, route, reason, undefined, counter)
    return counter
  }

  #flight(listener: string, route: string | undefined): Flight {
    const known = this.#flights.get(listener)?.get(route)
    if (known !== undefined) return known
    const name = this.#listener(listener)
    const of = this.#route(route)
    let routes = this.#flights.get(name)
    if (routes === undefined) this.#flights.set(name, (routes = new Map()))
    const key = of === '' ? undefined : of
    let flight = routes.get(key)
    if (flight === undefined) {
      routes.set(key, (flight = { labels: { listener: name, route: of }, count: 0 }))
    }
    return flight
  }

  #report(report: Report): void {
    for (const routes of this.#flights.values()) {
      for (const { labels, count } of routes.values()) {
        report('gauge', `${this.#prefix}requests_in_flight`, 'Exchanges under way.', count, labels)
      }
    }
  }
}

const allOther: Labels = Object.freeze({
  listener: otherLabel,
  route: otherLabel,
  pool: otherLabel,
  member: otherLabel,
})
