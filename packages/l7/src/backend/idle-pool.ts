import {
  type Backend,
  type Clock,
  type Logger,
  type Stream,
  type TimerWheel,
  WheelTimer,
} from '@steelyard/core'
import { defaultHeadLimits } from '../wire/limits.ts'
import { ChunkPieces } from './chunk-pieces.ts'
import {
  type CloseReason,
  type ConnectionCounters,
  type ConnectionStats,
  connectionCounters,
} from './connection-stats.ts'
import { type ConnectionRig, H1Connection } from './h1-connection.ts'
import { MemberConnections, type MemberHost } from './member-connections.ts'
import { Outbox } from './outbox.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

/** What {@link IdlePool} needs of the outside. */
export interface IdlePoolHost {
  readonly wheel: TimerWheel
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
}

/** The idle connections are looked over at least this many times in an idle timeout. */
const sweepsPerTimeout = 40
/** And at least every so many milliseconds: members may keep connections for a shorter time than we would. */
const longestSweepMs = 500
/** One line of the log for this many milliseconds. */
const logEveryMs = 60_000

/**
 * The HTTP/1.1 connections to all members that are spoken to in one way. What makes two connections different is the
 * member, its address, and with PROXY headers the client; all else (TLS, its names and certificates, source addresses)
 * is the same for the whole of one pool, which is why it has no part in any key.
 */
export class IdlePool implements MemberHost {
  readonly counters: ConnectionCounters = connectionCounters()
  readonly settings: UpstreamSettings
  /** Everything closes: nothing is kept any more. */
  closing = false
  open = 0
  readonly #host: IdlePoolHost
  readonly #rig: ConnectionRig
  /** By backend id: mostly one, several after a change of address, or when two pools use one id. */
  readonly #members = new Map<string, MemberConnections[]>()
  /** Connections that are a client's own, by its connection's id. */
  readonly #owned = new Map<number, Set<H1Connection>>()
  readonly #sweep: WheelTimer
  readonly #sweepMs: number
  #now = 0
  #loggedAt = Number.NEGATIVE_INFINITY

  constructor(settings: UpstreamSettings, host: IdlePoolHost) {
    this.settings = settings
    this.#host = host
    this.#rig = {
      limits: defaultHeadLimits,
      outbox: new Outbox(),
      pieces: new ChunkPieces(),
      wheel: host.wheel,
    }
    this.#sweepMs = Math.min(settings.idleTimeout / sweepsPerTimeout, longestSweepMs)
    this.#sweep = new WheelTimer(() => this.#look())
  }

  /** The connections to a member; made when there are none. */
  member(backend: Backend): MemberConnections {
    const { id, address } = backend
    let list = this.#members.get(id)
    if (list === undefined) {
      list = []
      this.#members.set(id, list)
    }
    for (const known of list) if (known.address === address) return known
    const member = new MemberConnections(id, address, this)
    list.push(member)
    return member
  }

  /** An idle connection that may serve, counted as reused; undefined for none. */
  take(member: MemberConnections, ownerId: number, provenOnly: boolean): H1Connection | undefined {
    const found =
      ownerId === 0 ? member.take(provenOnly) : this.#takeOwned(member, ownerId, provenOnly)
    if (found !== undefined) this.counters.reused += 1
    return found
  }

  /** A connection that was just made, idle for the moment. */
  add(member: MemberConnections, stream: Stream, ownerId: number): H1Connection {
    const { idleTimeout, maxLifetime } = this.settings
    const { random } = this.#host
    this.counters.opened += 1
    this.open += 1
    member.open += 1
    const lifetime = maxLifetime === 0 ? 0 : Math.max(1, maxLifetime * (0.9 + 0.1 * random()))
    const connection = new H1Connection(stream, member, this.#rig, ownerId, lifetime)
    // The age that is looked at is up to one sweep too high, and it is looked at up to one sweep too late.
    connection.idleLimit = idleTimeout * (0.925 + 0.05 * random())
    if (ownerId !== 0) {
      const own = this.#owned.get(ownerId)
      if (own === undefined) this.#owned.set(ownerId, new Set([connection]))
      else own.add(connection)
    }
    return connection
  }

  /** A connect to the member begins. */
  sought(member: MemberConnections): void {
    this.counters.connecting += 1
    member.seeking += 1
  }

  /** It is over, one way or another. */
  found(member: MemberConnections): void {
    this.counters.connecting -= 1
    member.seeking -= 1
    this.#quit(member)
  }

  idle(backendId: string | undefined): number {
    const lists = backendId === undefined ? this.#members.values() : [this.#members.get(backendId)]
    let count = 0
    for (const list of lists) for (const { idle } of list ?? []) count += idle
    return count
  }

  forget(backendId: string): void {
    const list = this.#members.get(backendId)
    this.#members.delete(backendId)
    for (const member of list ?? []) member.retire('forgotten')
  }

  clientGone(clientId: number): void {
    const own = this.#owned.get(clientId)
    if (own === undefined) return
    this.#owned.delete(clientId)
    for (const connection of own) {
      connection.orphaned = true
      connection.close('forgotten')
    }
  }

  close(): void {
    this.closing = true
    const members = [...this.#members.values()].flat()
    this.#members.clear()
    for (const member of members) member.retire('shutdown')
    this.#host.wheel.disarm(this.#sweep)
  }

  stats(): ConnectionStats {
    const { opened, reused, connectFailures, connecting, closed } = this.counters
    return {
      opened,
      reused,
      connectFailures,
      connecting,
      closed: { ...closed },
      open: this.open,
      idle: this.idle(undefined),
    }
  }

  // -- a member's host --

  coarseNow(): number {
    if (!this.#sweep.armed) {
      this.#now = this.#host.clock.now()
      this.#host.wheel.arm(this.#sweep, this.#sweepMs)
    }
    return this.#now
  }

  left(member: MemberConnections, connection: H1Connection, reason: CloseReason): void {
    this.open -= 1
    this.counters.closed[reason] += 1
    if (connection.ownerId !== 0) this.#disown(connection)
    if (reason === 'unexpected-bytes') this.#warn(member)
    this.#quit(member)
  }

  /** A member without connections is not remembered. */
  #quit(member: MemberConnections): void {
    if (member.open > 0 || member.seeking > 0) return
    const list = this.#members.get(member.id)
    const index = list?.indexOf(member) ?? -1
    if (index < 0) return
    list!.splice(index, 1)
    if (list!.length === 0) this.#members.delete(member.id)
  }

  #takeOwned(
    member: MemberConnections,
    ownerId: number,
    provenOnly: boolean,
  ): H1Connection | undefined {
    for (const connection of this.#owned.get(ownerId) ?? []) {
      if (member.takeThis(connection, provenOnly)) return connection
    }
    return undefined
  }

  #disown(connection: H1Connection): void {
    const own = this.#owned.get(connection.ownerId)
    if (own?.delete(connection) === true && own.size === 0) this.#owned.delete(connection.ownerId)
  }

  #look(): void {
    const now = this.#host.clock.now()
    this.#now = now
    let idle = 0
    for (const list of [...this.#members.values()]) {
      for (const member of [...list]) {
        member.sweep(now)
        idle += member.idle
      }
    }
    if (idle > 0) this.#host.wheel.arm(this.#sweep, this.#sweepMs)
  }

  #warn(member: MemberConnections): void {
    const now = this.#host.clock.now()
    if (now - this.#loggedAt < logEveryMs) return
    this.#loggedAt = now
    this.#host.log.warn(
      { backend: member.id, address: member.address },
      'a member sent bytes that nobody had asked for; the connection was closed',
    )
  }
}
