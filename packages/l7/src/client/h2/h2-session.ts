import { randomBytes } from 'node:crypto'
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import { type Clock, type Logger, type TimerWheel, WheelTimer } from '@steelyard/core'
import type { ConnectionFacts } from '../../exchange/connection-facts.ts'
import { ExchangeError } from '../../exchange/exchange-error.ts'
import type { GateSettings } from '../../gate/gate-options.ts'
import { judgeRequest } from '../../gate/judge-request.ts'
import type { HeadProblem } from '../../wire/head-problem.ts'
import { RequestHead } from '../../wire/request-head.ts'
import type { ClientHost } from '../client-leg.ts'
import { type AbuseScore, abuseScore, abuseWeight } from './abuse-score.ts'
import { H2Leg, type LegOwner } from './h2-leg.ts'
import type { H2Settings } from './h2-options.ts'
import { asUpgrade, type RequestRules, readRequest } from './request-lines.ts'

/** What all sessions of one server share. */
export interface SessionHost {
  readonly settings: H2Settings
  readonly clients: ClientHost
  readonly gate: GateSettings
  readonly log: Logger
  readonly clock: Clock
  readonly wheel: TimerWheel
  /** The session is over and its socket closed; exactly once. */
  left(session: H2Session): void
}

const { NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants

/** Pseudo-header fields of a request, which Node counts with the others. */
const pseudoFields = 5
/** Heads that a session keeps for its next requests. */
const headsKept = 8
const noiseUnit = 65_536
/** The time between two looks at a connection on which bytes come, at most. */
const busySweepMs = 1000
/** What one stream may bring along besides its body: its head, updates of windows, priorities. */
const streamNoise = 4096
/** Sent for each so many bytes of a response: updates of its window. */
const bytesAnUpdate = 256

/** One client's HTTP/2 connection: makes a leg of each stream, and keeps watch over what the client does. */
export class H2Session implements LegOwner {
  readonly clock: Clock
  readonly stallTimeoutMs: number
  readonly #host: SessionHost
  readonly #facts: ConnectionFacts
  readonly #socket: Duplex
  readonly #session: ServerHttp2Session
  readonly #score: AbuseScore
  readonly #rules: RequestRules
  readonly #timer: WheelTimer
  readonly #sweepMs: number
  /** What had been read when we looked last. */
  #bytesRead = 0
  readonly #legs = new Set<H2Leg>()
  readonly #heads: RequestHead[] = []
  readonly #began: number
  /** In the turn in which it began; Node still has to give it what is in the socket. */
  #fresh = true
  #settled = false
  #idleSince: number
  #streamsSeen = 0
  #lastId = -1
  #retired = false
  #destroyedAt = -1
  #over = false
  /** Bytes read that belong to what we have seen. */
  #explained = noiseUnit

  /** @throws when the socket is not fit for it. */
  constructor(host: SessionHost, socket: Duplex, facts: ConnectionFacts) {
    const { settings, clock } = host
    this.#host = host
    this.#facts = facts
    this.#socket = socket
    this.clock = clock
    this.stallTimeoutMs = settings.stallTimeout
    this.#score = abuseScore(settings.abuseLimit, settings.abuseWindow)
    this.#rules = { maxPairs: settings.maxHeaderListPairs }
    this.#began = clock.now()
    this.#idleSince = this.#began
    this.#sweepMs = sweepInterval(settings)
    this.#timer = new WheelTimer(() => this.#sweep())
    this.#session = openSession(socket, settings)
    process.nextTick(() => {
      this.#fresh = false
    })
    this.#listen()
    host.wheel.arm(this.#timer, Math.min(this.#sweepMs, busySweepMs))
  }

  get streams(): number {
    return this.#legs.size
  }

  retire(): void {
    if (this.#fresh) return void setImmediate(() => this.retire())
    if (this.#retired) return
    this.#retired = true
    // Streams that the client opens meanwhile are above the last id that GOAWAY names: it may try them again.
    if (!this.#session.destroyed) this.#session.close()
  }

  /** Ends the connection and everything on it. */
  cut(): void {
    if (this.#fresh) return void setImmediate(() => this.cut())
    this.#end(NGHTTP2_NO_ERROR)
    this.#socket.destroy()
  }

  // What its streams tell.

  legLeft(leg: H2Leg, cut: 'no' | 'reset' | 'violation'): void {
    this.#legs.delete(leg)
    if (this.#legs.size === 0) this.#idleSince = this.clock.now()
    // What was on its way to a stream that is gone.
    this.#explained += this.#host.settings.streamWindow
    if (cut === 'no' || this.#session.destroyed || this.#socket.destroyed) return
    this.#oddity(cut === 'violation' ? abuseWeight.violation : abuseWeight.reset)
  }

  headFree(head: RequestHead): void {
    if (this.#heads.length >= headsKept) return
    head.reset()
    this.#heads.push(head)
  }

  passed(received: number, sent: number): void {
    // Each piece has a frame's header, and padding that we do not see.
    if (received > 0) this.#explained += received + 64
    this.#explained += sent / bytesAnUpdate
  }

  failed(error: unknown): void {
    this.#host.log.error({ connection: this.#facts.id, error }, 'http/2 stream: a step failed')
  }

  // Inside.

  #listen(): void {
    const session = this.#session
    session.on('error', (error) => this.#failedSession(error))
    session.on('close', () => this.#leave())
    session.on('stream', (stream, _headers, flags, raw: readonly string[]) => {
      try {
        this.#begin(stream, (flags & NGHTTP2_FLAG_END_STREAM) !== 0, raw)
      } catch (error) {
        this.failed(error)
        stream.destroy()
      }
    })
    session.on('goaway', () => {
      this.#retired = true
    })
    session.on('remoteSettings', () => {
      this.#explained += 256
      if (this.#settled) this.#oddity(abuseWeight.settings)
      this.#settled = true
    })
    session.on('ping', () => {
      this.#explained += 17
      this.#oddity(abuseWeight.ping)
    })
    session.on('priority' as 'ping', () => {
      this.#explained += 14
      this.#oddity(abuseWeight.priority)
    })
  }

  #begin(stream: ServerHttp2Stream, bodyless: boolean, raw: readonly string[]): void {
    stream.on('error', ignore)
    const { settings, gate, clients } = this.#host
    const id = stream.id ?? 0
    this.#streamsSeen += 1
    this.#explained += streamNoise
    // Ids that were left out are streams that were refused before we heard of them; some clients begin at 3 or later.
    const refused = this.#lastId < 0 ? 0 : (id - this.#lastId) / 2 - 1
    this.#lastId = id
    if (refused > 0 && this.#oddity(refused * abuseWeight.refusedStream)) return
    if (stream.destroyed || stream.closed) {
      this.#oddity(abuseWeight.reset)
      return
    }
    if (this.#session.destroyed) return
    const head = this.#heads.pop() ?? new RequestHead()
    let problem = readRequest(raw, bodyless, head, this.#rules)
    if (problem === undefined) {
      if (head.upgrade !== '') asUpgrade(head, webSocketKey)
      problem = judgeRequest(head, gate)
    }
    const first = this.#streamsSeen === 1
    const leg = new H2Leg(this, stream, this.#facts, head, bodyless, first)
    this.#legs.add(leg)
    if (problem === undefined) leg.begin(clients)
    else this.#refuse(leg, head, problem)
    if (settings.maxStreams > 0 && this.#streamsSeen >= settings.maxStreams) this.retire()
  }

  #refuse(leg: H2Leg, head: RequestHead, problem: HeadProblem): void {
    const { status, code, message } = problem
    leg.refuse(status, `${status} ${message}\n`)
    const error = new ExchangeError(message, {
      code: code === 'bad-response' ? 'bad-request' : code,
      source: 'client',
      phase: 'head',
    })
    this.#host.clients.refused(this.#facts, error, status, head)
    this.#oddity(abuseWeight.badHead)
  }

  /** Counts something odd; true when it was too much, and the session is destroyed. */
  #oddity(weight: number): boolean {
    if (this.#session.destroyed) return true
    const verdict = this.#score.add(weight, this.clock.now())
    if (verdict === 'fine') return false
    if (verdict === 'retire') {
      if (!this.#retired) this.#report('http/2 connection retired: its client is odd')
      this.retire()
      return false
    }
    this.#report('http/2 connection ended: its client abuses it')
    this.#end(NGHTTP2_ENHANCE_YOUR_CALM)
    return true
  }

  #sweep(): void {
    if (this.#over) return
    const now = this.clock.now()
    const { settings } = this.#host
    const quiet = !this.#hasRead()
    this.#host.wheel.arm(this.#timer, quiet ? this.#sweepMs : Math.min(this.#sweepMs, busySweepMs))
    if (this.#session.destroyed || this.#socket.destroyed) {
      // Node waits for a socket whose peer may never read.
      if (this.#destroyedAt < 0) this.#destroyedAt = now
      if (now - this.#destroyedAt >= settings.lingerTimeout) this.#socket.destroy()
      return
    }
    if (!this.#settled && now - this.#began >= settings.settingsTimeout) {
      return this.#end(NGHTTP2_NO_ERROR)
    }
    for (const leg of this.#legs) {
      let stalled = true
      try {
        stalled = leg.sweep(now)
      } catch (error) {
        this.failed(error)
      }
      if (stalled && this.#oddity(abuseWeight.stall)) return
    }
    this.#weighNoise()
    const { idleTimeout } = settings
    if (this.#legs.size > 0 || this.#session.destroyed) return
    const idle = now - this.#idleSince
    if (idleTimeout > 0 && idle >= idleTimeout) this.retire()
    // Retired, without streams, and yet not gone: what is left to send finds no taker.
    if (this.#retired && idle >= settings.lingerTimeout) this.#end(NGHTTP2_NO_ERROR)
  }

  /** Has anything come since we looked last? */
  #hasRead(): boolean {
    const { bytesRead = 0 } = this.#socket as Duplex & { readonly bytesRead?: number }
    if (bytesRead === this.#bytesRead) return false
    this.#bytesRead = bytesRead
    return true
  }

  /** Heads too large, streams too many and frames of no use are dealt with below us: what shows is their bytes. */
  #weighNoise(): void {
    const bytesRead = this.#bytesRead
    // Bodies that wait to be read are still to be explained.
    const { streamWindow } = this.#host.settings
    const waiting = this.#legs.size * (streamWindow + streamNoise)
    const noise = bytesRead - this.#explained - waiting
    if (noise < noiseUnit) return
    this.#explained += noise
    this.#oddity((noise / noiseUnit) * abuseWeight.noise)
  }

  #end(code: number): void {
    if (this.#session.destroyed) return
    this.#retired = true
    this.#destroyedAt = this.clock.now()
    // A number is how Node takes a code without an error of ours; its types do not say so.
    this.#session.destroy(code as unknown as Error)
    this.#host.wheel.arm(this.#timer, this.#host.settings.lingerTimeout)
  }

  #failedSession(error: Error): void {
    const { code } = error as NodeJS.ErrnoException
    this.#host.log.debug(
      { connection: this.#facts.id, code, reason: error.message },
      'http/2 connection failed',
    )
  }

  #report(message: string): void {
    this.#host.log.info(
      {
        connection: this.#facts.id,
        client: this.#facts.client.address,
        score: Math.round(this.#score.level(this.clock.now())),
        streams: this.#streamsSeen,
      },
      message,
    )
  }

  #leave(): void {
    if (this.#over) return
    this.#over = true
    this.#host.wheel.disarm(this.#timer)
    this.#host.left(this)
  }
}

/** Often enough that no limit is missed by more than a quarter. */
function sweepInterval({
  stallTimeout,
  idleTimeout,
  settingsTimeout,
  lingerTimeout,
}: H2Settings): number {
  const shortest = Math.min(
    stallTimeout,
    settingsTimeout,
    lingerTimeout * 4,
    idleTimeout === 0 ? stallTimeout : idleTimeout,
  )
  return Math.max(20, Math.min(5000, shortest / 4))
}

function openSession(socket: Duplex, settings: H2Settings): ServerHttp2Session {
  // Node takes the socket's handle over as it is: one that was paused does not read, and one that may be half open
  // stays so for ever.
  socket.allowHalfOpen = false
  socket.read(0)
  const session = performServerHandshake(socket, {
    settings: {
      maxConcurrentStreams: settings.maxConcurrentStreams,
      maxHeaderListSize: settings.maxHeaderListSize,
      initialWindowSize: settings.streamWindow,
      maxFrameSize: settings.maxFrameSize,
      enablePush: false,
      enableConnectProtocol: true,
    },
    maxHeaderListPairs: settings.maxHeaderListPairs + pseudoFields,
    maxSessionMemory: Math.ceil(settings.maxSessionMemory / 1e6),
    maxSettings: settings.maxSettings,
    maxSessionInvalidFrames: settings.maxInvalidFrames,
    // Refused for want of room; a client that leaves a page and opens the next one causes a hundred. We see them by
    // their ids, and they fade.
    maxSessionRejectedStreams: 10_000,
    maxOutstandingPings: 10,
    maxSendHeaderBlockLength: 262_144,
    // A burst of a whole page that is left, then what a person may do.
    streamResetBurst: 1000,
    streamResetRate: 33,
    strictFieldWhitespaceValidation: true,
    // Backends may repeat what should be single: that is theirs to answer for.
    // @ts-expect-error: known to Node since 24.9 and 22.21, not to its types
    strictSingleValueFields: false,
  })
  session.setLocalWindowSize(settings.connectionWindow)
  return session
}

function webSocketKey(): string {
  return randomBytes(16).toString('base64')
}

function ignore(): void {}
