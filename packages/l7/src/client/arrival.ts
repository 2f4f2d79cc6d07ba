import {
  type Clock,
  type Logger,
  type SocketAddress,
  type Stream,
  type StreamHandler,
  type TimerWheel,
  type Transport,
  WheelTimer,
} from '@steelyard/core'
import {
  type AcceptProxy,
  type Acl,
  adoptSocket,
  type ProxyFramer,
  proxyFramer,
  type TerminatedTls,
  type TlsContexts,
  terminate,
} from '@steelyard/l4'

/** What is asked of a connection before it speaks HTTP. */
export interface ArrivalSettings {
  readonly acl: Acl | undefined
  readonly acceptProxy: AcceptProxy | undefined
  readonly tls: TlsContexts | undefined
  readonly handshakeTimeoutMs: number
  /** For the PROXY header, and for the first bytes that tell HTTP/2 from HTTP/1.1. */
  readonly headTimeoutMs: number
  /** HTTP/2 without TLS may come. */
  readonly priorKnowledge: boolean
  /** HTTP/2 may be agreed on by TLS. */
  readonly h2: boolean
}

/** What arrivals of one listener share. */
export interface ArrivalHost {
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  /** It is ready: `early` was read already. */
  arrived(arrival: Arrival, early: Uint8Array): void
  /** It will not come to HTTP; the stream is closed. */
  turnedAway(arrival: Arrival, reason: string): void
}

/** HTTP/2's connection preface (RFC 9113 section 3.4). */
const preface = Uint8Array.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (char) => char.charCodeAt(0))
const none = new Uint8Array(0)

/** A connection on its way to HTTP: access list, PROXY header, TLS, and which version it speaks. */
export class Arrival implements StreamHandler {
  stream: Stream
  readonly peer: SocketAddress
  client: SocketAddress
  local: SocketAddress
  tls: TerminatedTls | undefined = undefined
  http2 = false
  readonly #host: ArrivalHost
  readonly #settings: ArrivalSettings
  readonly #timer: WheelTimer
  #proxy: ProxyFramer | undefined
  #early: Uint8Array = none
  #abort: AbortController | undefined
  #over = false

  constructor(host: ArrivalHost, settings: ArrivalSettings, stream: Stream) {
    this.#host = host
    this.#settings = settings
    this.stream = stream
    this.peer = stream.remote
    this.client = stream.remote
    this.local = stream.local
    this.#timer = new WheelTimer(() => this.#turnAway('the first bytes did not come in time'))
  }

  start(): void {
    const { acceptProxy } = this.#settings
    this.stream.handler = this
    if (acceptProxy === undefined) return this.#admit()
    if (!acceptProxy.trusts(this.peer.address)) {
      if (acceptProxy.untrusted === 'reject') return this.#turnAway('no trusted proxy')
      return this.#admit()
    }
    this.#proxy = proxyFramer({ versions: acceptProxy.versions })
    this.#listen()
  }

  /** Gives it up: the listener stops. */
  cut(): void {
    this.#turnAway('cut')
  }

  data(_stream: Stream, bytes: Uint8Array): void {
    if (this.#over) return
    if (this.#proxy === undefined) return this.#sniff(bytes)
    let rest: Uint8Array
    try {
      const frame = this.#proxy.push(bytes)
      if (frame === undefined) return
      const { header, consumed } = frame
      if (header.source !== undefined && header.destination !== undefined) {
        this.client = header.source
        this.local = header.destination
      }
      rest = bytes.subarray(consumed)
    } catch (error) {
      return this.#turnAway(error instanceof Error ? error.message : 'bad PROXY header')
    }
    this.#proxy = undefined
    this.stream.pause()
    this.#early = new Uint8Array(rest)
    this.#admit()
  }

  ended(): void {
    this.#turnAway('the client closed the connection')
  }

  drained(): void {}

  closed(): void {
    this.#turnAway('the client closed the connection')
  }

  #admit(): void {
    const { acl, tls, priorKnowledge } = this.#settings
    if (acl !== undefined) {
      let allowed = false
      try {
        allowed = acl({ source: this.client, destination: this.local })
      } catch (error) {
        this.#host.log.error({ error: String(error) }, 'an access rule threw')
      }
      if (!allowed) return this.#turnAway('denied')
    }
    if (tls !== undefined) return this.#handshake(tls)
    if (!priorKnowledge) return this.#arrived(this.#early)
    const early = this.#early
    this.#early = none
    if (early.length > 0) this.#sniff(early)
    else this.#listen()
  }

  #handshake(contexts: TlsContexts): void {
    const abort = new AbortController()
    this.#abort = abort
    this.#host.wheel.disarm(this.#timer)
    const { transport, clock } = this.#host
    if (this.#early.length > 0) {
      // The ClientHello came with the PROXY header: it is given back to be read again.
      const socket = transport.release(this.stream)
      socket.unshift(Buffer.from(this.#early))
      this.stream = adoptSocket(socket, { source: 'client' })
      this.#early = none
    }
    terminate(this.stream, {
      contexts,
      transport,
      clock,
      handshakeTimeout: this.#settings.handshakeTimeoutMs,
      signal: abort.signal,
    }).then(
      (secure) => {
        if (this.#over) return secure.stream.destroy()
        this.tls = secure
        this.stream = secure.stream
        this.http2 = this.#settings.h2 && secure.facts.alpn === 'h2'
        this.#arrived(none)
      },
      (error: unknown) => {
        if (!this.#over) this.#turnAway(error instanceof Error ? error.message : 'TLS failed')
      },
    )
  }

  /** Tells HTTP/2 from HTTP/1.1 by the first bytes. */
  #sniff(bytes: Uint8Array): void {
    const before = this.#early
    const early = new Uint8Array(before.length + bytes.length)
    early.set(before)
    early.set(bytes, before.length)
    this.#early = early
    const count = Math.min(early.length, preface.length)
    for (let i = 0; i < count; i++) if (early[i] !== preface[i]) return this.#arrived(early)
    if (count < preface.length) return this.#listen()
    this.http2 = true
    this.#arrived(early)
  }

  #listen(): void {
    const { headTimeoutMs } = this.#settings
    if (!this.#timer.armed && headTimeoutMs > 0) this.#host.wheel.arm(this.#timer, headTimeoutMs)
    this.stream.resume()
  }

  #arrived(early: Uint8Array): void {
    if (this.#over) return
    this.#over = true
    this.#host.wheel.disarm(this.#timer)
    this.stream.pause()
    this.#host.arrived(this, early)
  }

  #turnAway(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#host.wheel.disarm(this.#timer)
    this.#abort?.abort()
    if (this.#abort === undefined) this.stream.reset()
    this.#host.turnedAway(this, reason)
  }
}
