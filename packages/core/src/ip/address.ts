import ipaddr from 'ipaddr.js'
import { invalidOption } from '../errors.ts'
import { shown } from '../shown.ts'
import { isMapped, scanAddress } from './scan.ts'

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
  if (address === undefined) throw invalidOption(path, `${shown(text)} is not an IP address`)
  return address
}

const scratch = new Uint8Array(16)

/** As {@link parseAddress}, but `undefined` for what is no address. */
export function tryParseAddress(text: string): Address | undefined {
  const length = typeof text === 'string' ? scanAddress(text, scratch) : 0
  return length === 0 ? undefined : of(scratch.slice(0, length))
}

/**
 * The address that 4 or 16 bytes mean; an IPv4-mapped one is the IPv4 address here too.
 *
 * @throws `RangeError` for another number of bytes.
 */
export function addressOf(bytes: Uint8Array): Address {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`)
  }
  return of(
    bytes.length === 16 && isMapped(bytes)
      ? new Uint8Array(bytes.subarray(12))
      : new Uint8Array(bytes),
  )
}

function of(bytes: Uint8Array): Address {
  if (bytes.length === 4) return Object.freeze({ family: 4, bytes, text: bytes.join('.') })
  const text = new ipaddr.IPv6([...bytes]).toRFC5952String()
  return Object.freeze({ family: 6, bytes, text })
}
