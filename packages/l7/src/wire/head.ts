import { fieldIdAt, fieldIdOf } from './field.ts'
import { latin1, putOctets } from './latin1.ts'
import { lowerOctet, tokenOctet, valueOctet } from './octet-class.ts'

/**
 * The header lines of one message: ranges in one buffer that the head owns. A line that nobody touches is sent on as
 * the bytes that came in. An edit drops lines and appends new ones to the same buffer, so that everything that reads
 * sees one list. One head serves one message after the other: {@link Head.reset} keeps its room.
 */
export class Head {
  /** Holds all lines, each ended by CRLF. Longer than what is used. */
  bytes: Uint8Array
  /** How much of {@link Head.bytes} is used. */
  used = 0
  /** Lines, dropped ones included. */
  count = 0
  /** Four numbers a line: where its name starts and ends, where its value starts and ends, without white space around. */
  ranges: Int32Array
  /** The line's `Field` number; 0 for names that the proxy does not look at; -1 for a line that was dropped. */
  ids: Int16Array
  /** {@link Head.bytes} are another head's: they are copied before one is written. */
  #lent = false
  /** The room of its own, while {@link Head.bytes} are another's. */
  #own: Uint8Array

  /**
   * @param room - bytes to begin with
   * @param lines - lines to begin with; both grow by themselves
   */
  constructor(room = 1024, lines = 32) {
    this.bytes = new Uint8Array(room)
    this.#own = this.bytes
    this.ranges = new Int32Array(lines * 4)
    this.ids = new Int16Array(lines)
  }

  /** Forgets everything, keeps the room. */
  reset(): void {
    this.used = 0
    this.count = 0
    if (this.#lent) {
      this.bytes = this.#own
      this.#lent = false
    }
  }

  /** The field's lines in order: the index of the next from `from` on, or -1. `id` is not 0. */
  indexOf(id: number, from = 0): number {
    const { ids, count } = this
    for (let i = from; i < count; i++) if (ids[i] === id) return i
    return -1
  }

  /** The same by name, in lower case. */
  indexOfName(lowerName: string, from = 0): number {
    const id = fieldIdOf(lowerName)
    if (id !== 0) return this.indexOf(id, from)
    const { ids, count, ranges, bytes } = this
    const { length } = lowerName
    next: for (let i = from; i < count; i++) {
      if (ids[i] !== 0) continue
      const start = ranges[i * 4]!
      if (ranges[i * 4 + 1]! - start !== length) continue
      for (let j = 0; j < length; j++) {
        if (lowerOctet[bytes[start + j]!] !== lowerName.charCodeAt(j)) continue next
      }
      return i
    }
    return -1
  }

  /** The name of a line, as it was written. */
  nameAt(index: number): string {
    return latin1(this.bytes, this.ranges[index * 4]!, this.ranges[index * 4 + 1]!)
  }

  /** The value of a line, a character for each byte. */
  valueAt(index: number): string {
    return latin1(this.bytes, this.ranges[index * 4 + 2]!, this.ranges[index * 4 + 3]!)
  }

  has(name: string): boolean {
    return this.indexOfName(name.toLowerCase()) >= 0
  }

  /** The first line's value, which is the only one for fields that are not lists. */
  get(name: string): string | undefined {
    const index = this.indexOfName(name.toLowerCase())
    return index < 0 ? undefined : this.valueAt(index)
  }

  /** The values of all lines of that name. */
  all(name: string): string[] {
    const lower = name.toLowerCase()
    const values: string[] = []
    for (let i = this.indexOfName(lower); i >= 0; i = this.indexOfName(lower, i + 1)) {
      values.push(this.valueAt(i))
    }
    return values
  }

  /**
   * Adds a line. What comes from configuration or hooks is checked beforehand, by `fieldProblem`.
   *
   * @throws RangeError when the name is no token or the value has what cannot stand in one; nothing was added then.
   */
  add(name: string, value: string): void {
    if (name.length === 0) throw new RangeError('a header line without a name')
    this.reserve(name.length + value.length + 4)
    const { bytes, used } = this
    const nameEnd = putOctets(bytes, used, name, tokenOctet, 'header name')
    bytes[nameEnd] = 0x3a
    bytes[nameEnd + 1] = 0x20
    const valueStart = nameEnd + 2
    const valueEnd = putOctets(bytes, valueStart, value, valueOctet, 'header value')
    bytes[valueEnd] = 0x0d
    bytes[valueEnd + 1] = 0x0a
    this.used = valueEnd + 2
    this.addLine(used, nameEnd, valueStart, valueEnd, fieldIdAt(bytes, used, nameEnd))
  }

  /** Adds a line whose bytes, CRLF included, are in {@link Head.bytes} already. */
  addLine(
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    id: number,
  ): void {
    const index = this.count
    if (index === this.ids.length) this.#growLines()
    const at = index * 4
    this.ranges[at] = nameStart
    this.ranges[at + 1] = nameEnd
    this.ranges[at + 2] = valueStart
    this.ranges[at + 3] = valueEnd
    this.ids[index] = id
    this.count = index + 1
  }

  /** Adds all lines of another head. */
  append(other: Head): void {
    const { bytes, count } = other
    if (count === 0) return
    // All its bytes: a view of those that are used would cost more.
    this.reserve(bytes.length)
    const shift = this.used
    this.bytes.set(bytes, shift)
    this.used = shift + other.used
    const first = this.count
    while (first + count > this.ids.length) this.#growLines()
    const { ids, ranges } = this
    for (let i = 0; i < count; i++) ids[first + i] = other.ids[i]!
    for (let i = 0; i < count * 4; i++) ranges[first * 4 + i] = other.ranges[i]! + shift
    this.count = first + count
  }

  /** Replaces all lines of that name by one, at the end. */
  set(name: string, value: string): void {
    this.remove(name)
    this.add(name, value)
  }

  /** Drops all lines of that name; returns how many there were. */
  remove(name: string): number {
    const lower = name.toLowerCase()
    let count = 0
    for (let i = this.indexOfName(lower); i >= 0; i = this.indexOfName(lower, i + 1)) {
      this.ids[i] = -1
      count += 1
    }
    return count
  }

  /** Drops one line. */
  drop(index: number): void {
    this.ids[index] = -1
  }

  /** Drops all lines of a field, by its number in `Field`. */
  dropField(id: number): void {
    const { ids, count } = this
    for (let i = 0; i < count; i++) if (ids[i] === id) ids[i] = -1
  }

  /** Bytes that {@link Head.writeLines} will write at most. */
  get size(): number {
    // No two lines share bytes, and each has its own CRLF, with the white space before it, in them.
    return this.used
  }

  /** Writes the lines that were not dropped, each with its CRLF; returns the offset behind. The caller has made room. */
  writeLines(into: Uint8Array, at: number): number {
    const { ids, count, ranges, bytes } = this
    let end = at
    let i = 0
    while (i < count) {
      if (ids[i] === -1) {
        i += 1
        continue
      }
      const from = ranges[i * 4]!
      let to = this.#lineEnd(i)
      i += 1
      // Lines that follow each other in the buffer are one copy.
      while (i < count && ids[i] !== -1 && ranges[i * 4] === to) {
        to = this.#lineEnd(i)
        i += 1
      }
      end = copyRange(bytes, from, to, into, end)
    }
    return end
  }

  /**
   * Becomes an overlay of another head: the same lines in the same bytes, to be edited without the other's knowing.
   * The bytes are copied when the first line is added, not before. Valid while the other is not reset.
   */
  layOver(other: Head): void {
    if (!this.#lent) this.#own = this.bytes
    this.#lent = true
    this.bytes = other.bytes
    this.used = other.used
    const { count } = other
    this.count = count
    if (this.ids.length < count) {
      this.ranges = new Int32Array(other.ranges.length)
      this.ids = new Int16Array(other.ids.length)
    }
    const { ids, ranges } = this
    const otherIds = other.ids
    const otherRanges = other.ranges
    for (let i = 0; i < count; i++) {
      ids[i] = otherIds[i]!
      ranges[i * 4] = otherRanges[i * 4]!
      ranges[i * 4 + 1] = otherRanges[i * 4 + 1]!
      ranges[i * 4 + 2] = otherRanges[i * 4 + 2]!
      ranges[i * 4 + 3] = otherRanges[i * 4 + 3]!
    }
  }

  /** Every line that was not dropped, as name and value. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.count; i++) {
      if (this.ids[i] !== -1) yield [this.nameAt(i), this.valueAt(i)]
    }
  }

  /** Makes room for `more` bytes behind what is used, to be written there by the caller. */
  reserve(more: number): void {
    const needed = this.used + more
    if (this.#lent) {
      const { bytes } = this
      const own = this.#own.length >= needed ? this.#own : new Uint8Array(roomFor(needed))
      // Of a usual length all of them cost less than a view of those that are used.
      const all = bytes.length <= own.length && bytes.length <= usualRoom
      copyRange(bytes, 0, all ? bytes.length : this.used, own, 0)
      this.bytes = own
      this.#lent = false
      return
    }
    if (needed <= this.bytes.length) return
    const bytes = new Uint8Array(Math.max(roomFor(needed), this.bytes.length * 2))
    copyRange(this.bytes, 0, this.used, bytes, 0)
    this.bytes = bytes
  }

  /** Where a line's CRLF ends. White space before the CRLF belongs to the line. */
  #lineEnd(index: number): number {
    let end = this.ranges[index * 4 + 3]!
    while (this.bytes[end] !== 0x0a) end += 1
    return end + 1
  }

  #growLines(): void {
    const ranges = new Int32Array(this.ranges.length * 2)
    ranges.set(this.ranges)
    this.ranges = ranges
    const ids = new Int16Array(this.ids.length * 2)
    ids.set(this.ids)
    this.ids = ids
  }
}

const usualRoom = 2048

/** Room for some bytes, and for a few lines more. */
function roomFor(bytes: number): number {
  return Math.ceil((bytes + 256) / 1024) * 1024
}

/** Copies a range; returns the offset behind it. The caller has made room. */
export function copyRange(
  from: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
): number {
  const length = end - start
  if (length === from.length) into.set(from, at)
  // A view for the engine's own copy costs as much as some forty bytes one by one; made by `subarray`, a fifth more.
  else if (length > 40) into.set(new Uint8Array(from.buffer, from.byteOffset + start, length), at)
  else for (let i = 0; i < length; i++) into[at + i] = from[start + i]!
  return at + length
}
