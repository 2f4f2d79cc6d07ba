import { ChunkExtension } from './chunk-extension.ts'
import type { Head } from './head.ts'
import { byteName, type HeadProblem } from './head-problem.ts'
import { defaultHeadLimits, type HeadLimits } from './limits.ts'
import { hexOctet } from './octet-class.ts'
import { dropForbiddenTrailers } from './trailer-names.ts'
import { type MessageSide, TrailerParser } from './trailer-parser.ts'

/** Takes the bytes of a chunked body. */
export interface ChunkSink {
  /** A piece of the body; lent for the call, within the range that is being fed. */
  chunk(bytes: Uint8Array, start: number, end: number): void
}

const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

const inSize = 0
const inExtension = 1
const behindSizeCr = 2
const inData = 3
const behindData = 4
const behindDataCr = 5
const behindLastChunk = 6
const behindLastCr = 7
const inTrailers = 8

const maxSizeDigits = 16

/**
 * Takes the chunked coding off a body (RFC 9112 section 7.1), strictly: what two recipients could read differently is
 * refused.
 *
 *     chunked-body = *( chunk-size [ chunk-ext ] CRLF chunk-data CRLF ) 1*"0" [ chunk-ext ] CRLF *( field-line CRLF ) CRLF
 */
export class ChunkedDecoder {
  readonly #side: MessageSide
  readonly #limits: HeadLimits
  readonly #extension = new ChunkExtension()
  #trailerParser: TrailerParser | undefined = undefined
  #state: 'reading' | 'done' | 'failed' = 'reading'
  #problem: HeadProblem | undefined = undefined
  #trailers: Head | undefined = undefined
  #step = inSize
  #digits = 0
  #left = 0
  #stopped = false
  /** Counts resets and stops, so that `feed` sees one that happened while it called the sink. */
  #turn = 0

  /**
   * @param side - whose body it is: what goes wrong is a client's or a backend's fault
   * @param limits - of the trailer section
   */
  constructor(side: MessageSide = 'request', limits: HeadLimits = defaultHeadLimits) {
    this.#side = side
    this.#limits = limits
  }

  get state(): 'reading' | 'done' | 'failed' {
    return this.#state
  }

  /** Why it failed. */
  get problem(): HeadProblem | undefined {
    return this.#problem
  }

  /** When it is done: the trailers, without those of forbidden names; undefined when none are left. Valid until `reset`. */
  get trailers(): Head | undefined {
    return this.#trailers
  }

  /** Ready for the next body. May be called by the sink: then the running `feed` returns without looking further. */
  reset(): void {
    this.#turn += 1
    this.#state = 'reading'
    this.#problem = undefined
    if (this.#step === inTrailers) this.#trailerParser?.next()
    this.#trailers = undefined
    this.#step = inSize
    this.#digits = 0
    this.#left = 0
    this.#stopped = false
    this.#extension.reset()
  }

  /** No more is read, and the sink not called, until `reset`. May be called by the sink. */
  stop(): void {
    this.#turn += 1
    this.#stopped = true
  }

  /**
   * Takes bytes up to the body's end; what is behind is not looked at. Not to be called by the sink.
   *
   * @returns the offset behind the last byte that it consumed
   */
  feed(bytes: Uint8Array, start: number, end: number, sink: ChunkSink): number {
    let at = start
    if (this.#state !== 'reading' || this.#stopped) return at
    while (at < end) {
      const byte = bytes[at]!
      switch (this.#step) {
        case inData: {
          const length = Math.min(this.#left, end - at)
          this.#left -= length
          if (this.#left === 0) this.#step = behindData
          const turn = this.#turn
          at += length
          sink.chunk(bytes, at - length, at)
          if (turn !== this.#turn) return at
          break
        }
        case behindData:
          if (byte !== CR) return this.#refuse(byte, at, 'behind a chunk')
          this.#step = behindDataCr
          at += 1
          break
        case behindDataCr:
          if (byte !== LF) return this.#refuse(byte, at, 'behind the CR of a chunk')
          this.#step = inSize
          this.#digits = 0
          at += 1
          break
        case inSize: {
          const digit = hexOctet[byte]!
          if (digit === 255) {
            if (this.#digits === 0 || (byte !== CR && byte !== SEMICOLON)) {
              return this.#refuse(byte, at, 'in a chunk size')
            }
            if (byte === CR) this.#step = behindSizeCr
            else {
              this.#extension.begin()
              this.#step = inExtension
            }
          } else {
            this.#left = this.#left * 16 + digit
            this.#digits += 1
            if (this.#digits > maxSizeDigits || this.#left > Number.MAX_SAFE_INTEGER) {
              return this.#fail('a chunk size too large', at)
            }
          }
          at += 1
          break
        }
        case inExtension:
          at = this.#extension.scan(bytes, at, end)
          if (this.#extension.fault !== '') return this.#fail(this.#extension.fault, at)
          if (at < end) {
            this.#step = behindSizeCr
            at += 1
          }
          break
        case behindSizeCr:
          if (byte !== LF) return this.#refuse(byte, at, 'behind the CR of a chunk size')
          this.#step = this.#left === 0 ? behindLastChunk : inData
          at += 1
          break
        case behindLastChunk:
          if (byte === CR) {
            this.#step = behindLastCr
            at += 1
          } else this.#beginTrailers()
          break
        case behindLastCr:
          if (byte !== LF) return this.#refuse(byte, at, 'behind the last CR')
          this.#state = 'done'
          return at + 1
        default:
          return this.#feedTrailers(bytes, at, end)
      }
    }
    return at
  }

  #beginTrailers(): void {
    this.#step = inTrailers
    if (this.#trailerParser === undefined) {
      this.#trailerParser = new TrailerParser(this.#limits, this.#side)
    }
  }

  #feedTrailers(bytes: Uint8Array, start: number, end: number): number {
    const parser = this.#trailerParser!
    const at = parser.feed(bytes, start, end)
    if (parser.state === 'failed') {
      this.#state = 'failed'
      this.#problem = parser.problem
    } else if (parser.state === 'complete') {
      this.#state = 'done'
      if (dropForbiddenTrailers(parser.head) > 0) this.#trailers = parser.head
    }
    return at
  }

  #refuse(byte: number, at: number, where: string): number {
    return this.#fail(`${byteName(byte)} ${where}`, at)
  }

  #fail(fault: string, at: number): number {
    this.#state = 'failed'
    const message = `${this.#side} body: ${fault}`
    this.#problem =
      this.#side === 'request'
        ? { status: 400, code: 'bad-request', message }
        : { status: 502, code: 'bad-response', message }
    return at
  }
}
