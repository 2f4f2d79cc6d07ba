import type { Head } from './head.ts'
import { lowerOctet, tokenOctet } from './octet-class.ts'

const SP = 0x20
const HTAB = 0x09
const COMMA = 0x2c

/**
 * Called for an element of a list: its bytes without white space around, never empty. True ends the walk.
 *
 * @param context - what was given to {@link forEachElement}, so that the function need not be a closure
 */
export type ElementVisitor<C> = (
  bytes: Uint8Array,
  start: number,
  end: number,
  context: C,
) => boolean | void

/**
 * Walks the elements of a field that is a list of tokens, over all its lines in order (RFC 9110 section 5.6.1). Empty
 * elements are left out. Commas divide wherever they stand: not for fields whose elements may be quoted.
 *
 * @returns whether `visit` has ended the walk
 */
export function forEachElement<C>(
  head: Head,
  fieldId: number,
  visit: ElementVisitor<C>,
  context: C,
): boolean {
  for (let i = head.indexOf(fieldId); i >= 0; i = head.indexOf(fieldId, i + 1)) {
    const { bytes, ranges } = head
    const end = ranges[i * 4 + 3]!
    let at = ranges[i * 4 + 2]!
    while (at < end) {
      const next = elementEnd(bytes, at, end)
      const start = skipBlanks(bytes, at, next)
      const stop = dropBlanks(bytes, start, next)
      if (stop > start && visit(bytes, start, stop, context) === true) return true
      at = next + 1
    }
  }
  return false
}

/**
 * Does a list of tokens have this one, whatever its case?
 *
 * @param lowerToken - in lower case
 */
export function listHas(head: Head, fieldId: number, lowerToken: string): boolean {
  for (let i = head.indexOf(fieldId); i >= 0; i = head.indexOf(fieldId, i + 1)) {
    const { bytes, ranges } = head
    const end = ranges[i * 4 + 3]!
    let at = ranges[i * 4 + 2]!
    while (at < end) {
      const next = elementEnd(bytes, at, end)
      const start = skipBlanks(bytes, at, next)
      if (rangeIs(bytes, start, dropBlanks(bytes, start, next), lowerToken)) return true
      at = next + 1
    }
  }
  return false
}

/** Is the range this text, whatever its case? `lower` is in lower case. */
export function rangeIs(bytes: Uint8Array, start: number, end: number, lower: string): boolean {
  const { length } = lower
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) {
    if (lowerOctet[bytes[start + i]!] !== lower.charCodeAt(i)) return false
  }
  return true
}

/** Is the range a token? */
export function rangeIsToken(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (tokenOctet[bytes[at]!] === 0) return false
  return end > start
}

/** Where the element that begins at `at` ends: at a comma, or at the end. */
export function elementEnd(bytes: Uint8Array, at: number, end: number): number {
  let next = at
  while (next < end && bytes[next] !== COMMA) next += 1
  return next
}

/** The range's start without white space. */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] === SP || bytes[at] === HTAB)) at += 1
  return at
}

/** The range's end without white space. */
export function dropBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = end
  while (at > start && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at -= 1
  return at
}
