import type { SocketAddress } from '@steelyard/core'
import { commonFamily } from './address.ts'
import type { Tlv } from './tlv.ts'

/**
 * What a PROXY protocol header says of a connection. `source` and `destination` are there together, or
 * neither is: without them (`local`, or an unspecified family or transport) the receiver keeps the
 * addresses of the socket.
 */
export interface ProxyHeader {
  /** The format on the wire: 1 is the line of text, 2 the binary one. */
  readonly version: 1 | 2
  /** `local`: the proxy opened the connection for itself, for instance to check health. Version 1 knows only `proxy`. */
  readonly command: 'proxy' | 'local'
  readonly family: 4 | 6 | 'unix' | 'unspec'
  readonly transport: 'stream' | 'datagram' | 'unspec'
  /** The client. */
  readonly source: SocketAddress | undefined
  /** What the client connected to. */
  readonly destination: SocketAddress | undefined
  /** In wire order; known and unknown ones alike, byte for byte. Empty in version 1. */
  readonly tlvs: readonly Tlv[]
}

/** What {@link proxyHeader} builds a header from. */
export interface ProxyHeaderInit {
  /** Default 2. */
  readonly version?: 1 | 2
  readonly source: SocketAddress
  readonly destination: SocketAddress
  /** Default `stream`. */
  readonly transport?: 'stream' | 'datagram'
  readonly tlvs?: readonly Tlv[]
}

/**
 * The header that tells a backend of a relayed connection. The two addresses get one family, as the
 * format demands: IPv4 when both are IPv4 or IPv4-mapped, IPv6 when they are mixed, unspecified when
 * only one of them is a unix socket.
 */
export function proxyHeader(init: ProxyHeaderInit): ProxyHeader {
  const { version = 2, source, destination, transport = 'stream', tlvs = [] } = init
  const addresses = commonFamily(source, destination)
  if (addresses === undefined) {
    return {
      version,
      command: 'proxy',
      family: 'unspec',
      transport: 'unspec',
      source: undefined,
      destination: undefined,
      tlvs,
    }
  }
  return {
    version,
    command: 'proxy',
    family: addresses.source.family,
    transport,
    source: addresses.source,
    destination: addresses.destination,
    tlvs,
  }
}

/** The header of a connection that we open for ourselves, such as a health check (§2.2, LOCAL). */
export function localProxyHeader(tlvs: readonly Tlv[] = []): ProxyHeader {
  return {
    version: 2,
    command: 'local',
    family: 'unspec',
    transport: 'unspec',
    source: undefined,
    destination: undefined,
    tlvs,
  }
}
