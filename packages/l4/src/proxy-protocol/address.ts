import type { SocketAddress } from '@steelyard/core'
import { addressOf, tryParseAddress } from '@steelyard/core/ip'

const mappedPrefix = /^::ffff:(?=\d+\.)/i

/** The text of 4 or 16 bytes; an IPv4-mapped IPv6 address keeps its form, `::ffff:192.0.2.1`. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  return isMapped(bytes) ? `::ffff:${addressText(bytes.subarray(12))}` : addressOf(bytes).text
}

/** The 4 or 16 bytes of an address of this family, or `undefined` when the text is not one. */
export function addressBytes(text: string, family: 4 | 6): Uint8Array | undefined {
  const address = tryParseAddress(text)
  if (address === undefined) return undefined
  if (family === 4) return address.family === 4 && !text.includes(':') ? address.bytes : undefined
  if (address.family === 6) return address.bytes
  // The parser gives the IPv4 address that a mapped one means.
  return text.includes(':') ? mapped(address.bytes) : undefined
}

/** Both addresses in one family, or `undefined` when there is none. */
export function commonFamily(
  source: SocketAddress,
  destination: SocketAddress,
): { readonly source: SocketAddress; readonly destination: SocketAddress } | undefined {
  if (source.family === 'unix' || destination.family === 'unix') {
    return source.family === destination.family ? { source, destination } : undefined
  }
  const source4 = asIPv4(source)
  const destination4 = asIPv4(destination)
  if (source4 !== undefined && destination4 !== undefined) {
    return { source: source4, destination: destination4 }
  }
  return { source: asIPv6(source), destination: asIPv6(destination) }
}

function asIPv4(address: SocketAddress): SocketAddress | undefined {
  if (address.family === 4) return address
  const bare = address.address.replace(mappedPrefix, '')
  if (bare === address.address) return undefined
  return { address: bare, port: address.port, family: 4 }
}

function asIPv6(address: SocketAddress): SocketAddress {
  if (address.family === 6) return address
  return { address: `::ffff:${address.address}`, port: address.port, family: 6 }
}

function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}

function mapped(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(16)
  result[10] = 0xff
  result[11] = 0xff
  result.set(bytes, 12)
  return result
}
