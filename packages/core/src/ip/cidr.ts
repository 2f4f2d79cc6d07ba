import { invalidOption } from '../errors.ts'
import { shown } from '../shown.ts'
import { type Address, addressOf, tryParseAddress } from './address.ts'

/** A block of addresses, parsed once. */
export interface Cidr {
  readonly family: 4 | 6
  /** The network address: host bits are zero. */
  readonly network: Address
  /** 0 to 32, or 0 to 128. */
  readonly prefix: number
  /** `network/prefix`. */
  readonly text: string
}

/**
 * Reads `address/prefix`, or a single address as a block of one. Host bits are cleared; a block of IPv4-mapped
 * addresses (`::ffff:10.0.0.0/104`) becomes the IPv4 block that it means.
 *
 * @throws `invalid-option`
 */
export function parseCidr(text: string, path = 'cidr'): Cidr {
  const [head = '', tail, ...more] = typeof text === 'string' ? text.split('/', 3) : []
  const address = tryParseAddress(head)
  const bits = address?.family === 4 ? 32 : 128
  const mappedBits = address?.family === 4 && head.includes(':') ? 96 : 0
  const written =
    tail !== undefined && /^(?:0|[1-9]\d{0,2})$/.test(tail) ? Number(tail) : Number.NaN
  const prefix = tail === undefined ? bits : written - mappedBits
  if (address === undefined || more.length > 0 || !(prefix >= 0 && prefix <= bits)) {
    throw invalidOption(
      path,
      `${shown(text)} is not a block of addresses: write 192.0.2.0/24, 2001:db8::/32 or one address`,
    )
  }
  const network = addressOf(masked(address.bytes, prefix))
  return Object.freeze({
    family: address.family,
    network,
    prefix,
    text: `${network.text}/${prefix}`,
  })
}

/** Does the block hold the address? A block of the other family never does. */
export function contains(cidr: Cidr, address: Address): boolean {
  if (cidr.family !== address.family) return false
  const whole = cidr.prefix >>> 3
  for (let i = 0; i < whole; i++) if (cidr.network.bytes[i] !== address.bytes[i]) return false
  const rest = cidr.prefix & 7
  if (rest === 0) return true
  const mask = (0xff00 >>> rest) & 0xff
  return (cidr.network.bytes[whole]! & mask) === (address.bytes[whole]! & mask)
}

/** The bytes with everything behind the first `prefix` bits cleared. */
export function masked(bytes: Uint8Array, prefix: number): Uint8Array {
  const result = new Uint8Array(bytes.length)
  const whole = prefix >>> 3
  result.set(bytes.subarray(0, whole))
  const rest = prefix & 7
  if (rest > 0) result[whole] = bytes[whole]! & ((0xff00 >>> rest) & 0xff)
  return result
}
