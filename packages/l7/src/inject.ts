import { type SocketAddress, SteelyardError } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { ClientEvents, ClientHost, ClientLeg } from './client/client-leg.ts'
import type { ConnectionFacts } from './exchange/connection-facts.ts'
import { ExchangeError } from './exchange/exchange-error.ts'
import { RequestView } from './exchange/request-view.ts'
import { judgeRequest } from './gate/judge-request.ts'
import type { HttpSettings } from './http-settings.ts'
import type { RouteTrial } from './routing/route.ts'
import { fieldProblem } from './wire/checked-field.ts'
import type { Head } from './wire/head.ts'
import { type BodyLength, type RequestHead, unknownLength } from './wire/request-head.ts'
import { RequestParser } from './wire/request-parser.ts'
import type { ResponseHead } from './wire/response-head.ts'

/** A request that comes through no socket. A text is the target of a GET: a path, or a whole URL. */
export interface InjectedRequest {
  /** Default `GET`. */
  readonly method?: string
  /** Path and query, or a whole URL, which names the host and the scheme too. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** Who asks. Default `127.0.0.1`, port 0. */
  readonly client?: { readonly address: string; readonly port?: number }
  /** Where it arrives. Default: `127.0.0.1`, at the port that the URL names. */
  readonly local?: { readonly address: string; readonly port: number }
  /** What TLS with the client is like. Default: without a client certificate for an https URL, else none. */
  readonly tls?: Partial<TlsFacts>
  /** Gives up. */
  readonly signal?: AbortSignal
}

/** What came back. */
export interface InjectedResponse {
  readonly status: number
  /** In the order in which they were sent. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  readonly trailers: readonly (readonly [name: string, value: string])[]
  /** 1xx responses that came before. */
  readonly informational: readonly number[]
  /** The first header of that name. */
  header(name: string): string | undefined
  text(): string
}

/** Drives a request through routes, filters and backends; rejects with an `ExchangeError` when there was no answer. */
export function inject(
  request: InjectedRequest | string,
  host: ClientHost,
  settings: HttpSettings,
  id: number,
): Promise<InjectedResponse> {
  const { head, body, connection, signal } = read(request, settings, id)
  const { promise, resolve, reject } = Promise.withResolvers<InjectedResponse>()
  const leg = new InjectedLeg(head, body, connection, resolve, reject)
  const leave = (): void => leg.leave()
  signal?.addEventListener('abort', leave, { once: true })
  leg.begin(host)
  if (signal?.aborted === true) leave()
  return promise.finally(() => signal?.removeEventListener('abort', leave))
}

/** Which routes would be tried for a request, and why each was not taken. */
export function explain(
  request: InjectedRequest | string,
  settings: HttpSettings,
): readonly RouteTrial[] {
  const { head, connection } = read(request, settings, 0)
  return settings.router.explain(new RequestView(head, connection, settings.forwarding))
}

interface ReadRequest {
  readonly head: RequestHead
  readonly body: Uint8Array
  readonly connection: ConnectionFacts
  readonly signal: AbortSignal | undefined
}

const encoder = new TextEncoder()

/** Makes a head by the same parser and the same gate as those from the network. */
function read(request: InjectedRequest | string, settings: HttpSettings, id: number): ReadRequest {
  const {
    method = 'GET',
    url,
    headers = {},
    body = '',
    client,
    local,
    tls,
    signal,
  } = typeof request === 'string' ? { url: request } : request
  const whole = /^(https?):\/\/([^/?#]*)(.*)$/.exec(url)
  const [, scheme = 'http', authority = '', rest = ''] = whole ?? []
  const target = whole === null ? url : rest.startsWith('/') ? rest : `/${rest}`
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  const lines: string[] = []
  let hasHost = false
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() === 'host') hasHost = true
    for (const one of typeof value === 'string' ? [value] : value) {
      const problem = fieldProblem(name, one)
      if (problem !== undefined) throw refusal(`headers.${name}: ${problem}`)
      lines.push(`${name}: ${one}`)
    }
  }
  if (!hasHost) lines.unshift(`Host: ${authority === '' ? 'localhost' : authority}`)
  if (bytes.length > 0) lines.push(`Content-Length: ${bytes.length}`)
  const parser = new RequestParser(settings.limits)
  const text = Buffer.from(
    `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`,
    'latin1',
  )
  const end = parser.feed(text, 0, text.length)
  const problem =
    parser.problem ?? (end < text.length ? undefined : judgeRequest(parser.head, settings.gate))
  if (problem !== undefined) throw refusal(problem.message)
  if (parser.state !== 'complete' || end < text.length) throw refusal('it is not one whole request')
  const address = client?.address ?? '127.0.0.1'
  const source = {
    address,
    port: client?.port ?? 0,
    family: address.includes(':') ? (6 as const) : (4 as const),
  }
  return {
    head: parser.head,
    body: bytes,
    signal,
    connection: {
      id,
      client: source,
      peer: source,
      local: localOf(local ?? { address: '127.0.0.1', port: portOf(authority, scheme) }),
      tls: scheme === 'https' || tls !== undefined ? tlsFacts(authority, tls) : undefined,
      trusted: settings.forwarding.trust.trusts(address),
      covers: undefined,
    },
  }
}

function portOf(authority: string, scheme: string): number {
  const port = /:(\d{1,5})$/.exec(authority)?.[1]
  return port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port)
}

function localOf({ address, port }: { address: string; port: number }): SocketAddress {
  return { address, port, family: address.includes(':') ? 6 : 4 }
}

/** TLS as a common client of today makes it. */
function tlsFacts(authority: string, given: Partial<TlsFacts> = {}): TlsFacts {
  const name = authority.replace(/:\d*$/, '').toLowerCase()
  return {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    serverName: name === '' || /^[\d.]+$|^\[/.test(name) ? undefined : name,
    alpn: 'http/1.1',
    resumed: false,
    peerCertificate: undefined,
    ...given,
  }
}

function refusal(message: string): SteelyardError {
  return new SteelyardError(message, { code: 'bad-request', source: 'client' })
}

/** A client that is in our own hands. */
class InjectedLeg implements ClientLeg {
  readonly connection: ConnectionFacts
  readonly request: RequestHead
  readonly first = true
  readonly headBegan = 0
  readonly #resolve: (response: InjectedResponse) => void
  readonly #reject: (error: unknown) => void
  #body: Uint8Array
  #events: ClientEvents | undefined
  #wanted = false
  #whole: boolean
  #status = 0
  #headers: [string, string][] = []
  readonly #pieces: Uint8Array[] = []
  readonly #informational: number[] = []
  #over = false

  constructor(
    head: RequestHead,
    body: Uint8Array,
    connection: ConnectionFacts,
    resolve: (response: InjectedResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.request = head
    this.connection = connection
    this.#body = body
    this.#whole = head.bodyLength === 0
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(host: ClientHost): void {
    this.#events = host.begin(this)
    this.#deliver()
  }

  /** The client goes away. */
  leave(): void {
    if (this.#over) return
    const error = new ExchangeError('the injected request was given up', {
      code: 'client-aborted',
      source: 'client',
      phase: 'request',
    })
    this.#over = true
    this.#events?.clientClosed(error)
    this.#reject(error)
  }

  resumeBody(): void {
    this.#wanted = true
    this.#deliver()
  }

  pauseBody(): void {
    this.#wanted = false
  }

  discardBody(): void {
    this.#body = new Uint8Array(0)
    this.#whole = true
  }

  sendContinue(): void {}

  sendInformational(head: ResponseHead): void {
    this.#informational.push(head.status)
  }

  sendHead(head: ResponseHead, length: BodyLength): void {
    this.#status = head.status
    this.#headers = [...head]
    const told = length !== unknownLength && head.status !== 204
    if (told) this.#headers.push(['content-length', String(length)])
  }

  sendBody(bytes: Uint8Array): boolean {
    this.#pieces.push(new Uint8Array(bytes))
    return true
  }

  flush(): void {}

  finish(trailers: Head | undefined): void {
    if (this.#over) return
    this.#over = true
    const headers = this.#headers
    const body = Buffer.concat(this.#pieces)
    this.#resolve({
      status: this.#status,
      headers,
      body,
      trailers: trailers === undefined ? [] : [...trailers],
      informational: this.#informational,
      header: (name) => headers.find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1],
      text: () => body.toString('utf8'),
    })
  }

  release(): void {}

  abort(error: ExchangeError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#reject(
      error ??
        new SteelyardError('the connection was ended without an answer', {
          code: 'dropped',
          source: 'config',
        }),
    )
  }

  switchProtocols(): void {
    this.abort(undefined)
  }

  releaseTunnel(): undefined {
    return undefined
  }

  #deliver(): void {
    if (this.#events === undefined || !this.#wanted || this.#whole || this.#over) return
    this.#whole = true
    if (this.#body.length > 0) this.#events.requestBody(this.#body)
    // It may have been answered and thrown away meanwhile.
    if (!this.#over) this.#events.requestEnd(undefined)
  }
}
