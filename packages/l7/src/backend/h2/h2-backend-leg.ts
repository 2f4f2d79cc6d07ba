import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type Http2Stream,
} from 'node:http2'
import type { Stream } from '@steelyard/core'
import { endCame, markEnd, watchEnd } from '../../client/h2/end-watch.ts'
import { readTrailers } from '../../client/h2/request-lines.ts'
import { resetStream } from '../../client/h2/reset-stream.ts'
import { fieldsByName } from '../../client/h2/response-lines.ts'
import {
  guarded,
  hook,
  hookData,
  hookDrained,
  hooksOf,
  hookTrailers,
  hookWantTrailers,
  type StreamHooks,
} from '../../client/h2/stream-hooks.ts'
import { ExchangeError, type ExchangeErrorInit } from '../../exchange/exchange-error.ts'
import { Field } from '../../wire/field.ts'
import { Head } from '../../wire/head.ts'
import { type BodyLength, type RequestHead, unknownLength } from '../../wire/request-head.ts'
import { ResponseHead } from '../../wire/response-head.ts'
import type { BackendEvents, BackendLeg } from '../backend-leg.ts'
import { requestFields } from './request-fields.ts'
import { readResponse } from './response-fields.ts'
import { webSocketAccept } from './websocket-accept.ts'

/** What a {@link H2BackendLeg} needs of the session that it is a stream of. */
export interface SessionOfLegs {
  readonly session: ClientHttp2Session
  readonly address: string
  readonly scheme: 'http' | 'https'
  /** The session does not take new streams, or is gone. */
  readonly retired: boolean
  /** The connection is gone. */
  readonly lost: boolean
  /** The member will not do what was asked on streams above this; -1 as long as it has not said so. */
  readonly lastStreamId: number
  /** The leg is over: its place is free. */
  legLeft(): void
  /** A leg was given up before anything came back: is the member still there? */
  doubt(): void
  /** Something of ours threw. */
  failed(error: unknown): void
}

const {
  NGHTTP2_NO_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_REFUSED_STREAM,
  NGHTTP2_CANCEL,
  NGHTTP2_FLAG_END_STREAM,
} = constants

/** One stream of an HTTP/2 connection to a member: the backend's side of one attempt. */
export class H2BackendLeg implements BackendLeg, StreamHooks {
  readonly reused: boolean
  readonly shared = true
  readonly #owner: SessionOfLegs
  readonly #events: BackendEvents
  #stream: ClientHttp2Stream | undefined = undefined
  #method = ''
  #upgrade = ''
  #key = ''
  // The request.
  #length: BodyLength = unknownLength
  #sent = 0
  #finished = false
  #waiting = false
  #ownTrailers: Head | undefined = undefined
  // The response.
  /** The member has said that it did nothing with the request. */
  #untouched = false
  #responded = false
  #declared: BodyLength = unknownLength
  /** A response without a body by its kind, though its stream may not have ended yet. */
  #bare = false
  #received = 0
  #trailers: Head | undefined = undefined
  #paused = false
  #reading = false
  #tunnel = false
  #responseDone = false
  #cause: unknown = undefined
  /** Nothing is told any more. */
  #over = false
  #left = false

  constructor(owner: SessionOfLegs, events: BackendEvents, reused: boolean) {
    this.#owner = owner
    this.#events = events
    this.reused = reused
  }

  sendHead(head: RequestHead, length: BodyLength, upgrade: string): void {
    const { session, scheme, address } = this.#owner
    if (this.#over || this.#stream !== undefined) return
    if (this.#owner.retired) {
      return this.#failLater('backend-closed', 'its connection takes no more streams', true)
    }
    if (upgrade !== '' && !session.remoteSettings.enableConnectProtocol) {
      return this.#failLater('upgrade-refused', 'it takes no extended CONNECT', true)
    }
    const key = upgrade === '' ? -1 : head.indexOf(Field.secWebSocketKey)
    if (key >= 0) this.#key = head.valueAt(key)
    this.#upgrade = upgrade
    this.#method = upgrade === '' ? head.method : 'CONNECT'
    this.#length = upgrade === '' ? length : unknownLength
    const endStream = length === 0 && upgrade === ''
    this.#finished = endStream
    const fields = requestFields(head, {
      scheme,
      defaultAuthority: address,
      length,
      upgrade,
    })
    let stream: ClientHttp2Stream
    try {
      stream = session.request(fields, { endStream, waitForTrailers: this.#mayTrail })
    } catch (error) {
      this.#cause = error
      return this.#failLater(
        'bad-request',
        'the request has fields that HTTP/2 cannot carry',
        false,
      )
    }
    this.#stream = stream
    hook(stream, this)
    watchEnd(stream)
    const telling = stream as TellingStream
    telling.on('response', onResponse)
    telling.on('headers', onInformational)
    hookTrailers(stream)
    if (endStream) return
    hookDrained(stream)
    if (this.#mayTrail) hookWantTrailers(stream)
  }

  sendBody(bytes: Uint8Array): boolean {
    const stream = this.#stream
    const { length } = bytes
    if (this.#over || this.#finished || stream === undefined || length === 0) return true
    if (stream.destroyed || stream.writableEnded) return true
    this.#sent += length
    if (this.#length >= 0 && this.#sent > this.#length) {
      this.#failLater('bad-request', 'the request is longer than its length', false)
      return true
    }
    if (stream.write(Buffer.from(bytes))) return true
    this.#waiting = true
    return false
  }

  finish(trailers: Head | undefined): void {
    const stream = this.#stream
    if (this.#over || this.#finished || stream === undefined) return
    // The wish for a tunnel has no body: END_STREAM would be the end of the tunnel.
    if (this.#upgrade !== '' && !this.#tunnel) return
    if (this.#length >= 0 && this.#sent !== this.#length) {
      // A request that is short must not look like one that is whole.
      return this.#failLater('bad-request', 'the request is shorter than its length', false)
    }
    this.#finished = true
    if (trailers !== undefined && trailers.count > 0 && this.#mayTrail) {
      this.#ownTrailers = new Head(256, 8)
      for (const [name, value] of trailers) this.#ownTrailers.add(name, value)
    }
    if (!stream.destroyed) stream.end()
  }

  abort(): void {
    if (this.#left) return
    const silent = !this.#responded && this.#stream !== undefined
    this.#reset(NGHTTP2_CANCEL)
    if (silent) this.#owner.doubt()
  }

  pauseBody(): void {
    this.#paused = true
    if (this.#reading) this.#stream?.pause()
  }

  resumeBody(): void {
    this.#paused = false
    if (this.#responded && !this.#over) this.#read()
  }

  switchProtocols(): void {
    this.#tunnel = true
  }

  releaseTunnel(): { readonly stream: Stream; readonly early: Uint8Array } | undefined {
    return undefined
  }

  // What the stream tells.

  hasInformational(raw: readonly string[]): void {
    if (this.#over || this.#responded) return
    const head = new ResponseHead(256, 8)
    const problem = readResponse(raw, this.#method, false, head)
    if (problem !== undefined || head.status >= 200) {
      return this.#badResponse(problem ?? 'a final head came as an informational one')
    }
    this.#events.informational(head)
  }

  hasResponse(raw: readonly string[], bodyless: boolean): void {
    if (this.#over) return
    if (this.#responded) return this.#badResponse('a second head came')
    const head = new ResponseHead()
    const problem = readResponse(raw, this.#method, bodyless, head)
    if (problem !== undefined) return this.#badResponse(problem)
    if (head.status < 200) return this.#badResponse('an informational head ended the stream')
    const stream = this.#stream!
    if (bodyless) markEnd(stream)
    this.#responded = true
    const agreed = this.#upgrade !== '' && head.status < 300
    if (agreed) {
      this.#agreed(head)
      // The tunnel's owner asks for its bytes.
      this.#paused = true
    } else {
      if (this.#upgrade !== '') stream.end()
      this.#declared = head.bodyLength
      this.#bare = this.#method === 'HEAD' || head.status === 204 || head.status === 304
    }
    this.#events.responseHead(head)
    if (this.#over) return
    if (bodyless && !agreed) {
      // It is not over before its end was read.
      this.#read()
      return this.#end()
    }
    if (!this.#paused) this.#read()
    this.#events.settled?.()
  }

  hasData(bytes: Uint8Array): void {
    if (this.#over || this.#responseDone) return
    this.#received += bytes.length
    if (!this.#tunnel) {
      if (this.#bare) return this.#badResponse('a body came where there is none')
      if (this.#declared >= 0 && this.#received > this.#declared) {
        return this.#badResponse('it is longer than its content-length')
      }
    }
    this.#events.responseBody(bytes)
    this.#events.settled?.()
  }

  hasTrailers(raw: readonly string[]): void {
    if (this.#over) return
    const trailers = new Head(256, 8)
    if (!readTrailers(raw, trailers))
      return this.#badResponse('a trailer is no field to be sent on')
    this.#trailers = trailers
  }

  hasEnded(): void {
    const stream = this.#stream!
    if (!this.#over && !this.#responseDone && this.#isWhole) this.#end()
    // Node keeps a stream that the member has closed for as long as the request has bytes that were not sent.
    if (stream.closed && !stream.destroyed) stream.destroy()
  }

  hasDrained(): void {
    if (!this.#waiting || this.#over) return
    this.#waiting = false
    this.#events.backendDrained()
  }

  wantsTrailers(): void {
    const stream = this.#stream!
    if (this.#over || stream.destroyed) return
    const trailers = this.#ownTrailers
    try {
      stream.sendTrailers(trailers === undefined ? {} : fieldsByName(trailers))
    } catch (error) {
      if (stream.destroyed || stream.closed) return
      this.#cause = error
      this.#fail('bad-request', 'the request has trailers that HTTP/2 cannot carry', false)
    }
  }

  hasError(error: unknown): void {
    this.#cause ??= error
  }

  hasClosed(): void {
    const stream = this.#stream!
    const { rstCode } = stream
    this.#leave()
    if (this.#over || this.#responseDone) return
    const { lost, lastStreamId } = this.#owner
    const { id } = stream
    // RFC 9113 sections 6.8 and 8.7: the member says that it did nothing with it.
    this.#untouched =
      !this.#responded &&
      (id === undefined ||
        rstCode === NGHTTP2_REFUSED_STREAM ||
        (lastStreamId >= 0 && id > lastStreamId))
    const undone = this.#untouched || (lost && this.reused && !this.#responded)
    const how = lost
      ? 'its connection was closed'
      : rstCode === NGHTTP2_NO_ERROR
        ? 'it ended the stream in the middle'
        : `it reset the stream with code ${rstCode}`
    this.#fail(lost ? 'backend-closed' : 'backend-reset', how, undone)
  }

  /** Somebody who was told of something has thrown. */
  hasFailed(error: unknown): void {
    this.#owner.failed(error)
    this.#reset(NGHTTP2_CANCEL)
  }

  /** {@link BackendEvents.backendFailed}, not from within a call of the exchange's. */
  tellFailed(error: ExchangeError): void {
    if (this.#over) return
    this.#reset(NGHTTP2_CANCEL)
    this.#events.backendFailed(error)
  }

  // Inside.

  /** May trailers follow? A known length costs no frame for the possibility. */
  get #mayTrail(): boolean {
    return this.#length === unknownLength && this.#upgrade === ''
  }

  #end(): void {
    if (!this.#tunnel && !this.#bare && this.#declared >= 0 && this.#received !== this.#declared) {
      return this.#badResponse('it is shorter than its content-length')
    }
    this.#responseDone = true
    this.#events.responseEnd(this.#trailers)
    this.#events.settled?.()
  }

  /**
   * Node ends a stream in the same way when it was cut. RST_STREAM with NO_ERROR counts as the end, though END_STREAM
   * should come before it: servers made with Node send it first when our window is just full, and mean no harm.
   */
  get #isWhole(): boolean {
    const stream = this.#stream!
    if (endCame(stream)) return true
    return stream.closed && stream.rstCode === NGHTTP2_NO_ERROR && !this.#owner.session.destroyed
  }

  #read(): void {
    const stream = this.#stream!
    if (!this.#reading) {
      this.#reading = true
      hookData(stream)
    }
    stream.resume()
  }

  /** Makes the 200 what HTTP/1.1 would have answered, so that the rest of the proxy knows one kind of upgrade. */
  #agreed(head: ResponseHead): void {
    head.status = 101
    head.bodyLength = 0
    head.dropField(Field.contentLength)
    head.dropField(Field.secWebSocketAccept)
    head.add('upgrade', this.#upgrade)
    if (this.#key !== '') head.add('sec-websocket-accept', webSocketAccept(this.#key))
    this.#declared = unknownLength
  }

  #badResponse(problem: string): void {
    this.#fail(
      'bad-response',
      `its response is malformed: ${problem}`,
      false,
      NGHTTP2_PROTOCOL_ERROR,
    )
  }

  #fail(
    code: ExchangeErrorInit['code'],
    problem: string,
    replayable: boolean,
    rst: number = NGHTTP2_CANCEL,
  ): void {
    if (this.#over) return
    const error = this.#error(code, problem, replayable)
    this.#reset(rst)
    this.#events.backendFailed(error)
  }

  #failLater(code: ExchangeErrorInit['code'], problem: string, replayable: boolean): void {
    process.nextTick(tellFailed, this, this.#error(code, problem, replayable))
  }

  #error(code: ExchangeErrorInit['code'], problem: string, replayable: boolean): ExchangeError {
    const cause = this.#cause
    return new ExchangeError(`${this.#owner.address}: ${problem}`, {
      code,
      source: code === 'bad-request' ? 'client' : 'backend',
      phase: this.#tunnel ? 'tunnel' : this.#responded ? 'response-body' : 'response-head',
      replayable,
      untouched: this.#untouched,
      ...(cause === undefined ? {} : { cause }),
    })
  }

  #reset(code: number): void {
    this.#over = true
    const stream = this.#stream
    if (stream === undefined) this.#leave()
    else resetStream(stream, code)
  }

  #leave(): void {
    if (this.#left) return
    this.#left = true
    this.#owner.legLeft()
  }
}

function tellFailed(leg: H2BackendLeg, error: ExchangeError): void {
  guarded(leg, tell.failed, error)
}

type TellingStream = Http2Stream & {
  on(
    event: 'response' | 'headers',
    listener: (headers: object, flags: number, raw: readonly string[]) => void,
  ): unknown
}

function onResponse(this: Http2Stream, _: object, flags: number, raw: readonly string[]): void {
  const leg = hooksOf(this) as H2BackendLeg
  guarded(leg, flags & NGHTTP2_FLAG_END_STREAM ? tell.lastHead : tell.head, raw)
}

function onInformational(this: Http2Stream, _: object, __: number, raw: readonly string[]): void {
  guarded(hooksOf(this) as H2BackendLeg, tell.informational, raw)
}

const tell = {
  head: (leg: H2BackendLeg, raw: readonly string[]): void => leg.hasResponse(raw, false),
  lastHead: (leg: H2BackendLeg, raw: readonly string[]): void => leg.hasResponse(raw, true),
  informational: (leg: H2BackendLeg, raw: readonly string[]): void => leg.hasInformational(raw),
  failed: (leg: H2BackendLeg, error: ExchangeError): void => leg.tellFailed(error),
} as const
