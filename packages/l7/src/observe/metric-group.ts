import type { Counter, Histogram, Labels, Metrics } from '@steelyard/core'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import { otherLabel } from './bounded-labels.ts'

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

/** Makes a counter under the prefix in force. */
export type MakeCounter = (name: string, help: string, labels: Labels) => Counter

/** What is measured of one combination of listener, route, pool and member; handles are made once and kept. */
export interface MetricGroup {
  observe(record: ExchangeRecord): void
}

/** Makes groups under one prefix. */
export function metricGroups(
  metrics: Metrics,
  prefix: string,
  bounds: readonly number[],
): (labels: Labels) => MetricGroup {
  return (labels) => new Group(metrics, prefix, bounds, labels)
}

class Group implements MetricGroup {
  readonly #counter: MakeCounter
  readonly #labels: Labels
  /** By method and class; made when the first is counted. */
  readonly #requests: (Counter | undefined)[]
  readonly #total: Histogram
  readonly #firstByte: Histogram
  readonly #connect: Histogram
  readonly #queue: Histogram
  readonly #bytesIn: Counter
  readonly #bytesOut: Counter
  readonly #repeated: Counter

  constructor(metrics: Metrics, prefix: string, bounds: readonly number[], labels: Labels) {
    const histogram = (name: string, help: string): Histogram =>
      metrics.histogram(`${prefix}${name}_seconds`, help, bounds, labels)
    const counter: MakeCounter = (name, help, more) => metrics.counter(prefix + name, help, more)
    this.#counter = counter
    this.#labels = labels
    this.#requests = new Array<Counter | undefined>(methodNames.length * classNames.length).fill(
      undefined,
    )
    this.#total = histogram('request', 'From the end of the head to the end of all.')
    this.#firstByte = histogram(
      'first_byte',
      "From the request's being sent to the response's head.",
    )
    this.#connect = histogram('connect', 'New connections to members.')
    this.#queue = histogram('queue', 'Waiting for a member with room.')
    this.#bytesIn = counter('request_body_bytes_total', 'Body bytes from clients.', labels)
    this.#bytesOut = counter('response_body_bytes_total', 'Body bytes to clients.', labels)
    this.#repeated = counter('attempts_repeated_total', 'Attempts beyond the first.', labels)
  }

  observe(record: ExchangeRecord): void {
    const { request, status, times, bytesIn, bytesOut, attempts } = record
    const method =
      request === undefined ? noMethod : (methodIndex.get(request.method) ?? otherMethod)
    const kind = (status / 100) | 0
    const index = method * classNames.length + (kind > 5 || kind < 0 ? 0 : kind)
    ;(this.#requests[index] ??= this.#counterOf(index)).add(1)
    // How long a tunnel stood says nothing of how fast we are.
    if (status !== 101 && times.total >= 0) this.#total.observe(times.total / 1000)
    if (times.firstByte >= 0) this.#firstByte.observe(times.firstByte / 1000)
    if (times.connect >= 0 && !record.reused) this.#connect.observe(times.connect / 1000)
    if (times.queue >= 0) this.#queue.observe(times.queue / 1000)
    if (bytesIn > 0) this.#bytesIn.add(bytesIn)
    if (bytesOut > 0) this.#bytesOut.add(bytesOut)
    if (attempts > 1) this.#repeated.add(attempts - 1)
  }

  #counterOf(index: number): Counter {
    return this.#counter('requests_total', 'Exchanges that are over.', {
      ...this.#labels,
      method: methodNames[Math.floor(index / classNames.length)]!,
      class: classNames[index % classNames.length]!,
    })
  }
}
