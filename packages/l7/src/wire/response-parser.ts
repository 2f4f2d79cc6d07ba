import { HeadParser } from './head-parser.ts'
import { byteName, type HeadProblem } from './head-problem.ts'
import { latin1 } from './latin1.ts'
import type { HeadLimits } from './limits.ts'
import { valueOctet } from './octet-class.ts'
import { reasonOf } from './reason.ts'
import { ResponseHead } from './response-head.ts'

const CR = 0x0d
const LF = 0x0a
const SP = 0x20

// Where in the line the scan stands.
const inStatus = 0
const inReason = 1
const behindCr = 2

/** Up to the status's last digit; `d` stands for a digit, of the version or of the status. */
const statusPattern = 'HTTP/1.d ddd'

/**
 * Reads response heads (RFC 9112 section 4): syntax only; the body's length is for `judgeResponse`.
 *
 *     status-line = HTTP-version SP status-code [ SP [ reason-phrase ] ] CRLF
 *
 * Nothing but a status line may come first: there is no empty line that could belong to no response.
 */
export class ResponseParser extends HeadParser<ResponseHead> {
  readonly #maxLine: number
  #step = inStatus
  #status = 0
  #reasonEnd = 0

  constructor(limits: HeadLimits) {
    super(new ResponseHead(), limits)
    this.#maxLine = limits.maxLine
  }

  protected resetStart(): void {
    this.#step = inStatus
    this.#status = 0
  }

  protected skip(_bytes: Uint8Array, start: number, _end: number): number {
    return start
  }

  protected scanStart(from: number, to: number): number {
    const { bytes } = this.head
    const room = this.#maxLine + 2
    const stop = room < to ? room : to
    let at = from
    if (this.#step === inStatus) {
      for (; at < statusPattern.length; at++) {
        if (at >= stop) return this.#more(at, room)
        const byte = bytes[at]!
        if (at === 7) {
          if (byte !== 0x30 && byte !== 0x31) return this.#refuse(byte, at, 'version')
          this.head.version = 10 + byte - 0x30
        } else if (at >= 9) {
          if (byte < 0x30 || byte > 0x39) return this.#refuse(byte, at, 'status')
          if (at === 9 && (byte === 0x30 || byte > 0x35)) {
            return this.#refuse(byte, at, 'status')
          }
          this.#status = this.#status * 10 + byte - 0x30
        } else if (byte !== statusPattern.charCodeAt(at)) {
          return this.#refuse(byte, at, 'version')
        }
      }
      this.#step = inReason
    }
    const status = statusPattern.length
    if (this.#step === inReason) {
      while (at < stop && valueOctet[bytes[at]!] === 1 && (at > status || bytes[at] === SP)) {
        at += 1
      }
      if (at >= stop) return this.#more(at, room)
      if (bytes[at] !== CR) return this.#refuse(bytes[at]!, at, at === status ? 'status' : 'reason')
      this.#reasonEnd = at
      at += 1
      this.#step = behindCr
    }
    if (at >= stop) return this.#more(at, room)
    if (bytes[at] !== LF) return this.#refuse(bytes[at]!, at, 'line end')
    this.head.status = this.#status
    this.head.reason = reasonAt(bytes, status + 1, this.#reasonEnd, this.#status)
    this.startDone = true
    return at + 1
  }

  /** All that came is good so far; it may be too much. */
  #more(at: number, room: number): number {
    if (at >= room) {
      this.fail(this.problemOf(`longer than ${this.#maxLine} bytes`, true, true))
    }
    return at
  }

  #refuse(byte: number, at: number, part: string): number {
    const fault = byte === LF ? 'LF without CR' : `${byteName(byte)} in the ${part}`
    this.fail(this.problemOf(fault, false, true))
    return at
  }

  protected problemOf(fault: string, _tooLarge: boolean, inStart: boolean): HeadProblem {
    const message = inStart ? `status line: ${fault}` : `response ${fault}`
    return { status: 502, code: 'bad-response', message }
  }
}

/** The phrase; the same string each time when it is the registered one. */
function reasonAt(bytes: Uint8Array, start: number, end: number, status: number): string {
  const usual = reasonOf(status)
  const { length } = usual
  if (end <= start) return ''
  if (end - start !== length) return latin1(bytes, start, end)
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== usual.charCodeAt(i)) return latin1(bytes, start, end)
  }
  return usual
}
