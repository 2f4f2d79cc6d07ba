import { invalidOption } from '../errors.ts'
import { type Address, tryParseAddress } from '../ip/address.ts'
import { type Cidr, parseCidr } from '../ip/cidr.ts'
import { shown } from '../shown.ts'
import { addressAt, numberOf } from './address-number.ts'
import type { Span } from './span.ts'

/** A single address, a block, or `first-last`, parsed once. */
export interface AddressRange extends Span {
  readonly family: 4 | 6
}

/**
 * Reads `192.0.2.10`, `192.0.2.0/24` (host bits are cleared) or `192.0.2.10-192.0.2.20` (both ends included), of
 * either family.
 *
 * @param skipNetworkAndBroadcast - leaves out of a block what hosts may not use: the first and last address of an
 * IPv4 block up to /30 (RFC 1122 §3.2.1.3; /31 is exempt by RFC 3021), and the subnet-router anycast address, the
 * first, of an IPv6 block up to /126 (RFC 4291 §2.6.1; /127 is exempt by RFC 6164).
 * @throws `invalid-option`
 */
export function parseRange(
  text: string,
  path = 'range',
  skipNetworkAndBroadcast = false,
): AddressRange {
  const trimmed = typeof text === 'string' ? text.trim() : ''
  const dash = trimmed.indexOf('-')
  const range = trimmed.includes('/')
    ? blockOf(parseCidr(trimmed, path), skipNetworkAndBroadcast)
    : dash < 0
      ? between(tryParseAddress(trimmed), tryParseAddress(trimmed))
      : between(
          tryParseAddress(trimmed.slice(0, dash).trim()),
          tryParseAddress(trimmed.slice(dash + 1).trim()),
        )
  if (range === undefined) {
    throw invalidOption(
      path,
      `${shown(text)} is not a range of addresses: write 192.0.2.10, 192.0.2.0/24 or 192.0.2.10-192.0.2.20`,
    )
  }
  if (range === 'families') {
    throw invalidOption(path, `${shown(text)} begins in one address family and ends in the other`)
  }
  if (range.first > range.last) {
    throw invalidOption(path, `${shown(text)} ends before it begins: write the lower address first`)
  }
  if (range.family === 6 && range.first <= mapped.last && range.last >= mapped.first) {
    throw invalidOption(
      path,
      `${shown(text)} holds IPv4-mapped addresses (::ffff:0:0/96): write the IPv4 addresses themselves`,
    )
  }
  return Object.freeze(range)
}

/** `a` for one address, else `a-b`. */
export function formatSpan(family: 4 | 6, { first, last }: Span): string {
  const from = addressAt(family, first).text
  return first === last ? from : `${from}-${addressAt(family, last).text}`
}

/** These spans, the first few of them: `a-b, c and 3 more`. */
export function formatSpans(family: 4 | 6, spans: readonly Span[], most = 4): string {
  const told = spans.slice(0, most).map((span) => formatSpan(family, span))
  return `${told.join(', ')}${spans.length > most ? ` and ${spans.length - most} more` : ''}`
}

/** An IPv4-mapped address is its IPv4 address everywhere in Steelyard, so no IPv6 pool can give it out. */
const mapped: Span = { first: 0xffff_0000_0000n, last: 0xffff_ffff_ffffn }

function between(
  first: Address | undefined,
  last: Address | undefined,
): AddressRange | 'families' | undefined {
  if (first === undefined || last === undefined) return undefined
  if (first.family !== last.family) return 'families'
  return { family: first.family, first: numberOf(first), last: numberOf(last) }
}

function blockOf({ family, network, prefix }: Cidr, skip: boolean): AddressRange {
  const bits = family === 4 ? 32 : 128
  const first = numberOf(network)
  const last = first + (1n << BigInt(bits - prefix)) - 1n
  if (!skip || prefix > bits - 2) return { family, first, last }
  return { family, first: first + 1n, last: family === 4 ? last - 1n : last }
}
