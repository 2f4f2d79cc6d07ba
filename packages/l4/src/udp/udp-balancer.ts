import {
  type Clock,
  clockOption,
  type DatagramHandler,
  type DatagramSocket,
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
  SteelyardError,
  type StopOptions,
  silentLog,
  systemClock,
  type TimerWheel,
  type Transport,
  type TransportError,
  type Tried,
  textOption,
  timerWheel,
} from '@steelyard/core'
import { nodeTransport } from '../transport/node-transport.ts'
import { FlowTable } from './flow-table.ts'
import { LogGate } from './log-gate.ts'
import type { UdpMember } from './membership.ts'
import { Placement } from './placement.ts'
import { endpointText, UdpSession } from './session.ts'
import type { UdpSessionHost } from './session-host.ts'
import {
  type UdpBalancerOptions,
  type UdpBinding,
  type UdpReconfiguration,
  type UdpSettings,
  udpBinding,
  udpSettings,
} from './settings.ts'
import { UdpCounters, type UdpDropReason, type UdpStats } from './udp-counters.ts'
import { udpSessionChannel } from './udp-session-channel.ts'
import type { UdpEndReason, UdpSessionRecord } from './udp-session-record.ts'

/** What a UDP balancer tells. */
export interface UdpBalancerEvents {
  /** A session is over; exactly once for each. */
  readonly session: UdpSessionRecord
  /** The listening socket reported a failure and goes on; one a second at most. */
  readonly error: SteelyardError
}

/** Which sessions {@link UdpBalancer.sessions} counts and {@link UdpBalancer.cut} ends. */
export interface UdpSessionFilter {
  /** Only those on this member. */
  readonly backendId?: string
  /** Only those of this pool. */
  readonly pool?: Pool
}

/** A UDP listener that spreads its clients over a pool and brings the replies back. */
export interface UdpBalancer extends Service, EventSource<UdpBalancerEvents> {
  readonly name: string
  /** The bound address; undefined before the start and after the stop. */
  readonly address: SocketAddress | undefined
  stats(): UdpStats
  /** Live sessions on a member, or all. */
  sessions(filter?: UdpSessionFilter): number
  /** Ends live sessions, so that their clients are picked anew; returns how many. */
  cut(filter?: UdpSessionFilter): number
  /**
   * Puts other options in force; those not named stay as they are. Live sessions keep their members: what
   * a new pool lacks drains, a new access list and idle timeout count for them too. Throws before
   * anything changed.
   */
  reconfigure(options: UdpReconfiguration): void
}

/**
 * Makes a UDP balancer; validates everything, does no I/O.
 *
 * Each client gets a session: a member, and a socket that is connected to it. The session ends when it is
 * idle, when its expected replies have come, or when its member must be left; the client's next datagram
 * then begins another.
 *
 * @throws `invalid-option` with the path of the field.
 * @example
 * ```ts
 * import { pool } from '@steelyard/core'
 * import { udpBalancer } from '@steelyard/l4'
 *
 * const resolvers = pool({ backends: ['10.0.0.11:53', '10.0.0.12:53'] })
 * await using balancer = await udpBalancer({
 *   listen: '192.0.2.53:53',
 *   pool: resolvers,
 *   expectedReplies: 1,
 *   idleTimeout: '5s',
 * }).start()
 * ```
 */
export function udpBalancer(options: UdpBalancerOptions): UdpBalancer {
  return new DatagramBalancer(options)
}

/** How long a stop waits for the transport to close sockets that it was told to close. */
const closeWithinMs = 5000

class DatagramBalancer implements UdpBalancer, UdpSessionHost {
  readonly name: string
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  readonly gate: LogGate
  readonly counters: UdpCounters = new UdpCounters()
  settings: UdpSettings
  listener: DatagramSocket | undefined
  #options: UdpBalancerOptions
  readonly #binding: UdpBinding
  readonly #events: Emitter<UdpBalancerEvents> = emitter<UdpBalancerEvents>()
  readonly #lifecycle: Lifecycle
  readonly #table: FlowTable<UdpSession> = new FlowTable<UdpSession>(Math.random() * 2 ** 32)
  readonly #placement: Placement
  readonly #handler: DatagramHandler = {
    message: (socket, bytes, client) => this.#received(socket, bytes, client),
    failed: (_socket, error) => this.#listenerFailed(error),
    closed: () => this.#listenerClosed(),
  }
  #address: SocketAddress | undefined
  #stopping = false
  #sockets = 0
  #settled: (() => void) | undefined
  #collected: Disposable | undefined

  constructor(options: UdpBalancerOptions) {
    this.#options = options
    this.#binding = udpBinding(objectOption(options, 'udpBalancer').listen)
    this.settings = udpSettings(options)
    this.name = textOption(options.name ?? this.#binding.text, 'name')
    this.clock = clockOption(options.clock ?? systemClock, 'clock')
    const wheel = partOption(options.wheel, 'arm', 'wheel', 'make one with timerWheel()')
    this.wheel = wheel ?? timerWheel({ clock: this.clock })
    this.log = options.log ?? silentLog
    this.gate = new LogGate(this.clock)
    this.#placement = new Placement(this.clock, this.settings)
    if (options.onSession !== undefined) this.#events.on('session', options.onSession)
    this.transport = options.transport ?? nodeTransport()
    this.#lifecycle = lifecycle(
      `udp balancer ${this.name}`,
      parseDuration(options.drain ?? '10s', 'drain'),
      {
        open: (signal) => this.#open(signal),
        close: (drainMs, signal) => this.#close(drainMs, signal),
      },
    )
  }

  get address(): SocketAddress | undefined {
    return this.#address
  }

  get closed(): Promise<SteelyardError | undefined> {
    return this.#lifecycle.closed
  }

  on<Name extends keyof UdpBalancerEvents>(
    name: Name,
    listener: (event: UdpBalancerEvents[Name]) => void,
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

  stats(): UdpStats {
    return this.counters.snapshot(this.#table.size)
  }

  sessions(filter: UdpSessionFilter = {}): number {
    return this.#table.entries().filter((session) => matches(session, filter)).length
  }

  cut(filter: UdpSessionFilter = {}): number {
    const chosen = this.#table.entries().filter((session) => matches(session, filter))
    for (const session of chosen) session.end('cut')
    return chosen.length
  }

  reconfigure(options: UdpReconfiguration): void {
    const merged = { ...this.#options, ...objectOption(options, 'udpBalancer') }
    const settings = udpSettings(merged)
    const before = this.settings
    this.#options = merged
    this.settings = settings
    this.#placement.reconfigure(settings)
    if (settings.idleMs < before.idleMs) {
      for (const session of this.#table.entries()) session.rearm()
    }
  }

  // -- the sessions' host --

  another(session: UdpSession, tried: Tried): UdpMember | undefined {
    return this.#stopping ? undefined : this.#placement.another(session, tried)
  }

  refused(session: UdpSession): void {
    if (session.lane < 0) this.#placement.refused(session, session.member)
  }

  socketBegun(): void {
    this.#sockets += 1
  }

  socketGone(): void {
    this.#sockets -= 1
    if (this.#sockets === 0) this.#settled?.()
  }

  finished(session: UdpSession, reason: UdpEndReason, error: SteelyardError | undefined): void {
    this.#table.remove(session)
    if (session.sourced) this.#placement.left(session)
    this.#placement.retireEmpty()
    this.counters.end(reason)
    if (this.#events.heard('session') || udpSessionChannel.hasSubscribers) {
      const local = this.#address === undefined ? this.#binding.text : endpointText(this.#address)
      const record = session.record(reason, error, local)
      this.#events.emit('session', record)
      if (udpSessionChannel.hasSubscribers) udpSessionChannel.publish(record)
    }
    if (this.#table.size === 0) this.#settled?.()
  }

  #received(socket: DatagramSocket, bytes: Uint8Array, client: SocketAddress): void {
    this.counters.received += 1
    // A transport may deliver before its bind has been heard of.
    this.listener ??= socket
    if (this.settings.perPacket) return this.#scatter(bytes, client)
    let session = this.#table.find(client.address, client.port, -1)
    if (session === undefined || !session.goesOn()) {
      session = this.#admit(client)
      if (session === undefined) return
    }
    session.forward(bytes)
  }

  #listenerFailed(error: TransportError): void {
    this.counters.socketErrors += 1
    const withheld = this.gate.pass('listener')
    if (withheld < 0) return
    const { code, message } = error
    this.log.warn(
      { listener: this.name, code, error: message, withheld },
      'listening socket failed',
    )
    this.#events.emit('error', error)
  }

  #listenerClosed(): void {
    this.listener = undefined
    this.#address = undefined
    this.socketGone()
    if (this.#stopping) return
    this.#lifecycle.fail(
      new SteelyardError(`the listening socket of ${this.name} was closed`, {
        code: 'listener-closed',
        source: 'system',
      }),
    )
  }

  /** One-packet mode: the datagram goes to whom the algorithm names now. */
  #scatter(bytes: Uint8Array, client: SocketAddress): void {
    const member = this.#placement.scatter(client)
    if (member === undefined) return this.#nobody(client)
    let session = this.#table.find(client.address, client.port, member.slot)
    if (session === undefined || !session.goesOn()) {
      session = this.#admit(client, member)
      if (session === undefined) return
    }
    session.forward(bytes)
  }

  /** Begins a session for a client that has none, or counts why not. */
  #admit(client: SocketAddress, picked?: UdpMember): UdpSession | undefined {
    const { acl, maxSessions, bySource } = this.settings
    if (acl !== undefined && !acl({ source: client, destination: this.listener!.local })) {
      return this.#drop('acl-denied')
    }
    if (this.#stopping) return this.#drop('stopping')
    if (this.#table.size >= maxSessions) {
      this.#warn('table-full', client, 'session table is full')
      return this.#drop('table-full')
    }
    const member = picked ?? this.#placement.choose(client)
    if (member === undefined) {
      this.#nobody(client)
      return undefined
    }
    const session = new UdpSession(this, client, picked?.slot ?? -1, member, bySource)
    this.#table.add(session)
    if (bySource) this.#placement.joined(session, member)
    this.counters.sessions += 1
    session.begin()
    return session
  }

  #nobody(client: SocketAddress): void {
    const empty = this.settings.pool.roster.current.size === 0
    this.#warn(empty ? 'no-backend' : 'backends-full', client, 'no backend takes the datagram')
    this.counters.drop(empty ? 'no-backend' : 'backends-full')
  }

  #drop(reason: UdpDropReason): undefined {
    this.counters.drop(reason)
    return undefined
  }

  #warn(reason: UdpDropReason, client: SocketAddress, message: string): void {
    const withheld = this.gate.pass(reason)
    if (withheld < 0) return
    const { name, settings } = this
    this.log.warn(
      { listener: name, pool: settings.pool.name, reason, client: endpointText(client), withheld },
      message,
    )
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    const { target } = this.#binding
    this.#placement.open()
    this.socketBegun()
    try {
      this.listener = await this.transport.bind(
        signal === undefined ? target : { ...target, signal },
        this.#handler,
      )
    } catch (error) {
      this.socketGone()
      this.#placement[Symbol.dispose]()
      throw error
    }
    this.#address = this.listener.local
    this.#collected = (this.#options.metrics ?? noMetrics).collect((report) => {
      this.counters.report(report, this.name, this.#table.size)
    })
  }

  async #close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.#stopping = true
    await this.#until(() => this.#table.size === 0, drainMs, signal)
    const reason = drainMs > 0 && signal?.aborted !== true ? 'drain-deadline' : 'cut'
    for (const session of this.#table.entries()) session.end(reason)
    this.listener?.close()
    await this.#until(() => this.#sockets === 0, closeWithinMs, undefined)
    if (this.#sockets > 0) {
      this.log.error({ listener: this.name, sockets: this.#sockets }, 'sockets did not close')
    }
    this.#collected?.[Symbol.dispose]()
    this.#placement[Symbol.dispose]()
    if (this.#options.wheel === undefined) this.wheel[Symbol.dispose]()
  }

  /** Waits for a condition that the end of a session or a socket brings about, within a time. */
  async #until(
    done: () => boolean,
    withinMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (done() || withinMs <= 0 || signal?.aborted === true) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#settled = () => {
      if (done()) resolve()
    }
    const aborted = (): void => resolve()
    signal?.addEventListener('abort', aborted, { once: true })
    const deadline = this.clock.after(withinMs, resolve)
    await promise
    deadline[Symbol.dispose]()
    signal?.removeEventListener('abort', aborted)
    this.#settled = undefined
  }
}

function matches(session: UdpSession, { backendId, pool }: UdpSessionFilter): boolean {
  const { member } = session
  return (
    (backendId === undefined || member.backend.id === backendId) &&
    (pool === undefined || member.pool === pool)
  )
}
