/**
 * Reads an IP address text into `bytes` (16 of them) without allocating, and says how many were written: 4, 16, or
 * 0 when the text is no address. IPv4 is four decimal numbers without leading zeros (RFC 6943 §3.1.1 tells what the
 * lenient forms have done); IPv6 is RFC 4291 §2.2 with an optional zone (RFC 4007 §11), which is dropped. An
 * IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) gives the 4 bytes that it means.
 */
export function scanAddress(text: string, bytes: Uint8Array): 0 | 4 | 16 {
  // The longest address has 45 characters; a zone is an interface name or number.
  if (text.length > 110) return 0
  if (!text.includes(':')) return scanIPv4(text, 0, text.length, bytes, 0) ? 4 : 0
  const percent = text.indexOf('%')
  if (percent >= 0 && !zone.test(text.slice(percent))) return 0
  if (!scanIPv6(text, percent < 0 ? text.length : percent, bytes)) return 0
  if (!isMapped(bytes)) return 16
  bytes.copyWithin(0, 12, 16)
  return 4
}

/** Is this 16-byte address IPv4-mapped? */
export function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}

const zone = /^%[^\s%/[\]]{1,64}$/

function scanIPv4(text: string, from: number, end: number, bytes: Uint8Array, at: number): boolean {
  let i = from
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text.charCodeAt(i++) !== dot) return false
    const start = i
    let value = 0
    for (; i < end; i++) {
      const digit = text.charCodeAt(i) - zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      if (value > 255) return false
    }
    const digits = i - start
    if (digits === 0 || (digits > 1 && text.charCodeAt(start) === zero)) return false
    bytes[at + part] = value
  }
  return i === end
}

function scanIPv6(text: string, end: number, bytes: Uint8Array): boolean {
  let at = 0
  /** Where `::` stands among the bytes. */
  let gap = -1
  let i = 0
  if (text.charCodeAt(0) === colon) {
    if (end < 2 || text.charCodeAt(1) !== colon) return false
    gap = 0
    i = 2
  }
  while (i < end) {
    if (at === 16) return false
    const start = i
    let value = 0
    for (; i < end; i++) {
      const digit = hexDigit(text.charCodeAt(i))
      if (digit < 0) break
      value = (value << 4) | digit
    }
    if (i < end && text.charCodeAt(i) === dot) {
      if (at > 12 || !scanIPv4(text, start, end, bytes, at)) return false
      at += 4
      break
    }
    if (i === start || i - start > 4) return false
    bytes[at++] = value >> 8
    bytes[at++] = value & 0xff
    if (i === end) break
    if (text.charCodeAt(i++) !== colon || i === end) return false
    if (text.charCodeAt(i) === colon) {
      if (gap >= 0) return false
      gap = at
      i += 1
    }
  }
  if (gap < 0) return at === 16
  if (at === 16) return false
  const behind = 16 - (at - gap)
  bytes.copyWithin(behind, gap, at)
  bytes.fill(0, gap, behind)
  return true
}

const zero = 0x30
const dot = 0x2e
const colon = 0x3a

function hexDigit(code: number): number {
  if (code >= zero && code <= 0x39) return code - zero
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
