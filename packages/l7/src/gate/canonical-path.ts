import type { HeadProblem } from '../wire/head-problem.ts'
import { latin1 } from '../wire/latin1.ts'
import { hexOctet } from '../wire/octet-class.ts'
import { Escaped, escapedBytes, hexDigit, PathByte, pathBytes } from './path-bytes.ts'
import { badRequest } from './problem.ts'

/** What is to be chosen about paths. */
export interface PathPolicy {
  /** `%2F`: 400; or it stays an escape, which no matcher takes for a slash; or it is a slash. */
  readonly encodedSlash: 'reject' | 'keep' | 'decode'
  /** `//` becomes `/`. */
  readonly mergeSlashes: boolean
}

/**
 * Looks whether a path is in its one form already, as nearly all are.
 *
 * @returns the offset of its end, which is a `?` or `end`; -1 when {@link canonicalPath} has to decide
 */
export function cleanPathEnd(
  bytes: Uint8Array,
  start: number,
  end: number,
  mergeSlashes: boolean,
): number {
  if (start === end || bytes[start] !== slash) return -1
  for (let i = start; i < end; i++) {
    switch (pathBytes[bytes[i]!]) {
      case PathByte.plain:
        break
      case PathByte.slash: {
        if (i + 1 === end) return end
        const next = bytes[i + 1]!
        if (next === dot) {
          if (i + 2 === end || mayEndDots(bytes[i + 2]!)) return -1
        } else if (next === slash && mergeSlashes) {
          return -1
        }
        break
      }
      case PathByte.percent: {
        if (i + 2 >= end) return -1
        const high = hexOctet[bytes[i + 1]!]!
        const low = hexOctet[bytes[i + 2]!]!
        if (high > 15 || low > 15 || escapedBytes[high * 16 + low] !== Escaped.opaque) return -1
        // An escaped percent sign may hide dots from whoever decodes once.
        if (high === 2 && low === 5) return -1
        if (bytes[i + 1]! >= 0x61 || bytes[i + 2]! >= 0x61) return -1
        i += 2
        break
      }
      case PathByte.question:
        return i
      default:
        return -1
    }
  }
  return end
}

/**
 * The one form of a path, which is matched and sent on (RFC 3986 section 6.2.2): dot segments are resolved, also
 * those written with `%2e`; escapes of unreserved characters are decoded, the others are in upper case; printable
 * characters that a path may not have are escaped. Parameters (`;v=1`) are part of their segment, and escapes of
 * 8-bit bytes are not looked into, whatever their encoding.
 *
 * Refused are: a path that climbs above its root; `\` and `%5C`; control characters, also as escapes; broken
 * escapes, and so `%u002e`; and segments that become dot segments to whoever takes parameters off (`..;x`, `..%3Bx`),
 * decodes `%2F` (`..%2Fx`) or decodes more than once (`%252e%252e`) after us.
 *
 * @param end - of the path, without query
 */
export function canonicalPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  policy: PathPolicy,
): string | HeadProblem {
  if (start === end || bytes[start] !== slash) return notRooted
  const spelt = new Uint8Array(3 * (end - start))
  let length = 0
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    switch (pathBytes[byte]) {
      case PathByte.plain:
      case PathByte.slash:
        spelt[length++] = byte
        break
      case PathByte.percent: {
        if (i + 2 >= end) return brokenEscape
        const high = hexOctet[bytes[i + 1]!]!
        const low = hexOctet[bytes[i + 2]!]!
        if (high > 15 || low > 15) return brokenEscape
        i += 2
        const value = high * 16 + low
        const kind = escapedBytes[value]
        if (kind === Escaped.backslash) return backslash
        if (kind === Escaped.control) return control
        if (kind === Escaped.slash && policy.encodedSlash === 'reject') return encodedSlash
        if (
          kind === Escaped.unreserved ||
          (kind === Escaped.slash && policy.encodedSlash === 'decode')
        ) {
          spelt[length++] = value
        } else {
          length = putEscape(spelt, length, value)
        }
        break
      }
      case PathByte.encoded:
        length = putEscape(spelt, length, byte)
        break
      case PathByte.backslash:
        return backslash
      default:
        return badByte
    }
  }
  const resolved = resolveDots(spelt, length, policy.mergeSlashes)
  if (resolved === -1) return climbs
  if (resolved === -2) return hiddenDots
  return latin1(spelt, 0, resolved)
}

/**
 * The same for a text that an operator or a hook wrote: characters outside ASCII are escaped as UTF-8. A space, `?`
 * and `#` must be escaped already.
 */
export function canonicalPathOf(text: string, policy: PathPolicy): string | HeadProblem {
  const escaped = text.replaceAll(/[^\0-~]+/gu, (part) => {
    let result = ''
    for (const byte of encoder.encode(part)) {
      result += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    }
    return result
  })
  const bytes = encoder.encode(escaped)
  return canonicalPath(bytes, 0, bytes.length, policy)
}

const encoder = new TextEncoder()
const slash = 0x2f
const dot = 0x2e

const notRooted = badRequest('the path does not begin with a slash')
const brokenEscape = badRequest('the path has a percent sign without two hexadecimal digits')
const backslash = badRequest('the path has a backslash')
const control = badRequest('the path has an escaped control character')
const encodedSlash = badRequest('the path has an encoded slash')
const badByte = badRequest('the target has a character that no target may have')
const climbs = badRequest('the path climbs above its root')
const hiddenDots = badRequest('the path has a dot segment in disguise')

/** What may follow a segment's first dot when it is a dot segment, or is one to others. */
function mayEndDots(byte: number): boolean {
  return byte === slash || byte === dot || byte === 0x3f || byte === 0x3b || byte === 0x25
}

function putEscape(into: Uint8Array, at: number, value: number): number {
  into[at] = 0x25
  into[at + 1] = hexDigit(value >> 4)
  into[at + 2] = hexDigit(value & 15)
  return at + 3
}

/** Takes dot segments out, in place (RFC 3986 section 5.2.4); the new length, -1 for a climb, -2 for {@link hiddenDots}. */
function resolveDots(path: Uint8Array, length: number, mergeSlashes: boolean): number {
  let written = 0
  let at = 0
  while (at < length) {
    const from = at + 1
    let to = from
    while (to < length && path[to] !== slash) to += 1
    const isLast = to === length
    const dots = dotsAt(path, from, to)
    if (dots > 0 && from + dots === to) {
      if (dots === 2) {
        if (written === 0) return -1
        do written -= 1
        while (path[written] !== slash)
      }
      if (isLast) path[written++] = slash
    } else if (hidesDots(path, from, to)) {
      return -2
    } else if (from < to || isLast || !mergeSlashes) {
      path.copyWithin(written, at, to)
      written += to - at
    }
    at = to
  }
  return written
}

/** Dots at the start, if there are one or two of them and no more. */
function dotsAt(path: Uint8Array, from: number, to: number): number {
  let count = 0
  while (from + count < to && path[from + count] === dot) count += 1
  return count > 2 ? 0 : count
}

/**
 * Is a part of the segment between encoded slashes a dot segment, but for its parameters? Escapes are looked through
 * however often they are escaped.
 */
function hidesDots(path: Uint8Array, from: number, to: number): boolean {
  let at = from
  while (at < to) {
    let dots = 0
    let next = escapeAt(path, at)
    while (at < to && (path[at] === dot || valueOf(next) === dot)) {
      at += path[at] === dot ? 1 : lengthOf(next)
      dots += 1
      next = escapeAt(path, at)
    }
    const isOver = at >= to || path[at] === semicolon || valueOf(next) === semicolon
    if ((dots === 1 || dots === 2) && (isOver || isSlash(next))) return true
    for (; at < to && !isSlash(next); next = escapeAt(path, at)) at += 1
    at += lengthOf(next)
  }
  return false
}

const semicolon = 0x3b

/** The escape that begins here, `%2E` as well as `%252E` and `%25252E`: its octet and its length, as one number; 0 for none. */
function escapeAt(path: Uint8Array, at: number): number {
  if (path[at] !== 0x25) return 0
  let digits = at + 1
  while (path[digits] === 0x32 && path[digits + 1] === 0x35) digits += 2
  const high = hexOctet[path[digits] ?? 0]!
  const low = hexOctet[path[digits + 1] ?? 0]!
  return high > 15 || low > 15 ? 0 : (digits + 2 - at) * 256 + high * 16 + low
}

function valueOf(escape: number): number {
  return escape & 255
}

function lengthOf(escape: number): number {
  return escape >> 8
}

function isSlash(escape: number): boolean {
  return valueOf(escape) === slash || valueOf(escape) === 0x5c
}
