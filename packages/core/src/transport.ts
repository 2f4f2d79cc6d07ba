import type { Socket } from 'node:net'
import type { Duration } from './duration.ts'
import type { SteelyardError } from './errors.ts'

/**
 * Where a connection's end is. Unix sockets have a `path` and port 0; the unnamed end of one has no path. An
 * IPv4 peer of a socket that serves both families is given as IPv4, without `::ffff:`.
 */
export interface SocketAddress {
  readonly address: string
  readonly port: number
  readonly family: 4 | 6 | 'unix'
  readonly path?: string
}

/** Why a connection failed, in the words of every transport. */
export type TransportErrorCode =
  | 'address-in-use'
  | 'address-not-available'
  | 'permission-denied'
  | 'connection-refused'
  | 'connection-reset'
  | 'connection-aborted'
  | 'host-unreachable'
  | 'network-unreachable'
  | 'name-not-found'
  | 'timed-out'
  | 'too-many-files'
  | 'message-too-long'
  | 'broken-pipe'
  | 'aborted'
  | 'closed'
  | 'io'

/** A failure of a {@link Transport}. */
export type TransportError = SteelyardError<TransportErrorCode>

/**
 * What the owner of a stream hears. One object may serve many streams, so that a connection costs no
 * closures; the stream is always the first argument.
 */
export interface StreamHandler {
  /** The connect succeeded. Not called for accepted streams, which are open from the start. */
  opened?(stream: Stream): void
  /**
   * Bytes came. The range is lent: it is valid only during this call. Pass it to {@link Stream.write},
   * or copy it by `new Uint8Array(bytes)`: it may be a Node Buffer, whose `slice` copies nothing.
   */
  data(stream: Stream, bytes: Uint8Array): void
  /** The peer sent FIN: no more data will come. The other direction stays open. */
  ended(stream: Stream): void
  /** {@link Stream.write} said false before, and now everything has been handed to the kernel. */
  drained(stream: Stream): void
  /** The last call, exactly once: both directions are over, with the failure if there was one. */
  closed(stream: Stream, error: TransportError | undefined): void
}

/** One connection, either side. Every method is safe after the close and then does nothing. */
export interface Stream {
  readonly local: SocketAddress
  readonly remote: SocketAddress
  /** Who hears of it; may be replaced at any time by the owner. */
  handler: StreamHandler
  /** For the owner's use: the session that this stream belongs to. */
  context: unknown
  readonly state: 'connecting' | 'open' | 'closed'
  /** The peer's FIN has come: nothing more will be read. */
  readonly ended: boolean
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Bytes accepted by {@link Stream.write} that the kernel has not taken yet. */
  readonly pending: number
  /**
   * Takes all of `bytes` during the call: the caller may reuse the range as soon as it returns. False
   * asks the writer to wait for `drained`; more may be written all the same, and is kept in memory.
   * Writing while connecting is allowed. After `end` or the close it does nothing and says true.
   */
  write(bytes: Uint8Array): boolean
  /** FIN after everything written; the other direction stays open. */
  end(): void
  /** RST now: the peer sees a reset, unsent bytes are lost. */
  reset(): void
  /** Closes both directions now without caring for what is unsent. */
  destroy(): void
  /** Stops {@link StreamHandler.data} until {@link Stream.resume}; the kernel's window then slows the peer. */
  pause(): void
  resume(): void
}

/** Where to listen. */
export interface ListenTarget {
  /** Address to bind; `::` with `ipv6Only` false serves both families. */
  readonly host?: string
  readonly port?: number
  /** Unix socket path instead of an address. */
  readonly path?: string
  /** An inherited, bound and listening descriptor (systemd socket activation) instead of an address. */
  readonly fd?: number
  /** Pending connections in the kernel. Default 4096; the kernel caps it at `net.core.somaxconn`. */
  readonly backlog?: number
  /** SO_REUSEPORT, so that several processes or workers share the port. Default `false`. */
  readonly reusePort?: boolean
  /** Only IPv6 on `::`. Default `false`. */
  readonly ipv6Only?: boolean
  readonly signal?: AbortSignal
}

/** A listening socket. */
export interface StreamListener {
  readonly address: SocketAddress
  /**
   * Hands over no more for a while. The kernel's backlog fills; a transport that cannot leave connections
   * there (`node`) holds up to `backlog` of them, unread, and refuses the rest, told by `failed` once.
   */
  pause(): void
  resume(): void
  /** Stops listening; accepted streams live on. */
  close(): Promise<void>
}

/** Who hears of accepted streams. */
export interface AcceptHandler {
  /** A stream was accepted. It is paused; set its handler and resume it, or destroy it. */
  accepted(stream: Stream): void
  /** Accepting failed, for instance for want of descriptors; the listener goes on by itself. */
  failed(error: TransportError): void
}

/** Where and how to connect. */
export interface ConnectTarget {
  readonly host?: string
  readonly port?: number
  readonly path?: string
  /** Source address to bind. */
  readonly localAddress?: string
  /** Source port; 0 or absent lets the system choose. */
  readonly localPort?: number
  /** TCP keep-alive probes after this much silence. Default: off. */
  readonly keepAlive?: Duration
}

/** What ended a relay. */
export interface RelayEnd {
  /** Which side ended it: the first to fail, else the first to send FIN or close; `owner` when {@link Relay.stop} did. */
  readonly by: 'a' | 'b' | 'owner'
  /** Absent when both directions ended by FIN. */
  readonly error?: TransportError
}

/** Two streams joined by the transport; it moves the bytes by the cheapest means it has. */
export interface Relay {
  /** Bytes moved so far by the relay. */
  readonly bytesAtoB: number
  readonly bytesBtoA: number
  /** The peer's FIN has come. */
  readonly endedA: boolean
  readonly endedB: boolean
  /** Ends both streams: `reset` sends RST to both; otherwise what is queued is lost and both are closed. */
  stop(how: 'reset' | 'destroy'): void
}

/** How to relay. */
export interface RelayOptions {
  /** Called once when both streams are closed. Half-close and RST have been carried over. */
  readonly done: (end: RelayEnd) => void
  /** At most this many bytes a second in each direction, shared through the bucket. Default: no limit. */
  readonly limitAtoB?: ByteBudget
  readonly limitBtoA?: ByteBudget
}

/** A token bucket that several relays share. */
export interface ByteBudget {
  /** How many of `wanted` bytes may pass now; 0 means wait. Taken bytes are spent. */
  take(wanted: number): number
  /** Calls once when bytes are available again. */
  whenAvailable(task: () => void): Disposable
}

/** What moves bytes. The balancers do not know which they run on; one conformance suite holds them all. */
export interface Transport {
  /** `node`, `epoll` or `uring`. */
  readonly name: string
  /** Rejects with `address-in-use`, `permission-denied` and the like. */
  listen(target: ListenTarget, handler: AcceptHandler): Promise<StreamListener>
  /** Begins to connect; the handler hears `opened`, or `closed` with the failure. Never throws for what the network does. */
  connect(target: ConnectTarget, handler: StreamHandler): Stream
  /**
   * Joins two open streams until both are closed, replacing their handlers, and resumes them. Bytes the
   * owner wrote before go first, and a FIN that came before the relay is carried over as well. FIN on one side becomes FIN on the other; RST becomes RST; a slow reader slows the writer.
   */
  relay(a: Stream, b: Stream, options: RelayOptions): Relay
  /**
   * Gives the connection up to Node: the stream is over for its owner, without a `closed`, and whoever
   * holds the socket closes it. It is paused; bytes that came and were not delivered are in it. TLS and
   * whatever else needs a Node socket go this way.
   */
  release(stream: Stream): Socket
  /** Opens a datagram socket. */
  bind(target: BindTarget, handler: DatagramHandler): Promise<DatagramSocket>
}

/** Where to bind a datagram socket. */
export interface BindTarget {
  /** Default: every address, IPv4 and IPv6; with `peer`, of its family. */
  readonly host?: string
  /** Default 0: the system chooses. */
  readonly port?: number
  readonly fd?: number
  readonly reusePort?: boolean
  readonly ipv6Only?: boolean
  /** Connects the socket: only this peer is heard, and its ICMP errors are reported. */
  readonly peer?: { readonly host: string; readonly port: number }
  /** Kernel receive and send buffers in bytes. Default: the system's. */
  readonly receiveBuffer?: number
  readonly sendBuffer?: number
  readonly signal?: AbortSignal
}

/** A datagram socket, connected or not. */
export interface DatagramSocket {
  readonly local: SocketAddress
  /**
   * Sends one datagram; the range may be reused when the call returns. False means that it was dropped
   * here, because the queue is full; it never blocks. Without `peer` the socket must be connected.
   */
  send(bytes: Uint8Array, peer?: SocketAddress): boolean
  close(): void
}

/** What the owner of a datagram socket hears. */
export interface DatagramHandler {
  /** One whole datagram; the range is lent for the call. */
  message(socket: DatagramSocket, bytes: Uint8Array, peer: SocketAddress): void
  /** An error that the kernel reported, such as `connection-refused` for ICMP port unreachable; the socket lives on. */
  failed(socket: DatagramSocket, error: TransportError): void
  /** The last call, exactly once. */
  closed(socket: DatagramSocket): void
}
