import { backend, type Counter, type Labels, type Metrics, silentLog } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import type { ConnectionFacts } from '../../src/exchange/connection-facts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { ExchangeRecord, ExchangeTimes } from '../../src/exchange/exchange-record.ts'
import type { RequestEditor, ResponseEditor } from '../../src/exchange/field-editor.ts'
import type { HttpRequest } from '../../src/exchange/http-request.ts'
import type { LogSink } from '../../src/observe/log-sink.ts'

/** Wall clock of all fakes: 2026-11-21T12:13:14.567Z. */
export const moment: number = 1_795_263_194_567

export type RequestParts = Partial<Omit<HttpRequest, 'header'>> & {
  readonly fields?: Readonly<Record<string, string | readonly string[]>>
}

export function fakeRequest({ fields = {}, ...parts }: RequestParts = {}): HttpRequest {
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one) => [name, one] as const),
  )
  const all = (name: string): string[] =>
    lines.filter(([other]) => other === name.toLowerCase()).map(([, value]) => value)
  const path = parts.path ?? '/a/b'
  const query = 'query' in parts ? parts.query : 'q=1'
  return {
    method: 'GET',
    version: 'HTTP/1.1',
    scheme: 'https',
    host: 'www.example.org',
    port: 0,
    path,
    query,
    target: query === undefined ? path : `${path}?${query}`,
    client: '192.0.2.7',
    peer: { address: '192.0.2.7', port: 40_000, family: 4 },
    local: { address: '10.0.0.1', port: 443, family: 4 },
    tls: undefined,
    bodyLength: 0,
    header: (name) => all(name)[0],
    headerAll: all,
    headers: () => lines,
    cookie: (name) => (name === 'sid' ? 'c00kie' : undefined),
    queryParameter: (name) => (name === 'q' ? '1' : undefined),
    queryParameterAll: (name) => (name === 'q' ? ['1'] : []),
    ...parts,
  }
}

export const times: ExchangeTimes = {
  head: 10.25,
  queue: -1,
  connect: 30.5,
  firstByte: 69,
  response: 4.002,
  total: 109.75,
}

export type RecordParts = Partial<ExchangeRecord> & {
  readonly response?: Readonly<Record<string, string>>
}

export function fakeRecord({ response = {}, ...parts }: RecordParts = {}): ExchangeRecord {
  return {
    id: '0190-id',
    listener: 'web',
    time: moment,
    client: { address: '192.0.2.7', port: 40_000, family: 4 },
    tls: undefined,
    request: fakeRequest({ fields: { 'user-agent': 'curl/8.1', referer: 'https://a.example/' } }),
    route: 'shop',
    pool: 'carts',
    backend: 'c1',
    backendAddress: '10.1.0.1:80',
    status: 200,
    backendStatus: 200,
    bytesIn: 0,
    bytesOut: 2750,
    attempts: 1,
    reused: false,
    endedBy: 'backend',
    reason: 'done',
    flags: [],
    times,
    error: undefined,
    responseHeader: (name) => response[name.toLowerCase()],
    ...parts,
  }
}

/** A request that was refused by its head. */
export function fakeRefusal(parts: RecordParts = {}): ExchangeRecord {
  return fakeRecord({
    request: undefined,
    route: undefined,
    pool: undefined,
    backend: undefined,
    backendAddress: undefined,
    status: 400,
    backendStatus: 0,
    bytesOut: 0,
    attempts: 0,
    endedBy: 'client',
    reason: 'bad-request',
    times: { head: 0, queue: -1, connect: -1, firstByte: -1, response: -1, total: 0 },
    ...parts,
  })
}

export type ExchangeParts = Partial<Omit<Exchange, 'request' | 'connection'>> & {
  readonly request?: HttpRequest
  readonly trusted?: boolean
}

export function fakeExchange({ trusted = false, ...parts }: ExchangeParts = {}): Exchange {
  const request = parts.request ?? fakeRequest()
  const memory = new Map<object, unknown>()
  const connection: ConnectionFacts = {
    id: 1,
    client: request.peer,
    local: request.local,
    peer: request.peer,
    tls: undefined,
    trusted,
    covers: undefined,
  }
  return {
    id: '0190-id',
    request,
    connection,
    listener: 'web',
    route: 'shop',
    pool: undefined,
    backend: backend({ address: '10.1.0.1:80', id: 'c1' }),
    attempts: 1,
    startedAt: 0,
    clock: manualClock(moment),
    log: silentLog,
    status: 0,
    context: undefined,
    recall: (key) => memory.get(key),
    remember: (key, value) => void memory.set(key, value),
    flag: () => undefined,
    ...parts,
  }
}

/** Fields that a filter edits; of editors only what filters here use. */
export function fakeHead(
  fields: Readonly<Record<string, string>> = {},
): RequestEditor & ResponseEditor & { readonly lines: Map<string, string[]> } {
  const lines = new Map(Object.entries(fields).map(([name, value]) => [name, [value]]))
  return {
    lines,
    method: 'GET',
    path: '/',
    query: undefined,
    host: '',
    status: 200,
    bodyLength: 0,
    get: (name) => lines.get(name)?.[0],
    all: (name) => lines.get(name) ?? [],
    has: (name) => lines.has(name),
    set: (name, value) => void lines.set(name, [value]),
    add: (name, value) => void lines.set(name, [...(lines.get(name) ?? []), value]),
    remove: (name) => Number(lines.delete(name)),
    *[Symbol.iterator]() {
      for (const [name, values] of lines) for (const value of values) yield [name, value]
    },
  }
}

/** A sink that keeps lines, until it is full. */
export function memorySink(room: number = Number.POSITIVE_INFINITY): LogSink & { lines: string[] } {
  const lines: string[] = []
  return { lines, write: (line) => lines.length < room && lines.push(line) > 0 }
}

export interface MemoryMetrics extends Metrics {
  /** Value by series, as `name{a="b"}`; of histograms `name_count` and `name_sum`. */
  read(): Map<string, number>
  /** Handles that were asked for. */
  readonly made: number
}

export function memoryMetrics(): MemoryMetrics {
  const values = new Map<string, number>()
  const collectors = new Set<Parameters<Metrics['collect']>[0]>()
  let made = 0
  const series = (name: string, labels: Labels = {}): string => {
    const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    return text.length === 0 ? name : `${name}{${text.join(',')}}`
  }
  const adder = (key: string): Counter => {
    values.set(key, values.get(key) ?? 0)
    return { add: (amount = 1) => void values.set(key, values.get(key)! + amount) }
  }
  return {
    get made() {
      return made
    },
    counter(name, _help, labels) {
      made += 1
      return adder(series(name, labels))
    },
    gauge(name, _help, labels) {
      made += 1
      return { set: (value) => void values.set(series(name, labels), value) }
    },
    histogram(name, _help, _bounds, labels) {
      made += 1
      const sum = adder(series(`${name}_sum`, labels))
      const count = adder(series(`${name}_count`, labels))
      return {
        observe(value) {
          sum.add(value)
          count.add(1)
        },
      }
    },
    collect(sample) {
      collectors.add(sample)
      return { [Symbol.dispose]: () => void collectors.delete(sample) }
    },
    read() {
      const all = new Map(values)
      for (const collect of collectors) {
        collect((_kind, name, _help, value, labels) => void all.set(series(name, labels), value))
      }
      return all
    },
  }
}
