import {
  type Pool,
  type Relay,
  type RelayEnd,
  type SocketAddress,
  type SteelyardError,
  type Stream,
  type StreamHandler,
  type TransportError,
  WheelTimer,
} from '@steelyard/core'
import type { ProxyHeader } from '../proxy-protocol/header.ts'
import type { ClientHello } from '../tls/client-hello.ts'
import type { TlsContexts } from '../tls/contexts.ts'
import type { TlsFacts } from '../tls/facts.ts'
import { terminate } from '../tls/terminate.ts'
import { Dial, type DialOwner } from './dial.ts'
import { IdleWatch } from './idle-watch.ts'
import { Preread, type PrereadOwner } from './preread.ts'
import type { ProxiedConnection } from './proxy-options.ts'
import type { SessionHost } from './session-host.ts'
import type { EndedBy, EndReason, SessionRecord } from './session-record.ts'
import type { TcpSettings } from './settings.ts'
import type { Target } from './target.ts'

/** Bytes of the client kept while its connection waits in the queue. */
const earlyLimit = 16_384
const none = new Uint8Array(0)

/**
 * One proxied connection, from the accept to its summary record: what the client must send first, a
 * member, the relay, the end. Each part is an object of its own; this one says what follows what.
 */
export class TcpSession implements StreamHandler, ProxiedConnection, DialOwner, PrereadOwner {
  /** The client; a trusted PROXY header may change it. */
  source: SocketAddress
  /** What the client connected to. */
  destination: SocketAddress
  serverName: string | undefined
  alpn: string | undefined
  /** The client's TLS, when it ends here. */
  tls: TlsFacts | undefined
  /** The PROXY header that came in. */
  received: ProxyHeader | undefined
  readonly settings: TcpSettings
  readonly #host: SessionHost
  readonly #timer: WheelTimer
  readonly #startedAt: number
  #client: Stream
  #backend: Stream | undefined
  #target: Target
  /** Bytes that came before the relay and belong to the backend. */
  #early: Uint8Array[] = []
  #earlyBytes = 0
  #preread: Preread | undefined
  #dial: Dial | undefined
  #relay: Relay | undefined
  #handshake: AbortController | undefined
  #idle: IdleWatch | undefined
  #over = false
  #cutReason: EndReason | undefined

  constructor(host: SessionHost, settings: TcpSettings, client: Stream) {
    this.settings = settings
    this.#host = host
    this.#client = client
    this.#target = settings.target
    this.source = client.remote
    this.destination = client.local
    this.#startedAt = host.clock.now()
    this.#timer = new WheelTimer(() => this.#look())
    client.handler = this
  }

  get pool(): Pool {
    return this.#target.pool
  }

  /** The member it is on; absent before one was reached. */
  get backendId(): string | undefined {
    const slot = this.#dial?.slot ?? -1
    return slot < 0 ? undefined : this.pool.backendAt(slot).id
  }

  get bytesFromClient(): number {
    return this.#relay === undefined ? 0 : this.#relay.bytesAtoB + this.#earlyBytes
  }

  get bytesToClient(): number {
    return this.#relay?.bytesBtoA ?? 0
  }

  /** Begins; the client's stream is paused until something is wanted of it. */
  begin(): void {
    const { acceptProxy, acl, routes, timeouts } = this.settings
    const trusted = acceptProxy?.trusts(this.source.address) ?? false
    if (acceptProxy !== undefined && !trusted && acceptProxy.untrusted === 'reject') {
      return this.#refuse('proxy-header-untrusted')
    }
    if (!trusted && acl !== undefined && !acl(this)) return this.#refuse('acl-denied')
    const clientHello = routes !== undefined || this.settings.terminate !== undefined
    if (!trusted && !clientHello) return this.prereadDone(none, undefined)
    this.#preread = new Preread(
      this.#host,
      this.#client,
      {
        proxyVersions: trusted ? acceptProxy!.versions : undefined,
        clientHello,
        timeoutMs: timeouts.preread,
      },
      this,
    )
    this.#preread.start()
  }

  /** Ends it now with RST to both sides; the reason goes to the record. */
  cut(reason: EndReason): void {
    if (this.#over) return
    this.#cutReason ??= reason
    if (this.#relay === undefined) this.#refuse(reason)
    else this.#relay.stop('reset')
  }

  // -- Preread's owner --

  /** A header without addresses (LOCAL, UNKNOWN) leaves the socket's own in force. */
  proxied(header: ProxyHeader): boolean {
    const { acl } = this.settings
    this.received = header
    this.source = header.source ?? this.source
    this.destination = header.destination ?? this.destination
    if (acl === undefined || acl(this)) return true
    this.#refuse('acl-denied')
    return false
  }

  prereadDone(rest: Uint8Array, hello: ClientHello | undefined): void {
    this.#preread = undefined
    this.#client.handler = this
    this.serverName = hello?.serverName
    if (hello !== undefined && this.settings.terminate !== undefined) {
      return this.#terminate(this.settings.terminate, hello, rest)
    }
    this.alpn = hello?.alpn[0]
    if (rest.length > 0) this.#keep(rest)
    this.#choose(hello)
  }

  prereadFailed(reason: EndReason, error: SteelyardError | undefined): void {
    this.#preread = undefined
    this.#refuse(reason, 'client', error)
  }

  // -- Dial's owner --

  introduce(backend: Stream): void {
    this.#target.sendProxy?.(backend, this)
  }

  /** While it waits, the client is read: an end of the client must free the place in the queue. */
  waiting(): void {
    this.#client.resume()
  }

  reached(backend: Stream): void {
    const { bandwidth, timeouts } = this.settings
    const { clock } = this.#host
    for (const bytes of this.#early) backend.write(bytes)
    this.#early = []
    this.#relay = this.#host.transport.relay(this.#client, backend, {
      done: (end) => this.#relayed(end),
      ...(bandwidth.fromClient === undefined ? {} : { limitAtoB: bandwidth.fromClient }),
      ...(bandwidth.toClient === undefined ? {} : { limitBtoA: bandwidth.toClient }),
    })
    this.#backend = backend
    this.#idle = new IdleWatch(timeouts, this.#startedAt, clock.now())
    this.#watchAgain()
  }

  unreachable(reason: EndReason, error: SteelyardError): void {
    this.#refuse(reason, 'backend', error)
  }

  // -- the client's stream between preread and relay --

  data(_stream: Stream, bytes: Uint8Array): void {
    this.#keep(new Uint8Array(bytes))
    if (this.#earlyBytes >= earlyLimit) this.#client.pause()
  }

  ended(): void {
    // Kept by the stream: the relay carries it over.
  }

  drained(): void {}

  closed(_stream: Stream, error: TransportError | undefined): void {
    this.#finish(this.#cutReason ?? (error === undefined ? 'closed' : 'reset'), 'client', error)
  }

  #keep(bytes: Uint8Array): void {
    this.#early.push(bytes)
    this.#earlyBytes += bytes.length
  }

  #terminate(contexts: TlsContexts, hello: ClientHello, bytes: Uint8Array): void {
    const { transport, clock } = this.#host
    this.#handshake = new AbortController()
    terminate(this.#client, {
      contexts,
      transport,
      clock,
      preread: { hello, bytes },
      handshakeTimeout: this.settings.timeouts.preread || Number.MAX_SAFE_INTEGER,
      signal: this.#handshake.signal,
    }).then(
      ({ stream, facts }) => this.#terminated(stream, facts, hello),
      (error: SteelyardError) => this.#refuse('tls-failed', 'client', error),
    )
  }

  #terminated(stream: Stream, facts: TlsFacts, hello: ClientHello): void {
    if (this.#over) return stream.destroy()
    this.#handshake = undefined
    this.#client = stream
    stream.handler = this
    this.tls = facts
    this.alpn = facts.alpn
    if (stream.state === 'closed') this.#finish('closed', 'client', undefined)
    else this.#choose(hello)
  }

  #choose(hello: ClientHello | undefined): void {
    const { routes } = this.settings
    if (routes !== undefined && hello !== undefined) {
      const chosen = routes.route(hello)
      if (chosen === undefined) return this.#refuse('no-route', 'client')
      this.#target = chosen.target
    }
    this.#dial = new Dial(this.#host, this.settings, this.#target, this)
    this.#dial.start()
  }

  #relayed({ by, error }: RelayEnd): void {
    const endedBy = by === 'a' ? 'client' : by === 'b' ? 'backend' : 'balancer'
    const reason =
      this.#cutReason ??
      (error === undefined ? 'closed' : error.code === 'connection-reset' ? 'reset' : 'error')
    this.#finish(reason, this.#cutReason === undefined ? endedBy : 'balancer', error)
  }

  #watchAgain(): void {
    const delay = this.#idle!.nextLookMs(this.#host.clock.now())
    if (delay !== Number.POSITIVE_INFINITY) this.#host.wheel.arm(this.#timer, delay)
  }

  #look(): void {
    const client = this.#client
    const backend = this.#backend!
    const expiry = this.#idle!.look(
      this.#host.clock.now(),
      client.bytesRead + client.bytesWritten - client.pending,
      backend.bytesRead + backend.bytesWritten - backend.pending,
      client.ended || backend.ended,
    )
    if (expiry === undefined) this.#watchAgain()
    else this.cut(expiry)
  }

  /** Ends a connection that never came to its relay. */
  #refuse(reason: EndReason, endedBy: EndedBy = 'balancer', error?: SteelyardError): void {
    if (this.#over) return
    this.#preread?.abandon()
    this.#preread = undefined
    this.#dial?.abandon()
    this.#handshake?.abort()
    // A bare FIN would look like an empty answer; RST says that nobody served this connection.
    this.#client.reset()
    this.#finish(this.#cutReason ?? reason, endedBy, error)
  }

  #finish(reason: EndReason, endedBy: EndedBy, error: SteelyardError | undefined): void {
    if (this.#over) return
    this.#over = true
    const { counters, wheel } = this.#host
    wheel.disarm(this.#timer)
    const record = this.#host.wantsRecord ? this.#record(reason, endedBy, error) : undefined
    if (this.#relay === undefined) this.#dial?.abandon()
    else this.#dial!.release()
    counters.bytesFromClient += this.bytesFromClient
    counters.bytesToClient += this.bytesToClient
    counters.end(reason)
    this.#host.finished(this, record)
  }

  #record(reason: EndReason, endedBy: EndedBy, error: SteelyardError | undefined): SessionRecord {
    const { clock, name } = this.#host
    const dial = this.#dial
    const durationMs = clock.now() - this.#startedAt
    const { backendId } = this
    return {
      listener: name,
      pool: this.pool.name,
      client: endpointText(this.source),
      local: endpointText(this.destination),
      ...(backendId === undefined ? {} : { backend: backendId }),
      startedAt: clock.wallNow() - durationMs,
      durationMs,
      queuedMs: dial?.queuedMs ?? 0,
      connectMs: dial?.connectMs ?? 0,
      attempts: dial?.attempts ?? 0,
      bytesFromClient: this.bytesFromClient,
      bytesToClient: this.bytesToClient,
      endedBy,
      reason,
      ...(error === undefined ? {} : { error }),
      ...(this.serverName === undefined ? {} : { serverName: this.serverName }),
      ...(this.alpn === undefined ? {} : { alpn: this.alpn }),
    }
  }
}

function endpointText({ address, port, family, path }: SocketAddress): string {
  if (family === 'unix') return `unix:${path ?? ''}`
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`
}
