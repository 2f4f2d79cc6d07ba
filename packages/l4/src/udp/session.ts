import {
  type DatagramHandler,
  type DatagramSocket,
  type SocketAddress,
  type SteelyardError,
  type TransportError,
  Tried,
  WheelTimer,
} from '@steelyard/core'
import type { FlowEntry } from './flow-table.ts'
import type { Resident, UdpMember } from './membership.ts'
import type { UdpSessionHost } from './session-host.ts'
import {
  blamesBackend,
  familyOf,
  idleLeftMs,
  payloadLimit,
  repliesComplete,
} from './session-rules.ts'
import type { UdpSettings } from './settings.ts'
import type { UdpEndReason, UdpSessionRecord } from './udp-session-record.ts'
import { WaitingRoom } from './waiting-room.ts'

/** Members tried before a session gives up. */
const attemptsAllowed = 3
/** How often a session tells the pool how fast its member answers. */
const sampleEveryMs = 1000

/**
 * One client on one member: a connected backend socket, so that replies and ICMP errors are known to be
 * this session's, the datagrams that wait for it to open, and the counts for the summary record.
 */
export class UdpSession implements FlowEntry<UdpSession>, DatagramHandler, Resident {
  readonly address: string
  readonly port: number
  readonly lane: number
  hash = 0
  next: UdpSession | undefined = undefined
  member: UdpMember
  /** Counted among its source's sessions. */
  readonly sourced: boolean
  readonly #host: UdpSessionHost
  readonly #client: SocketAddress
  readonly #replyLimit: number
  readonly #timer: WheelTimer
  readonly #startedAt: number
  readonly #startedWall: number
  /** The settings under which the access list was asked last. */
  #settings: UdpSettings
  #lastActivity: number
  #socket: DatagramSocket | undefined
  #limit = 0
  #over = false
  #waiting: WaitingRoom | undefined
  #tried: Tried | undefined
  #attempts = 0
  /** When the datagram was sent that the next reply answers; -1 when none is unanswered. */
  #askedAt = -1
  #sampledAt = Number.NEGATIVE_INFINITY
  /** Datagrams of the backend, also those that did not reach the client. */
  #replies = 0
  #datagramsFromClient = 0
  #bytesFromClient = 0
  #datagramsToClient = 0
  #bytesToClient = 0
  #dropped = 0

  /**
   * @param lane - the member's slot in one-packet mode, else -1.
   * @param sourced - its source address has an affinity that this session keeps alive.
   */
  constructor(
    host: UdpSessionHost,
    client: SocketAddress,
    lane: number,
    member: UdpMember,
    sourced: boolean,
  ) {
    const { address, port, family } = client
    this.address = address
    this.port = port
    this.lane = lane
    this.member = member
    this.sourced = sourced
    this.#host = host
    this.#client = { address, port, family }
    this.#replyLimit = payloadLimit(familyOf(address))
    this.#settings = host.settings
    this.#timer = new WheelTimer(() => this.#look())
    this.#startedAt = host.clock.now()
    this.#startedWall = host.clock.wallNow()
    this.#lastActivity = this.#startedAt
  }

  /** Begins: counts on its member and opens the backend socket. */
  begin(): void {
    const { wheel, settings } = this.#host
    this.member.join(this)
    wheel.arm(this.#timer, settings.idleMs)
    this.#open()
  }

  /** May it go on? Ends it when its member must be left, or a reload denies the client. */
  goesOn(): boolean {
    const { fate } = this.member
    if (fate !== undefined) {
      this.end(fate)
      return false
    }
    const { settings, listener } = this.#host
    if (settings === this.#settings) return true
    this.#settings = settings
    const { acl } = settings
    if (acl === undefined || listener === undefined) return true
    if (acl({ source: this.#client, destination: listener.local })) return true
    this.end('acl-denied')
    return false
  }

  /** Sends the client's datagram on, or keeps a copy until the socket is open. */
  forward(bytes: Uint8Array): void {
    this.#lastActivity = this.#host.clock.now()
    if (this.#socket === undefined) this.#keep(bytes)
    else this.#send(this.#socket, bytes)
  }

  /** Looks at the idle time again, now that another timeout is in force. */
  rearm(): void {
    this.#look()
  }

  end(reason: UdpEndReason, error?: SteelyardError): void {
    if (this.#over) return
    this.#over = true
    this.#host.wheel.disarm(this.#timer)
    const lost = this.#waiting?.clear() ?? 0
    if (lost > 0) this.#host.counters.drop('not-sent', lost)
    this.#dropped += lost
    this.#socket?.close()
    this.#socket = undefined
    this.member.leave(this)
    this.#host.finished(this, reason, error)
  }

  record(reason: UdpEndReason, error: SteelyardError | undefined, local: string): UdpSessionRecord {
    return {
      listener: this.#host.name,
      pool: this.member.pool.name,
      client: endpointText(this.#client),
      local,
      backend: this.member.backend.id,
      startedAt: this.#startedWall,
      durationMs: this.#host.clock.now() - this.#startedAt,
      attempts: this.#attempts,
      datagramsFromClient: this.#datagramsFromClient,
      bytesFromClient: this.#bytesFromClient,
      datagramsToClient: this.#datagramsToClient,
      bytesToClient: this.#bytesToClient,
      dropped: this.#dropped,
      reason,
      ...(error === undefined ? {} : { error }),
    }
  }

  // -- the backend socket's owner --

  message(_socket: DatagramSocket, bytes: Uint8Array): void {
    if (this.#over) return
    const { clock, counters, settings, listener } = this.#host
    if (settings !== this.#settings && !this.goesOn()) return
    const now = clock.now()
    this.#sample(now)
    if (settings.expectedReplies === 0) {
      this.#dropped += 1
      return counters.drop('reply-unexpected')
    }
    this.#lastActivity = now
    this.#replies += 1
    if (bytes.length > this.#replyLimit) {
      this.#dropped += 1
      counters.drop('reply-too-long')
      this.#warnTooLong('client', bytes.length)
    } else if (listener?.send(bytes, this.#client) === true) {
      counters.datagramsToClient += 1
      counters.bytesToClient += bytes.length
      this.#datagramsToClient += 1
      this.#bytesToClient += bytes.length
    } else {
      this.#dropped += 1
      counters.drop('reply-queue-full')
    }
    if (repliesComplete(settings.expectedReplies, this.#datagramsFromClient, this.#replies)) {
      this.end('replies-complete')
    }
  }

  failed(_socket: DatagramSocket, error: TransportError): void {
    if (this.#over) return
    const { counters } = this.#host
    if (blamesBackend(error.code)) {
      counters.refused += 1
      this.member.pool.failed(this.member.slot, error)
      this.#warn('member-refused', error, 'backend refused datagrams')
      this.#host.refused(this)
      this.end('member-refused', error)
    } else if (error.code === 'message-too-long') {
      this.#dropped += 1
      counters.drop('too-long')
      this.#warn('too-long', error, 'datagram too long')
    } else {
      counters.socketErrors += 1
      this.#warn('socket-error', error, 'backend socket failed')
    }
  }

  closed(socket: DatagramSocket): void {
    this.#host.socketGone()
    if (this.#over || socket !== this.#socket) return
    this.#socket = undefined
    this.end('error')
  }

  #open(): void {
    const { transport, settings } = this.#host
    const { backend } = this.member
    const source = settings.sourceAddresses?.next(backend.host)
    this.#attempts += 1
    this.#host.socketBegun()
    transport
      .bind(
        {
          peer: { host: backend.host, port: backend.port },
          ...(source === undefined ? {} : { host: source }),
        },
        this,
      )
      .then(
        (socket) => this.#opened(socket),
        (error: TransportError) => this.#unopened(error),
      )
  }

  #opened(socket: DatagramSocket): void {
    if (this.#over) return socket.close()
    this.#socket = socket
    this.#limit = payloadLimit(familyOf(socket.local.address))
    // What waits stays counted until it is sent: sending may end the session, and the rest is lost with it.
    for (let bytes = this.#waiting?.next(); bytes !== undefined; bytes = this.#waiting?.next()) {
      this.#send(socket, bytes)
    }
    this.#waiting = undefined
  }

  #unopened(error: TransportError): void {
    this.#host.socketGone()
    if (this.#over) return
    this.#host.counters.connectFailures += 1
    this.#warn('connect-failed', error, 'backend socket cannot be opened')
    const { member } = this
    const blamed = blamesBackend(error.code)
    if (blamed) member.pool.failed(member.slot, error)
    if (blamed && this.lane < 0 && this.#attempts < attemptsAllowed) {
      this.#tried ??= new Tried()
      this.#tried.add(member.slot)
      const other = this.#host.another(this, this.#tried)
      if (other !== undefined) {
        other.join(this)
        this.member = other
        member.leave(this)
        return this.#open()
      }
    }
    this.end('connect-failed', error)
  }

  #send(socket: DatagramSocket, bytes: Uint8Array): void {
    const { counters } = this.#host
    if (bytes.length > this.#limit) {
      this.#dropped += 1
      counters.drop('too-long')
      return this.#warnTooLong('backend', bytes.length)
    }
    // Counted first: a socket that fails at once ends the session, and its record must be true.
    counters.datagramsFromClient += 1
    counters.bytesFromClient += bytes.length
    this.#datagramsFromClient += 1
    this.#bytesFromClient += bytes.length
    if (this.#askedAt < 0) this.#askedAt = this.#lastActivity
    if (socket.send(bytes)) return
    counters.datagramsFromClient -= 1
    counters.bytesFromClient -= bytes.length
    this.#datagramsFromClient -= 1
    this.#bytesFromClient -= bytes.length
    this.#dropped += 1
    counters.drop('queue-full')
  }

  #keep(bytes: Uint8Array): void {
    const { counters, settings } = this.#host
    this.#waiting ??= new WaitingRoom(counters)
    if (this.#waiting.keep(bytes, settings)) return
    this.#dropped += 1
    counters.drop('buffer-full')
  }

  /** Tells the pool now and then that the member answers, and how fast. */
  #sample(now: number): void {
    const askedAt = this.#askedAt
    if (askedAt < 0) return
    this.#askedAt = -1
    if (now - this.#sampledAt < sampleEveryMs) return
    this.#sampledAt = now
    this.member.pool.succeeded(this.member.slot, now - askedAt)
  }

  /** The timer came: activity since then only moved the time, not the timer. */
  #look(): void {
    const { clock, settings, wheel } = this.#host
    const left = idleLeftMs(clock.now(), this.#lastActivity, settings.idleMs)
    if (left <= 0) this.end('idle')
    else wheel.arm(this.#timer, left)
  }

  #warnTooLong(to: 'backend' | 'client', bytes: number): void {
    const { gate, log, name } = this.#host
    const withheld = gate.pass('too-long')
    if (withheld < 0) return
    log.warn(
      {
        listener: name,
        client: endpointText(this.#client),
        backend: this.member.backend.id,
        to,
        bytes,
        withheld,
      },
      'datagram too long',
    )
  }

  #warn(subject: string, error: TransportError, message: string): void {
    const { gate, log, name } = this.#host
    const withheld = gate.pass(subject)
    if (withheld < 0) return
    log.warn(
      {
        listener: name,
        client: endpointText(this.#client),
        backend: this.member.backend.id,
        code: error.code,
        error: error.message,
        withheld,
      },
      message,
    )
  }
}

/** `address:port`, with brackets around IPv6. */
export function endpointText({ address, port }: SocketAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
