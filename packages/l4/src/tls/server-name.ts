import { invalidOption, shown } from '@steelyard/core'

/** Why a host name in a ClientHello is not usable. */
export type ServerNameProblem = 'empty' | 'ip-address' | 'not-a-host-name'

const maxLength = 253
const dot = 0x2e

/**
 * The normal form of a host name from the wire (RFC 6066 §3): lower-case, without the trailing dot.
 * Names that no rule should ever match give a problem in its place: empty ones, IP addresses (which the
 * RFC forbids), and those with NUL, control characters, bytes above 127, empty or overlong labels.
 */
export function normalServerName(bytes: Uint8Array): {
  readonly serverName: string | undefined
  readonly problem: ServerNameProblem | undefined
} {
  const end = bytes.length > 0 && bytes[bytes.length - 1] === dot ? bytes.length - 1 : bytes.length
  if (end === 0) return { serverName: undefined, problem: 'empty' }
  if (end > maxLength) return { serverName: undefined, problem: 'not-a-host-name' }
  let text = ''
  let labelLength = 0
  /** The label has something other than digits. */
  let named = false
  let colons = false
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!
    if (byte === dot) {
      if (labelLength === 0) return { serverName: undefined, problem: 'not-a-host-name' }
      labelLength = 0
      named = false
      text += '.'
      continue
    }
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
    const digit = lower >= 0x30 && lower <= 0x39
    const letter = lower >= 0x61 && lower <= 0x7a
    if (lower === 0x3a) colons = true
    else if (!digit && !letter && lower !== 0x2d && lower !== 0x5f) {
      return { serverName: undefined, problem: 'not-a-host-name' }
    }
    if (!digit) named = true
    labelLength += 1
    if (labelLength > 63) return { serverName: undefined, problem: 'not-a-host-name' }
    text += String.fromCharCode(lower)
  }
  if (labelLength === 0) return { serverName: undefined, problem: 'not-a-host-name' }
  // A last label of digits alone makes it an IPv4 address (WHATWG URL, "ends in a number").
  if (colons || !named) return { serverName: undefined, problem: 'ip-address' }
  return { serverName: text, problem: undefined }
}

/**
 * The normal form of a configured name, exact or `*.` and a name, without its star.
 *
 * @throws `invalid-option`
 */
export function parseNamePattern(
  pattern: string,
  path: string,
): { readonly name: string; readonly isWildcard: boolean } {
  const written = typeof pattern === 'string' ? pattern : ''
  const isWildcard = written.startsWith('*.')
  const { serverName } = normalServerName(
    new TextEncoder().encode(isWildcard ? written.slice(2) : written),
  )
  if (serverName === undefined) {
    throw invalidOption(
      path,
      `${shown(pattern)} is not a server name: write www.example.com or *.example.com`,
    )
  }
  return { name: serverName, isWildcard }
}
