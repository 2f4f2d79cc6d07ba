import {
  type Clock,
  clockOption,
  type Duration,
  type Lifecycle,
  type Logger,
  lifecycle,
  type Metrics,
  noMetrics,
  objectOption,
  parseDuration,
  partOption,
  type Report,
  type SocketAddress,
  type Stream,
  type StreamListener,
  silentLog,
  systemClock,
  type TimerWheel,
  type Transport,
  type TransportError,
  textOption,
  timerWheel,
} from '@steelyard/core'
import { Admission } from './admission.ts'
import { type ConnectionLimit, connectionLimit } from './limits/connection-limit.ts'
import { type Listen, listenTarget, listenText } from './listen.ts'
import { nodeTransport } from './transport/node-transport.ts'

/** What every balancer of streams is told about its surroundings. */
export interface FrontDoorOptions {
  /** `host:port`, `[v6]:port`, `:port`, `unix:/path`, or the details. */
  readonly listen: Listen
  /** Default: the address. */
  readonly name?: string
  /** Connections of the whole node, shared by listeners. Default: none. */
  readonly nodeLimit?: ConnectionLimit
  /** How long connections may go on at the stop. Default `30s`. */
  readonly drain?: Duration
  readonly transport?: Transport
  readonly clock?: Clock
  readonly wheel?: TimerWheel
  readonly log?: Logger
  readonly metrics?: Metrics
}

/** The balancer behind a {@link FrontDoor}. */
export interface HouseBehind {
  /** Something is still under way. */
  readonly busy: boolean
  /** Takes what must be in use before the first connection. What it throws ends the start; then it has taken nothing. */
  open(): void
  /** A connection for which there is room. It owes one {@link FrontDoor.leave}. */
  begin(stream: Stream): void
  /** A connection that will not be let in any more. */
  turnAway(stream: Stream): void
  /** No more connections come: those that are idle may go. */
  drain(): void
  /** The drain time is over. */
  cut(): void
  /** All is over: lets go of what {@link HouseBehind.open} took. */
  close(): void
  /** Accepting failed; the listener goes on. */
  failed(error: TransportError): void
  /** For a scrape. */
  report(report: Report): void
}

/** What connections that were cut have to go away. */
const lastMs = 2000

/**
 * A listener with admission and an orderly end, on which balancers of streams are built: it lets connections in while
 * there is room, and when it stops it closes the port first, waits for what is under way, and cuts the rest.
 */
export class FrontDoor {
  readonly name: string
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  /** Connections at once; no limit until {@link ConnectionLimit.setMax}. */
  readonly limit: ConnectionLimit = connectionLimit(0)
  readonly lifecycle: Lifecycle
  accepted = 0
  acceptFailures = 0
  readonly #options: FrontDoorOptions
  readonly #house: HouseBehind
  readonly #admission: Admission<Stream>
  #listener: StreamListener | undefined
  #unlistened: Promise<void> | undefined
  #collected: Disposable | undefined
  #look: (() => void) | undefined

  /**
   * @param kind - the factory's name, for messages: `tcpBalancer`
   * @throws `invalid-option` with the path of the field.
   */
  constructor(kind: string, options: FrontDoorOptions, house: HouseBehind) {
    const target = listenTarget(objectOption(options, kind).listen)
    this.#options = options
    this.#house = house
    this.name = textOption(options.name ?? listenText(target), 'name')
    this.clock = clockOption(options.clock ?? systemClock, 'clock')
    const wheel = partOption(options.wheel, 'arm', 'wheel', 'make one with timerWheel()')
    this.wheel = wheel ?? timerWheel({ clock: this.clock })
    this.log = options.log ?? silentLog
    this.transport = options.transport ?? nodeTransport()
    this.#admission = new Admission<Stream>(
      this.limit,
      options.nodeLimit,
      (stream) => house.begin(stream),
      (full) => (full ? this.#listener?.pause() : this.#listener?.resume()),
    )
    this.lifecycle = lifecycle(
      `${kind.replace('Balancer', ' balancer')} ${this.name}`,
      parseDuration(options.drain ?? '30s', 'drain'),
      {
        open: (signal) => this.#open(signal),
        close: (drainMs, signal) => this.#close(drainMs, signal),
      },
    )
  }

  /** The bound address; undefined before the start and after the stop. */
  get address(): SocketAddress | undefined {
    return this.#listener?.address
  }

  /** It is being started, or runs. */
  get live(): boolean {
    const { state } = this.lifecycle
    return state === 'starting' || state === 'running'
  }

  /** It listens no more. */
  get shut(): boolean {
    return this.#unlistened !== undefined
  }

  /** Connections that wait for room. */
  get parked(): number {
    return this.#admission.parked
  }

  /** A connection that was let in is over. */
  leave(): void {
    this.#admission.leave()
    this.look()
  }

  /** Something ended: if it was the last, the stop may go on. */
  look(): void {
    if (this.#look !== undefined && !this.#house.busy) this.#look()
  }

  /** Stops listening, so that another may listen there; open connections live on. There is no way back. */
  unlisten(): Promise<void> {
    if (this.lifecycle.state === 'idle') return Promise.resolve()
    this.#unlistened ??= this.#unlisten()
    return this.#unlistened
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#house.open()
    let listener: StreamListener | undefined
    try {
      listener = await this.transport.listen(
        { ...listenTarget(this.#options.listen), ...(signal === undefined ? {} : { signal }) },
        {
          accepted: (stream) => this.#accepted(stream),
          failed: (error) => this.#failed(error),
        },
      )
      this.#collected = (this.#options.metrics ?? noMetrics).collect((report) =>
        this.#house.report(report),
      )
    } catch (error) {
      this.#house.close()
      await listener?.close()
      throw error
    }
    if (this.shut) return listener.close()
    this.#listener = listener
    if (this.parked > 0) listener.pause()
  }

  async #close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.unlisten()
    } finally {
      await this.#drained(drainMs, signal)
      this.#house.cut()
      await this.#drained(lastMs, undefined)
      this.#admission[Symbol.dispose]()
      this.#collected?.[Symbol.dispose]()
      this.#house.close()
      if (this.#options.wheel === undefined) this.wheel[Symbol.dispose]()
    }
  }

  async #unlisten(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    // Before the wait: who is parked must not be let in any more.
    for (const stream of this.#admission.clear()) this.#house.turnAway(stream)
    this.#house.drain()
    await listener?.close()
  }

  /** Resolves when nothing is under way, the time is up, or the signal aborts. */
  async #drained(withinMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#house.busy || withinMs <= 0 || signal?.aborted === true) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const enough = (): void => resolve()
    this.#look = enough
    signal?.addEventListener('abort', enough, { once: true })
    const deadline = this.clock.after(withinMs, enough)
    await promise
    deadline[Symbol.dispose]()
    signal?.removeEventListener('abort', enough)
    this.#look = undefined
  }

  #accepted(stream: Stream): void {
    this.accepted += 1
    if (this.shut) this.#house.turnAway(stream)
    else this.#admission.arrive(stream)
  }

  #failed(error: TransportError): void {
    this.acceptFailures += 1
    this.log.warn({ listener: this.name, code: error.code, error: error.message }, 'accept failed')
    this.#house.failed(error)
  }
}
