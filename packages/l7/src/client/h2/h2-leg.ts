import { constants, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2'
import type { Clock, Stream } from '@steelyard/core'
import type { ConnectionFacts } from '../../exchange/connection-facts.ts'
import { ExchangeError } from '../../exchange/exchange-error.ts'
import { Field } from '../../wire/field.ts'
import { Head } from '../../wire/head.ts'
import { type BodyLength, type RequestHead, unknownLength } from '../../wire/request-head.ts'
import type { ResponseHead } from '../../wire/response-head.ts'
import type { ClientEvents, ClientHost, ClientLeg } from '../client-leg.ts'
import { endCame, markEnd, watchEnd } from './end-watch.ts'
import { takesFieldLists } from './node-features.ts'
import { readTrailers } from './request-lines.ts'
import { resetStream } from './reset-stream.ts'
import { byName, fieldsByName, responseFields, tunnelFields } from './response-lines.ts'
import {
  guarded,
  hook,
  hookData,
  hookDrained,
  hookFinished,
  hookTrailers,
  hookWantTrailers,
  type StreamHooks,
} from './stream-hooks.ts'

/** What a {@link H2Leg} needs of the connection that it is a stream of. */
export interface LegOwner {
  readonly clock: Clock
  readonly stallTimeoutMs: number
  /** The stream is gone; `cut` when the client reset it, or broke the protocol on it, before its response was whole. */
  legLeft(leg: H2Leg, cut: 'no' | 'reset' | 'violation'): void
  /** The request's head is not looked at any more. */
  headFree(head: RequestHead): void
  /** No more streams on this connection; those that are open finish. */
  retire(): void
  /** Bytes of bodies that have gone by. */
  passed(received: number, sent: number): void
  /** Something that should not have thrown did. */
  failed(error: unknown): void
}

const {
  NGHTTP2_NO_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_INTERNAL_ERROR,
  NGHTTP2_FLOW_CONTROL_ERROR,
  NGHTTP2_STREAM_CLOSED,
  NGHTTP2_FRAME_SIZE_ERROR,
  NGHTTP2_REFUSED_STREAM,
  NGHTTP2_CANCEL,
  NGHTTP2_ENHANCE_YOUR_CALM,
} = constants

/** More than this is no last piece: the client has not taken the response. */
const lastPiece = 65_536

/** Codes by which a stream ends when its client broke the protocol on it. */
const violations: ReadonlySet<number> = new Set([
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_FLOW_CONTROL_ERROR,
  NGHTTP2_STREAM_CLOSED,
  NGHTTP2_FRAME_SIZE_ERROR,
])

/** One stream of a client's HTTP/2 connection: the client's side of one exchange. */
export class H2Leg implements ClientLeg, StreamHooks {
  readonly connection: ConnectionFacts
  readonly request: RequestHead
  readonly first: boolean
  readonly headBegan: number
  readonly #stream: ServerHttp2Stream
  readonly #owner: LegOwner
  #events: ClientEvents | undefined = undefined
  #trailers: Head | undefined = undefined
  /** The request's end was told, or there is nothing to tell. */
  #requestDone: boolean
  /** As the head says; kept because the head serves again once it was released. */
  readonly #declared: BodyLength
  #received = 0
  #listening = false
  /** What remains of the request is nobody's. */
  #discarding = false
  #tunnel = false

  // The response.
  /** The final head's fields, held back so that they may go together with the end. */
  #fields: string[] | undefined = undefined
  #dated = false
  #length: BodyLength = unknownLength
  #noBody = false
  #sent = 0
  /** {@link H2Leg.finish} was called. */
  #finished = false
  #waiting = false
  #ownTrailers: Head | undefined = undefined
  /** We have reset the stream. */
  #cut = false
  /** The stream is closed. */
  #gone = false
  /** A failure that came before anybody could be told. */
  #unheard: ExchangeError | undefined = undefined

  // Progress, as the owner's sweep sees it.
  #taken = 0
  #stalledAt = -1

  /**
   * @param bodyless - END_STREAM came with the head.
   * @param first - no stream came before it.
   */
  constructor(
    owner: LegOwner,
    stream: ServerHttp2Stream,
    connection: ConnectionFacts,
    request: RequestHead,
    bodyless: boolean,
    first: boolean,
  ) {
    this.#owner = owner
    this.#stream = stream
    this.connection = connection
    this.request = request
    this.first = first
    this.#declared = request.bodyLength
    this.headBegan = owner.clock.now()
    this.#requestDone = bodyless
    hook(stream, this)
    if (bodyless) {
      stream.resume()
      return
    }
    // Node resets a stream that nobody reads as soon as its response was written, though END_STREAM may still wait for
    // a window; one that is paused counts as read.
    stream.pause()
    watchEnd(stream)
    // All of it may have come with the head.
    if (stream.state.remoteClose === 1) markEnd(stream)
    hookTrailers(stream)
  }

  /** Tells the host of the request. */
  begin(host: ClientHost): void {
    try {
      const events = host.begin(this)
      // It may be over already: whoever answers at once has finished before it could be heard.
      if (!this.#finished && !this.#cut) this.#events = events
      else if (this.#unheard !== undefined)
        process.nextTick(tellClosed, this, events, this.#unheard)
    } catch (error) {
      this.hasFailed(error)
    }
  }

  /** Answers a head that may not pass. */
  refuse(status: number, text: string): void {
    const body = Buffer.from(text, 'latin1')
    this.#length = body.length
    this.#noBody = this.request.method === 'HEAD'
    this.#fields = [
      ':status',
      String(status),
      'content-type',
      'text/plain; charset=utf-8',
      'content-length',
      String(body.length),
    ]
    this.sendBody(body)
    this.finish(undefined)
  }

  /** Looks from time to time whether the client takes what is sent; ends the stream and says true when it does not. */
  sweep(now: number): boolean {
    const stream = this.#stream
    if (stream.closed) {
      // Reset by the client behind an answer that it did not take to the end: Node waits for what nobody will read.
      stream.destroy()
      return false
    }
    const pending = stream.writableLength
    if (this.#finished && stream.writableFinished) this.letGo()
    const held = pending > 0 || (this.#finished && !stream.closed)
    const taken = this.#sent - pending
    if (!held || taken !== this.#taken || this.#stalledAt < 0) {
      this.#taken = taken
      this.#stalledAt = held ? now : -1
      return false
    }
    const { stallTimeoutMs } = this.#owner
    if (now - this.#stalledAt < stallTimeoutMs) return false
    const events = this.#takeEvents()
    this.#reset(NGHTTP2_ENHANCE_YOUR_CALM)
    events?.clientClosed(this.#goneError(`the client took nothing for ${stallTimeoutMs}ms`))
    return true
  }

  // The request's body.

  resumeBody(): void {
    if (this.#requestDone || this.#discarding || this.#over) return
    if (!this.#listening) {
      this.#listening = true
      hookData(this.#stream)
    }
    this.#stream.resume()
  }

  pauseBody(): void {
    if (this.#listening && !this.#over) this.#stream.pause()
  }

  discardBody(): void {
    if (this.#requestDone || this.#discarding || this.#tunnel) return
    // Nothing more is read: the stream's window bounds what may still come, and the response's end resets the stream.
    this.#discarding = true
    this.pauseBody()
  }

  sendContinue(): void {
    if (this.request.expectsContinue) this.#sendInterim({ ':status': 100 })
  }

  // The response.

  sendInformational(head: ResponseHead): void {
    this.#sendInterim(fieldsByName(head, head.status))
  }

  sendHead(head: ResponseHead, length: BodyLength, noBody: boolean, close: boolean): void {
    if (this.#headSent || this.#over) return
    this.#fields = responseFields(head, length, noBody)
    this.#dated = head.indexOf(Field.date) >= 0
    this.#length = length
    this.#noBody = noBody
    if (close) this.#owner.retire()
  }

  flush(): void {
    this.#sendFields(false)
  }

  sendBody(bytes: Uint8Array): boolean {
    const { length } = bytes
    if (this.#over || this.#finished || this.#noBody || length === 0) return true
    this.#sendFields(false)
    if (this.#over) return true
    this.#sent += length
    if (this.#length >= 0 && this.#sent > this.#length) {
      this.#reset(NGHTTP2_INTERNAL_ERROR)
      return true
    }
    this.#owner.passed(0, length)
    if (this.#stream.write(Buffer.from(bytes))) return true
    this.#waiting = true
    return false
  }

  finish(trailers: Head | undefined): void {
    if (this.#finished || this.#over) return
    if (this.#length >= 0 && !this.#noBody && this.#sent !== this.#length) {
      // A response that is short must not look like one that is whole.
      return this.#reset(NGHTTP2_INTERNAL_ERROR)
    }
    this.#finished = true
    if (!this.#tunnel || this.#requestDone) this.#events = undefined
    if (trailers !== undefined && trailers.count > 0 && this.#mayTrail) {
      // Lent for the call, and sent when all of the body has been.
      this.#ownTrailers = new Head(256, 8)
      for (const [name, value] of trailers) this.#ownTrailers.add(name, value)
    }
    this.#sendFields(this.#ownTrailers === undefined)
    if (this.#over) return
    hookFinished(this.#stream)
    this.#stream.end()
  }

  release(retained: boolean): void {
    this.#events = undefined
    if (!retained) this.#owner.headFree(this.request)
  }

  abort(error: ExchangeError | undefined): void {
    if (this.#over) return
    if (error === undefined) return this.#reset(NGHTTP2_CANCEL)
    // The client may try again what surely nobody has done (RFC 9113 section 8.7).
    const undone = error.replayable && !this.#headSent
    this.#reset(undone ? NGHTTP2_REFUSED_STREAM : NGHTTP2_INTERNAL_ERROR)
  }

  switchProtocols(head: ResponseHead): void {
    if (this.#headSent || this.#over) return
    this.#tunnel = true
    this.#fields = tunnelFields(head)
    this.#dated = head.indexOf(Field.date) >= 0
    this.#sendFields(false)
  }

  releaseTunnel(): { readonly stream: Stream; readonly early: Uint8Array } | undefined {
    return undefined
  }

  // What the stream tells.

  hasData(bytes: Uint8Array): void {
    if (this.#over || this.#discarding) return
    this.#received += bytes.length
    this.#owner.passed(bytes.length, 0)
    const declared = this.#tunnel ? unknownLength : this.#declared
    if (declared >= 0 && this.#received > declared) return this.#badLength()
    this.#events?.requestBody(bytes)
  }

  hasEnded(): void {
    // Node ends the stream in the same way when it was cut.
    if (!endCame(this.#stream) || this.#requestDone || this.#over) return
    const declared = this.#tunnel ? unknownLength : this.#declared
    if (declared >= 0 && this.#received !== declared) return this.#badLength()
    this.#requestDone = true
    if (this.#discarding) return
    const events = this.#events
    if (this.#finished) this.#events = undefined
    events?.requestEnd(this.#trailers)
  }

  hasTrailers(raw: readonly string[]): void {
    if (this.#over || this.#discarding) return
    const trailers = new Head(256, 8)
    if (!readTrailers(raw, trailers)) return this.#violated('a trailer is no field to be sent on')
    this.#trailers = trailers
  }

  hasDrained(): void {
    if (!this.#waiting || this.#over) return
    this.#waiting = false
    this.#events?.clientDrained()
  }

  /** All of the response's body was given to the connection. */
  hasFinished(): void {
    if (!this.#mayTrail) this.letGo()
  }

  wantsTrailers(): void {
    if (this.#over) return
    try {
      const trailers = this.#ownTrailers
      this.#stream.sendTrailers(trailers === undefined ? {} : fieldsByName(trailers))
    } catch (error) {
      return this.#unsendable(error)
    }
    // Node sends them in the next turn.
    setImmediate(letGo, this)
  }

  /**
   * The response is written: a request that nobody wants ends with it (RFC 9113 section 8.1). Not before END_STREAM is
   * out, for which the client must have left some window; the sweep looks again.
   */
  letGo(): void {
    const stream = this.#stream
    if (this.#over || this.#requestDone || this.#tunnel || stream.closed) return
    if (!endCame(stream)) {
      if (stream.state.localClose !== 1) return
      stream.close(NGHTTP2_NO_ERROR)
    }
    // What has come is read for nobody, or the stream would wait for its reader.
    stream.resume()
  }

  /** The stream was closed while its response was not whole. */
  hasAborted(): void {
    if (this.#over) return
    const events = this.#takeEvents()
    // A stream that is paused would wait for its reader.
    this.#stream.destroy()
    events?.clientClosed(this.#goneError(goneText(this.#stream.rstCode)))
  }

  hasClosed(): void {
    if (this.#gone) return
    const cut = this.#cut
    this.#gone = true
    const { rstCode, writableLength } = this.#stream
    // When both ends come at once, Node tells the close before it tells that the last piece was written.
    const written = this.#finished && writableLength < lastPiece
    const clean = cut || (written && rstCode === NGHTTP2_NO_ERROR)
    this.#owner.legLeft(this, clean ? 'no' : violations.has(rstCode) ? 'violation' : 'reset')
    if (!cut) this.#takeEvents()?.clientClosed(this.#goneError(goneText(rstCode)))
  }

  /** Somebody who was told of something has thrown. */
  hasFailed(error: unknown): void {
    this.#owner.failed(error)
    this.#reset(NGHTTP2_INTERNAL_ERROR)
  }

  // Inside.

  get #headSent(): boolean {
    return this.#fields !== undefined || this.#stream.headersSent
  }

  /** Nothing can be sent or heard any more. */
  get #over(): boolean {
    return this.#gone || this.#cut || this.#stream.destroyed
  }

  /** May trailers follow? It is to be said with the head; a known length costs no frame for the possibility. */
  get #mayTrail(): boolean {
    return this.#length === unknownLength && !this.#noBody && !this.#tunnel
  }

  #sendInterim(fields: Parameters<ServerHttp2Stream['additionalHeaders']>[0]): void {
    if (this.#headSent || this.#over) return
    try {
      this.#stream.additionalHeaders(fields)
    } catch (error) {
      this.#unsendable(error)
    }
  }

  /** @param last - nothing follows. */
  #sendFields(last: boolean): void {
    const fields = this.#fields
    const stream = this.#stream
    if (fields === undefined || stream.headersSent || this.#over) return
    const empty = this.#sent === 0 && last && !this.#tunnel
    const endStream = this.#noBody || this.#length === 0 || empty
    const waitForTrailers = this.#mayTrail && !endStream
    const options: ServerStreamResponseOptions & { sendDate: boolean } = {
      endStream,
      waitForTrailers,
      sendDate: !this.#dated,
    }
    try {
      if (waitForTrailers) hookWantTrailers(stream)
      if (!endStream) hookDrained(stream)
      stream.respond(takesFieldLists ? fields : byName(fields), options)
    } catch (error) {
      this.#unsendable(error)
    }
  }

  #badLength(): void {
    this.#violated('the body is not as long as its content-length')
  }

  #violated(message: string): void {
    const events = this.#takeEvents()
    this.#reset(NGHTTP2_PROTOCOL_ERROR)
    const phase = 'request-body'
    events?.clientClosed(
      new ExchangeError(message, { code: 'bad-request', source: 'client', phase }),
    )
  }

  /** Node throws for fields that it does not like, and for streams that have just gone. */
  #unsendable(cause: unknown): void {
    if (this.#stream.destroyed || this.#stream.closed) return
    const events = this.#takeEvents()
    this.#owner.failed(cause)
    this.#reset(NGHTTP2_INTERNAL_ERROR)
    const error = new ExchangeError('the response has fields that HTTP/2 cannot carry', {
      code: 'bad-response',
      source: 'backend',
      phase: 'response-head',
      cause,
    })
    // Not from within a call of the exchange's.
    if (events === undefined) this.#unheard = error
    else process.nextTick(tellClosed, this, events, error)
  }

  #goneError(message: string): ExchangeError {
    return new ExchangeError(message, {
      code: 'client-aborted',
      source: 'client',
      phase: this.#tunnel ? 'tunnel' : this.#headSent ? 'response-body' : 'response-head',
    })
  }

  #takeEvents(): ClientEvents | undefined {
    const events = this.#events
    this.#events = undefined
    return events
  }

  #reset(code: number): void {
    if (this.#cut) return
    this.#cut = true
    this.#events = undefined
    resetStream(this.#stream, code)
  }
}

function goneText(code: number): string {
  return code === NGHTTP2_NO_ERROR || code === NGHTTP2_CANCEL
    ? 'the client reset the stream or closed its connection'
    : `the client is gone: the stream ended with code ${code}`
}

function letGo(of: H2Leg): void {
  of.letGo()
}

function tellClosed(of: H2Leg, events: ClientEvents, error: ExchangeError): void {
  guarded(of, () => events.clientClosed(error), undefined)
}
