import { type ClientHttp2Session, connect, constants } from 'node:http2'
import type { Socket } from 'node:net'
import { type Clock, type Logger, type TimerWheel, WheelTimer } from '@steelyard/core'
import type { BackendEvents } from '../backend-leg.ts'
import type { CloseReason } from '../connection-stats.ts'
import type { UpstreamSettings } from '../upstream-settings.ts'
import { H2BackendLeg, type SessionOfLegs } from './h2-backend-leg.ts'

/** What a {@link BackendSession} works with. */
export interface BackendSessionHost {
  readonly settings: UpstreamSettings
  readonly wheel: TimerWheel
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
}

/** Whom a {@link BackendSession} tells. */
export interface BackendSessionOwner {
  /** The member has sent its SETTINGS, or allows more streams, or one has ended: there may be room. */
  sessionRoomy(session: BackendSession): void
  /** It takes no streams any more. */
  sessionRetired(session: BackendSession): void
  /** It is over. `error` when it never came to be used. Once. */
  sessionGone(session: BackendSession, reason: CloseReason, error: unknown): void
}

const { NGHTTP2_CANCEL } = constants

/** How long a session that was ended may take to go, and a member to answer a PING. */
const lingerMs = 2000
const pingMs = 5000

/** One HTTP/2 connection to a member. */
export class BackendSession implements SessionOfLegs {
  readonly session: ClientHttp2Session
  readonly address: string
  readonly scheme: 'http' | 'https'
  /** Streams begun. */
  served = 0
  /** Streams open. */
  active = 0
  lastStreamId = -1
  lost = false
  retired = false
  /** Its SETTINGS have come. */
  ready = false
  readonly #host: BackendSessionHost
  readonly #owner: BackendSessionOwner
  readonly #socket: Socket
  readonly #timer: WheelTimer
  readonly #bornAt: number
  readonly #settingsBy: number
  readonly #idleMs: number
  readonly #lifetimeMs: number
  #idleSince: number
  #reason: CloseReason = 'member-closed'
  #pingedAt = -1
  #endedAt = -1
  #error: unknown = undefined
  #gone = false

  /**
   * @param socket - connected, TLS done; nothing was read from it. It is the session's from now on.
   * @param settingsMs - until the member's SETTINGS must have come; 0 for no limit.
   * @throws when the socket is not fit for it.
   */
  constructor(
    host: BackendSessionHost,
    owner: BackendSessionOwner,
    socket: Socket,
    address: string,
    settingsMs: number,
  ) {
    const { settings, clock, random } = host
    this.#host = host
    this.#owner = owner
    this.#socket = socket
    this.address = address
    this.scheme = (socket as { encrypted?: boolean }).encrypted === true ? 'https' : 'http'
    this.#bornAt = clock.now()
    this.#idleSince = this.#bornAt
    this.#settingsBy = settingsMs > 0 ? this.#bornAt + settingsMs : Number.POSITIVE_INFINITY
    // Between nine tenths and all of it, so that sessions made together do not end together.
    this.#idleMs = settings.idleTimeout * (1 - random() * 0.1)
    this.#lifetimeMs = settings.maxLifetime * (1 - random() * 0.1)
    this.#timer = new WheelTimer(() => this.#look())
    this.session = openSession(socket, this.scheme, settings)
    this.#listen()
    this.#arm()
  }

  /** Streams that may be opened now. */
  get room(): number {
    if (!this.ready || this.retired || this.#pingedAt >= 0) return 0
    const { maxStreams, maxRequests } = this.#host.settings
    const theirs = this.session.remoteSettings.maxConcurrentStreams ?? maxStreams
    const most = Math.min(maxStreams, theirs) - this.active
    return maxRequests > 0 ? Math.min(most, maxRequests - this.served) : most
  }

  get takesTunnels(): boolean {
    return this.session.remoteSettings.enableConnectProtocol === true
  }

  /** A stream for one attempt; {@link BackendSession.room} says whether there is room. */
  open(events: BackendEvents): H2BackendLeg {
    const leg = new H2BackendLeg(this, events, this.served > 0)
    this.served += 1
    this.active += 1
    const { maxRequests } = this.#host.settings
    if (maxRequests > 0 && this.served >= maxRequests) this.retireLater('max-requests')
    return leg
  }

  /** Takes no more streams; closes when those that are open have ended. */
  retire(reason: CloseReason): void {
    this.retireLater(reason)
    // GOAWAY now would destroy a stream whose request is still to be sent.
    if (this.active === 0) this.#close()
  }

  /** The same, when the last stream has only just been given away. */
  retireLater(reason: CloseReason): void {
    if (this.retired) return
    this.retired = true
    this.#reason = reason
    this.#owner.sessionRetired(this)
  }

  /** Ends it and every stream on it. */
  destroy(reason: CloseReason): void {
    this.retireLater(reason)
    this.#reason = reason
    this.#destroy()
  }

  // What its legs tell.

  legLeft(): void {
    this.active -= 1
    if (this.active === 0) {
      this.#idleSince = this.#host.clock.now()
      if (this.retired) this.#close()
      else this.#arm()
    }
    if (!this.retired) this.#owner.sessionRoomy(this)
  }

  doubt(): void {
    if (this.#pingedAt >= 0 || this.retired || this.session.destroyed || !this.ready) return
    const sent = this.session.ping((error) => {
      if (this.#pingedAt < 0 || error !== null) return
      this.#pingedAt = -1
      if (!this.retired) this.#owner.sessionRoomy(this)
    })
    if (!sent) return
    this.#pingedAt = this.#host.clock.now()
    this.#arm()
  }

  failed(error: unknown): void {
    this.#host.log.error({ backend: this.address, error }, 'http/2 backend stream: a step failed')
  }

  // Inside.

  #listen(): void {
    const { session } = this
    session.on('error', (error) => {
      this.#error ??= error
      this.lost = true
      this.retireLater('failed')
      if (this.active > 0 || !this.ready) this.#reason = 'failed'
    })
    session.on('goaway', (code, lastStreamId) => {
      this.lastStreamId = lastStreamId
      if (code !== 0) this.#error ??= new Error(`it said GOAWAY with code ${code}`)
      this.retireLater('not-kept')
    })
    session.on('remoteSettings', () => {
      if (!this.ready) {
        this.ready = true
        this.#arm()
      }
      if (!this.retired) this.#owner.sessionRoomy(this)
    })
    session.on('close', () => this.#leave())
    // The streams hear of it after us.
    this.#socket.prependListener('close', () => {
      this.lost = true
    })
  }

  #close(): void {
    if (this.session.destroyed) return
    this.#endedAt = this.#host.clock.now()
    // After this turn: it may be called by a stream that is just being closed.
    this.session.close()
    this.#arm()
  }

  #destroy(): void {
    this.lost = true
    this.#endedAt = this.#host.clock.now()
    // A number is how Node takes a code without an error of ours; its types do not say so.
    if (!this.session.destroyed) this.session.destroy(NGHTTP2_CANCEL as unknown as Error)
    this.#arm()
  }

  #arm(): void {
    if (this.#gone) return
    const now = this.#host.clock.now()
    const next = Math.min(
      this.#endedAt < 0 ? Number.POSITIVE_INFINITY : this.#endedAt + lingerMs,
      this.#pingedAt < 0 ? Number.POSITIVE_INFINITY : this.#pingedAt + pingMs,
      this.ready ? Number.POSITIVE_INFINITY : this.#settingsBy,
      this.active > 0 || !this.ready ? Number.POSITIVE_INFINITY : this.#idleSince + this.#idleMs,
      this.#lifetimeMs > 0 && !this.retired
        ? this.#bornAt + this.#lifetimeMs
        : Number.POSITIVE_INFINITY,
    )
    if (next === Number.POSITIVE_INFINITY) this.#host.wheel.disarm(this.#timer)
    else this.#host.wheel.arm(this.#timer, Math.max(0, next - now))
  }

  #look(): void {
    if (this.#gone) return
    const now = this.#host.clock.now()
    if (this.#endedAt >= 0) {
      // Whoever does not close its half within the time does not get more.
      if (now - this.#endedAt >= lingerMs) this.#socket.destroy()
      return this.#arm()
    }
    if (!this.ready && now >= this.#settingsBy) {
      this.#error ??= new Error('it sent no SETTINGS')
      return this.destroy('failed')
    }
    if (this.#pingedAt >= 0 && now - this.#pingedAt >= pingMs) {
      this.#error ??= new Error(`it did not answer a PING within ${pingMs}ms`)
      return this.destroy('failed')
    }
    if (this.ready && this.active === 0 && now - this.#idleSince >= this.#idleMs) {
      return this.retire('idle-timeout')
    }
    if (this.#lifetimeMs > 0 && now - this.#bornAt >= this.#lifetimeMs) this.retire('lifetime')
    this.#arm()
  }

  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    this.lost = true
    this.retired = true
    this.#host.wheel.disarm(this.#timer)
    this.#owner.sessionGone(this, this.#reason, this.#error)
  }
}

function openSession(
  socket: Socket,
  scheme: 'http' | 'https',
  settings: UpstreamSettings,
): ClientHttp2Session {
  // Node takes the socket's handle over as it is: one that was paused does not read, and one that may be half open
  // stays so for ever.
  socket.allowHalfOpen = false
  socket.read(0)
  const session = connect(`${scheme}://backend`, {
    createConnection: () => socket,
    settings: {
      enablePush: false,
      initialWindowSize: streamWindow,
      maxHeaderListSize: 65_536,
      maxConcurrentStreams: 0,
    },
    maxHeaderListPairs: 256,
    maxSessionMemory: 64,
    maxSettings: 32,
    maxReservedRemoteStreams: 0,
    maxSendHeaderBlockLength: 262_144,
    peerMaxConcurrentStreams: settings.maxStreams,
    strictFieldWhitespaceValidation: true,
    // @ts-expect-error: known to Node since 24.9 and 22.21, not to its types
    strictSingleValueFields: false,
  })
  // Listened to before anything can fail.
  session.on('error', ignore)
  session.setLocalWindowSize(connectionWindow)
  return session
}

const streamWindow = 262_144
const connectionWindow = 4_194_304

function ignore(): void {}
