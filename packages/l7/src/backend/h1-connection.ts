import {
  type Stream,
  type StreamHandler,
  type TimerWheel,
  type TransportError,
  WheelTimer,
} from '@steelyard/core'
import { ExchangeError, type ExchangeErrorCode } from '../exchange/exchange-error.ts'
import { ChunkedDecoder } from '../wire/chunked-decoder.ts'
import type { Head } from '../wire/head.ts'
import { judgeResponse } from '../wire/judge-response.ts'
import type { HeadLimits } from '../wire/limits.ts'
import { type BodyLength, type RequestHead, unknownLength } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import { ResponseParser } from '../wire/response-parser.ts'
import type { BackendEvents, BackendLeg } from './backend-leg.ts'
import type { ChunkPieces } from './chunk-pieces.ts'
import type { CloseReason } from './connection-stats.ts'
import type { Outbox } from './outbox.ts'
import { RequestWriter } from './request-writer.ts'

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

/** What the next bytes are. */
const Reading = {
  /** Nobody's: it is idle. */
  idle: 0,
  /** Nobody's: an exchange has the connection and has sent nothing. */
  unsent: 1,
  head: 2,
  /** A body of known length. */
  sized: 3,
  chunked: 4,
  untilClose: 5,
  /** Nobody's yet: a 101 was told, and the exchange has not decided. */
  switching: 6,
  tunnel: 7,
  /** Nobody's: the response is whole, and that has not been told. */
  whole: 8,
  /** A tunnel ended both ways, and what was sent last is on its way. */
  lingering: 9,
  over: 10,
} as const

/** Informational responses to one request; more are an attack or a loop. */
const mostInformational = 64
/** How long the last bytes of a tunnel may take, in milliseconds. */
const lingerMs = 10_000
const none = new Uint8Array(0)

/**
 * One HTTP/1.1 connection to a member (RFC 9112). It is the {@link BackendLeg} of the exchange that it serves at the
 * moment, and serves one after the other. Nothing that the member says can be taken for an answer to anything but the
 * request it was sent for: bytes that nobody asked for end the connection.
 */
export class H1Connection implements StreamHandler, BackendLeg {
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
  readonly #parser: ResponseParser
  /** Made with the first chunked body. */
  #decoder: ChunkedDecoder | undefined = undefined
  #events: BackendEvents | undefined = undefined
  /** Counts exchanges that left: who called out compares it, because the connection may be somebody else's meanwhile. */
  #turn = 0
  #reading: number = Reading.idle
  #method = ''
  #asksUpgrade = false
  #informational = 0
  /** No byte of the response has come. */
  #untouched = true
  /** The final head came before the request was whole. */
  #early = false
  /** The message has a body by its framing, so that what follows it is no body that should not be there. */
  #framed = false
  #keepAlive = false
  /** Body bytes still to come, when their number is known. */
  #left = 0
  #trailers: Head | undefined = undefined
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
    this.#parser = new ResponseParser(rig.limits)
    this.#timer = new WheelTimer(() => this.#timeUp())
    if (lifetimeMs > 0) rig.wheel.arm(this.#timer, lifetimeMs)
    stream.handler = this
    // A TLS stream begins paused; any other is reading already.
    stream.resume()
  }

  get reused(): boolean {
    return this.requests > 1
  }

  /** Nothing speaks against another exchange. */
  get fit(): boolean {
    return this.#reading === Reading.idle && this.#stream.state === 'open' && !this.#stream.ended
  }

  /** Begins an exchange. */
  serve(events: BackendEvents): void {
    this.requests += 1
    this.#events = events
    this.#reading = Reading.unsent
    this.#informational = 0
    this.#untouched = true
    this.#early = false
    this.#framed = false
    this.#trailers = undefined
    this.#wantsDrained = false
    this.#writer.reset()
  }

  /** Closes it when it is idle. */
  close(reason: CloseReason): void {
    if (this.#reading === Reading.idle) this.#drop(reason)
  }

  // -- the exchange's side --

  sendHead(head: RequestHead, length: BodyLength, upgrade: string): void {
    if (this.#reading !== Reading.unsent) return
    this.#method = head.method
    this.#asksUpgrade = upgrade !== ''
    // Throws for a head that cannot be written, and nothing has happened then.
    this.#writer.begin(head, length, upgrade)
    this.#reading = Reading.head
  }

  sendBody(bytes: Uint8Array): boolean {
    const reading = this.#reading
    if (this.#events === undefined || reading === Reading.unsent || bytes.length === 0) return true
    let taken: boolean
    if (reading === Reading.tunnel || reading === Reading.switching) {
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
    const reading = this.#reading
    if (this.#events === undefined || reading === Reading.unsent) return
    if (reading === Reading.tunnel || reading === Reading.switching) {
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
    const reading = this.#reading
    // The member knows nothing of this exchange.
    const clean = !this.#writer.sent && this.#untouched
    if (clean && (reading === Reading.unsent || reading === Reading.head)) this.#giveBack()
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
    if (this.#reading !== Reading.switching) return
    this.#reading = Reading.tunnel
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
    if (this.#reading !== Reading.tunnel) return undefined
    const early =
      this.#held === undefined
        ? copyOf(this.#range, this.#at, this.#end)
        : this.#held.subarray(this.#heldAt)
    stream.pause()
    this.#leave(Reading.over)
    this.keeper.left(this, 'tunnel')
    return { stream, early }
  }

  // -- the stream's side --

  data(_stream: Stream, bytes: Uint8Array): void {
    const reading = this.#reading
    if (reading === Reading.idle) return this.#drop('unexpected-bytes')
    if (reading >= Reading.lingering) return
    const waits = this.#paused || this.#held !== undefined || reading === Reading.switching
    if (waits) this.#hold(bytes, 0, bytes.length)
    else this.#pump(bytes, 0, bytes.length, false)
  }

  ended(): void {
    const reading = this.#reading
    if (reading === Reading.idle) return this.#drop('member-closed')
    if (reading >= Reading.lingering) return
    if (this.#mustWait()) this.#fate ??= 'fin'
    else this.#ended()
  }

  drained(): void {
    if (!this.#wantsDrained) return
    this.#wantsDrained = false
    this.#events?.backendDrained()
  }

  closed(_stream: Stream, error: TransportError | undefined): void {
    const reading = this.#reading
    if (reading === Reading.over) return
    if (reading === Reading.idle) return this.#drop('member-closed')
    if (reading === Reading.lingering) return this.#drop('tunnel')
    if (!this.#mustWait()) return this.#broken(error)
    // A body that its FIN made whole stays so.
    if (this.#fate === 'fin' && reading === Reading.untilClose) return
    this.#fate = 'closed'
    this.#fateError = error
  }

  // -- reading --

  /** Something that came before the stream's end has not been told. */
  #mustWait(): boolean {
    if (this.#held !== undefined) return true
    const reading = this.#reading
    if (reading === Reading.whole || reading === Reading.switching) return true
    return this.#paused && (reading === Reading.untilClose || reading === Reading.tunnel)
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
    if (this.#reading === Reading.switching) this.#stream.pause()
    this.#events?.settled?.()
  }

  #goesOn(): boolean {
    if (this.#paused || this.#reading === Reading.switching) return false
    return this.#at < this.#end || this.#reading === Reading.whole
  }

  #step(): void {
    const reading = this.#reading
    if (reading === Reading.head) return this.#readHead()
    if (reading === Reading.sized) return this.#readSized()
    if (reading === Reading.chunked) return this.#readChunked()
    if (reading === Reading.whole) return this.#complete()
    if (reading === Reading.untilClose || reading === Reading.tunnel) {
      const at = this.#at
      this.#at = this.#end
      return this.#tell(this.#range, at, this.#end)
    }
    this.#fail('bad-response', `${this.keeper.address} answered before it was asked`, false)
  }

  #readHead(): void {
    const parser = this.#parser
    // Not before now: whoever was told the last head may have been looking at it until here.
    if (this.#untouched && parser.state !== 'idle') parser.next()
    this.#untouched = false
    this.#at = parser.feed(this.#range, this.#at, this.#end)
    const { state, head } = parser
    if (state === 'failed') return this.#bad(parser.problem?.message ?? 'its head is malformed')
    if (state !== 'complete') return
    const problem = judgeResponse(head, this.#method, this.#asksUpgrade)
    if (problem !== undefined) return this.#bad(problem.message)
    const { status } = head
    if (status === 101) {
      if (!this.#asksUpgrade) return this.#bad('it switches protocols and was not asked to')
      // RFC 9110 section 7.8: not before the request was whole.
      if (!this.#writer.whole)
        return this.#bad('it switches protocols in the middle of the request')
      this.#reading = Reading.switching
      return this.#events!.responseHead(head)
    }
    if (status < 200) return this.#informed(head)
    this.#answered(head)
  }

  #informed(head: ResponseHead): void {
    this.#informational += 1
    if (this.#informational > mostInformational) {
      return this.#bad(`more than ${mostInformational} informational responses came`)
    }
    const turn = this.#turn
    this.#events!.informational(head)
    if (this.#turn === turn) this.#parser.next()
  }

  #answered(head: ResponseHead): void {
    const { bodyLength, untilClose, status } = head
    this.#early = !this.#writer.whole
    this.#keepAlive = head.keepAlive && !untilClose
    this.#left = bodyLength
    if (untilClose) {
      this.#reading = Reading.untilClose
    } else if (bodyLength === unknownLength) {
      this.#framed = true
      this.#reading = Reading.chunked
      this.#decoder ??= new ChunkedDecoder('response', this.#rig.limits)
      this.#decoder.reset()
    } else {
      // What follows the head of an answer without body was not asked for; the answer itself is good.
      this.#framed = this.#method !== 'HEAD' && status !== 204 && status !== 304
      this.#reading = bodyLength === 0 ? Reading.whole : Reading.sized
      if (this.#framed && this.#end - this.#at > bodyLength) {
        return this.#bad('its body is longer than its head says')
      }
    }
    this.#events!.responseHead(head)
  }

  #readSized(): void {
    const at = this.#at
    const length = Math.min(this.#left, this.#end - at)
    this.#left -= length
    this.#at = at + length
    if (this.#left === 0) this.#reading = Reading.whole
    this.#tell(this.#range, at, at + length)
  }

  #readChunked(): void {
    const turn = this.#turn
    const decoder = this.#decoder!
    const range = this.#range
    const { pieces } = this.#rig
    this.#at = decoder.feed(range, this.#at, this.#end, pieces)
    const { state } = decoder
    if (state === 'done') {
      this.#trailers = decoder.trailers
      this.#reading = Reading.whole
    }
    const piece = pieces.take(range)
    if (piece !== undefined) {
      this.#events!.responseBody(piece)
      pieces.giveBack(piece, range)
    }
    if (state === 'failed' && this.#turn === turn) {
      this.#bad(decoder.problem?.message ?? 'its body is not well chunked')
    }
  }

  #tell(bytes: Uint8Array, start: number, end: number): void {
    const whole = start === 0 && end === bytes.length
    this.#events!.responseBody(whole ? bytes : bytes.subarray(start, end))
  }

  /** The response is whole. */
  #complete(): void {
    if (this.#framed && this.#at < this.#end) {
      return this.#bad('its body is longer than its framing says')
    }
    const events = this.#events!
    const trailers = this.#trailers
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
    if (!this.#keepAlive) return 'not-kept'
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
    if (this.#reading === Reading.switching) return
    const turn = this.#turn
    const held = this.#held
    if (held !== undefined || this.#reading === Reading.whole) {
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
    const reading = this.#reading
    if (reading === Reading.untilClose) return this.#complete()
    if (reading !== Reading.tunnel) return this.#broken(undefined)
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
      this.reused && this.#untouched,
      error,
    )
  }

  #bad(problem: string): void {
    this.#fail('bad-response', `${this.keeper.address} answered badly: ${problem}`, false)
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
      ...(cause === undefined ? {} : { cause }),
    })
    this.#drop('failed')
    events.backendFailed(error)
  }

  #phase(): 'request' | 'request-body' | 'response-head' | 'response-body' | 'tunnel' {
    const reading = this.#reading
    if (reading === Reading.tunnel || reading === Reading.switching) return 'tunnel'
    if (reading > Reading.head) return 'response-body'
    if (!this.#writer.sent) return 'request'
    return this.#writer.whole || !this.#untouched ? 'response-head' : 'request-body'
  }

  /** The connection is whole and nobody's. */
  #giveBack(): void {
    this.#writer.drop()
    this.#leave(Reading.idle)
    this.#paused = false
    // It has to hear what happens to it while it is idle.
    this.#stream.resume()
    this.keeper.settled(this)
  }

  #drop(reason: CloseReason): void {
    this.#writer.drop()
    this.#leave(Reading.over)
    this.keeper.left(this, reason)
    this.#stream.destroy()
  }

  /** A tunnel is over both ways; what is on its way may arrive. */
  #linger(): void {
    this.#leave(Reading.lingering)
    this.#stream.resume()
    this.#rig.wheel.arm(this.#timer, lingerMs)
  }

  /** The exchange is over, for good or ill. */
  #leave(reading: number): void {
    this.#turn += 1
    this.#events = undefined
    this.#reading = reading
    this.#pumping = false
    this.#range = none
    this.#at = 0
    this.#end = 0
    this.#held = undefined
    this.#fate = undefined
    this.#fateError = undefined
    if (reading === Reading.over) this.#rig.wheel.disarm(this.#timer)
  }

  #timeUp(): void {
    if (this.#reading === Reading.lingering) return this.#drop('tunnel')
    this.worn = true
    if (this.#reading === Reading.idle) this.#drop('lifetime')
  }
}

function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}
