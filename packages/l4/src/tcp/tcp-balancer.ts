import {
  type Clock,
  type Emitter,
  type EventSource,
  emitter,
  type Logger,
  objectOption,
  type Pool,
  type Service,
  type SocketAddress,
  type StartOptions,
  type SteelyardError,
  type StopOptions,
  type Stream,
  type TimerWheel,
  type Transport,
} from '@steelyard/core'
import { tcpSessionChannel } from '../channels.ts'
import { FrontDoor } from '../front-door.ts'
import { certificateSeries } from '../tls/certificate-metrics.ts'
import { rethrow } from '../transport/stream.ts'
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
  readonly #door: FrontDoor
  readonly #events: Emitter<TcpBalancerEvents> = emitter<TcpBalancerEvents>()
  readonly #sessions = new Set<TcpSession>()
  #settings: TcpSettings
  #uses: Disposable[] = []
  /** Former settings whose connections are still to end when a member goes down. */
  readonly #former = new Map<TcpSettings, Former>()

  constructor(options: TcpBalancerOptions) {
    const sessions = this.#sessions
    const door = new FrontDoor('tcpBalancer', options, {
      get busy() {
        return sessions.size > 0
      },
      open: () => {
        this.#uses = this.#usePools(this.#settings)
      },
      begin: (stream) => this.#begin(stream),
      turnAway: (stream) => this.#turnAway(stream),
      drain() {},
      cut: () => void this.#cut({}, 'drain-deadline'),
      close: () => this.#letGo(),
      failed: (error) => this.#events.emit('error', error),
      report: (report) => {
        const labels = { listener: this.name }
        const { terminate } = this.#settings
        if (terminate !== undefined) certificateSeries(terminate, labels, report)
        tcpSeries(this.stats(), labels, report)
      },
    })
    this.#options = options
    this.#door = door
    this.name = door.name
    this.clock = door.clock
    this.wheel = door.wheel
    this.log = door.log
    this.transport = door.transport
    this.#settings = tcpSettings(options, this.clock, this.wheel)
    door.limit.setMax(this.#settings.connectionLimit)
  }

  get address(): SocketAddress | undefined {
    return this.#door.address
  }

  get closed(): Promise<SteelyardError | undefined> {
    return this.#door.lifecycle.closed
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
    await this.#door.lifecycle.start(options)
    return this
  }

  stop(options?: StopOptions): Promise<void> {
    return this.#door.lifecycle.stop(options)
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
      accepted: this.#door.accepted,
      bytesFromClient,
      bytesToClient,
      connectFailures: counters.connectFailures,
      retries: counters.retries,
      queued: counters.queued + this.#door.parked,
      acceptFailures: this.#door.acceptFailures,
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
    const { live } = this.#door
    // The new pools are in use before the old ones are let go: a pool in both is checked without a gap.
    const uses = live ? this.#usePools(settings) : this.#uses
    const before = { settings: this.#settings, uses: this.#uses }
    this.#options = options
    this.#settings = settings
    this.#uses = uses
    if (live) this.#retire(before.settings, before.uses)
    this.#door.limit.setMax(settings.connectionLimit)
  }

  unlisten(): Promise<void> {
    return this.#door.unlisten()
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
    this.#door.leave()
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
