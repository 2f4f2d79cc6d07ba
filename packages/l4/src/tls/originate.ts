import { constants } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import {
  type Clock,
  clockOption,
  type Duration,
  flagOption,
  invalidOption,
  objectOption,
  parseDuration,
  type Stream,
  shown,
  systemClock,
  type Transport,
} from '@steelyard/core'
import { parseCertificate } from './certificate.ts'
import { checkedAlpn, checkVersions, pemTexts, type TlsVersion } from './contexts.ts'
import { factsOf, type TlsFacts } from './facts.ts'
import {
  handshakeAborted,
  handshakeFailed,
  handshakeTimeout,
  reasonOf,
  type TlsError,
  verifyFailed,
} from './handshake-error.ts'
import { secureStream } from './secure-stream.ts'
import { sessionCache } from './session-cache.ts'

/** How TLS to backends is made. */
export interface OriginateOptions {
  /**
   * The name that is asked for and that the backend's certificate must have. Default: the backend's host;
   * when that is an IP address, no name is asked for, and the certificate must have the address.
   */
  readonly serverName?: string
  /** Whether the backend's certificate must be valid and have the name. Default `true`; without it anybody can be the backend. */
  readonly verify?: boolean
  /** PEM: the authorities that may issue certificates to backends. Default: those of Node. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Our own certificate, for backends that ask for one. */
  readonly certificate?: {
    readonly cert: string | Uint8Array
    readonly key: string | Uint8Array
    readonly passphrase?: string
  }
  /** Application protocols, best first. Default: none is offered. */
  readonly alpn?: readonly string[]
  /** Default `TLSv1.2`. */
  readonly minVersion?: TlsVersion
  /** Default `TLSv1.3`. */
  readonly maxVersion?: TlsVersion
  /** In OpenSSL's form. Default: Node's. */
  readonly ciphers?: string
  /** Sessions kept for short handshakes, one for each backend; 0 for none. Default 1024. */
  readonly sessions?: number
  /** For one handshake. Default `10s`. */
  readonly handshakeTimeout?: Duration
  readonly clock?: Clock
}

/** To whom one connection goes. */
export interface OriginateTarget {
  /** The backend's host name, IP address or socket path. */
  readonly host: string
  /** 0 for a unix socket. */
  readonly port: number
  /** The transport that the stream is of. */
  readonly transport: Pick<Transport, 'release'>
  /** Gives the handshake up. */
  readonly signal?: AbortSignal
}

/** A backend behind TLS. */
export interface OriginatedTls {
  /** The plain bytes, both ways; paused. */
  readonly stream: Stream
  readonly facts: TlsFacts
}

/** Makes TLS to backends, with one set of options. */
export interface Originator {
  /**
   * Begins TLS on a stream that is connected to a backend, paused, and on which nothing was read. It
   * belongs to the handshake from now on; when that fails it is closed.
   *
   * Rejects with `tls-verify-failed`, `tls-handshake-failed`, `tls-handshake-timeout` (source `backend`,
   * retryable), or `aborted`.
   */
  originate(stream: Stream, target: OriginateTarget): Promise<OriginatedTls>
  /** Sessions kept now. */
  readonly sessions: number
}

/**
 * Checks the options and makes an {@link Originator}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function originator(options: OriginateOptions = {}, path = 'originate'): Originator {
  const { serverName, verify = true, clock = systemClock } = objectOption(options, path)
  clockOption(clock, `${path}.clock`)
  flagOption(verify, `${path}.verify`)
  const isName = typeof serverName === 'string' && serverName !== '' && isIP(serverName) === 0
  if (serverName !== undefined && !isName) {
    throw invalidOption(`${path}.serverName`, `${shown(serverName)} is not a host name`)
  }
  const timeoutMs = parseDuration(options.handshakeTimeout ?? '10s', `${path}.handshakeTimeout`)
  const alpn = checkedAlpn(options.alpn ?? [], `${path}.alpn`)
  const secureContext = clientContext(options, path)
  const { sessions: limit = 1024 } = options
  if (!Number.isInteger(limit) || limit < 0) {
    throw invalidOption(
      `${path}.sessions`,
      `${shown(limit)} is not a number of sessions: use 0 or more`,
    )
  }
  const cache = sessionCache(limit)
  return {
    get sessions() {
      return cache.size
    },
    originate(stream, { host, port, transport, signal }) {
      const name = serverName ?? host
      const key = `${host} ${port}`
      const session = cache.get(key)
      const connection: ConnectionOptions = {
        secureContext,
        // Said in full, so that no environment variable can switch it off.
        rejectUnauthorized: verify,
        host: name,
        minDHSize: 2048,
        checkServerIdentity: (_, certificate) =>
          verify ? identityProblem(name, certificate) : undefined,
        ...(isIP(name) === 0 && port !== 0 ? { servername: name } : {}),
        ...(serverName === undefined ? {} : { servername: serverName }),
        ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
        ...(session === undefined ? {} : { session }),
      }
      const { promise, resolve, reject } = Promise.withResolvers<OriginatedTls>()
      new Origination(stream, connection, {
        transport,
        signal,
        clock,
        timeoutMs,
        verify,
        resolve,
        reject,
        remember: (fresh) => cache.set(key, fresh),
        forget: () => cache.delete(key),
      }).start()
      return promise
    },
  }
}

interface OriginationInit {
  readonly transport: Pick<Transport, 'release'>
  readonly signal: AbortSignal | undefined
  readonly clock: Clock
  readonly timeoutMs: number
  readonly verify: boolean
  readonly resolve: (outcome: OriginatedTls) => void
  readonly reject: (error: TlsError) => void
  readonly remember: (session: Buffer) => void
  readonly forget: () => void
}

/** Exactly one of the two outcomes, once; and whatever it was, timer and signal are let go. */
class Origination {
  readonly #stream: Stream
  readonly #connection: ConnectionOptions
  readonly #init: OriginationInit
  readonly #timer: Disposable
  readonly #abort = (): void =>
    this.#fail(handshakeAborted('backend', this.#init.signal?.reason as unknown))
  #carrier: Socket | undefined
  #socket: TLSSocket | undefined
  #over = false

  constructor(stream: Stream, connection: ConnectionOptions, init: OriginationInit) {
    this.#stream = stream
    this.#connection = connection
    this.#init = init
    this.#timer = init.clock.after(init.timeoutMs, () =>
      this.#fail(handshakeTimeout('backend', init.timeoutMs)),
    )
  }

  start(): void {
    const { signal, transport } = this.#init
    if (signal?.aborted === true) return this.#abort()
    signal?.addEventListener('abort', this.#abort, { once: true })
    if (this.#stream.state !== 'open' || this.#stream.ended) {
      return this.#fail(handshakeFailed('backend', 'the connection is closed'))
    }
    try {
      const carrier = transport.release(this.#stream)
      this.#carrier = carrier
      this.#handshake(carrier)
    } catch (error) {
      this.#fail(handshakeFailed('backend', reasonOf(error), error))
    }
  }

  #handshake(carrier: Socket): void {
    const socket = connect({ ...this.#connection, socket: carrier })
    this.#socket = socket
    let fresh: Buffer | undefined
    let verified = false
    socket.on('session', (session: Buffer) => {
      // Before the certificate was verified a session is not worth keeping: resumed, it would skip the
      // verification.
      if (verified) this.#init.remember(session)
      else fresh = session
    })
    const failed = (error: Error): void => this.#failed(socket, error)
    const closed = (): void => this.#fail(handshakeFailed('backend', 'it closed the connection'))
    socket.on('error', failed)
    socket.on('close', closed)
    socket.once('secureConnect', () => {
      try {
        const facts = factsOf(socket, this.#connection.servername, socket.authorized)
        socket.off('error', failed)
        socket.off('close', closed)
        // An error of the record layer does not close the socket by itself.
        socket.on('error', () => socket.destroy())
        if (socket.authorized || !this.#init.verify) {
          verified = true
          if (fresh !== undefined) this.#init.remember(fresh)
        }
        this.#done({ stream: secureStream(socket, carrier, 'backend'), facts })
      } catch (error) {
        this.#fail(handshakeFailed('backend', reasonOf(error), error))
      }
    })
  }

  #failed(socket: TLSSocket, error: Error): void {
    // The backend may have forgotten, or may no longer be, whom the session was made with.
    this.#init.forget()
    const problem = socket.authorizationError as unknown
    if (this.#init.verify && problem !== null && problem !== undefined) {
      this.#fail(verifyFailed('backend', reasonOf(error), error))
    } else {
      this.#fail(handshakeFailed('backend', reasonOf(error), error))
    }
  }

  #fail(error: TlsError): void {
    if (this.#over) return
    this.#settle()
    if (this.#socket !== undefined) this.#socket.destroy()
    else if (this.#carrier !== undefined) this.#carrier.destroy()
    else this.#stream.destroy()
    this.#init.reject(error)
  }

  #done(outcome: OriginatedTls): void {
    if (this.#over) return outcome.stream.destroy()
    this.#settle()
    this.#init.resolve(outcome)
  }

  #settle(): void {
    this.#over = true
    this.#timer[Symbol.dispose]()
    this.#init.signal?.removeEventListener('abort', this.#abort)
  }
}

/** Node throws for names that it cannot parse, and would throw into its own event loop. */
function identityProblem(name: string, certificate: PeerCertificate): Error | undefined {
  try {
    return checkServerIdentity(name, certificate)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function clientContext(options: OriginateOptions, path: string): SecureContext {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', certificate } = options
  checkVersions(minVersion, maxVersion, path)
  const own =
    certificate === undefined ? undefined : parseCertificate(certificate, `${path}.certificate`)
  const authorities = pemTexts(options.ca, `${path}.ca`)
  try {
    return createSecureContext({
      minVersion,
      maxVersion,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
      ...(options.ca === undefined ? {} : { ca: authorities }),
      ...(own === undefined
        ? {}
        : {
            cert: own.cert,
            key: typeof own.key === 'string' ? own.key : Buffer.from(own.key),
            ...(own.passphrase === undefined ? {} : { passphrase: own.passphrase }),
          }),
    })
  } catch (cause) {
    throw invalidOption(path, `OpenSSL refuses a setting: ${reasonOf(cause)}`)
  }
}
