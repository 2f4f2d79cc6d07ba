import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { type AddressInfo, isIP } from 'node:net'
import {
  type BindTarget,
  type DatagramHandler,
  type DatagramSocket,
  invalidOption,
  type SocketAddress,
  SteelyardError,
  shown,
  type TransportError,
} from '@steelyard/core'
import type { ReadBuffer } from './read-buffer.ts'
import { addressText, ipAddress } from './socket-address.ts'
import { aborted, type TransportAction, transportError } from './transport-error.ts'

/** The longest UDP payload: 65,535 bytes less the headers that the length counts (RFC 768, RFC 8200). */
const longest = { 4: 65_507, 6: 65_527 } as const
/** How many bytes may wait for the kernel before further datagrams are dropped. */
const mostQueued = 1024 * 1024

type Family = 4 | 6

/**
 * Opens a datagram socket over `node:dgram`.
 *
 * @param outgoing - memory of at least 64 KiB to copy what is sent into.
 * @throws {TransportError} `address-in-use`, `name-not-found`, `aborted` and the like.
 */
export async function bindDatagram(
  target: BindTarget,
  handler: DatagramHandler,
  outgoing: ReadBuffer,
  report: (error: unknown) => void,
): Promise<DatagramSocket> {
  const { host, port = 0, fd, peer, signal } = target
  checkPort(port, 'port', 0)
  if (peer !== undefined) checkPort(peer.port, 'peer.port', 1)
  const where = targetText(target)
  const giveUp = (): void => {
    if (signal?.aborted === true) throw aborted('bind', where, signal.reason)
  }
  giveUp()
  const peerAddress = peer === undefined ? undefined : await resolve(peer.host, 0, where)
  giveUp()
  const own = host === undefined ? undefined : await resolve(host, peerAddress?.family ?? 0, where)
  giveUp()
  const family = own?.family ?? peerAddress?.family
  const open = async (as: Family): Promise<DatagramSocket> => {
    const socket = makeSocket(as, target)
    try {
      await bind(socket, fd === undefined ? { port, address: own?.address ?? anyOf(as) } : { fd })
      checkFamily(socket, as)
      giveUp()
      if (peerAddress !== undefined) await connect(socket, peer!.port, peerAddress.address)
      giveUp()
    } catch (error) {
      closeQuietly(socket)
      throw error instanceof SteelyardError ? error : transportError(error, 'bind', where, 'system')
    }
    const connected =
      peerAddress === undefined
        ? undefined
        : ipAddress({ address: peerAddress.address, port: peer!.port })
    return new NodeDatagramSocket(socket, as, connected, handler, outgoing, report)
  }
  if (family !== undefined || fd !== undefined) return open(family ?? 4)
  // Every address: one dual-stack socket, or IPv4 alone where the kernel has no IPv6.
  try {
    return await open(6)
  } catch (error) {
    const { cause } = error as TransportError
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'EAFNOSUPPORT') throw error
    return open(4)
  }
}

class NodeDatagramSocket implements DatagramSocket {
  readonly local: SocketAddress
  readonly #socket: Socket
  readonly #family: Family
  readonly #peer: SocketAddress | undefined
  /** The peer in the words of the kernel, to be compared with senders. */
  readonly #connectedTo: AddressInfo | undefined
  readonly #handler: DatagramHandler
  readonly #outgoing: ReadBuffer
  readonly #report: (error: unknown) => void
  readonly #sent: (error: Error | null) => void
  /** Who sent last: most datagrams in a row come from one peer. */
  #lastPeer: SocketAddress | undefined = undefined
  #lastAddress = ''
  /** The kernel had no room at the last send. */
  #queueing = false
  #closed = false

  constructor(
    socket: Socket,
    family: Family,
    peer: SocketAddress | undefined,
    handler: DatagramHandler,
    outgoing: ReadBuffer,
    report: (error: unknown) => void,
  ) {
    this.#socket = socket
    this.#family = family
    this.#peer = peer
    this.#handler = handler
    this.#outgoing = outgoing
    this.#report = report
    this.local = ipAddress(socket.address())
    this.#connectedTo = peer === undefined ? undefined : socket.remoteAddress()
    this.#sent = (error) => {
      if (error !== null) this.#failed(error, 'send')
    }
    socket.on('message', (bytes, from) => this.#message(bytes, from))
    socket.on('error', (error) => this.#failed(error, 'receive'))
    socket.on('close', () => this.#over())
  }

  send(bytes: Uint8Array, peer?: SocketAddress): boolean {
    if (this.#closed) return false
    if (peer === undefined && this.#peer === undefined) {
      throw invalidOption('peer', 'the socket is not connected: say where to send')
    }
    if (bytes.length > longest[this.#family]) {
      process.nextTick(this.#sent, Object.assign(new Error('too long'), { code: 'EMSGSIZE' }))
      return false
    }
    const socket = this.#socket
    let queued = this.#queueing ? socket.getSendQueueSize() : 0
    if (queued > 0 && queued + bytes.length > mostQueued) return false
    const fresh = queued === 0
    const datagram = fresh
      ? this.#outgoing.outgoing(bytes.length)
      : Buffer.allocUnsafe(bytes.length)
    datagram.set(bytes)
    try {
      if (this.#peer !== undefined) socket.send(datagram, this.#sent)
      else socket.send(datagram, peer!.port, this.#addressFor(peer!), this.#sent)
    } catch (error) {
      // A peer that cannot be, such as port 0.
      process.nextTick(this.#sent, error)
      return false
    }
    queued = socket.getSendQueueCount()
    this.#queueing = queued > 0
    // What waits points into the range.
    if (fresh && queued > 0) this.#outgoing.keepOutgoing()
    return true
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.close()
  }

  /** An IPv4 peer of a dual-stack socket goes by its mapped address. */
  #addressFor({ address, family }: SocketAddress): string {
    return this.#family === 6 && family === 4 ? `::ffff:${address}` : address
  }

  #message(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#closed || this.#isStranger(from)) return
    let peer = this.#peer ?? this.#lastPeer
    if (
      this.#peer === undefined &&
      (peer === undefined || peer.port !== from.port || this.#lastAddress !== from.address)
    ) {
      this.#lastAddress = from.address
      peer = this.#lastPeer = ipAddress(from)
    }
    try {
      this.#handler.message(this, bytes, peer!)
    } catch (error) {
      this.#report(error)
    }
  }

  /**
   * Between bind and connect the kernel takes datagrams from anybody; a connected socket must not pass
   * them on as if its peer had sent them.
   */
  #isStranger({ address, port }: RemoteInfo): boolean {
    const only = this.#connectedTo
    return only !== undefined && (only.port !== port || only.address !== address)
  }

  #failed(error: unknown, action: TransportAction): void {
    if (this.#closed) return
    const where = addressText(this.#peer ?? this.local)
    try {
      this.#handler.failed(this, transportError(error, action, where, 'peer'))
    } catch (thrown) {
      this.#report(thrown)
    }
  }

  #over(): void {
    this.#closed = true
    try {
      this.#handler.closed(this)
    } catch (error) {
      this.#report(error)
    }
  }
}

function makeSocket(family: Family, target: BindTarget): Socket {
  const { receiveBuffer, sendBuffer } = target
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    reusePort: target.reusePort ?? false,
    ipv6Only: target.ipv6Only ?? false,
    ...(receiveBuffer === undefined ? {} : { recvBufferSize: receiveBuffer }),
    ...(sendBuffer === undefined ? {} : { sendBufferSize: sendBuffer }),
    // Every address that reaches the socket is resolved already: no detour, and a send is done when it returns.
    lookup: literal,
  } as Parameters<typeof createSocket>[0] & object)
}

function literal(
  address: string,
  family: unknown,
  done: (error: null, address: string, family: unknown) => void,
): void {
  done(null, address, family)
}

function bind(socket: Socket, options: object): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('error', reject)
  socket.once('listening', () => {
    socket.off('error', reject)
    resolve()
  })
  try {
    socket.bind({ ...options, exclusive: true })
  } catch (error) {
    reject(error)
  }
  return promise
}

function connect(socket: Socket, port: number, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // On failure Node calls back with the error that its types do not mention.
  socket.connect(port, address, (error?: Error) => {
    if (error === undefined) resolve()
    else reject(error)
  })
  return promise
}

function closeQuietly(socket: Socket): void {
  socket.on('error', () => {})
  socket.close()
}

async function resolve(
  host: string,
  family: 0 | Family,
  where: string,
): Promise<{ address: string; family: Family }> {
  const literalFamily = isIP(host)
  if (literalFamily !== 0) return { address: host, family: literalFamily as Family }
  try {
    const found = await lookup(host, { family })
    return { address: found.address, family: found.family === 6 ? 6 : 4 }
  } catch (error) {
    throw transportError(error, 'bind', where, 'system')
  }
}

function anyOf(family: Family): string {
  return family === 6 ? '::' : '0.0.0.0'
}

/** An inherited descriptor is of the family it is. */
function checkFamily(socket: Socket, family: Family): void {
  const actual = socket.address().family === 'IPv6' ? 6 : 4
  if (actual === family) return
  throw invalidOption('fd', `is an IPv${actual} socket: say host: '${anyOf(actual)}' beside it`)
}

function checkPort(port: number, path: string, least: number): void {
  if (!Number.isInteger(port) || port < least || port > 65_535) {
    throw invalidOption(path, `${shown(port)} is not a port: use ${least} to 65535`)
  }
}

function targetText({ host, port = 0, fd, peer }: BindTarget): string {
  const own = fd === undefined ? `${host ?? '*'}:${port}` : `fd ${fd}`
  return peer === undefined ? own : `${own} for ${peer.host}:${peer.port}`
}
