import { fieldIdAt } from './field.ts'
import type { Head } from './head.ts'
import { byteName } from './head-problem.ts'
import type { HeadLimits } from './limits.ts'
import { tokenOctet, valueOctet } from './octet-class.ts'

const CR = 0x0d
const LF = 0x0a
const SP = 0x20
const HTAB = 0x09
const COLON = 0x3a
const DEL = 0x7f

// Where in a line the scan stands.
const lineStart = 0
const inName = 1
const beforeValue = 2
const inValue = 3
const behindCr = 4
const behindLastCr = 5

/** What a scan came to. */
export const Outcome = { more: 0, done: 1, failed: 2 } as const

/**
 * The lines of a head or of a trailer section, up to and with the empty line, as a machine that goes on where the
 * last range ended (RFC 9112 section 5). Which byte it stops at, and why, does not depend on how the bytes were cut.
 *
 *     field-line = field-name ":" OWS field-value OWS CRLF
 */
export class FieldSection {
  /** One of {@link Outcome}, of the last scan. */
  outcome: number = Outcome.more
  /** When it failed: why. */
  fault = ''
  /** When it failed: some limit is why. */
  tooLarge = false
  readonly #maxLine: number
  readonly #maxLines: number
  #state = lineStart
  // Offsets in the head's bytes.
  #lineStart = 0
  #nameEnd = 0
  #valueStart = 0
  #valueEnd = 0

  constructor(limits: HeadLimits) {
    this.#maxLine = limits.maxLine
    this.#maxLines = limits.maxLines
  }

  /** Before the first line of the next section. */
  reset(): void {
    this.#state = lineStart
    this.outcome = Outcome.more
    this.fault = ''
    this.tooLarge = false
  }

  /**
   * Scans `from` to `to` and notes each whole line in `head`. Bytes of a line that an earlier scan left unfinished
   * must lie before `from` in the same array.
   *
   * @param shift - what makes an offset in `bytes` one in `head.bytes`
   * @returns the offset behind the last byte that it judged: behind the section when it is done, at the offending byte when it failed
   */
  scan(head: Head, bytes: Uint8Array, from: number, to: number, shift: number): number {
    let at = from
    let state = this.#state
    let line = this.#lineStart - shift
    let nameEnd = this.#nameEnd - shift
    let valueStart = this.#valueStart - shift
    let valueEnd = this.#valueEnd - shift
    const room = this.#maxLine + 2
    let stop = line + room < to ? line + room : to
    for (;;) {
      if (state === lineStart) {
        at = this.#wholeLines(head, bytes, at, to, shift)
        if (at >= to) break
        line = at
        stop = line + room < to ? line + room : to
        if (bytes[at] === CR) {
          at += 1
          state = behindLastCr
        } else {
          if (head.count >= this.#maxLines) return this.#tooMany(at)
          state = inName
        }
      }
      if (state === inName) {
        while (at < stop && tokenOctet[bytes[at]!] === 1) at += 1
        if (at >= stop) break
        if (bytes[at] !== COLON || at === line) return this.#badName(head, bytes[at]!, at, line)
        nameEnd = at
        at += 1
        state = beforeValue
      }
      if (state === beforeValue) {
        while (at < stop && (bytes[at] === SP || bytes[at] === HTAB)) at += 1
        if (at >= stop) break
        valueStart = at
        state = inValue
      }
      if (state === inValue) {
        let byte = 0
        while (at < stop) {
          byte = bytes[at]!
          if ((byte < SP && byte !== HTAB) || byte === DEL) break
          at += 1
        }
        if (at >= stop) break
        if (byte !== CR) return this.#badValue(head, byte, at)
        valueEnd = at
        while (valueEnd > valueStart) {
          const last = bytes[valueEnd - 1]
          if (last !== SP && last !== HTAB) break
          valueEnd -= 1
        }
        at += 1
        state = behindCr
      }
      if (state === behindCr) {
        if (at >= stop) break
        if (bytes[at] !== LF) return this.#fail(`line ${head.count + 1}: CR without LF`, at)
        at += 1
        head.addLine(
          line + shift,
          nameEnd + shift,
          valueStart + shift,
          valueEnd + shift,
          fieldIdAt(bytes, line, nameEnd),
        )
        state = lineStart
      }
      if (state === behindLastCr) {
        if (at >= stop) break
        if (bytes[at] !== LF) return this.#fail(`line ${head.count + 1}: CR without LF`, at)
        this.outcome = Outcome.done
        return at + 1
      }
    }
    if (state !== lineStart && at - line >= room) {
      this.tooLarge = true
      return this.#fail(`line ${head.count + 1}: longer than ${this.#maxLine} bytes`, at)
    }
    this.outcome = Outcome.more
    this.#state = state
    this.#lineStart = line + shift
    this.#nameEnd = nameEnd + shift
    this.#valueStart = valueStart + shift
    this.#valueEnd = valueEnd + shift
    return at
  }

  /**
   * Notes the lines that are whole and good, and returns where the first that is not begins. It is the scan without
   * its stops: a line that it gives up, at most one a range, is looked at again.
   */
  #wholeLines(head: Head, bytes: Uint8Array, from: number, to: number, shift: number): number {
    const maxLine = this.#maxLine
    let left = this.#maxLines - head.count
    let line = from
    for (;;) {
      let at = line
      while (at < to && tokenOctet[bytes[at]!] === 1) at += 1
      const nameEnd = at
      if (at >= to || bytes[at] !== COLON || at === line || left <= 0) return line
      at += 1
      while (at < to && (bytes[at] === SP || bytes[at] === HTAB)) at += 1
      const valueStart = at
      while (at < to && valueOctet[bytes[at]!] === 1) at += 1
      if (at + 1 >= to || bytes[at] !== CR || bytes[at + 1] !== LF || at - line > maxLine)
        return line
      let valueEnd = at
      while (valueEnd > valueStart) {
        const last = bytes[valueEnd - 1]
        if (last !== SP && last !== HTAB) break
        valueEnd -= 1
      }
      head.addLine(
        line + shift,
        nameEnd + shift,
        valueStart + shift,
        valueEnd + shift,
        fieldIdAt(bytes, line, nameEnd),
      )
      left -= 1
      line = at + 2
    }
  }

  #fail(fault: string, at: number): number {
    this.outcome = Outcome.failed
    this.fault = fault
    return at
  }

  #tooMany(at: number): number {
    this.tooLarge = true
    return this.#fail(`more than ${this.#maxLines} lines`, at)
  }

  #badName(head: Head, byte: number, at: number, line: number): number {
    const where = `line ${head.count + 1}`
    const blank = byte === SP || byte === HTAB
    if (at === line) {
      if (blank) return this.#fail(`${where}: begins with white space`, at)
      if (byte === COLON) return this.#fail(`${where}: has no name`, at)
    }
    if (byte === LF) return this.#fail(`${where}: LF without CR`, at)
    if (byte === CR) return this.#fail(`${where}: has no colon`, at)
    if (blank) return this.#fail(`${where}: white space before the colon`, at)
    return this.#fail(`${where}: ${byteName(byte)} in the name`, at)
  }

  #badValue(head: Head, byte: number, at: number): number {
    const where = `line ${head.count + 1}`
    if (byte === LF) return this.#fail(`${where}: LF without CR`, at)
    return this.#fail(`${where}: ${byteName(byte)} in the value`, at)
  }
}
