import type { Socket } from 'node:net'
import type { Stream } from '@steelyard/core'
import { type Backend, WheelTimer } from '@steelyard/core'
import { ExchangeError, type ExchangeErrorInit } from '../../exchange/exchange-error.ts'
import type { LegSearch, LegSeeker } from '../backend-leg.ts'
import type { CloseReason, ConnectionCounters } from '../connection-stats.ts'
import type { LegDemand } from '../connections.ts'
import type { Dial, Dialler } from '../dial.ts'
import {
  BackendSession,
  type BackendSessionHost,
  type BackendSessionOwner,
} from './backend-session.ts'

/** What the sessions to one member work with. */
export interface MemberHost extends BackendSessionHost {
  readonly dialler: Dialler
  readonly counters: ConnectionCounters
  /** Gives the socket below a stream up to us. */
  release(stream: Stream): Socket
  /** Nothing is left of it. */
  memberGone(member: MemberSessions): void
}

/** Attempts that wait for room on the sessions to one member. */
const mostWaiting = 1024

/** The HTTP/2 connections to one member, and who waits for room on them. */
export class MemberSessions implements BackendSessionOwner {
  readonly backend: Backend
  readonly #host: MemberHost
  readonly #sessions = new Set<BackendSession>()
  readonly #dials = new Set<SessionDial>()
  readonly #waiting = new Set<LegWaiter>()
  #closed = false

  constructor(host: MemberHost, backend: Backend) {
    this.#host = host
    this.backend = backend
  }

  get open(): number {
    return this.#sessions.size
  }

  get idle(): number {
    let idle = 0
    for (const session of this.#sessions) if (session.ready && session.active === 0) idle += 1
    return idle
  }

  /** A session takes new streams, or one that will is on its way. */
  get serves(): boolean {
    if (this.#closed) return false
    if (this.#dials.size > 0) return true
    for (const session of this.#sessions) if (!session.retired) return true
    return false
  }

  seek(seeker: LegSeeker, demand: LegDemand): LegSearch | undefined {
    const session = this.#choose(demand)
    if (session !== undefined) {
      this.#give(session, seeker, demand)
      return undefined
    }
    if (this.#waiting.size >= mostWaiting) {
      seeker.unconnected(
        this.#error('queue-full', `${mostWaiting} requests wait for room on its connections`),
      )
      return undefined
    }
    const waiter = new LegWaiter(this, seeker, demand)
    this.#waiting.add(waiter)
    waiter.arm(this.#host)
    this.#dialMore(demand)
    // A dial that could not even begin has told already.
    return this.#waiting.has(waiter) ? waiter : undefined
  }

  /** Takes over a connection; without room for it, closes it. */
  adopt(socket: Socket, settingsMs: number): void {
    const used = this.#live + this.#dials.size
    if (this.#closed || used >= this.#host.settings.maxSessions) {
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    this.#begin(socket, settingsMs)
  }

  /** Takes no more attempts; what is idle closes, what is at work after it. */
  close(reason: CloseReason): void {
    this.#closed = true
    for (const dial of this.#dials) dial.cancel()
    this.#host.counters.connecting -= this.#dials.size
    this.#dials.clear()
    const error = this.#error(
      reason === 'shutdown' ? 'shutdown' : 'connect-failed',
      'its connections are being closed',
    )
    for (const waiter of this.#waiting) this.fail(waiter, error)
    for (const session of this.#sessions) session.retire(reason)
    this.#leaveIfEmpty()
  }

  // What sessions tell.

  sessionRoomy(session: BackendSession): void {
    const { settings } = this.#host
    if (session.active === 0 && session.served > 0 && settings.reuse === 'never') {
      return session.retire('policy')
    }
    this.#serveWaiting()
    if (session.active > 0 || session.retired || session.served === 0) return
    if (this.idle > settings.maxIdle) session.retire('max-idle')
  }

  sessionRetired(session: BackendSession): void {
    // Who waited for room there needs another one; one that never worked is not tried again at once.
    if (session.ready) this.#dialForFirst()
  }

  sessionGone(session: BackendSession, reason: CloseReason, error: unknown): void {
    if (!this.#sessions.delete(session)) return
    this.#host.counters.closed[reason] += 1
    if (!session.ready) {
      this.#host.counters.connectFailures += 1
      const why = error instanceof Error ? error.message : 'it closed the connection'
      this.#connectFailed(this.#error('connect-failed', `it does not speak HTTP/2: ${why}`, error))
    } else {
      this.#serveWaiting()
    }
    this.#leaveIfEmpty()
  }

  // What dials tell.

  dialled(dial: SessionDial, stream: Stream, alpn: string | undefined, settingsMs: number): void {
    if (this.#host.settings.tls !== undefined && alpn !== 'h2') {
      stream.destroy()
      return this.dialFailed(dial, this.#error('connect-failed', 'TLS did not agree on h2 with it'))
    }
    let socket: Socket
    try {
      // Now: whatever the member has sent already must find HTTP/2.
      socket = this.#host.release(stream)
    } catch (error) {
      stream.destroy()
      return this.dialFailed(dial, this.#error('connect-failed', 'its connection is gone', error))
    }
    this.#dials.delete(dial)
    this.#host.counters.connecting -= 1
    this.#begin(socket, settingsMs)
  }

  dialFailed(dial: SessionDial, error: ExchangeError): void {
    this.#dials.delete(dial)
    this.#host.counters.connecting -= 1
    this.#host.counters.connectFailures += 1
    this.#connectFailed(error)
    this.#leaveIfEmpty()
  }

  // What waiters tell.

  /** Somebody does not wait any more; true when it had waited. */
  left(waiter: LegWaiter): boolean {
    waiter.disarm(this.#host)
    return this.#waiting.delete(waiter)
  }

  fail(waiter: LegWaiter, error: ExchangeError): void {
    if (this.left(waiter)) waiter.seeker.unconnected(error)
  }

  expired(waiter: LegWaiter): void {
    const ms = waiter.demand.connectTimeoutMs
    this.fail(waiter, this.#error('connect-timeout', `no room on its connections within ${ms}ms`))
  }

  // Inside.

  get #live(): number {
    let live = 0
    for (const session of this.#sessions) if (!session.retired) live += 1
    return live
  }

  #choose(demand: LegDemand): BackendSession | undefined {
    let best: BackendSession | undefined
    for (const session of this.#sessions) {
      if (session.room <= 0) continue
      if (!demand.mayReuse && session.served > 0) continue
      if (demand.provenOnly === true && session.served === 1) continue
      if (best === undefined || session.active < best.active) best = session
    }
    if (best !== undefined) return best
    const { maxSessions, reuse } = this.#host.settings
    if ((demand.mayReuse && demand.provenOnly !== true) || reuse === 'never') return undefined
    // A fresh one is preferred. When no more may be made, sharing is safe enough: a member says by GOAWAY what it has
    // not done, which HTTP/1.1 cannot.
    if (this.#live + this.#dials.size < maxSessions) return undefined
    for (const session of this.#sessions) {
      if (session.room > 0 && (best === undefined || session.active < best.active)) best = session
    }
    return best
  }

  #give(session: BackendSession, seeker: LegSeeker, demand: LegDemand): void {
    if (demand.upgrade && !session.takesTunnels) {
      return seeker.unconnected(
        this.#error('upgrade-refused', 'it takes no extended CONNECT on HTTP/2'),
      )
    }
    if (session.served > 0) this.#host.counters.reused += 1
    seeker.connected(session.open(seeker))
  }

  #serveWaiting(): void {
    for (const waiter of this.#waiting) {
      const session = this.#choose(waiter.demand)
      if (session === undefined) {
        // Those behind it may be content with less than a fresh one.
        if (waiter.demand.mayReuse) break
        continue
      }
      this.left(waiter)
      this.#give(session, waiter.seeker, waiter.demand)
    }
    this.#dialForFirst()
  }

  #dialForFirst(): void {
    const [first] = this.#waiting
    if (first !== undefined) this.#dialMore(first.demand)
  }

  /** Makes as many connections as those who wait will fill, within the limit. */
  #dialMore(demand: LegDemand): void {
    if (this.#closed) return
    const { maxSessions, maxStreams, reuse } = this.#host.settings
    let coming = this.#dials.size
    for (const session of this.#sessions) if (!session.ready && !session.retired) coming += 1
    const each = reuse === 'never' ? 1 : maxStreams
    while (this.#waiting.size > coming * each && this.#live + this.#dials.size < maxSessions) {
      const dial = new SessionDial(this, demand.connectTimeoutMs)
      this.#dials.add(dial)
      this.#host.counters.connecting += 1
      coming += 1
      dial.start(this.#host.dialler, this.backend, demand)
    }
  }

  #begin(socket: Socket, settingsMs: number): void {
    try {
      const session = new BackendSession(this.#host, this, socket, this.backend.address, settingsMs)
      this.#sessions.add(session)
      this.#host.counters.opened += 1
      if (this.#closed) session.retire('shutdown')
    } catch (error) {
      socket.on('error', () => {})
      socket.destroy()
      this.#host.counters.connectFailures += 1
      this.#connectFailed(this.#error('connect-failed', 'its connection is gone', error))
      this.#leaveIfEmpty()
    }
  }

  /** Nobody waits for what does not come; with another connection at work or on its way they may. */
  #connectFailed(error: ExchangeError): void {
    if (this.#dials.size > 0 || this.#live > 0) return
    for (const waiter of this.#waiting) this.fail(waiter, error)
  }

  #leaveIfEmpty(): void {
    if (this.#sessions.size + this.#dials.size + this.#waiting.size === 0) {
      this.#host.memberGone(this)
    }
  }

  #error(code: ExchangeErrorInit['code'], problem: string, cause?: unknown): ExchangeError {
    return new ExchangeError(`${this.backend.address}: ${problem}`, {
      code,
      source: code === 'shutdown' || code === 'queue-full' ? 'system' : 'backend',
      phase: 'connect',
      // Nothing was sent.
      replayable: true,
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** One connection that is being made. */
class SessionDial {
  readonly #member: MemberSessions
  readonly #timeoutMs: number
  #dial: Dial | undefined = undefined

  constructor(member: MemberSessions, timeoutMs: number) {
    this.#member = member
    this.#timeoutMs = timeoutMs
  }

  start(dialler: Dialler, backend: Backend, demand: LegDemand): void {
    this.#dial = dialler.dial(backend, demand.client, this.#timeoutMs, this)
  }

  cancel(): void {
    this.#dial?.cancel()
  }

  dialled(stream: Stream, alpn: string | undefined): void {
    this.#member.dialled(this, stream, alpn, this.#timeoutMs)
  }

  dialFailed(error: ExchangeError): void {
    this.#member.dialFailed(this, error)
  }
}

/** One attempt that waits for room. */
class LegWaiter implements LegSearch {
  readonly seeker: LegSeeker
  readonly demand: LegDemand
  readonly #member: MemberSessions
  #timer: WheelTimer | undefined = undefined

  constructor(member: MemberSessions, seeker: LegSeeker, demand: LegDemand) {
    this.#member = member
    this.seeker = seeker
    this.demand = demand
  }

  arm({ wheel }: BackendSessionHost): void {
    const { connectTimeoutMs } = this.demand
    if (connectTimeoutMs <= 0) return
    this.#timer = new WheelTimer(() => this.#member.expired(this))
    wheel.arm(this.#timer, connectTimeoutMs)
  }

  disarm({ wheel }: BackendSessionHost): void {
    if (this.#timer !== undefined) wheel.disarm(this.#timer)
  }

  cancel(): void {
    this.#member.left(this)
  }
}
