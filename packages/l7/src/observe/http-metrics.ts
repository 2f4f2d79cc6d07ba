import {
  type Counter,
  type Histogram,
  invalidOption,
  type Labels,
  listOption,
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
import { wholeOption } from '../filters/number-option.ts'
import { type AliasOptions, aliasMetrics } from './alias-metrics.ts'
import { type BoundedLabel, boundedLabel, nameTree, otherLabel } from './bounded-labels.ts'
import { recordTap } from './record-tap.ts'

/** How many values each label may have; further ones are counted under `other`. */
export interface MetricLimits {
  /** Default 64. */
  readonly listeners?: number
  /** Default 200. */
  readonly routes?: number
  /** Default 200. */
  readonly pools?: number
  /** Default 500. */
  readonly members?: number
  /** Reasons that exchanges ended for. Default 64. */
  readonly reasons?: number
  /** Combinations of listener, route, pool and member. Default 1000. */
  readonly groups?: number
}

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

/** The default upper bounds of latencies, in seconds. */
export const latencyBuckets: readonly number[] = Object.freeze([
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
])

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
  const limits = limitsOf(options.limits ?? {}, `${path}.limits`)
  if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/.test(textOption(prefix, `${path}.prefix`))) {
    throw invalidOption(`${path}.prefix`, `${shown(prefix)} does not begin a name of Prometheus`)
  }
  const bounds = bucketsOf(buckets, `${path}.buckets`)
  const alias =
    options.aliases === undefined
      ? undefined
      : aliasMetrics(metrics, options.aliases, limits.groups, `${path}.aliases`)
  return new Measures(new Series(metrics, prefix, bounds), limits, metrics, prefix, alias)
}

const methodNames = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'PROPFIND',
  otherLabel,
  'none',
] as const
const methodIndex: ReadonlyMap<string, number> = new Map(
  methodNames.map((name, index) => [name, index]),
)
const otherMethod = methodNames.length - 2
const noMethod = methodNames.length - 1
const classNames = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** What is measured of one combination of listener, route, pool and member. */
interface Group {
  readonly labels: Labels
  /** By method and class; made when the first is counted. */
  readonly requests: (Counter | undefined)[]
  readonly total: Histogram
  readonly firstByte: Histogram
  readonly connect: Histogram
  readonly queue: Histogram
  readonly bytesIn: Counter
  readonly bytesOut: Counter
  readonly repeated: Counter
}

/** Makes series under one prefix. */
class Series {
  readonly #metrics: Metrics
  readonly #prefix: string
  readonly #bounds: readonly number[]

  constructor(metrics: Metrics, prefix: string, bounds: readonly number[]) {
    this.#metrics = metrics
    this.#prefix = prefix
    this.#bounds = bounds
  }

  counter(name: string, help: string, labels: Labels): Counter {
    return this.#metrics.counter(`${this.#prefix}${name}`, help, labels)
  }

  group(labels: Labels): Group {
    const histogram = (name: string, help: string): Histogram =>
      this.#metrics.histogram(`${this.#prefix}${name}_seconds`, help, this.#bounds, labels)
    return {
      labels,
      requests: new Array<Counter | undefined>(methodNames.length * classNames.length).fill(
        undefined,
      ),
      total: histogram('request', 'From the end of the head to the end of all.'),
      firstByte: histogram('first_byte', "From the request's being sent to the response's head."),
      connect: histogram('connect', 'New connections to members.'),
      queue: histogram('queue', 'Waiting for a member with room.'),
      bytesIn: this.counter('request_body_bytes_total', 'Body bytes from clients.', labels),
      bytesOut: this.counter('response_body_bytes_total', 'Body bytes to clients.', labels),
      repeated: this.counter('attempts_repeated_total', 'Attempts beyond the first.', labels),
    }
  }
}

interface Flight {
  readonly labels: Labels
  count: number
}

class Measures implements HttpMetrics {
  readonly name = 'http-metrics'
  readonly done: (record: ExchangeRecord, x?: Exchange) => void
  readonly onExchange: (record: ExchangeRecord) => void
  readonly #series: Series
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
  readonly #overflow: () => Group
  readonly #room: number
  readonly #collecting: Disposable

  constructor(
    series: Series,
    limits: Required<MetricLimits>,
    metrics: Metrics,
    prefix: string,
    alias: ReturnType<typeof aliasMetrics> | undefined,
  ) {
    this.#series = series
    this.#alias = alias
    this.#listener = boundedLabel(limits.listeners)
    this.#route = boundedLabel(limits.routes)
    this.#pool = boundedLabel(limits.pools)
    this.#member = boundedLabel(limits.members)
    this.#reason = boundedLabel(limits.reasons)
    this.#found = nameTree<Group>(limits.groups * 4)
    this.#groups = new Map<string, Group>()
    this.#ended = nameTree<Counter>(limits.groups * 4)
    this.#flights = new Map<string, Map<string | undefined, Flight>>()
    let overflow: Group | undefined
    this.#overflow = () => (overflow ??= series.group(allOther))
    this.#room = limits.groups
    const { done, onExchange } = recordTap((record, x) => this.#over(record, x))
    this.done = done
    this.onExchange = onExchange
    this.#collecting = metrics.collect((report) => this.#report(report, prefix))
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
    const { listener, route, pool, backend, request, status, times, reason } = record
    const group = this.#found.find(listener, route, pool, backend) ?? this.#newGroup(record)
    const method =
      request === undefined ? noMethod : (methodIndex.get(request.method) ?? otherMethod)
    const kind = (status / 100) | 0
    const index = method * classNames.length + (kind > 5 || kind < 0 ? 0 : kind)
    ;(group.requests[index] ??= this.#counterOf(group, method, index)).add(1)
    if (status !== 101 && times.total >= 0) group.total.observe(times.total / 1000)
    if (times.firstByte >= 0) group.firstByte.observe(times.firstByte / 1000)
    if (times.connect >= 0 && !record.reused) group.connect.observe(times.connect / 1000)
    if (times.queue >= 0) group.queue.observe(times.queue / 1000)
    if (record.bytesIn > 0) group.bytesIn.add(record.bytesIn)
    if (record.bytesOut > 0) group.bytesOut.add(record.bytesOut)
    if (record.attempts > 1) group.repeated.add(record.attempts - 1)
    if (reason !== 'done') {
      ;(this.#ended.find(listener, route, reason, undefined) ?? this.#newEnd(record)).add(1)
    }
    this.#alias?.observe(record)
  }

  #newGroup(record: ExchangeRecord): Group {
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
      group = this.#series.group(labels)
      this.#groups.set(key, group)
    }
    this.#found.put(listener, route, pool, backend, group)
    return group
  }

  #counterOf({ labels }: Group, method: number, index: number): Counter {
    return this.#series.counter('requests_total', 'Exchanges that are over.', {
      ...labels,
      method: methodNames[method]!,
      class: classNames[index % classNames.length]!,
    })
  }

  #newEnd({ listener, route, reason }: ExchangeRecord): Counter {
    const counter = this.#series.counter('ended_total', 'Exchanges that did not end well.', {
      listener: this.#listener(listener),
      route: this.#route(route),
      reason: this.#reason(reason),
    })
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

  #report(report: Report, prefix: string): void {
    for (const routes of this.#flights.values()) {
      for (const { labels, count } of routes.values()) {
        report('gauge', `${prefix}requests_in_flight`, 'Exchanges under way.', count, labels)
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

const defaultLimits: Required<MetricLimits> = {
  listeners: 64,
  routes: 200,
  pools: 200,
  members: 500,
  reasons: 64,
  groups: 1000,
}

function limitsOf(limits: MetricLimits, path: string): Required<MetricLimits> {
  const given = objectOption(limits, path)
  const read = (name: keyof MetricLimits): number =>
    wholeOption(given[name] ?? defaultLimits[name], `${path}.${name}`, 1, 100_000, 'limit')
  return Object.freeze({
    listeners: read('listeners'),
    routes: read('routes'),
    pools: read('pools'),
    members: read('members'),
    reasons: read('reasons'),
    groups: read('groups'),
  })
}

/**
 * Upper bounds of buckets, as themselves.
 *
 * @throws `invalid-option` for what does not rise, and for more than 64.
 */
function bucketsOf(buckets: readonly number[], path: string): readonly number[] {
  const bounds = listOption(buckets, path)
  if (bounds.length === 0 || bounds.length > 64) {
    throw invalidOption(path, `has ${bounds.length} bounds: use 1 to 64`)
  }
  bounds.forEach((bound, index) => {
    const before = index === 0 ? 0 : bounds[index - 1]!
    if (typeof bound === 'number' && Number.isFinite(bound) && bound > before) return
    throw invalidOption(
      `${path}[${index}]`,
      `${shown(bound)} is no bound: use seconds above 0, each more than the one before`,
    )
  })
  return Object.freeze([...bounds])
}
