import ipaddr from 'ipaddr.js'
import { invalidOption } from '../errors.ts'

/** An IP address, parsed once. */
export interface Address {
  readonly family: 4 | 6
  /** 4 or 16 bytes in network order. */
  readonly bytes: Uint8Array
  /** The shortest form (RFC 5952 for IPv6), without zone. */
  readonly text: string
}

/**
 * Reads an IPv4 address in dotted decimal, or an IPv6 address; a zone (`%eth0`) is dropped, and an
 * IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) becomes the IPv4 address that it means.
 *
 * @throws `invalid-option`
 */
export function parseAddress(text: string, path = 'address'): Address {
  const address = tryParseAddress(text)
  if (address === undefined) throw invalidOption(path, `"${text}" is not an IP address`)
  return address
}

/** As {@link parseAddress}, but `undefined` for what is no address. */
export function tryParseAddress(text: string): Address | undefined {
  const bare = text.includes('%') ? text.slice(0, text.indexOf('%')) : text
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return of(ipaddr.IPv4.parse(bare))
  if (!bare.includes(':') || !ipaddr.IPv6.isValid(bare)) return undefined
  const v6 = ipaddr.IPv6.parse(bare)
  return of(v6.isIPv4MappedAddress() ? v6.toIPv4Address() : v6)
}

/** The address that 4 or 16 bytes mean. */
export function addressOf(bytes: Uint8Array): Address {
  return of(ipaddr.fromByteArray([...bytes]))
}

function of(parsed: ipaddr.IPv4 | ipaddr.IPv6): Address {
  const family = parsed.kind() === 'ipv4' ? 4 : 6
  const text = parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString()
  return Object.freeze({ family, bytes: Uint8Array.from(parsed.toByteArray()), text })
}
