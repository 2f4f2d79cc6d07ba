import { tryParseAddress } from '@steelyard/core/ip'
import { latin1, lowerLatin1 } from '../wire/latin1.ts'

/** Host and port of a Host field, of `:authority`, or of a target in absolute or authority form. */
export interface Authority {
  /** In lower case, without trailing dot; an IPv6 address in brackets and in its shortest form. */
  readonly host: string
  /** 0 when none was written. */
  readonly port: number
  /** `host` or `host:port`. */
  readonly text: string
}

const longestName = 253
const longestLabel = 63
const dot = 0x2e
const colon = 0x3a

/**
 * Reads `host` or `host:port` (RFC 9110 section 7.2, RFC 3986 section 3.2). Stricter than the grammar: names are
 * letters, digits, `-`, `_` and dots with no empty label, as in DNS; what ends in a number must be an IPv4 address of
 * four decimal numbers, because `127.1` and `0x7f.1` are addresses to some and names to others; IPv6 addresses have
 * no zone; a port is 1 to 65535, and an empty one none. Undefined for everything else.
 */
export function parseAuthority(
  bytes: Uint8Array,
  start: number,
  end: number,
): Authority | undefined {
  if (bytes[start] === 0x5b) return bracketed(bytes, start, end)
  let at = start
  let labelStart = start
  for (; at < end && bytes[at] !== colon; at++) {
    const byte = bytes[at]!
    if (byte === dot) {
      if (at === labelStart || at - labelStart > longestLabel) return undefined
      labelStart = at + 1
    } else if (!isNameByte(byte)) {
      return undefined
    }
  }
  let hostEnd = at
  if (hostEnd === start) return undefined
  if (labelStart === hostEnd) hostEnd -= 1
  else if (hostEnd - labelStart > longestLabel) return undefined
  if (hostEnd - start > longestName) return undefined
  const host = lowerLatin1(bytes, start, hostEnd)
  if (endsInNumber(host) && tryParseAddress(host)?.family !== 4) return undefined
  return withPort(host, bytes, at, end)
}

function bracketed(bytes: Uint8Array, start: number, end: number): Authority | undefined {
  let close = start + 1
  while (close < end && bytes[close] !== 0x5d) close += 1
  if (close === end || close - start > 46) return undefined
  const text = latin1(bytes, start + 1, close)
  // A zone has a meaning on one machine only.
  if (!text.includes(':') || text.includes('%')) return undefined
  const address = tryParseAddress(text)
  if (address === undefined) return undefined
  const host = address.family === 6 ? `[${address.text}]` : `[::ffff:${address.text}]`
  return withPort(host, bytes, close + 1, end)
}

/** `at` is behind the host: the end, or a colon. */
function withPort(host: string, bytes: Uint8Array, at: number, end: number): Authority | undefined {
  if (at === end) return { host, port: 0, text: host }
  if (bytes[at] !== colon || end - at > 6) return undefined
  if (at + 1 === end) return { host, port: 0, text: host }
  let port = 0
  for (let i = at + 1; i < end; i++) {
    const digit = bytes[i]! - 0x30
    if (digit < 0 || digit > 9) return undefined
    port = port * 10 + digit
  }
  return port === 0 || port > 65_535 ? undefined : { host, port, text: `${host}:${port}` }
}

function isNameByte(byte: number): boolean {
  const lower = byte | 32
  return (
    (lower >= 0x61 && lower <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x5f
  )
}

/** The last label is a number, decimal or with `0x` (WHATWG URL, "ends in a number"). */
function endsInNumber(host: string): boolean {
  const last = host.charCodeAt(host.length - 1)
  const hex = (last >= 0x30 && last <= 0x39) || (last >= 0x61 && last <= 0x66) || last === 0x78
  return hex && /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(host)
}
