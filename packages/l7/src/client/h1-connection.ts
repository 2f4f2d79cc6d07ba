import {
  type SteelyardError,
  type Stream,
  type StreamHandler,
  type TransportError,
  WheelTimer,
} from '@steelyard/core'
import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import { ExchangeError } from '../exchange/exchange-error.ts'
import { replyForProblem } from '../gate/default-reply.ts'
import { judgeRequest } from '../gate/judge-request.ts'
import { ChunkedDecoder, type ChunkSink } from '../wire/chunked-decoder.ts'
import type { Head } from '../wire/head.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { type BodyLength, RequestHead, unknownLength } from '../wire/request-head.ts'
import { RequestParser } from '../wire/request-parser.ts'
import { ResponseHead } from '../wire/response-head.ts'
import type { ConnectionOption } from '../wire/write-head.ts'
import type { ClientEvents, ClientHost, ClientLeg } from './client-leg.ts'
import type { H1Host } from './h1-options.ts'
import { ResponseWriter } from './response-writer.ts'

/** What the bytes that come next are. */
const input = {
  head: 0,
  /** A body by length. */
  counted: 1,
  chunked: 2,
  /** The request is whole: what comes is the next one, and waits. */
  whole: 3,
  tunnel: 4,
  /** Of no interest any more: read, so that the answer is not lost to a reset, and thrown away. */
  lingering: 5,
} as const

/** How long what a client still sends is read after our FIN, in milliseconds. */
/** Longer than a request is on its way. */
const lastCallMs = 500
const lingerMs = 2000
const empty = new Uint8Array(0)

/**
 * A client's HTTP/1.1 connection: reads requests one after the other, makes an exchange for each, and writes its
 * response. It is the leg of the exchange at work.
 */
export class H1Connection implements StreamHandler, ClientLeg, ChunkSink {
  readonly connection: ConnectionFacts
  headBegan = 0
  /** Requests begun. */
  requests = 0
  readonly #host: H1Host
  readonly #clientHost: ClientHost
  readonly #stream: Stream
  readonly #parser: RequestParser
  #decoder: ChunkedDecoder | undefined
  #events: ClientEvents | undefined
  #input: number = input.head
  /** Bytes of a counted body still to come. */
  #left = 0
  #bodyWanted = false
  /** The body is read for nobody. */
  #discarding = false
  #discarded = 0
  /** Bytes that came and cannot be worked off yet; the stream is paused meanwhile. */
  #held: Uint8Array = empty
  #working = false
  #paused = true
  #timer: WheelTimer
  #idleSince: number
  /** The client's FIN has come. */
  #ended = false
  #over = false
  /** The transport moves the bytes now. */
  #tunnelled = false

  /** While lingering: what the client had not taken when we looked last, and since when it takes nothing. */
  #unsent = 0
  #unsentSince = 0

  // The response.
  readonly #writer: ResponseWriter
  #headSent = false
  #responseDone = false
  /** The exchange looks at the request no more. */
  #released = false
  #close = false
  #continueSent = false

  constructor(host: H1Host, clientHost: ClientHost, stream: Stream, connection: ConnectionFacts) {
    this.#host = host
    this.#clientHost = clientHost
    this.#stream = stream
    this.#writer = new ResponseWriter(host, stream)
    this.connection = connection
    this.#parser = new RequestParser(host.settings.limits)
    this.#timer = new WheelTimer(() => this.#expired())
    this.#idleSince = host.clock.now()
  }

  get first(): boolean {
    return this.requests === 1
  }

  get request(): RequestHead {
    return this.#parser.head
  }

  /** Begins to read; `early` are bytes that were read already. */
  start(early: Uint8Array): void {
    this.#stream.handler = this
    this.#arm(this.#host.settings.headTimeoutMs)
    if (early.length > 0) this.#work(early)
    this.#proceed()
  }

  /**
   * No more requests: ends after the response. A client that is idle gets a last moment, in which a request that is on
   * its way already is answered, with `Connection: close`.
   */
  drain(): void {
    if (this.#over || this.#events !== undefined || this.#input !== input.head) return
    if (this.#parser.state === 'idle') this.#arm(lastCallMs)
  }

  /** Ends the connection at once, whatever is under way. */
  cut(): void {
    if (this.#over) return
    const events = this.#events
    this.#leave()
    this.#stream.reset()
    events?.clientClosed(shutdown())
  }

  // The stream.

  data(_stream: Stream, bytes: Uint8Array): void {
    if (this.#over) return
    if (this.#held.length > 0) return this.#hold(bytes)
    this.#work(bytes)
    // Whoever held the stream back may have let go within.
    if (this.#paused) this.#proceed()
  }

  ended(_stream: Stream): void {
    if (this.#over) return
    this.#ended = true
    if (this.#input === input.tunnel) {
      this.#events?.requestEnd(undefined)
      return
    }
    // The stream closes by itself when all is written.
    if (this.#input === input.lingering) return
    // Its last response may still be on its way.
    if (this.#events === undefined) return this.#endGently()
    // Whoever waits for a response does not send FIN first, unless it is a tool that says so.
    if (this.#input === input.whole && this.#host.settings.halfClose) return
    this.#clientGone(undefined)
  }

  drained(_stream: Stream): void {
    this.#writer.full = false
    if (this.#events !== undefined) this.#events.clientDrained()
    else if (!this.#over) this.#proceed()
  }

  closed(_stream: Stream, error: TransportError | undefined): void {
    if (this.#over) return
    const events = this.#events
    this.#leave()
    events?.clientClosed(aborted(error))
  }

  // The request's body.

  chunk(bytes: Uint8Array, start: number, end: number): void {
    this.#body(bytes.subarray(start, end))
  }

  resumeBody(): void {
    if (this.#over || this.#bodyWanted) return
    this.#bodyWanted = true
    this.#proceed()
  }

  pauseBody(): void {
    if (this.#over) return
    this.#bodyWanted = false
    if (this.#input !== input.whole) this.#pause()
  }

  discardBody(): void {
    if (this.#over || this.#input === input.whole || this.#discarding) return
    this.#discarding = true
    this.#discarded = 0
    if (this.#unreadable) this.#close = true
    this.#bodyWanted = true
    this.#proceed()
  }

  sendContinue(): void {
    if (this.#over || this.#continueSent || this.#headSent || !this.request.expectsContinue) return
    this.#continueSent = true
    this.#stream.write(continueBytes)
  }

  // The response.

  sendInformational(head: ResponseHead): void {
    if (this.#over || this.#headSent || this.request.version === 10) return
    this.#compose(head, 0, true, '')
    this.#writer.flush()
  }

  sendHead(head: ResponseHead, length: BodyLength, noBody: boolean, close: boolean): void {
    if (this.#over || this.#headSent) return
    const { request } = this
    this.#headSent = true
    const old = request.version === 10
    const { settings, draining } = this.#host
    if (
      close ||
      draining ||
      !request.keepAlive ||
      (old && length === unknownLength && !noBody) ||
      this.#unreadable ||
      // What came behind a request for an upgrade was not meant for HTTP (proxies in front may tunnel too early).
      request.upgrade !== '' ||
      (settings.maxRequests > 0 && this.requests >= settings.maxRequests)
    ) {
      this.#close = true
    }
    this.#compose(head, length, noBody, this.#close ? 'close' : old ? 'keep-alive' : '')
  }

  sendBody(bytes: Uint8Array): boolean {
    if (this.#over) return true
    return this.#input === input.tunnel ? this.#stream.write(bytes) : this.#writer.body(bytes)
  }

  flush(): void {
    this.#writer.flush()
  }

  finish(trailers: Head | undefined): void {
    if (this.#over || this.#responseDone) return
    if (this.#input === input.tunnel) {
      this.#responseDone = true
      this.#stream.end()
      return
    }
    this.#writer.end(this.request.acceptsTrailers ? trailers : undefined)
    this.#responseDone = true
    this.#events = undefined
    if (this.#close) this.#endGently()
  }

  release(retained: boolean): void {
    if (this.#tunnelled) {
      this.#tunnelled = false
      return this.#host.left(this)
    }
    if (this.#over || this.#released) return
    this.#released = true
    if (retained) this.#parser.head = new RequestHead()
    if (this.#input === input.lingering) return
    if (this.#close) return this.#endGently()
    if (this.#input === input.whole) return this.#next()
    this.#arm(this.#host.settings.headTimeoutMs)
    if (!this.#discarding) this.discardBody()
  }

  abort(error: ExchangeError | undefined): void {
    if (this.#over) return
    this.#writer.drop()
    this.#leave()
    // A cut that looks like a cut: FIN would look like the end of a response that ends with its connection.
    void error
    this.#stream.reset()
  }

  // Tunnels.

  switchProtocols(head: ResponseHead): void {
    if (this.#over) return
    this.#headSent = true
    this.#compose(head, 0, true, 'upgrade')
    this.#writer.flush()
    this.#input = input.tunnel
    this.#host.wheel.disarm(this.#timer)
    this.#bodyWanted = false
  }

  releaseTunnel(): { readonly stream: Stream; readonly early: Uint8Array } | undefined {
    if (this.#over || this.#stream.state !== 'open') return undefined
    const early = this.#held
    this.#held = empty
    this.#stream.pause()
    // The connection counts until the exchange is over, and hears nothing any more.
    this.#over = true
    this.#tunnelled = true
    this.#events = undefined
    return { stream: this.#stream, early }
  }

  // Inside.

  /** What remains of the request is too long to be thrown away, or may never come. */
  get #unreadable(): boolean {
    if (this.#input !== input.counted && this.#input !== input.chunked) return false
    if (this.request.expectsContinue && !this.#continueSent) return true
    return this.#input === input.counted && this.#left > this.#host.settings.discardBytes
  }

  /** Works bytes off as far as that goes now. */
  #work(bytes: Uint8Array): void {
    this.#working = true
    let at = 0
    const end = bytes.length
    while (at < end && !this.#over) {
      switch (this.#input) {
        case input.head:
          if (!this.#readable()) {
            this.#working = false
            return this.#hold(bytes.subarray(at))
          }
          at = this.#readHead(bytes, at, end)
          break
        case input.counted: {
          if (!this.#bodyWanted) {
            this.#working = false
            return this.#hold(bytes.subarray(at))
          }
          const count = Math.min(this.#left, end - at)
          this.#left -= count
          const piece = at === 0 && count === end ? bytes : bytes.subarray(at, at + count)
          at += count
          this.#body(piece)
          if (this.#left === 0 && this.#input === input.counted) this.#bodyEnded(undefined)
          break
        }
        case input.chunked: {
          if (!this.#bodyWanted) {
            this.#working = false
            return this.#hold(bytes.subarray(at))
          }
          const decoder = this.#decoder!
          at = decoder.feed(bytes, at, end, this)
          if (this.#over || this.#input !== input.chunked) break
          if (decoder.state === 'done') this.#bodyEnded(decoder.trailers)
          else if (decoder.state === 'failed') return this.#badBody(decoder.problem!)
          break
        }
        case input.tunnel:
          if (!this.#bodyWanted) {
            this.#working = false
            return this.#hold(bytes.subarray(at))
          }
          this.#events?.requestBody(at === 0 ? bytes : bytes.subarray(at))
          at = end
          break
        case input.lingering:
          at = end
          break
        default:
          this.#working = false
          return this.#hold(bytes.subarray(at))
      }
    }
    this.#working = false
  }

  #readHead(bytes: Uint8Array, start: number, end: number): number {
    const parser = this.#parser
    const fresh = parser.state === 'idle'
    const at = parser.feed(bytes, start, end)
    if (parser.state === 'partial') {
      if (fresh) {
        this.headBegan = this.#host.clock.now()
        this.#arm(this.#host.settings.headTimeoutMs)
      }
      return at
    }
    if (parser.state === 'failed') {
      this.#refuse(parser.problem!, undefined)
      return end
    }
    if (parser.state === 'idle') return at
    if (fresh) this.headBegan = this.#host.clock.now()
    this.requests += 1
    const { head } = parser
    const problem = judgeRequest(head, this.#host.settings.gate)
    if (problem !== undefined) {
      this.#refuse(problem, head)
      return end
    }
    this.#begin(head)
    return at
  }

  #begin(head: RequestHead): void {
    this.#headSent = false
    this.#responseDone = false
    this.#released = false
    this.#close = false
    this.#continueSent = false
    this.#discarding = false
    this.#bodyWanted = false
    if (head.bodyLength === 0) {
      this.#input = input.whole
    } else if (head.bodyLength === unknownLength) {
      this.#input = input.chunked
      this.#decoder ??= new ChunkedDecoder()
      this.#decoder.reset()
    } else {
      this.#input = input.counted
      this.#left = head.bodyLength
    }
    const events = this.#clientHost.begin(this)
    // It may be over already: whoever answers at once has finished before it could be heard.
    if (this.#over || this.#responseDone) return
    this.#events = events
  }

  #body(bytes: Uint8Array): void {
    if (!this.#discarding) {
      this.#events?.requestBody(bytes)
      return
    }
    this.#discarded += bytes.length
    if (this.#discarded > this.#host.settings.discardBytes) {
      if (this.#responseDone) this.#endGently()
      else this.#close = true
    }
  }

  #bodyEnded(trailers: Head | undefined): void {
    this.#input = input.whole
    this.#bodyWanted = false
    if (!this.#discarding) this.#events?.requestEnd(trailers)
    if (this.#released && !this.#over && this.#input === input.whole) this.#next()
  }

  #badBody(problem: HeadProblem): void {
    this.#working = false
    const events = this.#events
    const error = new ExchangeError(problem.message, {
      code: 'bad-request',
      source: 'client',
      phase: 'request-body',
    })
    // It is thrown away, and was answered.
    if (events === undefined) return this.#endGently()
    if (this.#headSent) {
      this.#leave()
      this.#stream.reset()
      events.clientClosed(error)
      return
    }
    this.#events = undefined
    this.#answerProblem(problem)
    events.clientClosed(error, problem.status)
  }

  /** The exchange is over and its request whole: the next one may come. */
  #next(): void {
    this.#parser.next()
    this.#input = input.head
    this.#idleSince = this.#host.clock.now()
    const { keepAliveMs, headTimeoutMs } = this.#host.settings
    // Mostly it is left as it is, and looks by itself when it is too early.
    if (!this.#timer.armed || keepAliveMs < headTimeoutMs) this.#arm(keepAliveMs)
    if (this.#ended || this.#host.draining) return this.#endGently()
    this.#proceed()
  }

  /** Goes on with what is held, or reads more. */
  #proceed(): void {
    if (this.#working) return
    while (this.#held.length > 0 && !this.#over && this.#readable()) {
      const held = this.#held
      this.#held = empty
      this.#work(held)
    }
    if (this.#over || this.#held.length > 0) return
    // Behind a whole request it reads on, to hear when the client goes away.
    if (this.#input === input.whole || this.#readable()) this.#resume()
  }

  /** May more be worked off? */
  #readable(): boolean {
    switch (this.#input) {
      case input.head:
        // Who does not read its responses is not given more of them.
        return !this.#writer.full || this.#parser.state === 'partial'
      case input.lingering:
        return true
      case input.whole:
        return false
      default:
        return this.#bodyWanted
    }
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const before = this.#held
    const held = new Uint8Array(before.length + bytes.length)
    held.set(before)
    held.set(bytes, before.length)
    this.#held = held
    this.#pause()
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#stream.pause()
  }

  #resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#stream.resume()
  }

  /** A head that is none, or may not pass: says so, and ends the connection. */
  #refuse(problem: HeadProblem, head: RequestHead | undefined): void {
    this.#answerProblem(problem)
    this.#clientHost.refused(this.connection, problemError(problem), problem.status, head)
  }

  #answerProblem(problem: HeadProblem): void {
    const reply = replyForProblem(problem)
    const head = new ResponseHead(256, 8)
    head.status = problem.status
    head.add('content-type', 'text/plain; charset=utf-8')
    const text = typeof reply.body === 'string' ? reply.body : ''
    this.#compose(head, text.length, false, 'close')
    this.#writer.text(text)
    this.#endGently()
  }

  /** FIN behind what was written; what the client still sends is read for a while, so that no reset overtakes the answer. */
  #endGently(): void {
    if (this.#over) return
    this.#events = undefined
    this.#held = empty
    this.#input = input.lingering
    this.#stream.end()
    this.#unsent = this.#stream.pending
    this.#unsentSince = this.#host.clock.now()
    this.#arm(lingerMs)
    this.#resume()
  }

  #compose(
    head: ResponseHead,
    length: BodyLength,
    noBody: boolean,
    connection: ConnectionOption,
  ): void {
    const version = this.request.version === 10 ? 10 : 11
    this.#writer.head(head, length, noBody, version, connection)
  }

  #clientGone(error: TransportError | undefined): void {
    const events = this.#events
    this.#leave()
    this.#stream.destroy()
    events?.clientClosed(aborted(error))
  }

  #arm(delayMs: number): void {
    if (delayMs > 0) this.#host.wheel.arm(this.#timer, delayMs)
    else this.#host.wheel.disarm(this.#timer)
  }

  #expired(): void {
    if (this.#over) return
    if (this.#input === input.lingering) return this.#lingered()
    if (this.#input !== input.head) {
      // An exchange is at work, and has timers of its own; a body that is thrown away may not take for ever.
      if (this.#responseDone) this.#endGently()
      return
    }
    const { clock, settings } = this.#host
    if (this.#parser.state === 'partial') {
      const left = this.headBegan + settings.headTimeoutMs - clock.now()
      if (left > 0) return this.#arm(left)
      return this.#refuse(headTimeout, undefined)
    }
    if (this.#host.draining) return this.#endGently()
    const limit = this.requests === 0 ? settings.headTimeoutMs : settings.keepAliveMs
    const left = this.#idleSince + limit - clock.now()
    if (limit === 0) return
    if (left > 0) return this.#arm(left)
    this.#endGently()
  }

  /** The time for what the client still sends is over; what it still takes may go on. */
  #lingered(): void {
    const { clock, settings } = this.#host
    const { pending } = this.#stream
    const now = clock.now()
    if (pending < this.#unsent) {
      this.#unsent = pending
      this.#unsentSince = now
      return this.#arm(lingerMs)
    }
    if (pending > 0 && (settings.idleMs === 0 || now - this.#unsentSince < settings.idleMs)) {
      return this.#arm(lingerMs)
    }
    this.#leave()
    // What is not sent is not whole, and that has to be seen.
    if (pending > 0) this.#stream.reset()
    else this.#stream.destroy()
  }

  #leave(): void {
    if (this.#over) return
    this.#over = true
    this.#events = undefined
    this.#held = empty
    this.#host.wheel.disarm(this.#timer)
    this.#host.left(this)
  }
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))
const continueBytes = ascii('HTTP/1.1 100 Continue\r\n\r\n')
const headTimeout: HeadProblem = {
  status: 408,
  code: 'bad-request',
  message: 'the head did not come in time',
}

function problemError({ status, code, message }: HeadProblem): ExchangeError {
  return new ExchangeError(message, {
    code: status === 408 ? 'head-timeout' : code === 'bad-response' ? 'bad-request' : code,
    source: 'client',
    phase: 'head',
  })
}

function aborted(cause: SteelyardError | undefined): ExchangeError {
  return new ExchangeError(
    cause === undefined
      ? 'the client closed its connection'
      : `the client is gone: ${cause.message}`,
    {
      code: 'client-aborted',
      source: 'client',
      phase: 'response-head',
      ...(cause === undefined ? {} : { cause }),
    },
  )
}

function shutdown(): ExchangeError {
  return new ExchangeError('the connection was cut at the end of the drain', {
    code: 'shutdown',
    source: 'system',
    phase: 'response-head',
  })
}
