import { type Address, addressOf } from '../ip/address.ts'

/** An address as a number, so that ranges of any size need only their two ends. */
export function numberOf(address: Address): bigint {
  let value = 0n
  for (const byte of address.bytes) value = (value << 8n) | BigInt(byte)
  return value
}

/** The address of this family with this number. */
export function addressAt(family: 4 | 6, value: bigint): Address {
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  let rest = value
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return addressOf(bytes)
}
