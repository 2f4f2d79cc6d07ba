import {
  type AcceptHandler,
  type ConnectTarget,
  type ListenTarget,
  type Relay,
  type RelayEnd,
  type RelayOptions,
  type SocketAddress,
  SteelyardError,
  type Stream,
  type StreamHandler,
  type StreamListener,
  type Transport,
  type TransportError,
  type TransportErrorCode,
} from '@steelyard/core'

/** A network of streams in memory, where nothing moves until it is told to. */
export interface MemoryStreams {
  /** Its `listen`, `connect` and `relay` work on this network; it has no datagrams and no Node sockets. */
  readonly transport: Transport
  /** Streams of the transport that are not closed; those of peers do not count. */
  readonly open: number
  /** Those of them that are being connected, or were. */
  readonly dialled: number
  /** Listeners open now. */
  readonly listeners: number
  /** News that are under way: see {@link MemoryStreams.step}. */
  readonly inFlight: number
  /** Connects that wait for {@link MemoryCall.accept} or {@link MemoryCall.refuse}, oldest first. */
  readonly calls: readonly MemoryCall[]
  /** Everything that was ever asked to be connected, in order. */
  readonly asked: readonly ConnectTarget[]
  /** Bytes that a stream of the transport takes before `write` says false. Default 4096. */
  window: number
  /** While set, `connect` throws this. */
  broken: Error | undefined
  /** Opens a connection to a listener as a client would; it is accepted by a later step. */
  client(to: SocketAddress, from?: SocketAddress): MemoryEnd
  /** Delivers one piece of news, by default the oldest; false when there is none. */
  step(which?: number): boolean
  /** Delivers all that is in flight, and all that comes of it, until nothing moves. */
  settle(): Promise<void>
  /** Tells the listeners that accepting failed. */
  failAccepts(code: TransportErrorCode): void
}

/** A connect that a backend has not answered. */
export interface MemoryCall {
  readonly target: ConnectTarget
  /** True once nobody waits for the answer any more. */
  readonly over: boolean
  accept(): MemoryEnd
  refuse(code?: TransportErrorCode): void
}

/** The far end of a connection, in the hands of the test: a client, or a backend. */
export interface MemoryEnd {
  readonly local: SocketAddress
  readonly remote: SocketAddress
  /** Everything that has come. */
  readonly received: Uint8Array
  /** The other side's FIN has come. */
  readonly ended: boolean
  /** How it ended for this side; absent while it has not. */
  readonly over: 'reset' | 'closed' | undefined
  /** While true nothing is taken in, so that the writer has to wait. */
  slow: boolean
  /** False when this side has ended. */
  send(bytes: Uint8Array): boolean
  end(): void
  reset(): void
}

/** Makes a {@link MemoryStreams}; addresses and ports that nobody names count up from 10.9.0.1:40000. */
export function memoryStreams(): MemoryStreams {
  return new StreamNetwork()
}

/** What a side tells the other; one at a time, in order. */
type News =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' }

/** One way of a connection: what was said and has not come. */
interface Way {
  readonly queue: News[]
  /** May the next piece be delivered now? */
  ready(): boolean
  deliver(news: News): void
}

class StreamNetwork implements MemoryStreams {
  window = 4096
  broken: Error | undefined = undefined
  readonly transport: Transport
  readonly asked: ConnectTarget[] = []
  readonly streams: Set<MemoryStream> = new Set()
  readonly #listeners = new Map<string, MemoryListener>()
  readonly #ways = new Set<Way>()
  /** Accepts, answers to connects, closes and drains: what is no byte. */
  readonly #tasks: (() => void)[] = []
  readonly #calls = new Set<Call>()
  #nextPort = 40_000

  constructor() {
    const none = (): never => {
      throw new Error('this transport has streams in memory only')
    }
    this.transport = {
      name: 'memory',
      listen: (target, handler) => this.#listen(target, handler),
      connect: (target, handler) => this.#connect(target, handler),
      relay: (a, b, options) => new MemoryRelay(this, a, b, options),
      release: none,
      bind: none,
    }
  }

  get open(): number {
    return this.streams.size
  }

  get dialled(): number {
    let count = 0
    for (const { call } of this.streams) if (call !== undefined) count += 1
    return count
  }

  get listeners(): number {
    return this.#listeners.size
  }

  get inFlight(): number {
    return this.#tasks.length + this.#readyWays().length
  }

  get calls(): readonly MemoryCall[] {
    return [...this.#calls]
  }

  client(to: SocketAddress, from: SocketAddress = this.freshAddress()): MemoryEnd {
    const listener = this.#listeners.get(keyOf(to))
    const end = new FarEnd(this, from, to)
    if (listener === undefined) {
      this.later(() => end.close('reset'))
      return end
    }
    const stream = this.pair(end, 'open')
    this.later(() => listener.arrived(stream))
    return end
  }

  step(which = 0): boolean {
    const ways = this.#readyWays()
    const count = this.#tasks.length + ways.length
    if (count === 0) return false
    const index = which % count
    if (index < this.#tasks.length) {
      this.#tasks.splice(index, 1)[0]!()
    } else {
      const way = ways[index - this.#tasks.length]!
      way.deliver(way.queue.shift()!)
    }
    return true
  }

  async settle(): Promise<void> {
    do {
      while (this.step()) {
        // Each step may bring more.
      }
      await new Promise((resolve) => setImmediate(resolve))
    } while (this.inFlight > 0)
  }

  failAccepts(code: TransportErrorCode): void {
    for (const listener of this.#listeners.values()) {
      this.later(() => listener.handler.failed(failure(code, 'system')))
    }
  }

  /** @internal Runs in a step of its own. */
  later(task: () => void): void {
    this.#tasks.push(task)
  }

  /** @internal */
  freshAddress(): SocketAddress {
    return Object.freeze({ address: '10.9.0.1', port: this.#nextPort++, family: 4 })
  }

  /** @internal */
  answered(call: Call): void {
    this.#calls.delete(call)
  }

  /** @internal */
  unlisten(listener: MemoryListener): void {
    this.#listeners.delete(keyOf(listener.address))
  }

  /** @internal Makes our side of a far end. */
  pair(end: FarEnd, state: 'connecting' | 'open', handler: StreamHandler = unowned): MemoryStream {
    const stream = new MemoryStream(this, end, state, handler)
    this.streams.add(stream)
    this.#ways.add(stream.incoming)
    this.#ways.add(end.incoming)
    return stream
  }

  /** @internal */
  forget(...ways: Way[]): void {
    for (const way of ways) this.#ways.delete(way)
  }

  #readyWays(): Way[] {
    return [...this.#ways].filter((way) => way.queue.length > 0 && way.ready())
  }

  #listen(target: ListenTarget, handler: AcceptHandler): Promise<StreamListener> {
    const { host = '::', port = 0 } = target
    const address =
      target.path === undefined
        ? addressOf(host, port === 0 ? this.#nextPort++ : port)
        : unixOf(target.path)
    if (this.#listeners.has(keyOf(address))) {
      return Promise.reject(failure('address-in-use', 'system'))
    }
    const listener = new MemoryListener(this, address, handler)
    this.#listeners.set(keyOf(address), listener)
    return Promise.resolve(listener)
  }

  #connect(target: ConnectTarget, handler: StreamHandler): Stream {
    if (this.broken !== undefined) throw this.broken
    this.asked.push(target)
    const { host, port = 0, path } = target
    const remote = path === undefined ? addressOf(host!, port) : unixOf(path)
    const end = new FarEnd(this, remote, this.freshAddress())
    const stream = this.pair(end, 'connecting', handler)
    this.#calls.add(new Call(this, target, stream, end))
    return stream
  }
}

class MemoryListener implements StreamListener {
  readonly address: SocketAddress
  readonly handler: AcceptHandler
  readonly #network: StreamNetwork
  readonly #held: MemoryStream[] = []
  #paused = false
  #closed = false

  constructor(network: StreamNetwork, address: SocketAddress, handler: AcceptHandler) {
    this.#network = network
    this.address = address
    this.handler = handler
  }

  arrived(stream: MemoryStream): void {
    if (this.#closed) stream.reset()
    else if (this.#paused) this.#held.push(stream)
    else this.handler.accepted(stream)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    for (const stream of this.#held.splice(0)) this.#network.later(() => this.arrived(stream))
  }

  close(): Promise<void> {
    this.#closed = true
    this.#network.unlisten(this)
    for (const stream of this.#held.splice(0)) stream.reset()
    return Promise.resolve()
  }
}

class Call implements MemoryCall {
  readonly target: ConnectTarget
  readonly #network: StreamNetwork
  readonly #stream: MemoryStream
  readonly #end: FarEnd

  constructor(network: StreamNetwork, target: ConnectTarget, stream: MemoryStream, end: FarEnd) {
    this.#network = network
    this.target = target
    this.#stream = stream
    this.#end = end
    stream.call = this
  }

  get over(): boolean {
    return this.#stream.state !== 'connecting'
  }

  accept(): MemoryEnd {
    this.#network.answered(this)
    this.#network.later(() => this.#stream.opened())
    return this.#end
  }

  refuse(code: TransportErrorCode = 'connection-refused'): void {
    this.#network.answered(this)
    this.#network.later(() =>
      this.#stream.fail(failure(code, ours.has(code) ? 'system' : 'backend')),
    )
  }
}

/** The test's side. */
class FarEnd implements MemoryEnd {
  readonly local: SocketAddress
  readonly remote: SocketAddress
  readonly incoming: Way
  slow = false
  ended = false
  over: 'reset' | 'closed' | undefined = undefined
  /** Our side; set when the pair is made. */
  other: MemoryStream | undefined = undefined
  readonly #network: StreamNetwork
  #received: Uint8Array = new Uint8Array(0)
  #ending = false

  constructor(network: StreamNetwork, local: SocketAddress, remote: SocketAddress) {
    this.#network = network
    this.local = local
    this.remote = remote
    this.incoming = {
      queue: [],
      ready: () => !this.slow || this.incoming.queue[0]?.kind === 'reset',
      deliver: (news) => this.#deliver(news),
    }
  }

  get received(): Uint8Array {
    return this.#received
  }

  send(bytes: Uint8Array): boolean {
    if (this.#ending || this.over !== undefined) return false
    this.other?.incoming.queue.push({ kind: 'bytes', bytes: bytes.slice() })
    return true
  }

  end(): void {
    if (this.#ending || this.over !== undefined) return
    this.#ending = true
    this.other?.incoming.queue.push({ kind: 'end' })
    if (this.ended) this.close('closed')
  }

  reset(): void {
    if (this.over !== undefined) return
    this.close('reset')
    // A reset overtakes what is unread.
    this.other?.incoming.queue.splice(0, Number.POSITIVE_INFINITY, { kind: 'reset' })
  }

  close(how: 'reset' | 'closed'): void {
    this.over ??= how
    this.incoming.queue.length = 0
    this.#network.forget(this.incoming)
  }

  #deliver(news: News): void {
    if (news.kind === 'reset') return this.close('reset')
    if (news.kind === 'end') {
      this.ended = true
      this.other?.endTaken()
      if (this.#ending) this.close('closed')
      return
    }
    const { bytes } = news
    const longer = new Uint8Array(this.#received.length + bytes.length)
    longer.set(this.#received)
    longer.set(bytes, this.#received.length)
    this.#received = longer
    this.other?.taken(bytes.length)
  }
}

/** The balancer's side. */
class MemoryStream implements Stream {
  readonly local: SocketAddress
  readonly remote: SocketAddress
  readonly incoming: Way
  handler: StreamHandler
  context: unknown = undefined
  state: 'connecting' | 'open' | 'closed'
  ended = false
  bytesRead = 0
  bytesWritten = 0
  pending = 0
  call: Call | undefined = undefined
  readonly #network: StreamNetwork
  readonly #end: FarEnd
  /** Accepted streams stand still; dialled ones do not. */
  #paused: boolean
  #ending = false
  #finished = false
  #wantsDrained = false
  #early: News[] | undefined

  constructor(
    network: StreamNetwork,
    end: FarEnd,
    state: 'connecting' | 'open',
    handler: StreamHandler,
  ) {
    this.#network = network
    this.#end = end
    this.#paused = state === 'open'
    this.#early = state === 'connecting' ? [] : undefined
    this.state = state
    this.handler = handler
    this.local = end.remote
    this.remote = end.local
    end.other = this
    this.incoming = {
      queue: [],
      ready: () =>
        this.state === 'open' && (!this.#paused || this.incoming.queue[0]?.kind === 'reset'),
      deliver: (news) => this.#deliver(news),
    }
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.state === 'closed') return true
    this.bytesWritten += bytes.length
    this.pending += bytes.length
    this.#send({ kind: 'bytes', bytes: bytes.slice() })
    if (this.pending <= this.#network.window) return true
    this.#wantsDrained = true
    return false
  }

  end(): void {
    if (this.#ending || this.state === 'closed') return
    this.#ending = true
    this.#send({ kind: 'end' })
  }

  reset(): void {
    this.#leave('reset', undefined)
  }

  /** Closes without a reset; as with a kernel, unread bytes make it one. */
  destroy(): void {
    this.#leave(this.incoming.queue.length > 0 ? 'reset' : 'closed', undefined)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
  }

  opened(): void {
    if (this.state !== 'connecting') return
    this.state = 'open'
    const early = this.#early ?? []
    this.#early = undefined
    for (const news of early) this.#send(news)
    this.handler.opened?.(this)
  }

  fail(error: TransportError): void {
    this.#leave('closed', error)
  }

  /** The far end has read this much of ours. */
  taken(bytes: number): void {
    if (this.state !== 'open') return
    this.pending -= bytes
    if (this.pending > 0 || !this.#wantsDrained) return
    this.#wantsDrained = false
    this.handler.drained(this)
  }

  /** The far end has read our FIN. */
  endTaken(): void {
    this.#finished = true
    if (this.ended) this.#leave('closed', undefined)
  }

  #send(news: News): void {
    if (this.#early === undefined) this.#end.incoming.queue.push(news)
    else this.#early.push(news)
  }

  #deliver(news: News): void {
    if (news.kind === 'reset') {
      return this.#leave('closed', failure('connection-reset', 'peer'))
    }
    if (news.kind === 'end') {
      this.ended = true
      this.handler.ended(this)
      if (this.#finished) this.#leave('closed', undefined)
      return
    }
    const { bytes } = news
    this.bytesRead += bytes.length
    this.handler.data(this, bytes)
    // The range was lent: whoever kept it instead of a copy finds out now.
    bytes.fill(0xdd)
  }

  #leave(how: 'reset' | 'closed', error: TransportError | undefined): void {
    if (this.state === 'closed') return
    const orderly = this.ended && this.#finished
    this.state = 'closed'
    this.pending = 0
    this.#early = undefined
    if (this.call !== undefined) this.#network.answered(this.call)
    this.#network.streams.delete(this)
    this.#network.forget(this.incoming)
    if (how === 'reset') {
      this.#end.incoming.queue.splice(0, Number.POSITIVE_INFINITY, { kind: 'reset' })
    } else if (!orderly && error === undefined) {
      // The peer may read what is under way, and then sees the end; what it sends meets nobody.
      this.#end.incoming.queue.splice(0, Number.POSITIVE_INFINITY, { kind: 'reset' })
    }
    this.#network.later(() => this.handler.closed(this, error))
  }
}

/** Joins two streams by nothing but the contract. */
class MemoryRelay implements Relay, StreamHandler {
  bytesAtoB = 0
  bytesBtoA = 0
  readonly #a: Stream
  readonly #b: Stream
  readonly #done: (end: RelayEnd) => void
  #by: RelayEnd['by'] | undefined
  #error: TransportError | undefined
  #firstEnded: 'a' | 'b' | undefined
  readonly #closed = new Set<Stream>()

  constructor(network: StreamNetwork, a: Stream, b: Stream, { done }: RelayOptions) {
    this.#a = a
    this.#b = b
    this.#done = done
    a.handler = this
    b.handler = this
    for (const stream of [a, b]) {
      // Nobody tells a second time of an end that came before.
      if (stream.state === 'closed') network.later(() => this.closed(stream, undefined))
      else if (stream.ended) network.later(() => this.ended(stream))
      else stream.resume()
    }
  }

  get endedA(): boolean {
    return this.#a.ended
  }

  get endedB(): boolean {
    return this.#b.ended
  }

  stop(how: 'reset' | 'destroy'): void {
    this.#by ??= 'owner'
    for (const stream of [this.#a, this.#b]) {
      if (how === 'reset') stream.reset()
      else stream.destroy()
    }
  }

  data(stream: Stream, bytes: Uint8Array): void {
    if (stream === this.#a) this.bytesAtoB += bytes.length
    else this.bytesBtoA += bytes.length
    if (!this.#other(stream).write(bytes)) stream.pause()
  }

  ended(stream: Stream): void {
    this.#firstEnded ??= this.#side(stream)
    this.#other(stream).end()
  }

  drained(stream: Stream): void {
    this.#other(stream).resume()
  }

  closed(stream: Stream, error: TransportError | undefined): void {
    if (this.#closed.has(stream)) return
    this.#closed.add(stream)
    if (error !== undefined && this.#by === undefined) {
      this.#by = this.#side(stream)
      this.#error = error
    }
    const other = this.#other(stream)
    if (error !== undefined || !stream.ended || !other.ended) {
      this.#by ??= this.#side(stream)
      other.reset()
    }
    if (!this.#closed.has(other)) return
    const by = this.#by ?? this.#firstEnded ?? 'a'
    this.#done(this.#error === undefined ? { by } : { by, error: this.#error })
  }

  #other(stream: Stream): Stream {
    return stream === this.#a ? this.#b : this.#a
  }

  #side(stream: Stream): 'a' | 'b' {
    return stream === this.#a ? 'a' : 'b'
  }
}

const unowned: StreamHandler = { data() {}, ended() {}, drained() {}, closed() {} }

/** Failures that are no backend's. */
const ours: ReadonlySet<TransportErrorCode> = new Set([
  'too-many-files',
  'address-not-available',
  'permission-denied',
])

function keyOf({ address, port, path }: SocketAddress): string {
  return path ?? `${address}:${port}`
}

function addressOf(address: string, port: number): SocketAddress {
  return Object.freeze({ address, port, family: address.includes(':') ? 6 : 4 })
}

function unixOf(path: string): SocketAddress {
  return Object.freeze({ address: path, port: 0, family: 'unix', path })
}

function failure(code: TransportErrorCode, source: 'backend' | 'peer' | 'system'): TransportError {
  return new SteelyardError(`made up by the test: ${code}`, {
    code,
    source,
    retryable: code !== 'permission-denied',
  })
}
