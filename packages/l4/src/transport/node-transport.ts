import type { Socket } from 'node:net'
import {
  type AcceptHandler,
  type BindTarget,
  type ConnectTarget,
  type DatagramHandler,
  type DatagramSocket,
  flagOption,
  functionOption,
  invalidOption,
  type ListenTarget,
  objectOption,
  parseSize,
  type Relay,
  type RelayOptions,
  type Size,
  type SocketAddress,
  SteelyardError,
  type Stream,
  type StreamHandler,
  type StreamListener,
  shown,
  type Transport,
} from '@steelyard/core'
import { beginConnect } from './connect.ts'
import { bindDatagram } from './datagram.ts'
import { DescriptorWatch, descriptorLimit } from './descriptor-watch.ts'
import { type HandleKit, HandleWire, handleKit } from './handle-wire.ts'
import { type ListenerHost, openListener } from './listener.ts'
import { ReadBuffer } from './read-buffer.ts'
import { relayStreams } from './relay.ts'
import { SocketWire } from './socket-wire.ts'
import { NodeStream, rethrow, unowned } from './stream.ts'
import type { Wire, WireOwner } from './wire.ts'

/** How a {@link NodeTransport} is made. */
export interface NodeTransportOptions {
  /**
   * What connections stand on. `handles`: libuv's handles without `net.Socket` around them, which costs
   * about half as much per connection and reaches below Node's documented interface. `public`: `net.Socket`
   * alone. Default `auto`: handles where this Node has them as expected, else public.
   */
  readonly io?: 'auto' | 'handles' | 'public'
  /**
   * Memory that all connections read into, one at a time; also the most that one slow reader keeps
   * waiting. Default 256 KiB.
   */
  readonly readBuffer?: Size
  /** TCP_NODELAY: small writes go out at once. Default `true`. */
  readonly noDelay?: boolean
  /** Told what a handler threw; its stream is destroyed. Default: rethrown in a microtask, as an uncaught error. */
  readonly onHandlerError?: (error: unknown) => void
}

/** The transport over Node's own sockets. */
export interface NodeTransport extends Transport {
  readonly name: 'node'
  /** What connections stand on. */
  readonly io: 'handles' | 'public'
}

/** The versions of Node in which what `handles` needs was seen to work. */
const oldestSeen = 22
const newestSeen = 26

/**
 * Makes the transport that runs everywhere Node does. It holds one read buffer and no other state.
 *
 * @throws `invalid-option`, also when `io: 'handles'` is asked for and this Node does not have them.
 */
export function nodeTransport(options: NodeTransportOptions = {}): NodeTransport {
  const readBuffer = parseSize(
    objectOption(options, 'nodeTransport').readBuffer ?? 256 * 1024,
    'readBuffer',
  )
  if (readBuffer < 1024 || readBuffer > 64 * 1024 * 1024) {
    throw invalidOption('readBuffer', `${readBuffer} bytes: use 1KiB to 64MiB`)
  }
  return new SocketTransport(
    chooseKit(options.io ?? 'auto'),
    new ReadBuffer(readBuffer),
    flagOption(options.noDelay ?? true, 'noDelay'),
    functionOption(options.onHandlerError ?? rethrow, 'onHandlerError'),
  )
}

function chooseKit(io: 'auto' | 'handles' | 'public'): HandleKit | undefined {
  if (io === 'public') return undefined
  if (io === 'auto') {
    const major = Number.parseInt(process.versions.node, 10)
    // On Windows sockets have no descriptor to write to.
    if (process.platform === 'win32' || major < oldestSeen || major > newestSeen) return undefined
    const kit = handleKit()
    return kit instanceof Error ? undefined : kit
  }
  if (io !== 'handles') throw invalidOption('io', `${shown(io)}: use auto, handles or public`)
  const kit = handleKit()
  if (kit instanceof Error) {
    throw invalidOption(
      'io',
      `this Node has no usable handles (${kit.message}): use auto or public`,
    )
  }
  return kit
}

class SocketTransport implements NodeTransport {
  readonly name = 'node'
  readonly #kit: HandleKit | undefined
  readonly #shared: ReadBuffer
  readonly #noDelay: boolean
  readonly #report: (error: unknown) => void
  #host: ListenerHost | undefined = undefined
  #datagrams: ReadBuffer | undefined = undefined

  constructor(
    kit: HandleKit | undefined,
    shared: ReadBuffer,
    noDelay: boolean,
    report: (error: unknown) => void,
  ) {
    this.#kit = kit
    this.#shared = shared
    this.#noDelay = noDelay
    this.#report = report
  }

  get io(): 'handles' | 'public' {
    return this.#kit === undefined ? 'public' : 'handles'
  }

  listen(target: ListenTarget, handler: AcceptHandler): Promise<StreamListener> {
    this.#host ??= {
      handles: this.#kit !== undefined,
      watch: new DescriptorWatch(descriptorLimit()),
      adopt: (accepted, local) => this.#adopt(accepted, local),
      report: this.#report,
    }
    return openListener(target, handler, this.#host)
  }

  connect(target: ConnectTarget, handler: StreamHandler): Stream {
    const stream = new NodeStream({
      handler,
      state: 'connecting',
      paused: false,
      source: 'backend',
      report: this.#report,
    })
    beginConnect(target, stream, this.#wire(stream))
    return stream
  }

  relay(a: Stream, b: Stream, options: RelayOptions): Relay {
    return relayStreams(a, b, options)
  }

  release(stream: Stream): Socket {
    const socket = stream instanceof NodeStream ? stream.release() : undefined
    if (socket !== undefined) return socket
    throw new SteelyardError('release: the stream is not an open stream of this transport', {
      code: 'closed',
      source: 'config',
    })
  }

  bind(target: BindTarget, handler: DatagramHandler): Promise<DatagramSocket> {
    this.#datagrams ??= new ReadBuffer(64 * 1024)
    return bindDatagram(target, handler, this.#datagrams, this.#report)
  }

  #wire(owner: WireOwner): Wire {
    if (this.#kit !== undefined) {
      return new HandleWire(this.#kit, owner, this.#shared, this.#noDelay)
    }
    return new SocketWire(owner, { shared: this.#shared, noDelay: this.#noDelay })
  }

  #adopt(accepted: object, local: SocketAddress | undefined): Stream {
    const stream = new NodeStream({
      handler: unowned,
      state: 'open',
      paused: true,
      source: 'client',
      report: this.#report,
    })
    const shared = this.#shared
    const noDelay = this.#noDelay
    const wire =
      this.#kit === undefined
        ? new SocketWire(stream, { shared, noDelay }, accepted as Socket)
        : new HandleWire(this.#kit, stream, shared, noDelay, accepted)
    stream.attach(wire)
    // Asked now, because nobody can tell any more when the client has reset.
    stream.presume(local, wire.remote())
    return stream
  }
}
