import {
  type BindTarget,
  type DatagramHandler,
  type DatagramSocket,
  type SocketAddress,
  SteelyardError,
  type Transport,
  type TransportError,
  type TransportErrorCode,
} from '@steelyard/core'

/** A network of datagram sockets in memory, where nothing moves until it is told to. */
export interface MemoryDatagrams {
  /** Its `bind` makes sockets of this network; it has no streams. */
  readonly transport: Transport
  /** Sockets open now, and binds that have not been answered. */
  readonly sockets: number
  /** Datagrams sent and not delivered. */
  readonly inFlight: number
  /** While true, binds of connected sockets are not answered. */
  held: boolean
  /** While true, every send is refused, as by a full queue. */
  full: boolean
  /** Binds of sockets connected to this `address:port` fail from now on; without a code they work again. */
  failBinds(peer: string, code?: TransportErrorCode): void
  /** Opens a socket at an address for the test to play with. */
  peer(address: string, port: number, reply?: (bytes: Uint8Array) => Uint8Array[]): MemoryPeer
  /** Tells a socket's owner of a failure, found by the socket's local port. */
  fail(port: number, code: TransportErrorCode): void
  /** Takes a socket away from its owner, found by its local port. */
  break(port: number): void
  /** Delivers all that is in flight, and all that comes of it, until nothing moves. */
  settle(): Promise<void>
}

/** A socket that a test holds: a client, or a backend. */
export interface MemoryPeer extends Disposable {
  readonly address: SocketAddress
  /** What came, oldest first; the test may empty it. */
  readonly received: { readonly bytes: Uint8Array; readonly from: SocketAddress }[]
  send(bytes: Uint8Array, to: SocketAddress): void
}

/** Makes a {@link MemoryDatagrams}; ephemeral ports count up from 40000. */
export function memoryDatagrams(): MemoryDatagrams {
  return new Network()
}

/** The longest payload over IPv4. */
const longest = 65_507

class Network implements MemoryDatagrams {
  held = false
  full = false
  readonly transport: Transport
  readonly #bound = new Map<string, MemorySocket>()
  readonly #unanswered = new Set<() => void>()
  readonly #failing = new Map<string, TransportErrorCode>()
  #queue: { from: MemorySocket; to: SocketAddress; bytes: Uint8Array }[] = []
  #nextPort = 40_000

  constructor() {
    const none = (): never => {
      throw new Error('this transport has datagrams only')
    }
    this.transport = {
      name: 'memory',
      listen: none,
      connect: none,
      relay: none,
      release: none,
      bind: (target, handler) => this.#bind(target, handler),
    }
  }

  get sockets(): number {
    return this.#bound.size + this.#unanswered.size
  }

  get inFlight(): number {
    return this.#queue.length
  }

  failBinds(peer: string, code?: TransportErrorCode): void {
    if (code === undefined) this.#failing.delete(peer)
    else this.#failing.set(peer, code)
  }

  peer(address: string, port: number, reply?: (bytes: Uint8Array) => Uint8Array[]): MemoryPeer {
    const received: { bytes: Uint8Array; from: SocketAddress }[] = []
    const socket = this.#open(
      { host: address, port },
      {
        message(self, bytes, from) {
          received.push({ bytes: bytes.slice(), from })
          for (const answer of reply?.(bytes.slice()) ?? []) self.send(answer, from)
        },
        failed() {},
        closed() {},
      },
    )
    return {
      address: socket.local,
      received,
      send: (bytes, to) => void socket.send(bytes, to),
      [Symbol.dispose]: () => socket.close(),
    }
  }

  fail(port: number, code: TransportErrorCode): void {
    const socket = this.#byPort(port)
    socket.handler.failed(socket, failure(code))
  }

  break(port: number): void {
    this.#byPort(port).close()
  }

  async settle(): Promise<void> {
    do {
      if (!this.held) for (const answer of [...this.#unanswered]) answer()
      const queue = this.#queue
      this.#queue = []
      for (const { from, to, bytes } of queue) this.#deliver(from, to, bytes)
      // Binds are answered and closes are told in microtasks, of whatever depth.
      await new Promise((resolve) => setImmediate(resolve))
    } while (this.#queue.length > 0 || (!this.held && this.#unanswered.size > 0))
  }

  /** @internal */
  send(from: MemorySocket, to: SocketAddress, bytes: Uint8Array): boolean {
    if (this.full) return false
    if (bytes.length > longest) {
      queueMicrotask(() => from.handler.failed(from, failure('message-too-long')))
    } else {
      this.#queue.push({ from, to, bytes: bytes.slice() })
    }
    return true
  }

  /** @internal */
  closed(socket: MemorySocket): void {
    this.#bound.delete(keyOf(socket.local.address, socket.local.port))
    queueMicrotask(() => socket.handler.closed(socket))
  }

  #bind(target: BindTarget, handler: DatagramHandler): Promise<DatagramSocket> {
    return new Promise((resolve, reject) => {
      const answer = (): void => {
        this.#unanswered.delete(answer)
        const { peer } = target
        const code = peer && this.#failing.get(keyOf(peer.host, peer.port))
        try {
          if (code !== undefined) throw failure(code)
          resolve(this.#open(target, handler))
        } catch (error) {
          reject(error)
        }
      }
      this.#unanswered.add(answer)
      if (target.peer === undefined || !this.held) queueMicrotask(answer)
    })
  }

  #open(target: BindTarget, handler: DatagramHandler): MemorySocket {
    const { peer } = target
    const v6 = (peer?.host ?? target.host ?? '').includes(':')
    const address = target.host ?? (v6 ? '::1' : '127.0.0.1')
    const port = target.port !== undefined && target.port > 0 ? target.port : this.#nextPort++
    const key = keyOf(address, port)
    if (this.#bound.has(key)) throw failure('address-in-use')
    const socket = new MemorySocket(this, addressOf(address, port), peer, handler)
    this.#bound.set(key, socket)
    return socket
  }

  #deliver(from: MemorySocket, to: SocketAddress, bytes: Uint8Array): void {
    const socket =
      this.#bound.get(keyOf(to.address, to.port)) ??
      this.#bound.get(keyOf('0.0.0.0', to.port)) ??
      this.#bound.get(keyOf('::', to.port))
    const heard = socket !== undefined && socket.hears(from.local)
    if (heard) {
      socket.handler.message(socket, bytes, from.local)
      // The range was lent: whoever kept it instead of a copy finds out now.
      bytes.fill(0xdd)
    } else if (socket === undefined && from.peer !== undefined && from.open) {
      from.handler.failed(from, failure('connection-refused'))
    }
  }

  #byPort(port: number): MemorySocket {
    for (const socket of this.#bound.values()) if (socket.local.port === port) return socket
    throw new Error(`no socket has port ${port}`)
  }
}

class MemorySocket implements DatagramSocket {
  readonly local: SocketAddress
  readonly peer: SocketAddress | undefined
  readonly handler: DatagramHandler
  readonly #network: Network
  open = true

  constructor(
    network: Network,
    local: SocketAddress,
    peer: { readonly host: string; readonly port: number } | undefined,
    handler: DatagramHandler,
  ) {
    this.#network = network
    this.local = local
    this.peer = peer && addressOf(peer.host, peer.port)
    this.handler = handler
  }

  hears({ address, port }: SocketAddress): boolean {
    return (
      this.open &&
      (this.peer === undefined || (this.peer.address === address && this.peer.port === port))
    )
  }

  send(bytes: Uint8Array, peer: SocketAddress | undefined = this.peer): boolean {
    if (peer === undefined) throw new Error('the socket is not connected: name a peer')
    return this.open && this.#network.send(this, peer, bytes)
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.#network.closed(this)
  }
}

function keyOf(address: string, port: number): string {
  return `${address}:${port}`
}

function addressOf(address: string, port: number): SocketAddress {
  return Object.freeze({ address, port, family: address.includes(':') ? 6 : 4 })
}

function failure(code: TransportErrorCode): TransportError {
  return new SteelyardError(`made up by the test: ${code}`, {
    code,
    source: 'backend',
    retryable: true,
  })
}
