import {
  type Clock,
  type Emitter,
  type EventSource,
  emitter,
  type Lifecycle,
  type Logger,
  lifecycle,
  type Metrics,
  noMetrics,
  type Pool,
  parseDuration,
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
  timerWheel,
} from '@steelyard/core'
import { tcpSessionChannel } from '../channels.ts'
import { type ConnectionLimit, connectionLimit } from '../limits/connection-limit.ts'
import { listenTarget, listenText } from '../listen.ts'
import { certificateSeries } from '../tls/certificate-metrics.ts'
import { nodeTransport } from '../transport/node-transport.ts'
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
  #collected: Disposable | undefined
  #emptied: (() => void) | undefined

  constructor(options: TcpBalancerOptions) {
    const target = listenTarget(options.listen)
    this.#options = options
    this.name = options.name ?? listenText(target)
    this.clock = options.clock ?? systemClock
    this.wheel = options.wheel ?? timerWheel({ clock: this.clock })
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
    const { pool, ...rest } = change
    const options = { ...this.#options, ...rest, pool: pool ?? this.#options.pool }
    const settings = tcpSettings(options, this.clock, this.wheel)
    this.#limit.setMax(settings.connectionLimit)
    this.#options = options
    const before = this.#uses
    this.#settings = settings
    if (this.#lifecycle.state === 'starting' || this.#lifecycle.state === 'running') {
      // The new pools are in use before the old ones are let go: a pool in both is checked without a gap.
      this.#uses = this.#usePools(settings)
      for (const use of before) use[Symbol.dispose]()
    }
  }

  async unlisten(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    await listener?.close()
    for (const stream of this.#admission.clear()) stream.reset()
  }

  finished(session: TcpSession, record: SessionRecord | undefined): void {
    this.#sessions.delete(session)
    if (record !== undefined) {
      this.#options.onSession?.(record)
      this.#events.emit('session', record)
      if (tcpSessionChannel.hasSubscribers) tcpSessionChannel.publish(record)
    }
    this.#admission.leave()
    if (this.#sessions.size === 0) this.#emptied?.()
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#uses = this.#usePools(this.#settings)
    try {
      this.#listener = await this.transport.listen(
        { ...listenTarget(this.#options.listen), ...(signal === undefined ? {} : { signal }) },
        {
          accepted: (stream) => this.#accepted(stream),
          failed: (error) => this.#acceptFailed(error),
        },
      )
    } catch (error) {
      this.#letGo()
      throw error
    }
    this.#collected = this.#collect(this.#options.metrics ?? noMetrics)
  }

  async #close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    await this.unlisten()
    await this.#drained(drainMs, signal)
    this.#cut({}, 'drain-deadline')
    await this.#drained(Number.POSITIVE_INFINITY, undefined)
    this.#admission[Symbol.dispose]()
    this.#collected?.[Symbol.dispose]()
    this.#letGo()
    if (this.#options.wheel === undefined) this.wheel[Symbol.dispose]()
  }

  /** Resolves when no session is left, the time is up, or the signal aborts. */
  async #drained(withinMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#sessions.size === 0 || withinMs <= 0 || signal?.aborted === true) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#emptied = resolve
    signal?.addEventListener('abort', () => resolve(), { once: true })
    const deadline = Number.isFinite(withinMs) ? this.clock.after(withinMs, resolve) : undefined
    await promise
    deadline?.[Symbol.dispose]()
    this.#emptied = undefined
  }

  #accepted(stream: Stream): void {
    this.counters.accepted += 1
    this.#admission.arrive(stream)
  }

  #begin(stream: Stream): void {
    const session = new TcpSession(this, this.#settings, stream)
    this.#sessions.add(session)
    session.begin()
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
    return settings.pools.flatMap((pool) => [
      pool.use(),
      pool.on('health', ({ backend, health }) => {
        if (health === 'down' && this.#settings.whenDown === 'reset') {
          this.#cut({ backendId: backend.id, pool }, 'member-down')
        }
      }),
    ])
  }

  #letGo(): void {
    for (const use of this.#uses) use[Symbol.dispose]()
    this.#uses = []
  }

  #collect(metrics: Metrics): Disposable {
    const labels = { listener: this.name }
    return metrics.collect((report) => {
      const { terminate } = this.#settings
      if (terminate !== undefined) certificateSeries(terminate, labels, report)
      const stats = this.stats()
      report('gauge', 'steelyard_l4_connections', 'Open TCP connections.', stats.active, labels)
      report(
        'gauge',
        'steelyard_l4_queued',
        'Connections that wait for room.',
        stats.queued,
        labels,
      )
      report(
        'counter',
        'steelyard_l4_accepted_total',
        'Accepted TCP connections.',
        stats.accepted,
        labels,
      )
      report(
        'counter',
        'steelyard_l4_accept_failures_total',
        'Failed accepts.',
        stats.acceptFailures,
        labels,
      )
      report(
        'counter',
        'steelyard_l4_connect_failures_total',
        'Failed connects to backends.',
        stats.connectFailures,
        labels,
      )
      report(
        'counter',
        'steelyard_l4_retries_total',
        'Connects tried on another member.',
        stats.retries,
        labels,
      )
      report('counter', 'steelyard_l4_bytes_total', 'Bytes relayed.', stats.bytesFromClient, {
        ...labels,
        direction: 'from-client',
      })
      report('counter', 'steelyard_l4_bytes_total', 'Bytes relayed.', stats.bytesToClient, {
        ...labels,
        direction: 'to-client',
      })
      for (const [reason, count] of Object.entries(stats.ended)) {
        report('counter', 'steelyard_l4_ended_total', 'Finished connections by reason.', count, {
          ...labels,
          reason,
        })
      }
    })
  }
}

function matches(session: TcpSession, { backendId, pool }: CutFilter): boolean {
  return (
    (backendId === undefined || session.backendId === backendId) &&
    (pool === undefined || session.pool === pool)
  )
}
