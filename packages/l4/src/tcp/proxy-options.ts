import {
  bytesOption,
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  type SocketAddress,
  type Stream,
  shown,
} from '@steelyard/core'
import { cidrSet, tryParseAddress } from '@steelyard/core/ip'
import { type ProxyHeader, proxyHeader } from '../proxy-protocol/header.ts'
import { sslTlv } from '../proxy-protocol/ssl-tlv.ts'
import { alpnTlv, authorityTlv, type Tlv } from '../proxy-protocol/tlv.ts'
import { encodeV1 } from '../proxy-protocol/v1.ts'
import { encodeV2 } from '../proxy-protocol/v2.ts'
import { sslInfoOf, type TlsFacts } from '../tls/facts.ts'

/** From whom a listener takes PROXY headers. */
export interface AcceptProxyOptions {
  /** Blocks whose connections must begin with a header. */
  readonly from: readonly string[]
  /**
   * Everybody else: `reject` ends the connection; `direct` takes it as it is, header bytes included, so
   * choose it only when no backend would believe them. Default `reject`.
   */
  readonly untrusted?: 'reject' | 'direct'
  /** Default: both. */
  readonly versions?: readonly (1 | 2)[]
}

/** Which PROXY header backends get. */
export interface SendProxyOptions {
  readonly version: 1 | 2
  /** Version 2: hands on the TLVs of the header that the client's side sent. Default `false`. */
  readonly passTlvs?: boolean
  /** Version 2: server name, application protocol and, after termination, the facts of the client's TLS as TLVs. Default `false`. */
  readonly tlsFacts?: boolean
  /** Version 2: a CRC-32C over the header. Default `false`. */
  readonly crc32c?: boolean
  /** Version 2: more TLVs for every connection. */
  readonly tlvs?: readonly Tlv[]
}

/** What a header says of one connection. */
export interface ProxiedConnection {
  readonly source: SocketAddress
  readonly destination: SocketAddress
  readonly received: ProxyHeader | undefined
  /** The client's TLS, when it ends here. */
  readonly tls: TlsFacts | undefined
  readonly serverName: string | undefined
  readonly alpn: string | undefined
}

/** {@link AcceptProxyOptions}, ready to ask. */
export interface AcceptProxy {
  trusts(address: string): boolean
  readonly untrusted: 'reject' | 'direct'
  readonly versions: readonly (1 | 2)[]
}

/** Checks and completes {@link AcceptProxyOptions}. */
export function acceptProxy(options: AcceptProxyOptions, path = 'acceptProxy'): AcceptProxy {
  if (listOption(objectOption(options, path).from, `${path}.from`).length === 0)
    throw invalidOption(`${path}.from`, 'needs at least one block to trust')
  const trusted = cidrSet(options.from, `${path}.from`)
  const { untrusted = 'reject', versions = [1, 2] } = options
  if (untrusted !== 'reject' && untrusted !== 'direct') {
    throw invalidOption(`${path}.untrusted`, `${shown(untrusted)} is neither reject nor direct`)
  }
  const wrong = listOption(versions, `${path}.versions`).filter((one) => one !== 1 && one !== 2)
  if (versions.length === 0 || wrong.length > 0) {
    const list = wrong.slice(0, 4).map(shown).join(', ')
    throw invalidOption(`${path}.versions`, `[${list}]: use 1, 2 or both`)
  }
  return {
    untrusted,
    versions: [...versions],
    trusts(text) {
      const address = tryParseAddress(text)
      return address !== undefined && trusted.has(address)
    },
  }
}

/** Writes a PROXY header to a backend that was just connected. */
export type SendProxy = (backend: Stream, connection: ProxiedConnection) => void

/**
 * Makes a {@link SendProxy}.
 *
 * @throws `invalid-option` for TLVs in version 1, and for TLVs that no header has room for.
 */
export function sendProxy(init: 'v1' | 'v2' | SendProxyOptions, path = 'sendProxy'): SendProxy {
  if (typeof init === 'string' && init !== 'v1' && init !== 'v2') {
    throw invalidOption(path, `${shown(init)} is neither v1 nor v2`)
  }
  const options: SendProxyOptions =
    typeof init === 'string' ? { version: init === 'v1' ? 1 : 2 } : objectOption(init, path)
  if (options.version !== 1 && options.version !== 2) {
    throw invalidOption(`${path}.version`, `${shown(options.version)} is neither 1 nor 2`)
  }
  const { version, tlvs = [] } = options
  const passTlvs = flagOption(options.passTlvs ?? false, `${path}.passTlvs`)
  const tlsFacts = flagOption(options.tlsFacts ?? false, `${path}.tlsFacts`)
  const crc32c = flagOption(options.crc32c ?? false, `${path}.crc32c`)
  listOption(tlvs, `${path}.tlvs`)
  if (version === 1 && (passTlvs || tlsFacts || crc32c || tlvs.length > 0)) {
    throw invalidOption(path, 'version 1 has no room for TLVs: use version 2')
  }
  for (const [index, tlv] of tlvs.entries()) {
    const { type, value } = objectOption(tlv, `${path}.tlvs[${index}]`)
    if (!Number.isInteger(type) || type < 0 || type > 255) {
      throw invalidOption(
        `${path}.tlvs[${index}].type`,
        `${shown(type)} is not a type: use 0 to 255`,
      )
    }
    bytesOption(value, `${path}.tlvs[${index}].value`)
  }
  if (tlvs.reduce((sum, { value }) => sum + 3 + value.length, 0) > tlvLimit) {
    throw invalidOption(`${path}.tlvs`, `are longer than ${tlvLimit} bytes together`)
  }
  return (backend, { source, destination, received, tls, serverName, alpn }) => {
    const header = proxyHeader({
      version,
      source,
      destination,
      tlvs: [
        ...(passTlvs && received !== undefined ? received.tlvs : []),
        ...(tlsFacts && alpn !== undefined ? [alpnTlv(alpn)] : []),
        ...(tlsFacts && serverName !== undefined ? [authorityTlv(serverName)] : []),
        ...(tlsFacts && tls !== undefined ? [sslTlv(sslInfoOf(tls))] : []),
        ...tlvs,
      ],
    })
    backend.write(version === 1 ? encodeV1(header) : encodeV2(header, { crc32c }))
  }
}

/** Own TLVs; what else a header may carry is bounded by what we accept. */
const tlvLimit = 4096
