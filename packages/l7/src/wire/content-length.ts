import { Field } from './field.ts'
import type { Head } from './head.ts'

/**
 * The length that a head declares (RFC 9110 section 8.6): undefined when it has no such line, `bad` when there are
 * several, equal ones too, or when the one is anything but digits, or above 2^53 - 1. Leading zeros are taken: the
 * number is what is sent on.
 */
export function contentLength(head: Head): number | undefined | 'bad' {
  const index = head.indexOf(Field.contentLength)
  if (index < 0) return undefined
  if (head.indexOf(Field.contentLength, index + 1) >= 0) return 'bad'
  const { bytes, ranges } = head
  const start = ranges[index * 4 + 2]!
  const end = ranges[index * 4 + 3]!
  if (start === end) return 'bad'
  let length = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return 'bad'
    // Exact: ten times a safe integer may not be one, but is then above the limit however it is rounded.
    length = length * 10 + digit
    if (length > Number.MAX_SAFE_INTEGER) return 'bad'
  }
  return length
}
