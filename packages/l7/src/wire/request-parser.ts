import { HeadParser } from './head-parser.ts'
import { byteName, type HeadProblem } from './head-problem.ts'
import type { HeadLimits } from './limits.ts'
import { methodAt } from './method.ts'
import { targetOctet, tokenOctet } from './octet-class.ts'
import { RequestHead } from './request-head.ts'

const CR = 0x0d
const LF = 0x0a
const SP = 0x20

// Where in the line the scan stands.
const inMethod = 0
const inTarget = 1
const inVersion = 2

/** A method is taken for one up to here: nothing registered comes near. */
const maxMethod = 32

/** `HTTP/` and two digits; `d` stands for a digit. */
const versionPattern = 'HTTP/d.d\r\n'

/** The client speaks HTTP/2 with prior knowledge (RFC 9113 section 3.4): its preface is no HTTP/1.1. */
export const http2Preface: HeadProblem = Object.freeze({
  status: 505,
  code: 'unsupported',
  message: 'the HTTP/2 connection preface on a connection for HTTP/1.1',
})

/**
 * Reads request heads (RFC 9112 section 3): syntax only; what a head means is the gate's to judge.
 *
 *     request-line = method SP request-target SP HTTP-version CRLF
 *
 * One empty line before it is left out (section 2.2); until its first byte has come the state stays `idle`.
 */
export class RequestParser extends HeadParser<RequestHead> {
  readonly #maxLine: number
  #step = inMethod
  #targetStart = 0
  #targetEnd = 0
  #major = 0
  #minor = 0
  /** Of an empty line before this request: bytes that have come. */
  #skipped = 0

  constructor(limits: HeadLimits) {
    super(new RequestHead(), limits)
    this.#maxLine = limits.maxLine
  }

  protected resetStart(): void {
    this.#step = inMethod
    this.#skipped = 0
  }

  protected skip(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      const byte = bytes[at]
      if (this.#skipped === 1) {
        if (byte !== LF) return -1
      } else if (byte !== CR && byte !== LF) break
      else if (byte !== CR || this.#skipped !== 0) return -1
      this.#skipped += 1
      at += 1
    }
    return at
  }

  protected scanStart(from: number, to: number): number {
    const { bytes } = this.head
    const room = this.#maxLine + 2
    const stop = room < to ? room : to
    let at = from
    if (this.#step === inMethod) {
      while (at < stop && tokenOctet[bytes[at]!] === 1) at += 1
      if (at > maxMethod) return this.#refuseMethod(bytes, 0, maxMethod)
      if (at >= stop) return this.#more(at, room)
      if (bytes[at] !== SP || at === 0) return this.#badMethod(bytes[at]!, at)
      const method = methodAt(bytes, 0, at)
      if (method === '' && !isPreface(bytes, 0, at)) return this.#refuseMethod(bytes, 0, at)
      this.head.method = method
      at += 1
      this.#targetStart = at
      this.#step = inTarget
    }
    if (this.#step === inTarget) {
      while (at < stop && targetOctet[bytes[at]!] === 1) at += 1
      if (at >= stop) return this.#more(at, room)
      if (bytes[at] !== SP || at === this.#targetStart) {
        return this.#badTarget(bytes[at]!, at)
      }
      this.head.targetStart = this.#targetStart
      this.head.targetEnd = at
      this.#targetEnd = at
      at += 1
      this.#step = inVersion
    }
    const version = this.#targetEnd + 1
    for (; at - version < versionPattern.length; at++) {
      if (at >= stop) return this.#more(at, room)
      const index = at - version
      const byte = bytes[at]!
      if (index === 5 || index === 7) {
        if (byte < 0x30 || byte > 0x39) return this.#badVersion(byte, at)
        if (index === 5) this.#major = byte - 0x30
        else this.#minor = byte - 0x30
      } else if (byte !== versionPattern.charCodeAt(index)) return this.#badVersion(byte, at)
    }
    return this.#judgeVersion(at)
  }

  #judgeVersion(at: number): number {
    const { head } = this
    if (head.method === '') {
      const star = head.targetEnd - head.targetStart === 1 && head.bytes[head.targetStart] === 0x2a
      if (star && this.#major === 2 && this.#minor === 0) this.fail(http2Preface)
      else this.fail(unknownMethod)
      return at
    }
    if (this.#major === 1 && this.#minor <= 1) {
      head.version = 10 + this.#minor
      this.startDone = true
      return at
    }
    if (this.#major === 0 && this.#minor === 9) this.fail(badRequest('HTTP/0.9 has no such line'))
    else {
      const version = `HTTP/${this.#major}.${this.#minor}`
      this.fail({ status: 505, code: 'unsupported', message: `request line: version ${version}` })
    }
    return at
  }

  /** All that came is good so far; it may be too much. */
  #more(at: number, room: number): number {
    if (at >= room) {
      this.fail(this.problemOf(`line longer than ${this.#maxLine} bytes`, true, true))
    }
    return at
  }

  #refuseMethod(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      if (bytes[at]! >= 0x61 && bytes[at]! <= 0x7a) {
        this.fail(badRequest('method is not in upper case'))
        return end
      }
    }
    this.fail(unknownMethod)
    return end
  }

  #badMethod(byte: number, at: number): number {
    if (byte === SP || byte === 0x09) this.fail(badRequest('begins with white space'))
    else if (byte === CR || byte === LF) this.fail(badRequest('has no target'))
    else this.fail(badRequest(`${byteName(byte)} in the method`))
    return at
  }

  #badTarget(byte: number, at: number): number {
    if (byte === SP) this.fail(badRequest('two spaces before the target'))
    else if (byte === CR || byte === LF) {
      const empty = at === this.#targetStart
      this.fail(badRequest(empty ? 'has no target' : 'has no version (HTTP/0.9)'))
    } else this.fail(badRequest(`${byteName(byte)} in the target`))
    return at
  }

  #badVersion(byte: number, at: number): number {
    if (byte === LF) this.fail(badRequest('LF without CR'))
    else this.fail(badRequest(`${byteName(byte)} in the version`))
    return at
  }

  protected problemOf(fault: string, tooLarge: boolean, inStart: boolean): HeadProblem {
    const message = inStart ? `request line: ${fault}` : `request ${fault}`
    if (!tooLarge) return { status: 400, code: 'bad-request', message }
    return { status: inStart ? 414 : 431, code: 'head-too-large', message }
  }
}

const unknownMethod: HeadProblem = Object.freeze({
  status: 501,
  code: 'unsupported',
  message: 'request line: unknown method',
})

function badRequest(fault: string): HeadProblem {
  return { status: 400, code: 'bad-request', message: `request line: ${fault}` }
}

function isPreface(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === 3 &&
    bytes[start] === 0x50 &&
    bytes[start + 1] === 0x52 &&
    bytes[start + 2] === 0x49
  )
}
