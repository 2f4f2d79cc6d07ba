import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  type Clock,
  type Duration,
  parseDuration,
  type Size,
  type Stream,
  systemClock,
  type Transport,
  type TransportError,
} from '@steelyard/core'
import { fatalAlert, TlsAlert } from './alert.ts'
import type { CertificateFacts } from './certificate.ts'
import type { ClientHello } from './client-hello.ts'
import {
  type ClientHelloReader,
  type ClientHelloResult,
  clientHelloReader,
} from './client-hello-reader.ts'
import type { ServerContext, TlsContexts } from './contexts.ts'
import { factsOf, type TlsFacts } from './facts.ts'
import {
  handshakeAborted,
  handshakeFailed,
  handshakeTimeout,
  reasonOf,
  type TlsError,
  verifyFailed,
} from './handshake-error.ts'
import { lastWord } from './linger.ts'
import { secureStream } from './secure-stream.ts'

/** A ClientHello that was read already, with everything that came with it. */
export interface Preread {
  readonly hello: ClientHello
  /** All bytes of the connection so far. */
  readonly bytes: Uint8Array
}

/** How {@link terminate} works. */
export interface TerminateOptions {
  readonly contexts: TlsContexts
  /** The transport that the stream is of. */
  readonly transport: Pick<Transport, 'release'>
  /** What was read to choose a route. Default: the ClientHello is read here. */
  readonly preread?: Preread
  /** For the whole handshake, the ClientHello included. Default `10s`. */
  readonly handshakeTimeout?: Duration
  /** The longest ClientHello. Default as with {@link clientHelloReader}. */
  readonly maxHelloBytes?: Size
  /** Gives the handshake up. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

/** A client behind TLS that ends here. */
export interface TerminatedTls {
  /** The plain bytes, both ways; paused. */
  readonly stream: Stream
  readonly facts: TlsFacts
  /** What the client said first. */
  readonly hello: ClientHello
  /** The certificate that it was shown. */
  readonly certificate: CertificateFacts
}

/**
 * Ends a client's TLS here. The stream must be open and paused; from the call on it belongs to the
 * handshake, and when that fails it is closed.
 *
 * No callback runs inside the handshake: the ClientHello is read first, and with it certificate and
 * protocol are chosen before OpenSSL sees a byte. So nothing that a client sends can make a callback
 * throw (CVE-2026-21637).
 *
 * A FIN without close_notify looks like an orderly end, as Node does not tell them apart.
 *
 * Rejects with `tls-handshake-failed`, `tls-handshake-timeout`, `tls-verify-failed` (source `client`),
 * or `aborted`.
 */
export function terminate(stream: Stream, options: TerminateOptions): Promise<TerminatedTls> {
  const timeoutMs = parseDuration(options.handshakeTimeout ?? '10s', 'handshakeTimeout')
  const { promise, resolve, reject } = Promise.withResolvers<TerminatedTls>()
  new Termination(stream, options, timeoutMs, resolve, reject).start()
  return promise
}

/** Exactly one of the two outcomes, once; and whatever it was, timer and signal are let go. */
class Termination {
  readonly #stream: Stream
  readonly #options: TerminateOptions
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #resolve: (outcome: TerminatedTls) => void
  readonly #reject: (error: TlsError) => void
  readonly #timer: Disposable
  readonly #abort = (): void =>
    this.#fail(handshakeAborted('client', this.#options.signal?.reason as unknown))
  #socket: TLSSocket | undefined
  #over = false

  constructor(
    stream: Stream,
    options: TerminateOptions,
    timeoutMs: number,
    resolve: (outcome: TerminatedTls) => void,
    reject: (error: TlsError) => void,
  ) {
    this.#stream = stream
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#timeoutMs = timeoutMs
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = this.#clock.after(timeoutMs, () =>
      this.#fail(handshakeTimeout('client', this.#timeoutMs)),
    )
  }

  start(): void {
    const { signal, preread, maxHelloBytes } = this.#options
    if (signal?.aborted === true) return this.#abort()
    signal?.addEventListener('abort', this.#abort, { once: true })
    if (this.#stream.state !== 'open') {
      return this.#fail(handshakeFailed('client', 'the connection is closed'))
    }
    if (preread !== undefined) return this.#choose(preread)
    this.#readHello(
      clientHelloReader(maxHelloBytes === undefined ? {} : { maxBytes: maxHelloBytes }),
    )
  }

  #readHello(reader: ClientHelloReader): void {
    const stream = this.#stream
    stream.handler = {
      data: (_, bytes) => this.#push(reader, bytes),
      ended: () =>
        this.#fail(handshakeFailed('client', 'it closed before its ClientHello was whole')),
      drained() {},
      closed: (_, error: TransportError | undefined) =>
        this.#fail(handshakeFailed('client', error?.message ?? 'the connection is closed', error)),
    }
    stream.resume()
  }

  #push(reader: ClientHelloReader, bytes: Uint8Array): void {
    if (this.#over) return
    let result: ClientHelloResult | undefined
    try {
      result = reader.push(bytes)
    } catch (error) {
      return this.#refuse(TlsAlert.decodeError, handshakeFailed('client', reasonOf(error), error))
    }
    if (result === undefined) return
    this.#stream.pause()
    if (result.kind === 'hello') this.#choose({ hello: result.hello, bytes: reader.bytes })
    else this.#fail(handshakeFailed('client', 'it does not speak TLS'))
  }

  #choose({ hello, bytes }: Preread): void {
    const { contexts } = this.#options
    if (this.#stream.ended) {
      return this.#fail(handshakeFailed('client', 'it closed behind its ClientHello'))
    }
    const context = contexts.select(hello.serverName)
    if (context === undefined) {
      const name = hello.serverName ?? 'no name'
      return this.#refuse(
        TlsAlert.unrecognizedName,
        handshakeFailed('client', `it asks for ${name}, which no certificate has`),
      )
    }
    const offers = hello.alpn.length > 0 && contexts.alpn.length > 0
    const agreed = offers ? contexts.alpn.find((own) => hello.alpn.includes(own)) : undefined
    if (offers && agreed === undefined && contexts.alpnMismatch === 'reject') {
      return this.#refuse(
        TlsAlert.noApplicationProtocol,
        handshakeFailed('client', `it offers none of ${contexts.alpn.join(', ')}`),
      )
    }
    let carrier: Socket
    try {
      carrier = this.#options.transport.release(this.#stream)
    } catch (error) {
      return this.#fail(handshakeFailed('client', reasonOf(error), error))
    }
    this.#handshake(carrier, bytes, hello, context, agreed)
  }

  #handshake(
    carrier: Socket,
    bytes: Uint8Array,
    hello: ClientHello,
    context: ServerContext,
    alpn: string | undefined,
  ): void {
    const asks = this.#options.contexts.clientCertificate
    carrier.unshift(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    const socket = new TLSSocket(carrier, {
      isServer: true,
      secureContext: context.secureContext,
      requestCert: asks !== 'none',
      rejectUnauthorized: asks === 'required',
      ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    })
    this.#socket = socket
    staple(socket, context.ocspResponse)
    // OpenSSL refuses to renegotiate; this ends the connection of who tries.
    socket.disableRenegotiation()
    const failed = (error: Error): void => {
      const { code } = error as NodeJS.ErrnoException
      const judge = code === noCertificate ? verifyFailed : handshakeFailed
      this.#fail(judge('client', reasonOf(error), error))
    }
    const closed = (): void => this.#fail(handshakeFailed('client', 'it closed the connection'))
    socket.on('error', failed)
    socket.on('end', closed)
    socket.on('close', closed)
    socket.once('secure', () => {
      // `tls.Server` would say so; without it HTTP/2, which is given the socket, waits for a handshake that is over.
      Object.assign(socket, { secureConnecting: false })
      try {
        const problem = clientProblem(socket, asks)
        if (problem !== undefined) return this.#fail(verifyFailed('client', problem))
        const facts = factsOf(socket, hello.serverName, asks !== 'none')
        socket.off('error', failed)
        socket.off('end', closed)
        socket.off('close', closed)
        const stream = secureStream(socket, carrier, 'client')
        this.#done({ stream, facts, hello, certificate: context.certificate })
      } catch (error) {
        this.#fail(handshakeFailed('client', reasonOf(error), error))
      }
    })
    // Node tells errors of a server-side socket that no `tls.Server` made by this event only; without
    // it, one that comes after the handshake would leave the connection hanging.
    socket.on('_tlsError', (error: Error) => socket.destroy(error))
  }

  /** Says why by an alert, in the clear, as the handshake has not begun. */
  #refuse(alert: TlsAlert, error: TlsError): void {
    if (this.#over) return
    this.#settle()
    lastWord(this.#stream, fatalAlert(alert), this.#clock)
    this.#reject(error)
  }

  #fail(error: TlsError): void {
    if (this.#over) return
    this.#settle()
    if (this.#socket === undefined) this.#stream.destroy()
    else this.#socket.destroy()
    this.#reject(error)
  }

  #done(outcome: TerminatedTls): void {
    if (this.#over) return outcome.stream.destroy()
    this.#settle()
    this.#resolve(outcome)
  }

  #settle(): void {
    this.#over = true
    this.#timer[Symbol.dispose]()
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }
}

/** Gives OpenSSL the OCSP response that it staples when the client asks; Node has a way to say so for `tls.Server` only. */
function staple(socket: TLSSocket, response: Uint8Array | undefined): void {
  if (response === undefined) return
  const { _handle: handle } = socket as unknown as {
    _handle?: { setOCSPResponse?: (response: Buffer) => void } | null
  }
  handle?.setOCSPResponse?.(Buffer.from(response))
}

/** Node's code for OpenSSL's refusal of a client that has to have a certificate and presents none. */
const noCertificate = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'

/**
 * What is wrong with the client's certificate. OpenSSL has verified it, but Node leaves the decision to
 * `tls.Server` and keeps the result on the handle; if it ever ceases to, nobody is let in.
 */
function clientProblem(
  socket: TLSSocket,
  asks: 'none' | 'optional' | 'required',
): string | undefined {
  if (asks === 'none') return undefined
  if (socket.getPeerX509Certificate() === undefined) {
    return asks === 'required' ? 'it presented none' : undefined
  }
  const { _handle: handle } = socket as unknown as {
    _handle?: { verifyError?: () => { code?: string; message: string } | null | undefined }
  }
  if (typeof handle?.verifyError !== 'function')
    return 'this version of Node does not tell the result'
  const error = handle.verifyError()
  return error === null || error === undefined ? undefined : (error.code ?? error.message)
}
