import { createServer, type Server, type Socket } from 'node:net'
import {
  type AcceptHandler,
  type ListenTarget,
  type SocketAddress,
  SteelyardError,
  type Stream,
  type StreamListener,
} from '@steelyard/core'
import type { DescriptorWatch } from './descriptor-watch.ts'
import { descriptorOf, refuse, takeAccepted } from './handle-wire.ts'
import { addressText, ipAddress, unixAddress, unnamedUnix } from './socket-address.ts'
import { aborted, transportError } from './transport-error.ts'
import { clearStalePath } from './unix-path.ts'

const defaultBacklog = 4096

/** What a listener needs of its transport. */
export interface ListenerHost {
  /** Take bare handles from the server instead of sockets. */
  readonly handles: boolean
  readonly watch: DescriptorWatch
  /**
   * Makes a paused stream of an accepted handle or socket.
   *
   * @param local - the stream's own end, where the listener knows it.
   */
  adopt(accepted: object, local: SocketAddress | undefined): Stream
  report(error: unknown): void
}

/**
 * Opens a listening socket.
 *
 * @throws {TransportError} `address-in-use`, `permission-denied`, `aborted` and the like.
 */
export async function openListener(
  target: ListenTarget,
  handler: AcceptHandler,
  host: ListenerHost,
): Promise<StreamListener> {
  const where = targetText(target)
  if (target.signal?.aborted === true) throw aborted('listen', where, target.signal.reason)
  let server: Server
  try {
    server = await bind(target, where)
  } catch (error) {
    if (target.path === undefined || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
      throw asTransportError(error, where)
    }
    try {
      await clearStalePath(target.path)
      server = await bind(target, where)
    } catch (second) {
      throw asTransportError(second, where)
    }
  }
  return new NodeListener(server, handler, host, target)
}

function asTransportError(error: unknown, where: string): unknown {
  return error instanceof SteelyardError ? error : transportError(error, 'listen', where, 'system')
}

function bind(target: ListenTarget, where: string): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>()
  const { host, port, path, fd, signal, backlog = defaultBacklog } = target
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  const abort = (): void => {
    server.close()
    reject(aborted('listen', where, signal?.reason))
  }
  signal?.addEventListener('abort', abort, { once: true })
  const settle = (): void => {
    signal?.removeEventListener('abort', abort)
    server.off('error', reject)
  }
  server.once('error', reject)
  // Before anything can be accepted, which takes a turn of the loop.
  server.once('listening', () => resolve(server))
  try {
    if (fd !== undefined) server.listen({ fd, backlog, exclusive: true })
    else if (path !== undefined) server.listen({ path, backlog, exclusive: true })
    else {
      server.listen({
        port: port ?? 0,
        backlog,
        exclusive: true,
        reusePort: target.reusePort ?? false,
        ipv6Only: target.ipv6Only ?? false,
        ...(host === undefined ? {} : { host }),
      } as object)
    }
  } catch (error) {
    reject(error)
  }
  return promise.finally(settle)
}

class NodeListener implements StreamListener {
  readonly address: SocketAddress
  readonly #server: Server
  readonly #handler: AcceptHandler
  readonly #host: ListenerHost
  /** The own end of every stream; unknown for a listener on all addresses. */
  readonly #local: SocketAddress | undefined
  readonly #mostHeld: number
  /** Accepted while paused: libuv cannot leave connections in the kernel. */
  #held: object[] = []
  #overflowing = false
  #paused = false
  #delivering = false
  #closed: Promise<void> | undefined

  constructor(server: Server, handler: AcceptHandler, host: ListenerHost, target: ListenTarget) {
    this.#server = server
    this.#handler = handler
    this.#host = host
    this.#mostHeld = target.backlog ?? defaultBacklog
    this.address = Object.freeze(boundAddress(server))
    this.#local = isWildcard(this.address) ? undefined : this.address
    if (host.handles) {
      takeAccepted(server, (status, handle) => {
        if (handle === undefined || status < 0) this.#failed(status)
        else this.#arrived(handle)
      })
    } else {
      server.on('connection', (socket) => this.#arrived(socket))
    }
    server.on('error', (error) => this.#failed(error))
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#overflowing = false
    if (this.#held.length > 0) process.nextTick(() => this.#deliverHeld())
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    // The descriptor is closed when the call returns; `close` of the server would wait for its sockets.
    this.#server.close()
    for (const held of this.#held.splice(0)) this.#turnAway(held)
  }

  #arrived(accepted: object): void {
    if (this.#closed !== undefined) return this.#turnAway(accepted)
    if (this.#host.watch.exhausted(descriptorOf(accepted))) this.#failed({ code: 'EMFILE' })
    if (!this.#paused && this.#held.length === 0) return this.#deliver(accepted)
    if (this.#held.length < this.#mostHeld) {
      this.#held.push(accepted)
      return
    }
    this.#turnAway(accepted)
    if (this.#overflowing) return
    this.#overflowing = true
    this.#failed({ code: 'ECONNABORTED' })
  }

  #deliverHeld(): void {
    if (this.#delivering) return
    this.#delivering = true
    while (!this.#paused && this.#held.length > 0) this.#deliver(this.#held.shift()!)
    this.#delivering = false
  }

  #deliver(accepted: object): void {
    const stream = this.#host.adopt(accepted, this.#local)
    try {
      this.#handler.accepted(stream)
    } catch (error) {
      this.#host.report(error)
      stream.destroy()
    }
  }

  #failed(failure: unknown): void {
    try {
      this.#handler.failed(transportError(failure, 'accept', addressText(this.address), 'system'))
    } catch (error) {
      this.#host.report(error)
    }
  }

  #turnAway(accepted: object): void {
    if (this.#host.handles) return refuse(accepted)
    const socket = accepted as Socket
    socket.on('error', () => {})
    if (this.address.family === 'unix') socket.destroy()
    else socket.resetAndDestroy()
  }
}

function boundAddress(server: Server): SocketAddress {
  const bound = server.address()
  if (bound === null) return unnamedUnix
  if (typeof bound === 'string') return unixAddress(bound)
  return ipAddress(bound)
}

function isWildcard({ address }: SocketAddress): boolean {
  return address === '::' || address === '0.0.0.0'
}

function targetText({ host, port = 0, path, fd }: ListenTarget): string {
  if (fd !== undefined) return `fd ${fd}`
  if (path !== undefined) return `unix:${path}`
  return host?.includes(':') === true ? `[${host}]:${port}` : `${host ?? '*'}:${port}`
}
