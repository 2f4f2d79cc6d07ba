import {
  type Backend,
  type Clock,
  isSteelyardError,
  type Stream,
  type StreamHandler,
  type TimerWheel,
  type Transport,
  type TransportError,
  WheelTimer,
} from '@steelyard/core'
import {
  encodeProxyV1,
  encodeProxyV2,
  type Originator,
  originator,
  proxyHeader,
} from '@steelyard/l4'
import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import { ExchangeError } from '../exchange/exchange-error.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

/** What dialling needs of the outside. */
export interface DialHost {
  readonly transport: Transport
  readonly wheel: TimerWheel
  readonly clock: Clock
}

/** Whom a dial tells how it went: exactly one of the two, once, unless it was cancelled. */
export interface DialOwner {
  /**
   * Connected, the PROXY header written, the TLS handshake done. The stream is open; set its handler now, then resume
   * it. `alpn` is the protocol that TLS agreed on.
   */
  dialled(stream: Stream, alpn: string | undefined): void
  /** Nothing was sent but perhaps the PROXY header. */
  dialFailed(error: ExchangeError): void
}

/** A connect that is under way. */
export interface Dial {
  /** Closes whatever there is so far; nothing is told any more. */
  cancel(): void
}

/** Makes connections to members in one way: transport, source address, PROXY header, TLS. */
export interface Dialler {
  /**
   * Begins. When it cannot even begin, `dialFailed` is called before this returns.
   *
   * @param timeoutMs - for all of it, TLS included; 0 for no limit.
   */
  dial(backend: Backend, client: ConnectionFacts, timeoutMs: number, owner: DialOwner): Dial
}

/**
 * Makes a {@link Dialler}.
 *
 * @param alpn - what TLS offers, best first.
 * @throws `invalid-option` for what TLS was told.
 */
export function dialler(
  settings: UpstreamSettings,
  host: DialHost,
  path: string,
  alpn: readonly string[],
): Dialler {
  const { tls } = settings
  const secure =
    tls === undefined
      ? undefined
      : originator(
          // One limit for everything stands in each dial; the handshake has its own only when it was asked for.
          { clock: host.clock, handshakeTimeout: Number.MAX_SAFE_INTEGER, alpn, ...tls },
          `${path}.tls`,
        )
  return {
    dial(backend, client, timeoutMs, owner) {
      const dialling = new Dialling(settings, host, secure, backend, client, owner)
      dialling.start(timeoutMs)
      return dialling
    },
  }
}

class Dialling implements StreamHandler, Dial {
  readonly #settings: UpstreamSettings
  readonly #host: DialHost
  readonly #secure: Originator | undefined
  readonly #backend: Backend
  readonly #client: ConnectionFacts
  readonly #owner: DialOwner
  #timer: WheelTimer | undefined = undefined
  /** While it is being connected. */
  #stream: Stream | undefined = undefined
  /** While TLS is being made. */
  #handshake: AbortController | undefined = undefined
  #over = false

  constructor(
    settings: UpstreamSettings,
    host: DialHost,
    secure: Originator | undefined,
    backend: Backend,
    client: ConnectionFacts,
    owner: DialOwner,
  ) {
    this.#settings = settings
    this.#host = host
    this.#secure = secure
    this.#backend = backend
    this.#client = client
    this.#owner = owner
  }

  start(timeoutMs: number): void {
    const { host, port } = this.#backend
    const { transport, wheel } = this.#host
    const localAddress = port === 0 ? undefined : this.#settings.nextSource?.(host)
    if (timeoutMs > 0) {
      this.#timer = new WheelTimer(() => this.#expired(timeoutMs))
      wheel.arm(this.#timer, timeoutMs)
    }
    try {
      this.#stream = transport.connect(
        {
          ...(port === 0 ? { path: host } : { host, port }),
          ...(localAddress === undefined ? {} : { localAddress }),
        },
        this,
      )
    } catch (error) {
      this.#failed(error)
    }
  }

  cancel(): void {
    if (!this.#over) this.#end()
  }

  opened(stream: Stream): void {
    if (this.#over) return
    try {
      this.#introduce(stream)
    } catch (error) {
      return this.#failed(error)
    }
    if (this.#secure === undefined) this.#done(stream, undefined)
    else this.#encrypt(stream, this.#secure)
  }

  data(): void {
    // A stream is only read from when it has been given to its owner.
  }

  ended(): void {}

  drained(): void {}

  closed(_stream: Stream, error: TransportError | undefined): void {
    if (!this.#over) this.#failed(error ?? new Error('it was closed while it was being connected'))
  }

  #introduce(stream: Stream): void {
    const { sendProxy } = this.#settings
    if (sendProxy === undefined) return
    const { client, local } = this.#client
    const version = sendProxy === 'v1' ? 1 : 2
    const header = proxyHeader({ version, source: client, destination: local })
    stream.write(version === 1 ? encodeProxyV1(header) : encodeProxyV2(header))
  }

  #encrypt(stream: Stream, secure: Originator): void {
    const { transport } = this.#host
    const { host, port } = this.#backend
    const handshake = new AbortController()
    this.#stream = undefined
    this.#handshake = handshake
    secure.originate(stream, { host, port, transport, signal: handshake.signal }).then(
      ({ stream: secured, facts }) => this.#encrypted(secured, facts.alpn),
      (error: unknown) => {
        if (!this.#over) this.#failed(error)
      },
    )
  }

  #encrypted(stream: Stream, alpn: string | undefined): void {
    if (this.#over) return stream.destroy()
    if (stream.state !== 'open' || stream.ended) {
      stream.destroy()
      return this.#failed(new Error('it was closed behind the TLS handshake'))
    }
    try {
      this.#done(stream, alpn)
    } catch (error) {
      // As when a handler of any other stream throws: the stream ends, and the error is as visible as any uncaught one.
      stream.destroy()
      throw error
    }
  }

  #done(stream: Stream, alpn: string | undefined): void {
    this.#stream = undefined
    this.#handshake = undefined
    this.#end()
    this.#owner.dialled(stream, alpn)
  }

  #failed(cause: unknown): void {
    this.#end()
    const reason = cause instanceof Error ? cause.message : String(cause)
    const ours = isSteelyardError(cause) && (cause.source === 'system' || cause.source === 'config')
    this.#owner.dialFailed(
      new ExchangeError(`${this.#backend.address} could not be reached: ${reason}`, {
        code: 'connect-failed',
        source: ours ? 'system' : 'backend',
        phase: 'connect',
        replayable: true,
        cause,
      }),
    )
  }

  #expired(timeoutMs: number): void {
    this.#end()
    this.#owner.dialFailed(
      new ExchangeError(`${this.#backend.address} was not reached within ${timeoutMs} ms`, {
        code: 'connect-timeout',
        source: 'backend',
        phase: 'connect',
        replayable: true,
      }),
    )
  }

  #end(): void {
    this.#over = true
    if (this.#timer !== undefined) this.#host.wheel.disarm(this.#timer)
    const stream = this.#stream
    const handshake = this.#handshake
    this.#stream = undefined
    this.#handshake = undefined
    handshake?.abort()
    stream?.destroy()
  }
}
