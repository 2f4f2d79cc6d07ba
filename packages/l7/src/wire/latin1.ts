import { lowerOctet } from './octet-class.ts'

/** Text of a range of bytes, a character each (ISO 8859-1), as HTTP's field values are carried. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let at = start
  // One call with many arguments is cheaper than many calls, and their concatenations, with one.
  for (; at + 16 <= end; at += 16) {
    text += String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
      bytes[at + 8]!,
      bytes[at + 9]!,
      bytes[at + 10]!,
      bytes[at + 11]!,
      bytes[at + 12]!,
      bytes[at + 13]!,
      bytes[at + 14]!,
      bytes[at + 15]!,
    )
  }
  if (at + 8 <= end) {
    text += upToEight(bytes, at, 8)
    at += 8
  }
  return at >= end ? text : text + upToEight(bytes, at, end - at)
}

function upToEight(bytes: Uint8Array, at: number, count: number): string {
  const a = bytes[at]!
  if (count === 1) return String.fromCharCode(a)
  const b = bytes[at + 1]!
  if (count === 2) return String.fromCharCode(a, b)
  const c = bytes[at + 2]!
  if (count === 3) return String.fromCharCode(a, b, c)
  const d = bytes[at + 3]!
  if (count === 4) return String.fromCharCode(a, b, c, d)
  const e = bytes[at + 4]!
  if (count === 5) return String.fromCharCode(a, b, c, d, e)
  const f = bytes[at + 5]!
  if (count === 6) return String.fromCharCode(a, b, c, d, e, f)
  const g = bytes[at + 6]!
  if (count === 7) return String.fromCharCode(a, b, c, d, e, f, g)
  return String.fromCharCode(a, b, c, d, e, f, g, bytes[at + 7]!)
}

/** Text of a range with ASCII letters in lower case. */
export function lowerLatin1(bytes: Uint8Array, start: number, end: number): string {
  let at = start
  while (at < end && lowerOctet[bytes[at]!] === bytes[at]) at += 1
  // Nearly all come in lower case.
  let text = latin1(bytes, start, at)
  for (; at < end; at++) text += String.fromCharCode(lowerOctet[bytes[at]!]!)
  return text
}

/** Writes the low bytes of a text's characters; returns the offset behind. The caller has made room. */
export function putLatin1(into: Uint8Array, at: number, text: string): number {
  const { length } = text
  for (let i = 0; i < length; i++) into[at + i] = text.charCodeAt(i)
  return at + length
}

/**
 * The same for text that must consist of the characters of one class: the last guard against a line break, or a
 * character whose low byte is one, in what somebody composed.
 *
 * @param octets - a table of `octet-class.ts`
 * @throws RangeError when a character is not of the class: sent as something else it would be another message.
 */
export function putOctets(
  into: Uint8Array,
  at: number,
  text: string,
  octets: Uint8Array,
  what: string,
): number {
  const { length } = text
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    // Above 255 the table says undefined.
    if (octets[code] !== 1)
      throw new RangeError(`${what}: character ${i} (U+${hex(code)}) cannot be sent`)
    into[at + i] = code
  }
  return at + length
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(4, '0')
}
