import { ChunkedDecoder } from '../wire/chunked-decoder.ts'
import type { Head } from '../wire/head.ts'
import { judgeResponse } from '../wire/judge-response.ts'
import type { HeadLimits } from '../wire/limits.ts'
import { unknownLength } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import { ResponseParser } from '../wire/response-parser.ts'
import type { ChunkPieces } from './chunk-pieces.ts'
import { keepAliveHint } from './keep-alive-hint.ts'

/** What the next bytes of a response are. */
export const Part = {
  head: 0,
  /** A body of known length. */
  sized: 1,
  chunked: 2,
  untilClose: 3,
  /** It is whole; what follows is not of this response. */
  whole: 4,
} as const

/** Whom a {@link ResponseReader} tells; everything is lent for the call. */
export interface ResponseListener {
  /** A 1xx other than 101. */
  informed(head: ResponseHead): void
  /** A 101 that was asked for: what follows is no HTTP. */
  switched(head: ResponseHead): void
  /** The final head. */
  answered(head: ResponseHead): void
  body(bytes: Uint8Array): void
  /** It is no response to that request; nothing is read any more. */
  bad(problem: string): void
}

/** Informational responses to one request; more are an attack or a loop. */
const mostInformational = 64

/** Reads the responses of one connection, one after the other (RFC 9112 sections 4, 6 and 7). */
export class ResponseReader {
  /** One of {@link Part}. */
  part: number = Part.head
  /** No byte of the response has come. */
  untouched = true
  /** By its framing there may be a body, so that bytes too many are one that is longer than was said. */
  framed = false
  /** By its head the connection may serve again. */
  keepAlive = false
  /** How long the member keeps the connection when it is idle, in milliseconds; -1 when it did not say. */
  keepAliveMs = -1
  /** Where the head ended that is being told of, in the range that was taken last. */
  behind = 0
  /** Behind a chunked body. */
  trailers: Head | undefined = undefined
  readonly #listener: ResponseListener
  readonly #limits: HeadLimits
  readonly #pieces: ChunkPieces
  readonly #parser: ResponseParser
  /** Made with the first chunked body. */
  #decoder: ChunkedDecoder | undefined = undefined
  /** The parser's head has been told. */
  #told = false
  #method = ''
  #asksUpgrade = false
  #informational = 0
  /** Body bytes still to come, when their number is known. */
  #left = 0

  constructor(listener: ResponseListener, limits: HeadLimits, pieces: ChunkPieces) {
    this.#listener = listener
    this.#limits = limits
    this.#pieces = pieces
    this.#parser = new ResponseParser(limits)
  }

  /** Forgets the last response, but for its head, which lasts until a byte of the next one comes. */
  reset(): void {
    this.part = Part.head
    this.untouched = true
    this.framed = false
    this.keepAlive = false
    this.trailers = undefined
    this.#method = ''
    this.#asksUpgrade = false
    this.#informational = 0
  }

  /** What the response is an answer to. */
  expect(method: string, asksUpgrade: boolean): void {
    this.#method = method
    this.#asksUpgrade = asksUpgrade
  }

  /**
   * Takes one part of the range, or as much of it as there is; tells what it was. Not to be called when whole.
   *
   * @returns the offset behind
   */
  take(range: Uint8Array, at: number, end: number): number {
    this.untouched = false
    const { part } = this
    if (part === Part.head) return this.#head(range, at, end)
    if (part === Part.chunked) return this.#chunked(range, at, end)
    let behind = end
    if (part === Part.sized) {
      behind = Math.min(end, at + this.#left)
      this.#left -= behind - at
      if (this.#left === 0) this.part = Part.whole
    }
    const isAll = at === 0 && behind === range.length
    this.#listener.body(isAll ? range : range.subarray(at, behind))
    return behind
  }

  #head(range: Uint8Array, at: number, end: number): number {
    const parser = this.#parser
    if (this.#told) {
      this.#told = false
      parser.next()
    }
    const behind = parser.feed(range, at, end)
    const { state, head } = parser
    this.behind = behind
    if (state === 'complete') this.#judge(head, end - behind)
    else if (state === 'failed') this.#bad(parser.problem?.message ?? 'its head is malformed')
    return behind
  }

  #judge(head: ResponseHead, more: number): void {
    const listener = this.#listener
    this.#told = true
    const problem = judgeResponse(head, this.#method, this.#asksUpgrade)
    if (problem !== undefined) return this.#bad(problem.message)
    const { status, bodyLength, untilClose } = head
    if (status === 101) {
      if (this.#asksUpgrade) listener.switched(head)
      else this.#bad('it switches protocols and was not asked to')
      return
    }
    if (status < 200) {
      this.#informational += 1
      if (this.#informational <= mostInformational) listener.informed(head)
      else this.#bad(`more than ${mostInformational} informational responses came`)
      return
    }
    this.keepAlive = head.keepAlive && !untilClose
    this.keepAliveMs = keepAliveHint(head)
    this.#left = bodyLength
    if (untilClose) {
      this.part = Part.untilClose
    } else if (bodyLength === unknownLength) {
      this.framed = true
      this.part = Part.chunked
      this.#decoder ??= new ChunkedDecoder('response', this.#limits)
      this.#decoder.reset()
    } else {
      // Bytes behind an answer that can have no body were not asked for; the answer itself is good.
      this.framed = this.#method !== 'HEAD' && status !== 204 && status !== 304
      this.part = bodyLength === 0 ? Part.whole : Part.sized
      if (this.framed && more > bodyLength) {
        return this.#bad('its body is longer than its head says')
      }
    }
    listener.answered(head)
  }

  #chunked(range: Uint8Array, at: number, end: number): number {
    const decoder = this.#decoder!
    const pieces = this.#pieces
    const behind = decoder.feed(range, at, end, pieces)
    const { state } = decoder
    if (state === 'done') {
      this.trailers = decoder.trailers
      this.part = Part.whole
    }
    const piece = pieces.take(range)
    if (piece !== undefined) {
      this.#listener.body(piece)
      pieces.giveBack(piece, range)
    }
    if (state === 'failed') this.#bad(decoder.problem?.message ?? 'its body is not well chunked')
    return behind
  }

  #bad(problem: string): void {
    // Another failed head would stay so.
    this.#told = true
    this.#listener.bad(problem)
  }
}
