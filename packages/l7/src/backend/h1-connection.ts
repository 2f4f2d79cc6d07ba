import {
  type Stream,
  type StreamHandler,
  type TimerWheel,
  type TransportError,
  WheelTimer,
} from '@steelyard/core'
import { ExchangeError, type ExchangeErrorCode } from '../exchange/exchange-error.ts'
import type { Head } from '../wire/head.ts'
import type { HeadLimits } from '../wire/limits.ts'
import { type BodyLength, type RequestHead, unknownLength } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import type { BackendEvents, BackendLeg } from './backend-leg.ts'
import type { ChunkPieces } from './chunk-pieces.ts'
import type { CloseReason } from './connection-stats.ts'
import type { Outbox } from './outbox.ts'
import { RequestWriter } from './request-writer.ts'
import { Part, type ResponseListener, ResponseReader } from './response-reader.ts'

/** Whoever keeps a connection while it is idle, and counts it. */
export interface ConnectionKeeper {
  /** The member's, for messages. */
  readonly address: string
  /** The exchange is over and the connection could serve another one: keep it, or {@link H1Connection.close} it. */
  settled(connection: H1Connection): void
  /** It is closed, or somebody else's. */
  left(connection: H1Connection, reason: CloseReason): void
}

/** What the connections of a pool share. */
export interface ConnectionRig {
  readonly limits: HeadLimits
  readonly outbox: Outbox
  readonly pieces: ChunkPieces
  readonly wheel: TimerWheel
}

/** Whose the connection is, and for what. */
const Stage = {
  /** Nobody's. */
  idle: 0,
  /** An exchange's that has sent nothing. */
  unsent: 1,
  /** An exchange's, which is being answered. */
  http: 2,
  /** A 101 was told, and the exchange has not decided. */
  switching: 3,
  tunnel: 4,
  /** A tunnel ended both ways, and what was sent last is on its way. */
  lingering: 5,
  over: 6,
} as const

/** How long the last bytes of a tunnel may take, in milliseconds. */
const lingerMs = 10_000
const none = new Uint8Array(0)

/**
 * One HTTP/1.1 connection to a member (RFC 9112). It is the {@link BackendLeg} of the exchange that it serves at the
 * moment, and serves one after the other. Nothing that the member says can be taken for an answer to anything but the
 * request it was sent for: bytes that nobody asked for end the connection.
 */
export class H1Connection implements StreamHandler, BackendLeg, ResponseListener {
  readonly shared = false
  /** The client's connection whose own this is; 0 for anybody's. */
  readonly ownerId: number
  /** Exchanges that it has served, the present one included. */
  requests = 0
  readonly keeper: ConnectionKeeper
  /** It is too old to be kept. */
  worn = false
  /** The client whose own it is has gone. */
  orphaned = false

  // The keeper's notes.
  newer: H1Connection | undefined = undefined
  older: H1Connection | undefined = undefined
  isIdle = false
  idleSince = 0
  idleLimit = 0

  readonly #stream: Stream
  readonly #rig: ConnectionRig
  readonly #timer: WheelTimer
  readonly #writer: RequestWriter
  readonly #reader: ResponseReader
  #events: BackendEvents | undefined = undefined
  /** Counts exchanges that left: who called out compares it, because the connection may be somebody else's meanwhile. */
  #turn = 0
  #stage: number = Stage.idle
  /** The final head came before the request was whole. */
  #early = false
  #paused = false
  #wantsDrained = false
  #sentFin = false
  #gotFin = false

  // The range that is being looked at.
  #pumping = false
  #range: Uint8Array = none
  #at = 0
  #end = 0
  /** What came and may not be told yet. */
  #held: Uint8Array | undefined = undefined
  #heldAt = 0
  /** How the stream ended while something was held. */
  #fate: 'fin' | 'closed' | undefined = undefined
  #fateError: TransportError | undefined = undefined

  /**
   * @param stream - connected; nothing was read.
   * @param lifetimeMs - how old it may get; 0 for any age.
   */
  constructor(
    stream: Stream,
    keeper: ConnectionKeeper,
    rig: ConnectionRig,
    ownerId: number,
    lifetimeMs: number,
  ) {
    this.ownerId = ownerId
    this.#stream = stream
    this.keeper = keeper
    this.#rig = rig
    this.#writer = new RequestWriter(stream, rig.outbox)
    this.#reader = new ResponseReader(this, rig.limits, rig.pieces)
    this.#timer = new WheelTimer(() => this.#timeUp())
    if (lifetimeMs > 0) rig.wheel.arm(this.#timer, lifetimeMs)
    stream.handler = this
    // A TLS stream begins paused; any other is reading already.
    stream.resume()
  }

  /** How long the member keeps it when it is idle, in milliseconds; -1 when it did not say. */
  get keepAliveMs(): number {
    return this.#reader.keepAliveMs
  }

  get reused(): boolean {
    return this.requests > 1
  }

  /** Nothing speaks against another exchange. */
  get fit(): boolean {
    return this.#stage === Stage.idle && this.#stream.state === 'open' && !this.#stream.ended
  }

  /** Begins an exchange. */
  serve(events: BackendEvents): void {
    this.requests += 1
    this.#events = events
    this.#stage = Stage.unsent
    this.#early = false
    this.#wantsDrained = false
    this.#writer.reset()
    this.#reader.reset()
  }

  /** Closes it when it is idle. */
  close(reason: CloseReason): void {
    if (this.#stage === Stage.idle) this.#drop(reason)
  }

  // -- the exchange's side --

  sendHead(head: RequestHead, length: BodyLength, upgrade: string): void {
    if (this.#stage !== Stage.unsent) return
    // Throws for a head that cannot be written, and nothing has happened then.
    this.#writer.begin(head, length, upgrade)
    this.#reader.expect(head.method, upgrade !== '')
    this.#stage = Stage.http
  }

  sendBody(bytes: Uint8Array): boolean {
    const stage = this.#stage
    if (this.#events === undefined || stage === Stage.unsent || bytes.length === 0) return true
    let taken: boolean
    if (stage === Stage.tunnel || stage === Stage.switching) {
      taken = this.#stream.write(bytes)
    } else {
      const { left, whole } = this.#writer
      if (whole || (left !== unknownLength && bytes.length > left)) {
        this.#misframed('is longer than its head says')
        return true
      }
      taken = this.#writer.body(bytes)
    }
    if (!taken) this.#wantsDrained = true
    return taken
  }

  finish(trailers: Head | undefined): void {
    const stage = this.#stage
    if (this.#events === undefined || stage === Stage.unsent) return
    if (stage === Stage.tunnel || stage === Stage.switching) {
      if (this.#sentFin) return
      this.#sentFin = true
      this.#stream.end()
      if (this.#gotFin) this.#linger()
      return
    }
    if (this.#writer.whole) return
    if (this.#writer.left > 0) {
      return this.#misframed('is shorter than its head says')
    }
    this.#writer.finish(trailers)
  }

  abort(): void {
    if (this.#events === undefined) return
    const stage = this.#stage
    // The member knows nothing of this exchange.
    const clean = !this.#writer.sent && this.#reader.untouched
    if (clean && stage <= Stage.http) this.#giveBack()
    else this.#drop('aborted')
  }

  pauseBody(): void {
    if (this.#events === undefined || this.#paused) return
    this.#paused = true
    this.#stream.pause()
  }

  resumeBody(): void {
    if (!this.#paused) return
    this.#paused = false
    // Whoever pumps goes on by itself.
    if (this.#pumping) this.#stream.resume()
    else this.#proceed()
  }

  switchProtocols(): void {
    if (this.#stage !== Stage.switching) return
    this.#stage = Stage.tunnel
    if (this.#pumping) return
    const turn = this.#turn
    // Not from within: whoever switches may want to release the tunnel with the bytes that came early.
    queueMicrotask(() => {
      if (this.#turn === turn && !this.#paused && !this.#pumping) this.#proceed()
    })
  }

  releaseTunnel(): { readonly stream: Stream; readonly early: Uint8Array } | undefined {
    const stream = this.#stream
    // A stream that has ended meanwhile may be released too: a relay looks at how it stands.
    if (this.#stage !== Stage.tunnel) return undefined
    const early =
      this.#held === undefined
        ? copyOf(this.#range, this.#at, this.#end)
        : this.#held.subarray(this.#heldAt)
    stream.pause()
    this.#leave(Stage.over)
    this.keeper.left(this, 'tunnel')
    return { stream, early }
  }

  // -- the stream's side --

  data(_stream: Stream, bytes: Uint8Array): void {
    const stage = this.#stage
    if (stage === Stage.idle) return this.#drop('unexpected-bytes')
    if (stage >= Stage.lingering) return
    const waits = this.#paused || this.#held !== undefined || stage === Stage.switching
    if (waits) this.#hold(bytes, 0, bytes.length)
    else this.#pump(bytes, 0, bytes.length, false)
  }

  ended(): void {
    const stage = this.#stage
    if (stage === Stage.idle) return this.#drop('member-closed')
    if (stage >= Stage.lingering) return
    if (this.#mustWait()) this.#fate ??= 'fin'
    else this.#ended()
  }

  drained(): void {
    if (!this.#wantsDrained) return
    this.#wantsDrained = false
    this.#events?.backendDrained()
  }

  closed(_stream: Stream, error: TransportError | undefined): void {
    const stage = this.#stage
    if (stage === Stage.over) return
    if (stage === Stage.idle) return this.#drop('member-closed')
    if (stage === Stage.lingering) return this.#drop('tunnel')
    if (!this.#mustWait()) return this.#broken(error)
    // A body that its FIN made whole stays so.
    if (this.#fate === 'fin' && this.#endsByClose) return
    this.#fate = 'closed'
    this.#fateError = error
  }

  // -- what comes --

  /** The response is whole, and that has not been told. */
  get #isWhole(): boolean {
    return this.#stage === Stage.http && this.#reader.part === Part.whole
  }

  get #endsByClose(): boolean {
    return this.#stage === Stage.http && this.#reader.part === Part.untilClose
  }

  /** Something that came before the stream's end has not been told. */
  #mustWait(): boolean {
    if (this.#held !== undefined) return true
    if (this.#stage === Stage.switching || this.#isWhole) return true
    return this.#paused && (this.#stage === Stage.tunnel || this.#endsByClose)
  }

  /** Tells what the range has, until it is over or the exchange wants no more. */
  #pump(range: Uint8Array, at: number, end: number, owned: boolean): void {
    const turn = this.#turn
    this.#range = range
    this.#at = at
    this.#end = end
    this.#pumping = true
    do {
      this.#step()
      if (this.#turn !== turn) return
    } while (this.#goesOn())
    this.#pumping = false
    this.#range = none
    if (this.#at < this.#end) {
      if (owned) {
        this.#held = range
        this.#heldAt = this.#at
      } else {
        this.#hold(range, this.#at, this.#end)
      }
    }
    if (this.#stage === Stage.switching) this.#stream.pause()
    this.#events?.settled?.()
  }

  #goesOn(): boolean {
    if (this.#paused || this.#stage === Stage.switching) return false
    return this.#at < this.#end || this.#isWhole
  }

  #step(): void {
    const stage = this.#stage
    if (stage === Stage.tunnel) return this.#passOn()
    // While its head waits for the end of the turn, nobody can have answered it.
    if (stage !== Stage.http || !this.#writer.sent) return this.#unasked()
    if (this.#reader.part === Part.whole) return this.#complete()
    const turn = this.#turn
    const at = this.#reader.take(this.#range, this.#at, this.#end)
    if (this.#turn === turn) this.#at = at
  }

  /** A tunnel's bytes. */
  #passOn(): void {
    const range = this.#range
    const at = this.#at
    this.#at = this.#end
    const isAll = at === 0 && this.#end === range.length
    this.#events!.responseBody(isAll ? range : range.subarray(at, this.#end))
  }

  // -- what the reader found --

  informed(head: ResponseHead): void {
    this.#events!.informational(head)
  }

  switched(head: ResponseHead): void {
    // RFC 9110 section 7.8: not before the request was whole.
    if (!this.#writer.whole) return this.bad('it switches protocols in the middle of the request')
    this.#stage = Stage.switching
    this.#at = this.#reader.behind
    this.#events!.responseHead(head)
  }

  answered(head: ResponseHead): void {
    this.#early = !this.#writer.whole
    this.#events!.responseHead(head)
  }

  body(bytes: Uint8Array): void {
    this.#events!.responseBody(bytes)
  }

  bad(problem: string): void {
    // Whoever was told of the bytes before may have given up.
    if (this.#events === undefined) return
    this.#fail('bad-response', `${this.keeper.address} answered badly: ${problem}`, false)
  }

  /** The response is whole. */
  #complete(): void {
    if (this.#reader.framed && this.#at < this.#end) {
      return this.bad('its body is longer than its framing says')
    }
    const events = this.#events!
    const { trailers } = this.#reader
    const flaw = this.#flaw()
    const waiting = this.#wantsDrained
    if (flaw === undefined) this.#giveBack()
    else this.#drop(flaw)
    // Nobody sends any more: who waits for room must not wait for ever.
    if (waiting && flaw !== undefined) events.backendDrained()
    events.responseEnd(trailers)
  }

  /** What speaks against serving again. */
  #flaw(): CloseReason | undefined {
    const stream = this.#stream
    if (this.#early || stream.pending > 0) return 'early-response'
    if (this.#at < this.#end) return 'unexpected-bytes'
    if (!this.#reader.keepAlive) return 'not-kept'
    if (stream.state !== 'open' || stream.ended) return 'member-closed'
    return undefined
  }

  // -- what is held --

  #hold(bytes: Uint8Array, start: number, end: number): void {
    const held = this.#held
    if (held === undefined) {
      this.#held = copyOf(bytes, start, end)
    } else {
      const kept = held.length - this.#heldAt
      const longer = new Uint8Array(kept + end - start)
      longer.set(held.subarray(this.#heldAt))
      longer.set(bytes.subarray(start, end), kept)
      this.#held = longer
    }
    this.#heldAt = 0
  }

  /** Goes on after a pause: what is held, what became of the stream meanwhile, and more. */
  #proceed(): void {
    if (this.#stage === Stage.switching) return
    const turn = this.#turn
    const held = this.#held
    if (held !== undefined || this.#isWhole) {
      this.#held = undefined
      this.#pump(held ?? none, held === undefined ? 0 : this.#heldAt, held?.length ?? 0, true)
      if (this.#turn !== turn || this.#paused || this.#held !== undefined) return
    }
    const fate = this.#fate
    this.#fate = undefined
    if (fate === 'closed') this.#broken(this.#fateError)
    else if (fate === 'fin') this.#ended()
    if (this.#turn === turn && this.#events !== undefined) this.#stream.resume()
  }

  // -- ends --

  /** The member sends no more, and everything that it sent has been told. */
  #ended(): void {
    if (this.#endsByClose) return this.#complete()
    if (this.#stage !== Stage.tunnel) return this.#broken(undefined)
    if (this.#gotFin) return
    this.#gotFin = true
    const events = this.#events!
    if (this.#sentFin) this.#linger()
    events.responseEnd(undefined)
  }

  /** The stream is over, or can tell no more, before the exchange is. */
  #broken(error: TransportError | undefined): void {
    const how =
      error === undefined ? 'closed the connection' : `broke the connection: ${error.message}`
    this.#fail(
      error === undefined ? 'backend-closed' : 'backend-reset',
      `${this.keeper.address} ${how}`,
      this.reused && this.#reader.untouched,
      error,
    )
  }

  #unasked(): void {
    this.#fail('bad-response', `${this.keeper.address} answered before it was asked`, false)
  }

  /** A part of ours gave another body than it had announced; the member must not take what follows for a request. */
  #misframed(problem: string): void {
    const events = this.#events!
    const error = new ExchangeError(`the body for ${this.keeper.address} ${problem}`, {
      code: 'hook-failed',
      source: 'system',
      phase: 'request-body',
    })
    this.#drop('failed')
    events.backendFailed(error)
  }

  #fail(code: ExchangeErrorCode, message: string, replayable: boolean, cause?: unknown): void {
    const events = this.#events!
    const source = (cause as TransportError | undefined)?.source === 'system' ? 'system' : 'backend'
    const error = new ExchangeError(message, {
      code,
      source,
      phase: this.#phase(),
      replayable: replayable || !this.#writer.sent,
      untouched: !this.#writer.sent,
      ...(cause === undefined ? {} : { cause }),
    })
    this.#drop('failed')
    events.backendFailed(error)
  }

  #phase(): 'request' | 'request-body' | 'response-head' | 'response-body' | 'tunnel' {
    const stage = this.#stage
    if (stage === Stage.tunnel || stage === Stage.switching) return 'tunnel'
    if (stage === Stage.http && this.#reader.part !== Part.head) return 'response-body'
    if (!this.#writer.sent) return 'request'
    return this.#writer.whole || !this.#reader.untouched ? 'response-head' : 'request-body'
  }

  /** The connection is whole and nobody's. */
  #giveBack(): void {
    this.#writer.drop()
    this.#leave(Stage.idle)
    this.#paused = false
    // It has to hear what happens to it while it is idle.
    this.#stream.resume()
    this.keeper.settled(this)
  }

  #drop(reason: CloseReason): void {
    this.#writer.drop()
    this.#leave(Stage.over)
    this.keeper.left(this, reason)
    this.#stream.destroy()
  }

  /** A tunnel is over both ways; what is on its way may arrive. */
  #linger(): void {
    this.#leave(Stage.lingering)
    this.#stream.resume()
    this.#rig.wheel.arm(this.#timer, lingerMs)
  }

  /** The exchange is over, for good or ill. */
  #leave(stage: number): void {
    this.#turn += 1
    this.#events = undefined
    this.#stage = stage
    this.#pumping = false
    this.#range = none
    this.#at = 0
    this.#end = 0
    this.#held = undefined
    this.#fate = undefined
    this.#fateError = undefined
    if (stage === Stage.over) this.#rig.wheel.disarm(this.#timer)
  }

  #timeUp(): void {
    if (this.#stage === Stage.lingering) return this.#drop('tunnel')
    this.worn = true
    if (this.#stage === Stage.idle) this.#drop('lifetime')
  }
}

function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}
