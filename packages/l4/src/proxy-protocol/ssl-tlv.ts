import { ByteReader, ByteWriter } from '@steelyard/core/bytes'
import { decodeTlvs, encodeTlv, findTlv, readText, type Tlv, TlvType, textTlv } from './tlv.ts'

/** The second-level types inside PP2_TYPE_SSL (§2.2.6). */
export const SslTlvType = {
  version: 0x21,
  commonName: 0x22,
  cipher: 0x23,
  signatureAlgorithm: 0x24,
  keyAlgorithm: 0x25,
  group: 0x26,
  signatureScheme: 0x27,
  clientCertificate: 0x28,
} as const

/** The number of a second-level type. */
export type SslTlvType = (typeof SslTlvType)[keyof typeof SslTlvType]

const clientSsl = 0x01
const clientCertificateOnConnection = 0x02
const clientCertificateInSession = 0x04

/** What PP2_TYPE_SSL says of the client's TLS connection to the proxy (§2.2.6). */
export interface SslInfo {
  /** The client came over TLS. */
  readonly tls: boolean
  /** It presented a certificate on this very connection. */
  readonly certificateOnConnection: boolean
  /** It presented one at least once in the TLS session that this connection belongs to. */
  readonly certificateInSession: boolean
  /** 0 when a certificate was presented and verified; otherwise not 0. */
  readonly verify: number
  /** As in `TLSv1.3`. */
  readonly version?: string
  /** Common name of the client certificate's subject. */
  readonly commonName?: string
  readonly cipher?: string
  /** How the proxy's certificate was signed, such as `RSA-SHA256`. */
  readonly signatureAlgorithm?: string
  /** The key of the proxy's certificate, such as `RSA2048`. */
  readonly keyAlgorithm?: string
  /** The key exchange group, such as `secp256r1`. */
  readonly group?: string
  /** How the proxy signed the handshake, such as `rsa_pss_rsae_sha256`. */
  readonly signatureScheme?: string
  /** The client's certificate in DER. */
  readonly clientCertificate?: Uint8Array
  /** Second-level vectors that are none of the above, byte for byte. */
  readonly unknown?: readonly Tlv[]
}

const texts = [
  'version',
  'commonName',
  'cipher',
  'signatureAlgorithm',
  'keyAlgorithm',
  'group',
  'signatureScheme',
] as const satisfies readonly (keyof typeof SslTlvType)[]

/**
 * What the header says of the client's TLS, if it says anything.
 *
 * ```
 * client u8 · verify u32 · second-level vectors
 * ```
 *
 * @throws `DecodeError` when the value is not made as it should be.
 */
export function readSsl(tlvs: readonly Tlv[]): SslInfo | undefined {
  const value = findTlv(tlvs, TlvType.ssl)
  if (value === undefined) return undefined
  const reader = new ByteReader(value)
  const client = reader.u8('ssl client')
  const verify = reader.u32('ssl verify')
  const inner = decodeTlvs(reader)
  const info: { -readonly [K in keyof SslInfo]: SslInfo[K] } = {
    tls: (client & clientSsl) !== 0,
    certificateOnConnection: (client & clientCertificateOnConnection) !== 0,
    certificateInSession: (client & clientCertificateInSession) !== 0,
    verify,
  }
  for (const name of texts) {
    const text = readText(findTlv(inner, SslTlvType[name]), `ssl ${name}`)
    if (text !== undefined) info[name] = text
  }
  const certificate = findTlv(inner, SslTlvType.clientCertificate)
  if (certificate !== undefined) info.clientCertificate = certificate
  const unknown = inner.filter(
    ({ type }) => type < SslTlvType.version || type > SslTlvType.clientCertificate,
  )
  if (unknown.length > 0) info.unknown = unknown
  return info
}

/** PP2_TYPE_SSL for a connection that came over TLS. */
export function sslTlv(info: SslInfo): Tlv {
  const writer = new ByteWriter(128)
  writer.u8(
    (info.tls ? clientSsl : 0) |
      (info.certificateOnConnection ? clientCertificateOnConnection : 0) |
      (info.certificateInSession ? clientCertificateInSession : 0),
  )
  writer.u32(info.verify)
  for (const name of texts) {
    const text = info[name]
    if (text !== undefined) encodeTlv(textTlv(SslTlvType[name], text), writer)
  }
  if (info.clientCertificate !== undefined) {
    encodeTlv({ type: SslTlvType.clientCertificate, value: info.clientCertificate }, writer)
  }
  for (const tlv of info.unknown ?? []) encodeTlv(tlv, writer)
  return { type: TlvType.ssl, value: writer.finish() }
}
