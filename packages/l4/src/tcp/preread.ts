import {
  SteelyardError,
  type Stream,
  type StreamHandler,
  type TransportError,
  WheelTimer,
} from '@steelyard/core'
import { type ProxyFramer, proxyFramer } from '../proxy-protocol/framer.ts'
import type { ProxyHeader } from '../proxy-protocol/header.ts'
import type { ClientHello } from '../tls/client-hello.ts'
import { type ClientHelloReader, clientHelloReader } from '../tls/client-hello-reader.ts'
import type { SessionHost } from './session-host.ts'
import type { EndReason } from './session-record.ts'

/** What a {@link Preread} tells its session; `prereadDone` or `prereadFailed` is the last call. */
export interface PrereadOwner {
  /** A PROXY header came; false when the session ended over it. */
  proxied(header: ProxyHeader): boolean
  /** All is here; `rest` is what belongs to the backend or to our own TLS, and the caller's to keep. */
  prereadDone(rest: Uint8Array, hello: ClientHello | undefined): void
  prereadFailed(reason: EndReason, error: SteelyardError | undefined): void
}

/** What must come first. */
export interface PrereadWants {
  /** PROXY header versions; absent when none is expected. */
  readonly proxyVersions: readonly (1 | 2)[] | undefined
  readonly clientHello: boolean
  /** For all of it; 0 for no limit. */
  readonly timeoutMs: number
}

/** Reads what a client must send first, PROXY header and then ClientHello, within bounds of bytes and time. */
export class Preread implements StreamHandler {
  readonly #host: SessionHost
  readonly #client: Stream
  readonly #owner: PrereadOwner
  readonly #timeoutMs: number
  readonly #timer: WheelTimer
  #proxy: ProxyFramer | undefined
  #hello: ClientHelloReader | undefined

  constructor(host: SessionHost, client: Stream, wants: PrereadWants, owner: PrereadOwner) {
    this.#host = host
    this.#client = client
    this.#owner = owner
    this.#timeoutMs = wants.timeoutMs
    this.#timer = new WheelTimer(() => this.#fail('preread-timeout', undefined))
    this.#proxy =
      wants.proxyVersions === undefined ? undefined : proxyFramer({ versions: wants.proxyVersions })
    this.#hello = wants.clientHello ? clientHelloReader() : undefined
  }

  start(): void {
    if (this.#timeoutMs > 0) this.#host.wheel.arm(this.#timer, this.#timeoutMs)
    this.#client.handler = this
    this.#client.resume()
  }

  /** Stops without telling anybody. */
  abandon(): void {
    this.#host.wheel.disarm(this.#timer)
    this.#proxy = undefined
    this.#hello = undefined
  }

  data(_stream: Stream, bytes: Uint8Array): void {
    let rest = bytes
    if (this.#proxy !== undefined) {
      const consumed = this.#readProxy(bytes)
      if (consumed === undefined) return
      rest = bytes.subarray(consumed)
      if (this.#hello !== undefined && rest.length === 0) return
    }
    if (this.#hello === undefined) this.#done(new Uint8Array(rest), undefined)
    else this.#readHello(rest)
  }

  ended(stream: Stream): void {
    // A look whether somebody listens, as health checks do.
    if (stream.bytesRead === 0) return this.#fail('closed', undefined)
    this.#fail(
      this.#proxy === undefined ? 'client-hello-invalid' : 'proxy-header-invalid',
      undefined,
    )
  }

  drained(): void {}

  closed(_stream: Stream, error: TransportError | undefined): void {
    this.#fail(error === undefined ? 'closed' : 'reset', error)
  }

  /** How many of the bytes were the header's end; undefined while it is not whole, or when all is over. */
  #readProxy(bytes: Uint8Array): number | undefined {
    let frame: ReturnType<ProxyFramer['push']>
    try {
      frame = this.#proxy!.push(bytes)
    } catch (error) {
      this.#fail('proxy-header-invalid', error as SteelyardError)
      return undefined
    }
    if (frame === undefined) return undefined
    this.#proxy = undefined
    return this.#owner.proxied(frame.header) ? frame.consumed : undefined
  }

  #readHello(bytes: Uint8Array): void {
    const reader = this.#hello!
    let result: ReturnType<ClientHelloReader['push']>
    try {
      result = reader.push(bytes)
    } catch (error) {
      return this.#fail('client-hello-invalid', error as SteelyardError)
    }
    if (result === undefined) return
    if (result.kind === 'hello') return this.#done(reader.bytes, result.hello)
    this.#fail(
      'client-hello-invalid',
      new SteelyardError('the client speaks no TLS, which this listener routes by', {
        code: 'client-hello-invalid',
        source: 'client',
      }),
    )
  }

  #done(rest: Uint8Array, hello: ClientHello | undefined): void {
    this.abandon()
    this.#client.pause()
    this.#owner.prereadDone(rest, hello)
  }

  #fail(reason: EndReason, error: SteelyardError | undefined): void {
    this.abandon()
    this.#owner.prereadFailed(reason, error)
  }
}
