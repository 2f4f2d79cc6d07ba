import {
  invalidOption,
  listOption,
  objectOption,
  type SocketAddress,
  shown,
  textOption,
} from '@steelyard/core'
import { ByteReader, ByteWriter, DecodeError } from '@steelyard/core/bytes'
import { addressBytes, addressText } from './address.ts'
import { crc32c } from './crc32c.ts'
import type { ProxyHeader } from './header.ts'
import { decodeTlvs, encodeTlv, type Tlv, TlvType } from './tlv.ts'

const signature: Uint8Array = Uint8Array.of(
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a],
)
/** Bytes before the addresses: signature, version and command, family and transport, length. */
const fixedLength = 16
const unixPathLength = 108
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

const families = ['unspec', 4, 6, 'unix'] as const
const transports = ['unspec', 'stream', 'datagram'] as const

/**
 * How long the header at the front of `bytes` is, or 0 when more bytes are needed (§2.2).
 *
 * @param max - the longest header accepted, in bytes.
 * @throws `DecodeError` as soon as the bytes cannot become a header any more.
 */
export function measureV2(bytes: Uint8Array, max: number): number {
  const end = Math.min(bytes.length, signature.length)
  for (let i = 0; i < end; i++) {
    if (bytes[i] !== signature[i]) {
      throw new DecodeError('is not the signature of version 2', i, 'signature')
    }
  }
  if (bytes.length < 13) return 0
  const versionAndCommand = bytes[12]!
  if (versionAndCommand >>> 4 !== 2) {
    throw new DecodeError(`is ${versionAndCommand >>> 4}, not 2`, 12, 'version')
  }
  if ((versionAndCommand & 0xf) > 1) {
    throw new DecodeError(`${versionAndCommand & 0xf} is neither LOCAL nor PROXY`, 12, 'command')
  }
  if (bytes.length < fixedLength) return 0
  const total = fixedLength + ((bytes[14]! << 8) | bytes[15]!)
  if (total > max) {
    throw new DecodeError(`gives a header of ${total} bytes, more than ${max}`, 14, 'length')
  }
  return bytes.length < total ? 0 : total
}

/**
 * Reads a whole header, as {@link measureV2} measured it. The TLVs are views on `bytes`.
 *
 * ```
 * signature[12] · version u4 · command u4 · family u4 · transport u4 · length u16
 * source address · destination address · source port u16 · destination port u16 · TLVs
 * ```
 *
 * LOCAL and unspecified families give no addresses, whatever follows; TLVs behind them are kept when
 * they can be read as such.
 *
 * @throws `DecodeError` for undefined families and transports, missing bytes, TLVs that run over the
 * end, and a wrong CRC32c.
 */
export function decodeV2(bytes: Uint8Array): ProxyHeader {
  const command = (bytes[12]! & 0xf) === 0 ? 'local' : 'proxy'
  const kind = bytes[13]!
  const reader = new ByteReader(bytes.subarray(fixedLength), fixedLength)
  const family = families[kind >>> 4]
  const transport = transports[kind & 0xf]
  if (command === 'local') {
    return unspecified('local', 'unspec', 'unspec', family === 'unspec' ? looseTlvs(bytes) : [])
  }
  if (family === undefined) throw new DecodeError(`${kind >>> 4} is undefined`, 13, 'family')
  if (transport === undefined) throw new DecodeError(`${kind & 0xf} is undefined`, 13, 'transport')
  if (family === 'unspec') return unspecified('proxy', family, transport, looseTlvs(bytes))
  if (transport === 'unspec') return unspecified('proxy', family, transport, [])
  const source = decodeHost(reader, family, 'source address')
  const destination = decodeHost(reader, family, 'destination address')
  const from = family === 'unix' ? 0 : reader.u16('source port')
  const to = family === 'unix' ? 0 : reader.u16('destination port')
  const tlvs = decodeTlvs(reader)
  verifyChecksum(bytes, tlvs)
  return {
    version: 2,
    command,
    family,
    transport,
    source: socketAddress(source, from, family),
    destination: socketAddress(destination, to, family),
    tlvs,
  }
}

/** How {@link encodeV2} writes. */
export interface EncodeV2Options {
  /** Adds PP2_TYPE_CRC32C over the whole header as the last TLV, in place of one that the header has. Default `false`. */
  readonly crc32c?: boolean
}

/**
 * Writes a header in the binary format.
 *
 * @throws `invalid-option` when an address is not of the header's family, or the whole is too long.
 */
export function encodeV2(header: ProxyHeader, options: EncodeV2Options = {}): Uint8Array {
  const { command, family, transport, source, destination } = objectOption(header, 'header')
  if (!families.includes(family)) throw invalidOption('family', `${shown(family)} is no family`)
  if (!transports.includes(transport)) {
    throw invalidOption('transport', `${shown(transport)} is none of ${transports.join(', ')}`)
  }
  const writer = new ByteWriter(fixedLength + (family === 'unix' ? 216 : 36) + 64)
  writer.bytes(signature).u8(0x20 | (command === 'proxy' ? 1 : 0))
  writer.u8((families.indexOf(family) << 4) | transports.indexOf(transport))
  writer.u16(0)
  if (family !== 'unspec' && transport !== 'unspec') {
    if (source === undefined || destination === undefined) {
      throw invalidOption('source', 'and destination are needed unless the family is unspec')
    }
    encodeHost(objectOption(source, 'source'), family, 'source', writer)
    encodeHost(objectOption(destination, 'destination'), family, 'destination', writer)
    if (family !== 'unix') {
      writer.u16(encodePort(source, 'source')).u16(encodePort(destination, 'destination'))
    }
  }
  // A checksum that came in is of other bytes than those going out.
  for (const tlv of listOption(header.tlvs, 'tlvs'))
    if (objectOption(tlv, 'tlvs').type !== TlvType.crc32c) encodeTlv(tlv, writer)
  const checksum =
    objectOption(options, 'options').crc32c === true ||
    header.tlvs.some((t) => t.type === TlvType.crc32c)
  if (checksum) encodeTlv({ type: TlvType.crc32c, value: new Uint8Array(4) }, writer)
  const length = writer.length - fixedLength
  if (length > 0xffff) {
    throw invalidOption('tlvs', `make a header of ${length} bytes, more than 65535`)
  }
  writer.patchU16(14, length)
  const bytes = writer.finish()
  if (checksum) {
    new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes))
  }
  return bytes
}

function unspecified(
  command: 'proxy' | 'local',
  family: ProxyHeader['family'],
  transport: ProxyHeader['transport'],
  tlvs: readonly Tlv[],
): ProxyHeader {
  const [source, destination] = [undefined, undefined]
  return { version: 2, command, family, transport, source, destination, tlvs }
}

/**
 * Behind an unspecified family there may be addresses of unknown shape, which must be skipped; so what
 * does not read as TLVs is not an error there.
 */
function looseTlvs(bytes: Uint8Array): readonly Tlv[] {
  let tlvs: Tlv[]
  try {
    tlvs = decodeTlvs(new ByteReader(bytes.subarray(fixedLength), fixedLength))
  } catch {
    return []
  }
  verifyChecksum(bytes, tlvs)
  return tlvs
}

const zeros = new Uint8Array(4)

function verifyChecksum(header: Uint8Array, tlvs: readonly Tlv[]): void {
  let found: Uint8Array | undefined
  for (const { type, value } of tlvs) {
    if (type !== TlvType.crc32c) continue
    const at = value.byteOffset - header.byteOffset
    if (found !== undefined) throw new DecodeError('is there twice', at, 'crc32c')
    if (value.length !== 4) throw new DecodeError(`has ${value.length} bytes, not 4`, at, 'crc32c')
    found = value
  }
  if (found === undefined) return
  const at = found.byteOffset - header.byteOffset
  const stated = new ByteReader(found).u32('crc32c')
  const before = crc32c(zeros, crc32c(header.subarray(0, at)))
  if (crc32c(header.subarray(at + 4), before) !== stated) {
    throw new DecodeError('does not match the header', at, 'crc32c')
  }
}

function decodeHost(reader: ByteReader, family: 4 | 6 | 'unix', field: string): string {
  if (family !== 'unix') return addressText(reader.bytes(family === 4 ? 4 : 16, field))
  const bytes = reader.bytes(unixPathLength, field)
  // An abstract name begins with NUL and may hold more of them; a path ends at the first one.
  let end = bytes[0] === 0 ? unixPathLength : bytes.indexOf(0)
  if (end < 0) end = unixPathLength
  while (end > 0 && bytes[end - 1] === 0) end--
  return utf8.decode(bytes.subarray(0, end))
}

function socketAddress(host: string, port: number, family: 4 | 6 | 'unix'): SocketAddress {
  return family === 'unix'
    ? { address: host, port, family, path: host }
    : { address: host, port, family }
}

function encodeHost(
  address: SocketAddress,
  family: 4 | 6 | 'unix',
  path: string,
  writer: ByteWriter,
): void {
  if (family !== 'unix') {
    const bytes = addressBytes(address.address, family)
    if (bytes === undefined) {
      throw invalidOption(
        `${path}.address`,
        `${shown(address.address)} is not an IPv${family} address`,
      )
    }
    writer.bytes(bytes)
    return
  }
  const name = new TextEncoder().encode(textOption(address.path ?? address.address, `${path}.path`))
  if (name.length > unixPathLength) {
    throw invalidOption(`${path}.path`, `is longer than ${unixPathLength} bytes`)
  }
  writer.bytes(name).bytes(new Uint8Array(unixPathLength - name.length))
}

function encodePort(address: SocketAddress, path: string): number {
  if (Number.isInteger(address.port) && address.port >= 0 && address.port <= 0xffff) {
    return address.port
  }
  throw invalidOption(`${path}.port`, `${shown(address.port)} is not a port from 0 to 65535`)
}
