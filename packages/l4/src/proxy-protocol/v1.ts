import { invalidOption, objectOption, type SocketAddress, shown } from '@steelyard/core'
import { DecodeError } from '@steelyard/core/bytes'
import { addressBytes, addressText } from './address.ts'
import type { ProxyHeader } from './header.ts'

/** The longest line with its CRLF (§2.1). */
export const maxV1Length = 107

const prefix = 'PROXY '
const carriageReturn = 0x0d
const lineFeed = 0x0a

/**
 * Where the header at the front of `bytes` ends, or 0 when more bytes are needed (§2.1). Two bytes that
 * are not a CRLF never end the line.
 *
 * @throws `DecodeError` as soon as the bytes cannot become a header any more.
 */
export function measureV1(bytes: Uint8Array): number {
  const end = Math.min(bytes.length, maxV1Length)
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!
    if (i < prefix.length) {
      if (byte !== prefix.charCodeAt(i)) throw new DecodeError('is not "PROXY "', i, 'signature')
    } else if (byte === lineFeed) {
      if (bytes[i - 1] === carriageReturn) return i + 1
      throw new DecodeError('has a line feed without carriage return', i, 'line')
    } else if (bytes[i - 1] === carriageReturn) {
      throw new DecodeError('has a carriage return without line feed', i - 1, 'line')
    }
  }
  if (end === maxV1Length) {
    throw new DecodeError(`does not end within ${maxV1Length} bytes`, end, 'line')
  }
  return 0
}

/**
 * Reads a whole line, CRLF included, as {@link measureV1} found it.
 *
 * ```
 * "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP port SP port CRLF
 * "PROXY" SP "UNKNOWN" [SP anything] CRLF
 * ```
 *
 * @throws `DecodeError`
 */
export function decodeV1(bytes: Uint8Array): ProxyHeader {
  const line = String.fromCharCode(...bytes.subarray(prefix.length, bytes.length - 2))
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return unknown
  const fields = line.split(' ')
  const [protocol, source = '', destination = '', sourcePort = '', destinationPort = ''] = fields
  if (protocol !== 'TCP4' && protocol !== 'TCP6') {
    throw new DecodeError('is none of TCP4, TCP6, UNKNOWN', prefix.length, 'protocol')
  }
  if (fields.length !== 5) {
    throw new DecodeError(`has ${fields.length} fields, not 5`, prefix.length, 'line')
  }
  const family = protocol === 'TCP4' ? 4 : 6
  let at = prefix.length + protocol.length + 1
  const sourceText = decodeAddress(source, family, at, 'source address')
  at += source.length + 1
  const destinationText = decodeAddress(destination, family, at, 'destination address')
  at += destination.length + 1
  const from = decodePort(sourcePort, at, 'source port')
  at += sourcePort.length + 1
  const to = decodePort(destinationPort, at, 'destination port')
  return {
    version: 1,
    command: 'proxy',
    family,
    transport: 'stream',
    source: { address: sourceText, port: from, family },
    destination: { address: destinationText, port: to, family },
    tlvs: [],
  }
}

/**
 * Writes a header as a line. What the line cannot say (LOCAL, datagrams, unix sockets) becomes
 * `UNKNOWN`; TLVs are lost.
 *
 * @throws `invalid-option` when an address is not of the header's family.
 */
export function encodeV1(header: ProxyHeader): Uint8Array {
  const { command, family, transport, source, destination } = objectOption(header, 'header')
  const expressible =
    command === 'proxy' && transport === 'stream' && (family === 4 || family === 6)
  if (!expressible || source === undefined || destination === undefined) {
    return ascii(`${prefix}UNKNOWN\r\n`)
  }
  const from = encodeAddress(source, family, 'source')
  const to = encodeAddress(destination, family, 'destination')
  return ascii(`${prefix}TCP${family} ${from} ${to} ${source.port} ${destination.port}\r\n`)
}

const unknown: ProxyHeader = {
  version: 1,
  command: 'proxy',
  family: 'unspec',
  transport: 'unspec',
  source: undefined,
  destination: undefined,
  tlvs: [],
}

const ipv4 = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/
const ipv6 = /^[0-9a-f:.]{2,45}$/i

function decodeAddress(text: string, family: 4 | 6, at: number, field: string): string {
  // The parser is more lenient than the format: it takes zones.
  const bytes = (family === 4 ? ipv4 : ipv6).test(text) ? addressBytes(text, family) : undefined
  if (bytes === undefined) throw new DecodeError(`is not an IPv${family} address`, at, field)
  return addressText(bytes)
}

function decodePort(text: string, at: number, field: string): number {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : Number.NaN
  if (port <= 0xffff) return port
  throw new DecodeError('is not a port from 0 to 65535', at, field)
}

function encodeAddress(address: SocketAddress, family: 4 | 6, path: string): string {
  const bytes = addressBytes(objectOption(address, path).address, family)
  if (bytes === undefined) {
    throw invalidOption(
      `${path}.address`,
      `${shown(address.address)} is not an IPv${family} address`,
    )
  }
  if (!Number.isInteger(address.port) || address.port < 0 || address.port > 0xffff) {
    throw invalidOption(`${path}.port`, `${shown(address.port)} is not a port from 0 to 65535`)
  }
  return addressText(bytes)
}

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
