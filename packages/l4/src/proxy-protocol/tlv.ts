import { bytesOption, invalidOption, objectOption, shown, textOption } from '@steelyard/core'
import { type ByteReader, type ByteWriter, DecodeError } from '@steelyard/core/bytes'

/** One type-length-value vector of a version 2 header (§2.2). */
export interface Tlv {
  /** 0 to 255; {@link TlvType} names the registered ones. */
  readonly type: number
  readonly value: Uint8Array
}

/** The registered types (§2.2.1 to §2.2.7). 0xE0 to 0xEF are free for applications. */
export const TlvType = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
} as const

/** The number of a registered type. */
export type TlvType = (typeof TlvType)[keyof typeof TlvType]

/** The longest PP2_TYPE_UNIQUE_ID (§2.2.5). */
export const maxUniqueIdLength = 128

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const toUtf8 = new TextEncoder()

/**
 * Reads vectors up to the end of the range; the values are views on it.
 *
 * @throws `DecodeError` when one runs over the end.
 */
export function decodeTlvs(reader: ByteReader): Tlv[] {
  const tlvs: Tlv[] = []
  while (reader.remaining > 0) {
    const type = reader.u8('tlv type')
    const length = reader.u16('tlv length')
    tlvs.push({ type, value: reader.bytes(length, 'tlv value') })
  }
  return tlvs
}

/** Writes one vector. */
export function encodeTlv(tlv: Tlv, writer: ByteWriter): void {
  const { type, value } = objectOption(tlv, 'tlv')
  if (!Number.isInteger(type) || type < 0 || type > 255) {
    throw invalidOption(
      'tlv.type',
      `${shown(type)} is not a type: use a whole number from 0 to 255`,
    )
  }
  if (bytesOption(value, 'tlv.value').length > 0xffff) {
    throw invalidOption('tlv.value', `${value.length} bytes are more than the 65535 of one TLV`)
  }
  writer.u8(type).u16(value.length).bytes(value)
}

/** The value of the first vector of this type. */
export function findTlv(tlvs: readonly Tlv[], type: number): Uint8Array | undefined {
  for (const tlv of tlvs) if (tlv.type === type) return tlv.value
  return undefined
}

/**
 * The protocol above the transport by its ALPN identifier (§2.2.1), such as `h2`; one character a byte.
 *
 * @throws `DecodeError` when it is empty or longer than the 255 bytes of an identifier.
 */
export function readAlpn(tlvs: readonly Tlv[]): string | undefined {
  const value = findTlv(tlvs, TlvType.alpn)
  if (value === undefined) return undefined
  if (value.length === 0 || value.length > 255) {
    throw new DecodeError(`has ${value.length} bytes, not 1 to 255`, 0, 'alpn')
  }
  return String.fromCharCode(...value)
}

/**
 * The host name that the client asked for, such as its SNI (§2.2.2).
 *
 * @throws `DecodeError` when it is no UTF-8 or has control characters.
 */
export function readAuthority(tlvs: readonly Tlv[]): string | undefined {
  return readText(findTlv(tlvs, TlvType.authority), 'authority')
}

/**
 * The opaque identity that an earlier proxy gave to the connection (§2.2.5).
 *
 * @throws `DecodeError` when it is longer than 128 bytes.
 */
export function readUniqueId(tlvs: readonly Tlv[]): Uint8Array | undefined {
  const value = findTlv(tlvs, TlvType.uniqueId)
  if (value !== undefined && value.length > maxUniqueIdLength) {
    throw new DecodeError(
      `${value.length} bytes are more than the ${maxUniqueIdLength} of a unique id`,
      0,
      'unique id',
    )
  }
  return value
}

/**
 * The name of the network namespace (§2.2.7).
 *
 * @throws `DecodeError` when it is no text.
 */
export function readNetns(tlvs: readonly Tlv[]): string | undefined {
  return readText(findTlv(tlvs, TlvType.netns), 'netns')
}

/** PP2_TYPE_ALPN for a negotiated protocol. */
export function alpnTlv(protocol: string): Tlv {
  return textTlv(TlvType.alpn, protocol)
}

/** PP2_TYPE_AUTHORITY for a host name. */
export function authorityTlv(host: string): Tlv {
  return textTlv(TlvType.authority, host)
}

/**
 * PP2_TYPE_UNIQUE_ID.
 *
 * @throws `invalid-option` beyond 128 bytes.
 */
export function uniqueIdTlv(id: Uint8Array): Tlv {
  if (bytesOption(id, 'uniqueId').length > maxUniqueIdLength) {
    throw invalidOption(
      'uniqueId',
      `${id.length} bytes are more than the ${maxUniqueIdLength} of a unique id`,
    )
  }
  return { type: TlvType.uniqueId, value: id }
}

/** PP2_TYPE_NETNS. */
export function netnsTlv(name: string): Tlv {
  return textTlv(TlvType.netns, name)
}

/** PP2_TYPE_NOOP: padding of `length` bytes, 3 at least because of the vector's own header. */
export function noopTlv(length: number): Tlv {
  if (!Number.isInteger(length) || length < 3 || length > 0xffff + 3) {
    throw invalidOption('length', `${shown(length)} is not a padding: use 3 to 65538 bytes`)
  }
  return { type: TlvType.noop, value: new Uint8Array(length - 3) }
}

/** A vector of text; `type` may also be one of the SSL sub-types. */
export function textTlv(type: number, text: string): Tlv {
  return { type, value: toUtf8.encode(textOption(text, 'tlv.value')) }
}

/** The text of a vector's value, without control characters: it goes into logs and routes. */
export function readText(value: Uint8Array | undefined, field: string): string | undefined {
  if (value === undefined) return undefined
  for (let i = 0; i < value.length; i++) {
    if (value[i]! < 0x20 || value[i] === 0x7f) {
      throw new DecodeError('has a control character', i, field)
    }
  }
  try {
    return utf8.decode(value)
  } catch {
    throw new DecodeError('is not UTF-8', 0, field)
  }
}
