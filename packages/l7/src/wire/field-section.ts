import { fieldIdAt, fieldIdIn } from './field.ts'
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

const nothing = new Uint8Array(0)

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
  /** The head's bytes as they were last, and as words. */
  #bytes: Uint8Array = nothing
  #words: DataView = new DataView(nothing.buffer)

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
   * Scans `from` to `to` of the head's bytes and notes each whole line. What earlier scans left unfinished lies before.
   *
   * @returns the offset behind the last byte that it judged: behind the section when it is done, at the offending byte when it failed
   */
  scan(head: Head, from: number, to: number): number {
    const { bytes } = head
    let at = from
    let state = this.#state
    let line = this.#lineStart
    let nameEnd = this.#nameEnd
    let valueStart = this.#valueStart
    let valueEnd = this.#valueEnd
    const room = this.#maxLine + 2
    let stop = line + room < to ? line + room : to
    for (;;) {
      if (state === lineStart) {
        at = this.#wholeLines(head, at, to)
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
        head.addLine(line, nameEnd, valueStart, valueEnd, fieldIdAt(bytes, line, nameEnd))
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
    this.#lineStart = line
    this.#nameEnd = nameEnd
    this.#valueStart = valueStart
    this.#valueEnd = valueEnd
    return at
  }

  /**
   * Notes the lines that are whole and good, and returns where the first that is not begins. It is the scan without
   * its stops: a line that it gives up, at most one a range, is looked at again.
   */
  #wholeLines(head: Head, from: number, to: number): number {
    const { bytes } = head
    if (this.#bytes !== bytes) {
      this.#bytes = bytes
      this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    const words = this.#words
    const maxLine = this.#maxLine
    let left = this.#maxLines - head.count
    let line = from
    for (;;) {
      let at = line
      let stop = 0
      while (at + 4 <= to && stop === 0) {
        const word = words.getInt32(at, true)
        stop = oddBytes(word) | zeroBytes(word ^ 0x3a3a3a3a)
        at += 4
      }
      at = stop === 0 ? line : at - 4 + firstOf(stop)
      // At the colon, unless the name is none. A name that is known is a token.
      const id = bytes[at] === COLON ? fieldIdIn(words, line, at) : 0
      if (id === 0) {
        at = line
        while (at < to && tokenOctet[bytes[at]!] === 1) at += 1
        if (at >= to || bytes[at] !== COLON || at === line) return line
      }
      if (left <= 0) return line
      const nameEnd = at
      at += 1
      while (at < to && (bytes[at] === SP || bytes[at] === HTAB)) at += 1
      const valueStart = at
      stop = 0
      while (at + 4 <= to && stop === 0) {
        stop = oddBytes(words.getInt32(at, true))
        at += 4
      }
      if (stop !== 0) at += firstOf(stop) - 4
      // Tabs, and the last bytes of the range.
      while (at < to && valueOctet[bytes[at]!] === 1) at += 1
      if (at + 1 >= to || bytes[at] !== CR || bytes[at + 1] !== LF || at - line > maxLine)
        return line
      let valueEnd = at
      while (valueEnd > valueStart) {
        const last = bytes[valueEnd - 1]
        if (last !== SP && last !== HTAB) break
        valueEnd -= 1
      }
      head.addLine(line, nameEnd, valueStart, valueEnd, id)
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

/**
 * The highest bit of each byte of a word that is below SP or DEL; of bytes above the first such one (the words are little
 * endian) it may be set too. Subtracting sets it in bytes that are smaller than what is subtracted.
 */
function oddBytes(word: number): number {
  return ((word - 0x20202020) & ~word & -0x7f7f7f80) | zeroBytes(word ^ 0x7f7f7f7f)
}

/** The same for bytes that are zero. */
function zeroBytes(word: number): number {
  return (word - 0x01010101) & ~word & -0x7f7f7f80
}

/** Which of the four bytes is the first with its bit set. */
function firstOf(bits: number): number {
  return (31 - Math.clz32(bits & -bits)) >> 3
}
