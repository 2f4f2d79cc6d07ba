import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { SocketAddress } from '@steelyard/core'
import { descriptorOf } from './handle-wire.ts'
import { hiddenReset, isHiddenReset } from './hidden-reset.ts'
import type { ReadBuffer } from './read-buffer.ts'
import { ipAddress, unnamed, unnamedUnix } from './socket-address.ts'
import type { Wire, WireOwner, WireTarget } from './wire.ts'

/** How much a TLS socket may hold before the writer is asked to wait: it never finishes a write at once. */
const tlsBacklog = 64 * 1024

/** How a {@link SocketWire} is made. */
export interface SocketWireInit {
  /** Reads of sockets that connect go here. */
  readonly shared?: ReadBuffer
  readonly noDelay: boolean
  /** The TCP socket under a TLS socket. */
  readonly carrier?: Socket
}

/** One connection on a Node socket, by its public methods alone: TCP, unix or TLS. */
export class SocketWire implements Wire {
  readonly #owner: WireOwner
  readonly #init: SocketWireInit
  /** The callback of writes, made with the first one. */
  #written: ((error?: Error | null) => void) | undefined = undefined
  #socket: Socket | undefined
  #encrypted = false
  /** The owner was told to wait. */
  #waits = false
  /** The owner asked for the close. */
  #leaving = false
  /** The socket is somebody else's now. */
  #detached = false

  constructor(owner: WireOwner, init: SocketWireInit, socket?: Socket) {
    this.#owner = owner
    this.#init = init
    if (socket !== undefined) this.#take(socket)
  }

  get pending(): number {
    return this.#socket?.writableLength ?? 0
  }

  connect(target: WireTarget): void {
    const { address, port, family, localAddress, localPort, keepAliveMs } = target
    this.#forget()
    const { shared, noDelay } = this.#init
    const socket: Socket = new Socket({
      allowHalfOpen: true,
      ...(shared === undefined
        ? {}
        : {
            onread: {
              buffer: shared.bytes,
              callback: (length) => this.#received(socket, length),
            },
          }),
    })
    this.#socket = socket
    // Reading begins when the owner says so.
    socket.pause()
    this.#listen(socket)
    socket.on('connect', onConnect)
    if (noDelay) socket.setNoDelay(true)
    if (keepAliveMs > 0) socket.setKeepAlive(true, Math.max(1000, keepAliveMs))
    try {
      if (family === 'unix') socket.connect({ path: address })
      else {
        socket.connect({
          host: address,
          port,
          ...(localAddress === undefined ? {} : { localAddress }),
          ...(localPort === 0 ? {} : { localPort }),
        })
      }
    } catch (error) {
      // Node's permission model throws.
      this.#owner.wireFailed(error, 'connect')
    }
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket!
    if (bytes.length === 0) return socket.writableLength === 0
    const { shared } = this.#init
    if (
      this.#encrypted ||
      shared === undefined ||
      socket.writableLength > 0 ||
      bytes.length > shared.bytes.length
    ) {
      socket.write(Buffer.from(bytes), this.#onWritten())
    } else {
      const range = shared.outgoing(bytes.length)
      range.set(bytes)
      socket.write(range, this.#onWritten())
      // What the kernel did not take points into the range: it belongs to this write until it is gone.
      if (socket.writableLength > 0) shared.keepOutgoing()
    }
    if (socket.writableLength === 0) return true
    if (this.#encrypted && socket.writableLength < tlsBacklog) return true
    this.#waits = true
    return false
  }

  finish(): void {
    const socket = this.#socket!
    if (socket.writableFinished) this.#owner.wireFinished()
    else socket.end()
  }

  readStart(): void {
    this.#socket!.resume()
  }

  readStop(): void {
    this.#socket!.pause()
  }

  close(): void {
    this.#leaving = true
    this.#socket!.destroy()
  }

  reset(): void {
    this.#leaving = true
    const socket = this.#socket!
    const carrier = this.#encrypted ? this.#init.carrier : socket
    if (carrier === undefined || carrier.connecting || carrier.remotePort === undefined) {
      socket.destroy()
    } else if (socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished) {
      // libuv refuses to reset while it shuts down, and Node then loses the handle. A TLS socket shuts
      // its carrier down behind the carrier's back.
      socket.once('finish', () => carrier.resetAndDestroy())
      if (socket !== carrier) destroyUnlessFinished(socket)
    } else {
      carrier.resetAndDestroy()
    }
  }

  local(): SocketAddress {
    const { localAddress: address, localPort: port } = this.#socket!
    return address === undefined ? unnamedUnix : ipAddress({ address, port: port ?? 0 })
  }

  remote(): SocketAddress {
    const { remoteAddress: address, remotePort: port, localAddress } = this.#socket!
    if (address === undefined) return localAddress === undefined ? unnamedUnix : unnamed
    return ipAddress({ address, port: port ?? 0 })
  }

  detach(): Socket {
    const socket = this.#socket!
    this.#detached = true
    this.#unlisten(socket)
    socket.pause()
    return socket
  }

  /** Another socket than ours is an attempt that was given up. */
  hasOpened(socket: Socket): void {
    if (socket === this.#socket) this.#owner.wireOpened()
  }

  hasRead(bytes: Uint8Array): void {
    this.#owner.wireRead(bytes)
  }

  hasEnded(socket: Socket): void {
    if (isHiddenReset(descriptorOf(socket))) this.#owner.wireFailed(hiddenReset, 'read')
    else this.#owner.wireEnded()
  }

  hasFinished(): void {
    this.#owner.wireFinished()
  }

  hasFailed(error: NodeJS.ErrnoException): void {
    const { syscall } = error
    const connecting = syscall === 'connect' || syscall === 'bind'
    this.#owner.wireFailed(error, connecting ? 'connect' : syscall === 'write' ? 'write' : 'read')
  }

  hasClosed(): void {
    // Somebody destroyed the socket behind our back.
    if (!this.#leaving) this.#owner.wireFailed(closedByOthers, 'read')
    this.#owner.wireClosed()
  }

  #take(socket: Socket): void {
    this.#socket = socket
    this.#encrypted = (socket as Partial<TLSSocket>).encrypted === true
    socket.allowHalfOpen = true
    socket.pause()
    this.#listen(socket)
    socket.on('data', onData)
    if (this.#init.noDelay) socket.setNoDelay(true)
    if (socket.closed) process.nextTick(closeLate, this)
  }

  #listen(socket: Socket): void {
    ;(socket as WiredSocket)[wire] = this
    socket.on('end', onEnd)
    socket.on('finish', onFinish)
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  #unlisten(socket: Socket): void {
    socket.off('data', onData)
    socket.off('end', onEnd)
    socket.off('finish', onFinish)
    socket.off('error', onError)
    socket.off('close', onClose)
  }

  #onWritten(): (error?: Error | null) => void {
    this.#written ??= (error) => {
      if (!this.#waits || (error !== null && error !== undefined)) return
      if (this.#socket!.writableLength > 0) return
      this.#waits = false
      this.#owner.wireDrained()
    }
    return this.#written
  }

  /** Gives up the attempt before the next one. */
  #forget(): void {
    const socket = this.#socket
    if (socket === undefined) return
    this.#unlisten(socket)
    socket.on('error', ignore)
    socket.destroy()
  }

  /** What came into the shared buffer; false pauses the socket, which keeps what it has. */
  #received(socket: Socket, length: number): boolean {
    const bytes = this.#init.shared!.first(length)
    if (this.#detached) return socket.push(Buffer.from(bytes))
    this.#owner.wireRead(bytes)
    return true
  }
}

/**
 * Shutting down takes one turn of the loop, unless the close_notify finds the kernel's buffer full: then it
 * lasts for as long as the peer does not read.
 */
function destroyUnlessFinished(socket: Socket): void {
  setImmediate(() =>
    setImmediate(() => {
      if (!socket.writableFinished) socket.destroy()
    }),
  )
}

/** Under this symbol a socket keeps its wire, so that one set of listeners serves them all. */
const wire = Symbol('wire')
type WiredSocket = Socket & { [wire]: SocketWire }

const closedByOthers: { readonly code: string } = Object.freeze({ code: 'ERR_SOCKET_CLOSED' })

function ignore(): void {}

function onConnect(this: Socket): void {
  ;(this as WiredSocket)[wire].hasOpened(this)
}

function onData(this: Socket, bytes: Uint8Array): void {
  ;(this as WiredSocket)[wire].hasRead(bytes)
}

function onEnd(this: Socket): void {
  ;(this as WiredSocket)[wire].hasEnded(this)
}

function onFinish(this: Socket): void {
  ;(this as WiredSocket)[wire].hasFinished()
}

function onError(this: Socket, error: NodeJS.ErrnoException): void {
  ;(this as WiredSocket)[wire].hasFailed(error)
}

function onClose(this: Socket): void {
  ;(this as WiredSocket)[wire].hasClosed()
}

function closeLate(of: SocketWire): void {
  of.hasClosed()
}
