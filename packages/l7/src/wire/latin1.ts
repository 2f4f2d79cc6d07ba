/** Text of a range of bytes, a character each (ISO 8859-1), as HTTP's field values are carried. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let at = start
  // Eight at a time: one call with many arguments is cheaper than many concatenations.
  for (; at + 8 <= end; at += 8) {
    text += String.fromCharCode(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    )
  }
  for (; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}

/** Text of a range with ASCII letters in lower case. */
export function lowerLatin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    text += String.fromCharCode(byte >= 65 && byte <= 90 ? byte | 32 : byte)
  }
  return text
}

/** Writes the low bytes of a text's characters; returns the offset behind. The caller has made room. */
export function putLatin1(into: Uint8Array, at: number, text: string): number {
  const { length } = text
  for (let i = 0; i < length; i++) into[at + i] = text.charCodeAt(i)
  return at + length
}
