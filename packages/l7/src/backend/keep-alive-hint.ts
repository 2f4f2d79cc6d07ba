import { Field } from '../wire/field.ts'
import type { Head } from '../wire/head.ts'

const name = 'timeout='

/**
 * How long the member says that it keeps an idle connection, in milliseconds; -1 when it says nothing. No standard
 * defines `Keep-Alive: timeout=5` any more, and many servers send it. A connection that this side closes first is in
 * no race with a request.
 */
export function keepAliveHint(head: Head): number {
  const line = head.indexOf(Field.keepAlive)
  if (line < 0) return -1
  const { bytes, ranges } = head
  const end = ranges[line * 4 + 3]!
  for (let at = ranges[line * 4 + 2]!; at + name.length < end; at++) {
    if (!startsHere(bytes, at)) continue
    let seconds = 0
    let digits = 0
    for (let i = at + name.length; i < end; i++) {
      const digit = bytes[i]! - 0x30
      if (digit < 0 || digit > 9) break
      seconds = Math.min(seconds * 10 + digit, 1_000_000)
      digits += 1
    }
    return digits === 0 ? -1 : seconds * 1000
  }
  return -1
}

function startsHere(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[at + i]!
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (lower !== name.charCodeAt(i)) return false
  }
  return true
}
