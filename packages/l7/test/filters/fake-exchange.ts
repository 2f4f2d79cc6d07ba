import { type Clock, type Pool, type SocketAddress, silentLog, systemClock } from '@steelyard/core'
import type { ConnectionFacts } from '../../src/exchange/connection-facts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { ExchangeRecord } from '../../src/exchange/exchange-record.ts'
import type { RequestEditor, ResponseEditor } from '../../src/exchange/field-editor.ts'
import type { HttpFilter } from '../../src/exchange/http-filter.ts'
import type { HttpRequest } from '../../src/exchange/http-request.ts'
import type { Drop, Reply, Verdict } from '../../src/exchange/reply.ts'

/** Header lines by name; names in any case. */
export type FakeHeaders = Readonly<Record<string, string | readonly string[]>>

export interface FakeRequestInit {
  readonly method?: string
  readonly scheme?: 'http' | 'https'
  readonly host?: string
  readonly port?: number
  readonly path?: string
  readonly query?: string
  readonly client?: string
  readonly peer?: string
  readonly headers?: FakeHeaders
}

export interface FakeExchangeInit extends FakeRequestInit {
  readonly id?: string
  readonly trusted?: boolean
  readonly route?: string
  readonly pool?: Pool
  readonly clock?: Clock
}

/** An exchange without an engine: what filters see, and what they left in it. */
export interface FakeExchange extends Exchange {
  pool: Pool | undefined
  backend: Exchange['backend']
  attempts: number
  status: number
  readonly flags: string[]
}

let ids = 0

export function fakeExchange(init: FakeExchangeInit = {}): FakeExchange {
  const memory = new Map<object, unknown>()
  const flags: string[] = []
  const request = fakeRequest(init)
  const connection: ConnectionFacts = {
    id: ++ids,
    client: request.peer,
    local: request.local,
    peer: request.peer,
    tls: undefined,
    trusted: init.trusted ?? false,
    covers: undefined,
  }
  const clock = init.clock ?? systemClock
  return {
    id: init.id ?? `x-${ids}`,
    request,
    connection,
    listener: 'web',
    route: init.route,
    pool: init.pool,
    backend: undefined,
    attempts: 0,
    startedAt: clock.now(),
    clock,
    log: silentLog,
    status: 0,
    context: undefined,
    flags,
    recall: (key) => memory.get(key),
    remember: (key, value) => void memory.set(key, value),
    flag(word) {
      if (!flags.includes(word)) flags.push(word)
    },
  }
}

function fakeRequest(init: FakeRequestInit): HttpRequest {
  const lines = linesOf(init.headers ?? {})
  const all = (name: string): string[] =>
    lines.filter(([at]) => at.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  const path = init.path ?? '/'
  const parameters = new URLSearchParams(init.query ?? '')
  return {
    method: init.method ?? 'GET',
    version: 'HTTP/1.1',
    scheme: init.scheme ?? 'http',
    host: init.host ?? 'www.example.com',
    port: init.port ?? 0,
    path,
    query: init.query,
    target: init.query === undefined ? path : `${path}?${init.query}`,
    client: init.client ?? '192.0.2.1',
    peer: address(init.peer ?? init.client ?? '192.0.2.1'),
    local: address('192.0.2.255'),
    tls: undefined,
    bodyLength: 0,
    header: (name) => all(name)[0],
    headerAll: all,
    headers: () => lines,
    cookie: (name) =>
      all('cookie')
        .flatMap((line) => line.split('; '))
        .find((pair) => pair.startsWith(`${name}=`))
        ?.slice(name.length + 1),
    queryParameter: (name) => parameters.get(name) ?? undefined,
    queryParameterAll: (name) => parameters.getAll(name),
  }
}

function address(text: string): SocketAddress {
  const family = text.startsWith('/') ? 'unix' : text.includes(':') ? 6 : 4
  return { address: text, port: family === 'unix' ? 0 : 50_000, family }
}

function linesOf(headers: FakeHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]),
  )
}

/** A head to edit; refuses what a real one refuses. */
export interface FakeHead extends RequestEditor, ResponseEditor {
  /** By lower-case name, lines joined by a bar. */
  readonly told: Readonly<Record<string, string>>
}

export function fakeHead(headers: FakeHeaders = {}, query?: string): FakeHead {
  let lines = linesOf(headers)
  const is = (name: string) => {
    const lower = name.toLowerCase()
    return ([at]: readonly [string, string]): boolean => at.toLowerCase() === lower
  }
  const checked = (name: string, value: string): [string, string] => {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw new Error(`bad name ${name}`)
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value) || value !== value.trim()) {
      throw new Error(`bad value of ${name}`)
    }
    return [name, value]
  }
  return {
    method: 'GET',
    path: '/',
    query,
    host: 'www.example.com',
    status: 200,
    bodyLength: -1,
    get: (name) => lines.find(is(name))?.[1],
    all: (name) => lines.filter(is(name)).map(([, value]) => value),
    has: (name) => lines.some(is(name)),
    set(name, value) {
      const line = checked(name, value)
      lines = lines.filter((one) => !is(name)(one))
      lines.push(line)
    },
    add: (name, value) => void lines.push(checked(name, value)),
    remove(name) {
      const before = lines.length
      lines = lines.filter((one) => !is(name)(one))
      return before - lines.length
    },
    [Symbol.iterator]: () => lines[Symbol.iterator](),
    get told() {
      const told: Record<string, string> = {}
      for (const [name, value] of lines) {
        const lower = name.toLowerCase()
        told[lower] = told[lower] === undefined ? value : `${told[lower]}|${value}`
      }
      return told
    },
  }
}

/** A record of an exchange that went well, but for what is given. */
export function fakeRecord(
  x: Exchange,
  init: Partial<Omit<ExchangeRecord, 'times'>> & {
    readonly firstByte?: number
    readonly total?: number
  } = {},
): ExchangeRecord {
  const { firstByte = 1, total = firstByte + 1, ...rest } = init
  return {
    id: x.id,
    listener: x.listener,
    time: 0,
    client: x.request.peer,
    tls: undefined,
    request: x.request,
    route: x.route,
    pool: x.pool?.name,
    backend: x.backend?.id ?? 'one',
    backendAddress: undefined,
    status: 200,
    backendStatus: 200,
    bytesIn: 0,
    bytesOut: 0,
    attempts: 1,
    reused: false,
    endedBy: 'balancer',
    reason: 'done',
    flags: [],
    times: { head: 0, queue: 0, connect: 0, firstByte, response: 1, total },
    error: undefined,
    responseHeader: () => undefined,
    ...rest,
  }
}

/** Asks a filter that must answer at once. */
export function ask(filter: HttpFilter, x: Exchange): Reply | Drop | undefined {
  const verdict = filter.request?.(x)
  if (verdict instanceof Promise) throw new Error('it made a promise')
  return verdict ?? undefined
}

/** Asks a filter that may take its time. */
export async function asked(filter: HttpFilter, x: Exchange): Promise<Reply | Drop | undefined> {
  const verdict: Verdict = await filter.request?.(x)
  return verdict ?? undefined
}

/** The status of an answer: 0 to go on, -1 for a drop. */
export function statusOf(verdict: Reply | Drop | undefined): number {
  return verdict === undefined ? 0 : 'drop' in verdict ? -1 : verdict.status
}

/** One of the headers of an answer. */
export function headerOf(verdict: Reply | Drop | undefined, name: string): string | undefined {
  if (verdict === undefined || 'drop' in verdict) return undefined
  for (const [at, value] of Object.entries(verdict.headers ?? {})) {
    if (at.toLowerCase() === name.toLowerCase()) return [value].flat().join('|')
  }
  return undefined
}

/** The end of an exchange, as the engine tells it. */
export function finish(
  filter: HttpFilter,
  x: Exchange,
  init?: Parameters<typeof fakeRecord>[1],
): void {
  filter.done?.(fakeRecord(x, init), x)
}

/** What a filter does to the head of a response. */
export function respond(filter: HttpFilter, x: Exchange, headers: FakeHeaders = {}): FakeHead {
  const head = fakeHead(headers)
  void filter.responseHead?.(head, x)
  return head
}

/** What a filter does to the head that goes to the backend. */
export function send(
  filter: HttpFilter,
  x: Exchange,
  headers: FakeHeaders = {},
  query?: string,
): FakeHead {
  const head = fakeHead(headers, query)
  void filter.upstreamHead?.(head, x)
  return head
}

/** Lets everything run that is ready. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
