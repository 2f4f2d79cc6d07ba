import {
  type Clock,
  clockOption,
  type Emitter,
  type EventSource,
  emitter,
  type Lifecycle,
  type Logger,
  lifecycle,
  noMetrics,
  objectOption,
  type Pool,
  parseDuration,
  partOption,
  type Service,
  type SocketAddress,
  type StartOptions,
  type SteelyardError,
  type StopOptions,
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
import { tcpSessionChannel } from '../channels.ts'
import { type ConnectionLimit, connectionLimit } from '../limits/connection-limit.ts'
import { listenTarget, listenText } from '../listen.ts'
import { certificateSeries } from '../tls/certificate-metrics.ts'
import { nodeTransport } from '../transport/node-transport.ts'
import { rethrow } from '../transport/stream.ts'
import { Admission } from './admission.ts'
import { TcpCounters, type TcpStats } from './counters.ts'
import { TcpSession } from './session.ts'
import type { SessionHost } from './session-host.ts'
import type { EndReason, SessionRecord } from './session-record.ts'
import {
  type TcpBalancerOptions,
  type TcpReconfiguration,
  type TcpSettings,
  tcpSettings,
} from './settings.ts'
import { tcpSeries } from './tcp-series.ts'

/** What a TCP balancer tells. */
export interface TcpBalancerEvents {
  /** A connection is over; exactly once for each accepted one. */
  readonly session: SessionRecord
  /** Accepting failed, for instance for want of descriptors; the listener goes on. */
  readonly error: SteelyardError
}

/** Which connections {@link TcpBalancer.cut} ends. */
export interface CutFilter {
  /** Only those on this member. */
  readonly backendId?: string
  /** Only those of this pool. */
  readonly pool?: Pool
}

/** A TCP listener that spreads its connections over a pool. */
export interface TcpBalancer extends Service, EventSource<TcpBalancerEvents> {
  readonly name: string
  /** The bound address; undefined before the start and after the stop. */
  readonly address: SocketAddress | undefined
  stats(): TcpStats
  /** Open connections on a member, or on all. */
  connections(filter?: CutFilter): number
  /** Ends open connections with RST to both sides; returns how many. */
  cut(filter?: CutFilter): number
  /**
   * Puts other options in force for new connections; those not named stay as they are, and open
   * connections keep theirs. Throws before anything changed.
   */
  reconfigure(options: TcpReconfiguration): void
  /** Stops listening, so that another may listen there; open connections live on. There is no way back. */
  unlisten(): Promise<void>
}

/**
 * Makes a TCP balancer; validates everything, does no I/O.
 *
 * @throws `invalid-option` with the path of the field.
 * @example
 * ```ts
 * import { pool } from '@steelyard/core'
 * import { tcpBalancer } from '@steelyard/l4'
 *
 * const web = pool({ backends: ['10.0.0.11:80', '10.0.0.12:80'] })
 * await using balancer = await tcpBalancer({ listen: ':80', pool: web }).start()
 * ```
 */
export function tcpBalancer(options: TcpBalancerOptions): TcpBalancer {
  return new SocketBalancer(options)
}

class SocketBalancer implements TcpBalancer, SessionHost {
  readonly name: string
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  readonly counters: TcpCounters = new TcpCounters()
  #options: TcpBalancerOptions
  readonly #events: Emitter<TcpBalancerEvents> = emitter<TcpBalancerEvents>()
  readonly #lifecycle: Lifecycle
  readonly #admission: Admission<Stream>
  readonly #limit: ConnectionLimit
  readonly #sessions = new Set<TcpSession>()
  #settings: TcpSettings
  #listener: StreamListener | undefined
  #uses: Disposable[] = []
  /** Former settings whose connections are still to end when a member goes down. */
  readonly #former = new Map<TcpSettings, Former>()
  #unlistened: Promise<void> | undefined
  #collected: Disposable | undefined
  #emptied: (() => void) | undefined

  constructor(options: TcpBalancerOptions) {
    const target = listenTarget(objectOption(options, 'tcpBalancer').listen)
    this.#options = options
    this.name = textOption(options.name ?? listenText(target), 'name')
    this.clock = clockOption(options.clock ?? systemClock, 'clock')
    const wheel = partOption(options.wheel, 'arm', 'wheel', 'make one with timerWheel()')
    this.wheel = wheel ?? timerWheel({ clock: this.clock })
    this.log = options.log ?? silentLog
    this.transport = options.transport ?? nodeTransport()
    this.#settings = tcpSettings(options, this.clock, this.wheel)
    this.#limit = connectionLimit(this.#settings.connectionLimit)
    this.#admission = new Admission<Stream>(
      this.#limit,
      options.nodeLimit,
      (stream) => this.#begin(stream),
      (full) => (full ? this.#listener?.pause() : this.#listener?.resume()),
    )
    this.#lifecycle = lifecycle(
      `tcp balancer ${this.name}`,
      parseDuration(options.drain ?? '30s', 'drain'),
      {
        open: (signal) => this.#open(signal),
        close: (drainMs, signal) => this.#close(drainMs, signal),
      },
    )
  }

  get address(): SocketAddress | undefined {
    return this.#listener?.address
  }

  get closed(): Promise<SteelyardError | undefined> {
    return this.#lifecycle.closed
  }

  get wantsRecord(): boolean {
    return (
      this.#options.onSession !== undefined ||
      this.#events.heard('session') ||
      tcpSessionChannel.hasSubscribers
    )
  }

  on<Name extends keyof TcpBalancerEvents>(
    name: Name,
    listener: (event: TcpBalancerEvents[Name]) => void,
  ): Disposable {
    return this.#events.on(name, listener)
  }

  async start(options?: StartOptions): Promise<this> {
    await this.#lifecycle.start(options)
    return this
  }

  stop(options?: StopOptions): Promise<void> {
    return this.#lifecycle.stop(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  stats(): TcpStats {
    const { counters } = this
    let { bytesFromClient, bytesToClient } = counters
    for (const session of this.#sessions) {
      bytesFromClient += session.bytesFromClient
      bytesToClient += session.bytesToClient
    }
    return {
      active: this.#sessions.size,
      accepted: counters.accepted,
      bytesFromClient,
      bytesToClient,
      connectFailures: counters.connectFailures,
      retries: counters.retries,
      queued: counters.queued + this.#admission.parked,
      acceptFailures: counters.acceptFailures,
      ended: Object.fromEntries(counters.ended),
    }
  }

  connections(filter: CutFilter = {}): number {
    let count = 0
    for (const session of this.#sessions) if (matches(session, filter)) count += 1
    return count
  }

  cut(filter: CutFilter = {}): number {
    return this.#cut(filter, 'cut')
  }

  reconfigure(change: TcpReconfiguration): void {
    const { pool, ...rest } = objectOption(change, 'tcpBalancer')
    const options = { ...this.#options, ...rest, pool: pool ?? this.#options.pool }
    const settings = tcpSettings(options, this.clock, this.wheel, this.#settings)
    const { state } = this.#lifecycle
    const live = state === 'starting' || state === 'running'
    // The new pools are in use before the old ones are let go: a pool in both is checked without a gap.
    const uses = live ? this.#usePools(settings) : this.#uses
    const before = { settings: this.#settings, uses: this.#uses }
    this.#options = options
    this.#settings = settings
    this.#uses = uses
    if (live) this.#retire(before.settings, before.uses)
    this.#limit.setMax(settings.connectionLimit)
  }

  unlisten(): Promise<void> {
    if (this.#lifecycle.state === 'idle') return Promise.resolve()
    this.#unlistened ??= this.#unlisten()
    return this.#unlistened
  }

  finished(session: TcpSession, record: SessionRecord | undefined): void {
    const admitted = this.#sessions.delete(session)
    if (record !== undefined) this.#tell(record)
    if (!admitted) return
    const former = this.#former.size === 0 ? undefined : this.#former.get(session.settings)
    if (former !== undefined) {
      former.sessions -= 1
      if (former.sessions === 0) {
        this.#former.delete(session.settings)
        disposeAll(former.uses)
      }
    }
    this.#admission.leave()
    if (this.#sessions.size === 0) this.#emptied?.()
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#uses = this.#usePools(this.#settings)
    let listener: StreamListener | undefined
    try {
      listener = await this.transport.listen(
        { ...listenTarget(this.#options.listen), ...(signal === undefined ? {} : { signal }) },
        {
          accepted: (stream) => this.#accepted(stream),
          failed: (error) => this.#acceptFailed(error),
        },
      )
      this.#collected = (this.#options.metrics ?? noMetrics).collect((report) => {
        const labels = { listener: this.name }
        const { terminate } = this.#settings
        if (terminate !== undefined) certificateSeries(terminate, labels, report)
        tcpSeries(this.stats(), labels, report)
      })
    } catch (error) {
      this.#letGo()
      await listener?.close()
      throw error
    }
    if (this.#unlistened !== undefined) return listener.close()
    this.#listener = listener
    if (this.#admission.parked > 0) listener.pause()
  }

  async #close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.unlisten()
    } finally {
      await this.#drained(drainMs, signal)
      this.#cut({}, 'drain-deadline')
      await this.#drained(Number.POSITIVE_INFINITY, undefined)
      this.#admission[Symbol.dispose]()
      this.#collected?.[Symbol.dispose]()
      this.#letGo()
      if (this.#options.wheel === undefined) this.wheel[Symbol.dispose]()
    }
  }

  async #unlisten(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    // Before the wait: who is parked must not be let in any more.
    for (const stream of this.#admission.clear()) this.#turnAway(stream)
    await listener?.close()
  }

  /** Resolves when no session is left, the time is up, or the signal aborts. */
  async #drained(withinMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#sessions.size === 0 || withinMs <= 0 || signal?.aborted === true) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const enough = (): void => resolve()
    this.#emptied = enough
    signal?.addEventListener('abort', enough, { once: true })
    const deadline = Number.isFinite(withinMs) ? this.clock.after(withinMs, enough) : undefined
    await promise
    deadline?.[Symbol.dispose]()
    signal?.removeEventListener('abort', enough)
    this.#emptied = undefined
  }

  #accepted(stream: Stream): void {
    this.counters.accepted += 1
    if (this.#unlistened === undefined) this.#admission.arrive(stream)
    else this.#turnAway(stream)
  }

  #begin(stream: Stream): void {
    const session = new TcpSession(this, this.#settings, stream)
    this.#sessions.add(session)
    session.begin()
  }

  /** Ends a connection that was accepted and never admitted; it has its record all the same. */
  #turnAway(stream: Stream): void {
    new TcpSession(this, this.#settings, stream).cut('cut')
  }

  #tell(record: SessionRecord): void {
    try {
      this.#options.onSession?.(record)
    } catch (error) {
      rethrow(error)
    }
    this.#events.emit('session', record)
    if (tcpSessionChannel.hasSubscribers) tcpSessionChannel.publish(record)
  }

  #acceptFailed(error: TransportError): void {
    this.counters.acceptFailures += 1
    this.log.warn({ listener: this.name, code: error.code, error: error.message }, 'accept failed')
    this.#events.emit('error', error)
  }

  #cut(filter: CutFilter, reason: EndReason): number {
    const chosen = [...this.#sessions].filter((session) => matches(session, filter))
    for (const session of chosen) session.cut(reason)
    return chosen.length
  }

  #usePools(settings: TcpSettings): Disposable[] {
    const uses: Disposable[] = []
    try {
      for (const pool of settings.pools) {
        uses.push(pool.use())
        if (settings.whenDown === 'keep') continue
        uses.push(
          pool.on('health', ({ backend, health }) => {
            if (health !== 'down') return
            for (const session of [...this.#sessions]) session.memberDown(pool, backend)
          }),
        )
      }
    } catch (error) {
      disposeAll(uses)
      throw error
    }
    return uses
  }

  /** Lets go of the pools, at once or when the last connection that is to hear of them has ended. */
  #retire(settings: TcpSettings, uses: readonly Disposable[]): void {
    let sessions = 0
    if (settings.whenDown === 'reset') {
      for (const session of this.#sessions) if (session.settings === settings) sessions += 1
    }
    if (sessions === 0) disposeAll(uses)
    else this.#former.set(settings, { uses, sessions })
  }

  #letGo(): void {
    disposeAll(this.#uses)
    this.#uses = []
    for (const { uses } of this.#former.values()) disposeAll(uses)
    this.#former.clear()
  }
}

/** What connections of former settings still need. */
interface Former {
  readonly uses: readonly Disposable[]
  sessions: number
}

function disposeAll(items: readonly Disposable[]): void {
  for (const item of items) item[Symbol.dispose]()
}

function matches(session: TcpSession, { backendId, pool }: CutFilter): boolean {
  return (
    (backendId === undefined || session.backend?.id === backendId) &&
    (pool === undefined || session.pool === pool)
  )
}
