/** What a byte of a path is. */
export const PathByte = {
  /** Stands for itself (RFC 3986 section 3.3, pchar without percent and dot). */
  plain: 0,
  slash: 1,
  percent: 2,
  /** Printable, but not allowed in a path: it is written as an escape. */
  encoded: 3,
  question: 4,
  /** Never: white space, control characters, 8-bit bytes, `#`. */
  bad: 5,
  backslash: 6,
} as const

/** {@link PathByte} by byte. */
export const pathBytes: Uint8Array = makePathBytes()

function makePathBytes(): Uint8Array {
  const table = new Uint8Array(256).fill(PathByte.bad)
  table.fill(PathByte.encoded, 0x21, 0x7f)
  const plain = "!$&'()*+,;=:@-._~"
  for (const char of plain) table[char.charCodeAt(0)] = PathByte.plain
  table.fill(PathByte.plain, 0x30, 0x3a)
  table.fill(PathByte.plain, 0x41, 0x5b)
  table.fill(PathByte.plain, 0x61, 0x7b)
  table[0x23] = PathByte.bad
  table[0x25] = PathByte.percent
  table[0x2f] = PathByte.slash
  table[0x3f] = PathByte.question
  table[0x5c] = PathByte.backslash
  return table
}

/** What an escape stands for. */
export const Escaped = {
  /** Kept as an escape: it means something other than the character, or has no other spelling. */
  opaque: 0,
  /** A letter, digit, `-`, `.`, `_` or `~`: the same as without the escape (RFC 3986 section 2.3). */
  unreserved: 1,
  slash: 2,
  backslash: 3,
  control: 4,
} as const

/** {@link Escaped} by the byte that the escape gives. */
export const escapedBytes: Uint8Array = makeEscapedBytes()

function makeEscapedBytes(): Uint8Array {
  const table = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) {
    if (/[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte))) table[byte] = Escaped.unreserved
  }
  table.fill(Escaped.control, 0, 0x20)
  table[0x7f] = Escaped.control
  table[0x2f] = Escaped.slash
  table[0x5c] = Escaped.backslash
  return table
}

/** The upper-case digit of 0 to 15. */
export function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x37 + value
}
