import {
  type Backend,
  type Stream,
  type TimerWheel,
  type Transport,
  WheelTimer,
} from '@steelyard/core'
import { ExchangeError } from '../exchange/exchange-error.ts'
import type { LegSearch, LegSeeker } from './backend-leg.ts'
import type { ConnectionStats } from './connection-stats.ts'
import type { BackendConnections, LegDemand } from './connections.ts'
import type { Dial, Dialler, DialOwner } from './dial.ts'
import { ownerOf } from './h1-connections.ts'
import type { IdlePool } from './idle-pool.ts'
import type { MemberConnections } from './member-connections.ts'
import type { SessionPool } from './session-pool.ts'

/** What {@link AutoConnections} is made of. */
export interface AutoParts {
  readonly pool: IdlePool
  /** Offers HTTP/1.1 alone: for what HTTP/2 may not be able to do. */
  readonly h1: BackendConnections
  readonly sessions: SessionPool
  /** Offers both. */
  readonly dialler: Dialler
  readonly transport: Transport
  readonly wheel: TimerWheel
}

/**
 * HTTP/2 where TLS agrees on it, else HTTP/1.1. While nobody knows what a member speaks, one handshake asks it, and
 * all who want a connection wait for that: else a burst of requests to a member of HTTP/2 would make a connection each.
 */
export class AutoConnections implements BackendConnections {
  readonly parts: AutoParts
  readonly #negotiations = new Map<MemberConnections, Negotiation>()

  constructor(parts: AutoParts) {
    this.parts = parts
  }

  seek(backend: Backend, seeker: LegSeeker, demand: LegDemand): LegSearch | undefined {
    const { pool, h1, sessions } = this.parts
    if (demand.upgrade) return h1.seek(backend, seeker, demand)
    if (sessions.serves(backend)) return sessions.seek(backend, seeker, demand)
    const member = pool.member(backend)
    if (demand.mayReuse) {
      const idle = pool.take(member, ownerOf(pool, demand), demand.provenOnly === true)
      if (idle !== undefined) {
        idle.serve(seeker)
        seeker.connected(idle)
        return undefined
      }
    }
    const search = new AutoSearch(this, backend, member, seeker, demand)
    if (member.speaks === undefined) this.#negotiate(search)
    else search.dialAlone()
    return search.over ? undefined : search
  }

  get open(): number {
    return this.parts.pool.open + this.parts.sessions.open
  }

  idle(backendId?: string): number {
    return this.parts.pool.idle(backendId) + this.parts.sessions.idle(backendId)
  }

  forget(backendId: string): void {
    this.parts.pool.forget(backendId)
    this.parts.sessions.forget(backendId)
  }

  clientGone(clientId: number): void {
    this.parts.pool.clientGone(clientId)
    this.parts.sessions.clientGone?.(clientId)
  }

  stats(): ConnectionStats {
    const h1 = this.parts.pool.stats()
    const h2 = this.parts.sessions.stats?.()
    if (h2 === undefined) return h1
    const closed = { ...h1.closed }
    for (const reason of Object.keys(closed) as (keyof typeof closed)[]) {
      closed[reason] += h2.closed[reason]
    }
    return {
      opened: h1.opened + h2.opened,
      reused: h1.reused + h2.reused,
      connectFailures: h1.connectFailures + h2.connectFailures,
      closed,
      connecting: h1.connecting + h2.connecting,
      open: h1.open + h2.open,
      idle: h1.idle + h2.idle,
    }
  }

  close(): void {
    this.parts.pool.close()
    this.parts.sessions.close()
  }

  /** Gives a stream that agreed on HTTP/2 to the sessions. */
  adopt(backend: Backend, stream: Stream): void {
    this.parts.sessions.adopt(backend, this.parts.transport.release(stream))
  }

  /** The member's negotiation is over. */
  negotiated(member: MemberConnections): void {
    this.#negotiations.delete(member)
  }

  #negotiate(search: AutoSearch): void {
    const { member } = search
    const known = this.#negotiations.get(member)
    if (known !== undefined) return known.join(search)
    const negotiation = new Negotiation(this, search.backend, member)
    this.#negotiations.set(member, negotiation)
    negotiation.join(search)
    negotiation.start(search.demand)
  }
}

/** One request for a connection to a member of which it is not known what it speaks. */
class AutoSearch implements LegSearch, DialOwner {
  readonly backend: Backend
  readonly member: MemberConnections
  readonly demand: LegDemand
  over = false
  readonly #auto: AutoConnections
  readonly #seeker: LegSeeker
  /** Made for those that wait for somebody else's handshake. */
  #timer: WheelTimer | undefined = undefined
  #negotiation: Negotiation | undefined = undefined
  #dial: Dial | undefined = undefined
  #search: LegSearch | undefined = undefined

  constructor(
    auto: AutoConnections,
    backend: Backend,
    member: MemberConnections,
    seeker: LegSeeker,
    demand: LegDemand,
  ) {
    this.#auto = auto
    this.backend = backend
    this.member = member
    this.#seeker = seeker
    this.demand = demand
  }

  cancel(): void {
    if (this.over) return
    this.over = true
    const negotiation = this.#negotiation
    this.stopWaiting()
    negotiation?.leave(this)
    if (this.#dial !== undefined) {
      this.#dial.cancel()
      this.#auto.parts.pool.found(this.member)
    }
    this.#search?.cancel()
  }

  waitFor(negotiation: Negotiation): void {
    const { connectTimeoutMs } = this.demand
    this.#negotiation = negotiation
    if (connectTimeoutMs === 0) return
    this.#timer ??= new WheelTimer(() => {
      this.cancel()
      this.#seeker.unconnected(
        new ExchangeError(`${this.member.address} was not reached within ${connectTimeoutMs} ms`, {
          code: 'connect-timeout',
          source: 'backend',
          phase: 'connect',
          replayable: true,
        }),
      )
    })
    this.#auto.parts.wheel.arm(this.#timer, connectTimeoutMs)
  }

  stopWaiting(): void {
    this.#negotiation = undefined
    if (this.#timer !== undefined) this.#auto.parts.wheel.disarm(this.#timer)
  }

  /** It is known what the member speaks; this handshake offers both all the same. */
  dialAlone(): void {
    const { pool, dialler } = this.#auto.parts
    const { client, connectTimeoutMs } = this.demand
    pool.sought(this.member)
    const dial = dialler.dial(this.backend, client, connectTimeoutMs, this)
    if (!this.over) this.#dial = dial
  }

  dialled(stream: Stream, alpn: string | undefined): void {
    const { pool } = this.#auto.parts
    this.#dial = undefined
    if (alpn === 'h2') {
      this.#auto.adopt(this.backend, stream)
      this.seekSession()
    } else {
      this.connected(stream)
    }
    // Last, because a member without connections and without those who seek one is forgotten.
    pool.found(this.member)
  }

  dialFailed(error: ExchangeError): void {
    const { pool } = this.#auto.parts
    this.#dial = undefined
    pool.counters.connectFailures += 1
    pool.found(this.member)
    this.failed(error)
  }

  /** This connection is its own. */
  connected(stream: Stream): void {
    const { pool } = this.#auto.parts
    this.over = true
    this.member.speaks = 'http/1.1'
    const connection = pool.add(this.member, stream, ownerOf(pool, this.demand))
    connection.serve(this.#seeker)
    this.#seeker.connected(connection)
  }

  seekSession(): void {
    const search = this.#auto.parts.sessions.seek(this.backend, this.#seeker, this.demand)
    this.#search = search
    if (search === undefined) this.over = true
  }

  failed(error: ExchangeError): void {
    this.over = true
    this.#seeker.unconnected(error)
  }
}

/** The handshake that finds out what a member speaks, and those who wait for it. */
class Negotiation implements DialOwner {
  readonly #auto: AutoConnections
  readonly #backend: Backend
  readonly #member: MemberConnections
  readonly #waiting: AutoSearch[] = []
  #dial: Dial | undefined = undefined
  #over = false

  constructor(auto: AutoConnections, backend: Backend, member: MemberConnections) {
    this.#auto = auto
    this.#backend = backend
    this.#member = member
  }

  start({ client, connectTimeoutMs }: LegDemand): void {
    const { pool, dialler } = this.#auto.parts
    pool.sought(this.#member)
    const dial = dialler.dial(this.#backend, client, connectTimeoutMs, this)
    if (!this.#over) this.#dial = dial
  }

  join(search: AutoSearch): void {
    this.#waiting.push(search)
    search.waitFor(this)
  }

  /** The last one to leave ends it. */
  leave(search: AutoSearch): void {
    const index = this.#waiting.indexOf(search)
    if (index >= 0) this.#waiting.splice(index, 1)
    if (this.#waiting.length > 0 || this.#over) return
    this.#dial?.cancel()
    this.#settle()
    this.#auto.parts.pool.found(this.#member)
  }

  dialled(stream: Stream, alpn: string | undefined): void {
    this.#settle()
    if (alpn === 'h2') {
      this.#auto.adopt(this.#backend, stream)
      for (let each = this.#next(); each !== undefined; each = this.#next()) each.seekSession()
    } else {
      this.#next()!.connected(stream)
      for (let each = this.#next(); each !== undefined; each = this.#next()) each.dialAlone()
    }
    this.#auto.parts.pool.found(this.#member)
  }

  dialFailed(error: ExchangeError): void {
    const { pool } = this.#auto.parts
    pool.counters.connectFailures += 1
    this.#settle()
    for (let each = this.#next(); each !== undefined; each = this.#next()) each.failed(error)
    pool.found(this.#member)
  }

  #next(): AutoSearch | undefined {
    const next = this.#waiting.shift()
    next?.stopWaiting()
    return next
  }

  /** Before anybody is told: who seeks again must not join what is over. */
  #settle(): void {
    this.#over = true
    this.#auto.negotiated(this.#member)
  }
}
