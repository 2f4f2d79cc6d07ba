import {
  type Backend,
  type Pool,
  type Relay,
  type RelayEnd,
  type SocketAddress,
  SteelyardError,
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
import { rethrow } from '../transport/stream.ts'
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

  /** The member it is on, or is being connected to. */
  get backend(): Backend | undefined {
    const slot = this.#dial?.slot ?? -1
    return slot < 0 ? undefined : this.pool.backendAt(slot)
  }

  get bytesFromClient(): number {
    return this.#relay === undefined ? 0 : this.#relay.bytesAtoB + this.#earlyBytes
  }

  get bytesToClient(): number {
    return this.#relay?.bytesBtoA ?? 0
  }

  /** Begins; the client's stream is paused until something is wanted of it. */
  begin(): void {
    const { acceptProxy, routes, timeouts } = this.settings
    // It may have gone while it was parked, and nobody tells of that a second time.
    if (this.#client.state === 'closed') return this.#finish('closed', 'client', undefined)
    // Reset before it was accepted, as quick health checks do: the kernel no longer knows who it was, so
    // nothing that asks for the address may judge it.
    if (this.source.address === '' && this.destination.family !== 'unix') {
      return this.#refuse('reset', 'client')
    }
    if (timeouts.total > 0) this.#host.wheel.arm(this.#timer, timeouts.total)
    const trusted = acceptProxy?.trusts(this.source.address) ?? false
    if (acceptProxy !== undefined && !trusted && acceptProxy.untrusted === 'reject') {
      return this.#refuse('proxy-header-untrusted')
    }
    if (!trusted && !this.#allowed()) return
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

  /** A member went down; a connection that is still being made goes to the next candidate instead. */
  memberDown(pool: Pool, { id, address }: Backend): void {
    if (this.#over || this.settings.whenDown !== 'reset' || this.pool !== pool) return
    const { backend } = this
    // After a change of address the id names another server.
    if (backend?.id !== id || backend.address !== address) return
    if (this.#relay === undefined) this.#dial!.memberDown()
    else this.cut('member-down')
  }

  // -- Preread's owner --

  /** A header without addresses (LOCAL, UNKNOWN) leaves the socket's own in force. */
  proxied(header: ProxyHeader): boolean {
    this.received = header
    this.source = header.source ?? this.source
    this.destination = header.destination ?? this.destination
    return this.#allowed()
  }

  prereadDone(rest: Uint8Array, hello: ClientHello | undefined): void {
    this.#preread = undefined
    if (this.#over) return
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
    this.#refuse(reason, reason === 'preread-timeout' ? 'balancer' : 'client', error)
  }

  // -- Dial's owner --

  introduce(backend: Stream): void {
    this.#target.sendProxy?.(backend, this)
  }

  /** While it waits, the client is read: an end of the client must free the place in the queue. */
  waiting(): void {
    if (this.#earlyBytes < earlyLimit) this.#client.resume()
  }

  reached(backend: Stream): void {
    const { bandwidth, timeouts } = this.settings
    const { clock } = this.#host
    for (const bytes of this.#early) backend.write(bytes)
    this.#early = []
    try {
      this.#relay = this.#host.transport.relay(this.#client, backend, {
        done: (end) => this.#relayed(end),
        ...(bandwidth.fromClient === undefined ? {} : { limitAtoB: bandwidth.fromClient.budget }),
        ...(bandwidth.toClient === undefined ? {} : { limitBtoA: bandwidth.toClient.budget }),
      })
    } catch (error) {
      backend.reset()
      return this.#broke(error)
    }
    if (this.#over) return
    this.#backend = backend
    this.#idle = new IdleWatch(timeouts, this.#startedAt, clock.now())
    this.#watchAgain()
  }

  unreachable(reason: EndReason, error: SteelyardError): void {
    this.#refuse(
      reason,
      error.source === 'backend' && isConnect(reason) ? 'backend' : 'balancer',
      error,
    )
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

  /** Asks the access list; false when the connection is over because of it. */
  #allowed(): boolean {
    const { acl } = this.settings
    try {
      // Whoever was asked may have cut it meanwhile.
      if (acl === undefined || acl(this)) return !this.#over
    } catch (error) {
      this.#broke(error)
      return false
    }
    this.#refuse('acl-denied')
    return false
  }

  /** What the embedder gave us threw: as visible as any uncaught error, and only this connection ends. */
  #broke(cause: unknown): void {
    rethrow(cause)
    const error = new SteelyardError('a callback threw; the connection was reset', {
      code: 'io',
      source: 'system',
      cause,
    })
    this.#refuse('error', 'balancer', error)
  }

  #keep(bytes: Uint8Array): void {
    this.#early.push(bytes)
    this.#earlyBytes += bytes.length
  }

  #terminate(contexts: TlsContexts, hello: ClientHello, bytes: Uint8Array): void {
    const { transport, clock } = this.#host
    const { preread } = this.settings.timeouts
    this.#handshake = new AbortController()
    terminate(this.#client, {
      contexts,
      transport,
      clock,
      preread: { hello, bytes },
      // One limit for all that the client must send first.
      handshakeTimeout:
        preread === 0
          ? Number.MAX_SAFE_INTEGER
          : Math.max(1, this.#startedAt + preread - clock.now()),
      signal: this.#handshake.signal,
    }).then(
      ({ stream, facts }) => this.#terminated(stream, facts, hello),
      (error: SteelyardError) => this.#tlsFailed(error),
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

  #tlsFailed(error: SteelyardError): void {
    const client = this.#client
    if (this.#over || client.state === 'closed') return this.#refuse('tls-failed', 'client', error)
    // An alert is on its way, which a reset would destroy. Who sent it closes the stream before long;
    // until then it holds a descriptor and counts.
    const { handler } = client
    client.handler = {
      data: (stream, bytes) => handler.data(stream, bytes),
      ended: (stream) => handler.ended(stream),
      drained: (stream) => handler.drained(stream),
      closed: (stream, failure) => {
        handler.closed(stream, failure)
        this.#refuse('tls-failed', 'client', error)
      },
    }
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
    // Before the relay the timer stands for the total time alone.
    if (this.#idle === undefined) return this.cut('total')
    const client = this.#client
    const backend = this.#backend!
    const expiry = this.#idle.look(
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
    if (this.#relay === undefined) this.#dial?.abandon()
    const record = this.#host.wantsRecord ? this.#record(reason, endedBy, error) : undefined
    this.#dial?.release()
    counters.bytesFromClient += this.bytesFromClient
    counters.bytesToClient += this.bytesToClient
    counters.end(reason)
    this.#host.finished(this, record)
  }

  #record(reason: EndReason, endedBy: EndedBy, error: SteelyardError | undefined): SessionRecord {
    const { clock, name } = this.#host
    const dial = this.#dial
    const durationMs = clock.now() - this.#startedAt
    return {
      listener: name,
      pool: this.pool.name,
      client: endpointText(this.source),
      local: endpointText(this.destination),
      ...(this.backend === undefined ? {} : { backend: this.backend.id }),
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

function isConnect(reason: EndReason): boolean {
  return reason === 'connect-failed' || reason === 'backend-tls-failed'
}
