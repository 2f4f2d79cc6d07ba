import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import {
  type Backend,
  backend,
  type Clock,
  type Logger,
  systemClock,
  timerWheel,
} from '@steelyard/core'
import { nodeTransport } from '@steelyard/l4'
import type { BackendLeg, LegSeeker } from '../../../src/backend/backend-leg.ts'
import type { LegDemand } from '../../../src/backend/connections.ts'
import { h2Sessions } from '../../../src/backend/h2/h2-sessions.ts'
import type { SessionPool } from '../../../src/backend/session-pool.ts'
import type { UpstreamOptions } from '../../../src/backend/upstream-options.ts'
import type { ConnectionFacts } from '../../../src/exchange/connection-facts.ts'
import type { ExchangeError } from '../../../src/exchange/exchange-error.ts'
import type { Head } from '../../../src/wire/head.ts'
import { RequestHead } from '../../../src/wire/request-head.ts'
import type { ResponseHead } from '../../../src/wire/response-head.ts'

/** A file of the TLS vectors: certificates, such as that of `a.example`, and who issued them. */
export function vector(name: string): string {
  return readFileSync(new URL(`../../../../l4/test/vectors/tls/${name}`, import.meta.url), 'utf8')
}

const nowhere = { address: '127.0.0.1', port: 1, family: 4 as const }
export const someClient: ConnectionFacts = {
  id: 1,
  client: nowhere,
  local: nowhere,
  peer: nowhere,
  tls: undefined,
  trusted: false,
  covers: undefined,
}

/** One attempt as an exchange would hear of it. */
export class HeardAttempt implements LegSeeker {
  leg: BackendLeg | undefined
  unconnectedBy: ExchangeError | undefined
  failedBy: ExchangeError | undefined
  readonly informationals: number[] = []
  status = 0
  bodyLength = -2
  lines: readonly (readonly [string, string])[] = []
  body = Buffer.alloc(0)
  received = 0
  ended = false
  trailers: readonly (readonly [string, string])[] | undefined
  drained = 0
  settledCount = 0
  onConnected: ((leg: BackendLeg) => void) | undefined
  onHead: ((leg: BackendLeg) => void) | undefined
  onBody: ((bytes: Uint8Array) => void) | undefined
  onDrained: (() => void) | undefined
  #waiting: (() => void)[] = []

  connected(leg: BackendLeg): void {
    this.leg = leg
    this.onConnected?.(leg)
    this.#tell()
  }

  unconnected(error: ExchangeError): void {
    this.unconnectedBy = error
    this.#tell()
  }

  informational(head: ResponseHead): void {
    this.informationals.push(head.status)
  }

  responseHead(head: ResponseHead): void {
    if (this.status !== 0) throw new Error('two heads')
    this.status = head.status
    this.bodyLength = head.bodyLength
    this.lines = [...head]
    this.onHead?.(this.leg!)
    this.#tell()
  }

  responseBody(bytes: Uint8Array): void {
    this.received += bytes.length
    if (this.onBody !== undefined) this.onBody(bytes)
    else this.body = Buffer.concat([this.body, bytes])
    this.#tell()
  }

  responseEnd(trailers: Head | undefined): void {
    if (this.ended) throw new Error('ended twice')
    this.ended = true
    this.trailers = trailers === undefined ? undefined : [...trailers]
    this.#tell()
  }

  backendDrained(): void {
    this.drained += 1
    this.onDrained?.()
    this.#tell()
  }

  settled(): void {
    this.settledCount += 1
  }

  backendFailed(error: ExchangeError): void {
    if (this.failedBy !== undefined) throw new Error('failed twice')
    this.failedBy = error
    this.#tell()
  }

  /** Over, one way or the other. */
  get over(): boolean {
    return this.ended || this.failedBy !== undefined || this.unconnectedBy !== undefined
  }

  header(name: string): string | undefined {
    return this.lines.find(([key]) => key === name)?.[1]
  }

  async until(so: () => boolean): Promise<this> {
    while (!so()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this
  }

  done(): Promise<this> {
    return this.until(() => this.over)
  }

  #tell(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

export function demand(more: Partial<LegDemand> = {}): LegDemand {
  return { client: someClient, mayReuse: true, connectTimeoutMs: 5000, upgrade: false, ...more }
}

export function requestHead(
  method = 'GET',
  path = '/',
  lines: readonly (readonly [string, string])[] = [],
): RequestHead {
  const head = new RequestHead()
  head.method = method
  head.path = path
  head.authority = 'a.example'
  head.add('Host', 'a.example')
  for (const [name, value] of lines) head.add(name, value)
  return head
}

export interface BackendLab extends AsyncDisposable {
  readonly server: Http2Server
  readonly sessions: readonly ServerHttp2Session[]
  readonly backend: Backend
  readonly pool: SessionPool
  readonly logged: readonly string[]
  /** Asks for a leg. */
  seek(more?: Partial<LegDemand>): HeardAttempt
  /** Asks for a leg, sends a request without a body on it, and waits for the end. */
  get(path?: string, more?: Partial<LegDemand>): Promise<HeardAttempt>
}

export interface BackendLabOptions {
  readonly server?: ServerOptions
  readonly secure?: boolean
  readonly upstream?: UpstreamOptions
  readonly clock?: Clock
  readonly stream?: (stream: ServerHttp2Stream, path: string) => void
  /** Instead of the lab's own server. */
  readonly port?: number
}

/** A member that speaks HTTP/2 by node:http2, and our sessions to it. */
export async function backendLab(options: BackendLabOptions = {}): Promise<BackendLab> {
  const { clock = systemClock } = options
  const wheel = timerWheel({ clock })
  const {
    stream: answer = (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 })
      stream.end('ok')
    },
  } = options
  const server =
    options.secure === true
      ? createSecureServer({ cert: vector('a.pem'), key: vector('a-key.pem'), ...options.server })
      : createServer(options.server ?? {})
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    answer(stream, headers[':path'] ?? '')
  })
  server.on('sessionError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const logged: string[] = []
  const note = (_: unknown, message: string): void => void logged.push(message)
  const log: Logger = { debug() {}, info: note, warn: note, error: note }
  const pool = h2Sessions(
    {
      protocol: 'h2',
      ...(options.secure === true
        ? { tls: { ca: vector('ca.pem'), serverName: 'a.example' } }
        : {}),
      ...options.upstream,
    },
    { transport: nodeTransport(), wheel, clock, log, random: () => 0 },
  )
  const member = backend(`127.0.0.1:${options.port ?? port}`)
  const lab: BackendLab = {
    server,
    sessions,
    backend: member,
    pool,
    logged,
    seek(more = {}) {
      const attempt = new HeardAttempt()
      pool.seek(member, attempt, demand(more))
      return attempt
    },
    get(path = '/', more = {}) {
      const attempt = new HeardAttempt()
      attempt.onConnected = (leg) => leg.sendHead(requestHead('GET', path), 0, '')
      pool.seek(member, attempt, demand(more))
      return attempt.done()
    },
    async [Symbol.asyncDispose]() {
      pool.close()
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
      wheel[Symbol.dispose]()
    },
  }
  return lab
}
