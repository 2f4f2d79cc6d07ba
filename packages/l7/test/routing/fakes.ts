import { type Pool, pool, type SocketAddress, silentLog, systemClock } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { RequestEditor } from '../../src/exchange/field-editor.ts'
import type { HttpRequest } from '../../src/exchange/http-request.ts'

/** What a test says of a request; the rest is plain. */
export interface FakeRequest {
  readonly method?: string
  readonly scheme?: 'http' | 'https'
  readonly host?: string
  readonly port?: number
  /** Path and query. */
  readonly target?: string
  readonly client?: string
  readonly peer?: string
  readonly localPort?: number
  readonly tls?: TlsFacts
  readonly headers?: readonly (readonly [string, string])[]
}

/** A request that came to nobody. */
export function fakeRequest(given: FakeRequest = {}): HttpRequest {
  const { target = '/', headers = [] } = given
  const [path = '', ...rest] = target.split('?')
  const query = rest.length === 0 ? undefined : rest.join('?')
  const params = new URLSearchParams(query)
  const all = (name: string): string[] =>
    headers.filter(([one]) => one.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  return {
    method: given.method ?? 'GET',
    version: 'HTTP/1.1',
    scheme: given.scheme ?? 'http',
    host: given.host ?? 'example.com',
    port: given.port ?? 0,
    path,
    query,
    target,
    client: given.client ?? '192.0.2.1',
    peer: address(given.peer ?? '192.0.2.1', 40_000),
    local: address('192.0.2.254', given.localPort ?? 80),
    tls: given.tls,
    bodyLength: 0,
    header: (name) => all(name)[0],
    headerAll: all,
    headers: () => headers,
    cookie(name) {
      for (const line of all('cookie')) {
        for (const pair of line.split(/; */)) {
          if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1)
        }
      }
      return undefined
    },
    queryParameter: (name) => params.get(name) ?? undefined,
    queryParameterAll: (name) => params.getAll(name),
  }
}

function address(text: string, port: number): SocketAddress {
  return { address: text, port, family: text.includes(':') ? 6 : 4 }
}

/** An exchange that goes nowhere. */
export function fakeExchange(given: FakeRequest = {}, more: Partial<Exchange> = {}): Exchange {
  const request = fakeRequest(given)
  const memory = new Map<object, unknown>()
  return {
    id: 'exchange-1',
    request,
    connection: {
      id: 1,
      client: request.peer,
      local: request.local,
      peer: request.peer,
      tls: request.tls,
      trusted: false,
      covers: undefined,
    },
    listener: 'web',
    route: undefined,
    pool: undefined,
    backend: undefined,
    attempts: 0,
    startedAt: 0,
    clock: systemClock,
    log: silentLog,
    status: 0,
    context: undefined,
    recall: (key) => memory.get(key),
    remember: (key, value) => void memory.set(key, value),
    flag: () => undefined,
    ...more,
  }
}

/** A pool with that many members that are up. */
export function fakePool(name: string, members = 1): Pool {
  return pool({
    name,
    backends: Array.from({ length: members }, (_, index) => `192.0.2.${index + 10}:8080`),
  })
}

/** A request that can be edited and looked at. */
export function fakeEditor(): RequestEditor & { readonly lines: [string, string][] } {
  const lines: [string, string][] = []
  const named = (name: string): string[] =>
    lines.filter(([one]) => one === name).map(([, value]) => value)
  return {
    lines,
    method: 'GET',
    path: '/',
    query: undefined,
    host: 'example.com',
    get: (name) => named(name)[0],
    all: named,
    has: (name) => named(name).length > 0,
    set(name, value) {
      this.remove(name)
      lines.push([name, value])
    },
    add: (name, value) => void lines.push([name, value]),
    remove(name) {
      const count = named(name).length
      for (let i = lines.length - 1; i >= 0; i--) if (lines[i]?.[0] === name) lines.splice(i, 1)
      return count
    },
    [Symbol.iterator]: () => lines[Symbol.iterator](),
  }
}

/** What a verified client with this subject has. */
export function fakeTls(subject?: string, more: Partial<TlsFacts> = {}, verified = true): TlsFacts {
  return {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    serverName: 'example.com',
    alpn: 'http/1.1',
    resumed: false,
    peerCertificate:
      subject === undefined
        ? undefined
        : {
            subject,
            commonName: /CN=([^,]+)/.exec(subject)?.[1],
            alternativeNames: undefined,
            issuer: 'CN=Test CA, O=Tests',
            serialNumber: '01',
            fingerprint256: 'AA:BB',
            notAfter: 0,
            der: new Uint8Array(),
            verified,
          },
    ...more,
  }
}
