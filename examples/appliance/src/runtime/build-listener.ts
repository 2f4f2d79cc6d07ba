import { createHmac } from 'node:crypto'
import type { Pool } from '@steelyard/core'
import {
  type AcceptProxyOptions,
  type Acl,
  acl,
  type Listen,
  type OriginateOptions,
  retryBudget,
  type SendProxyOptions,
  type TcpReconfiguration,
  type TcpTarget,
  type TlsContexts,
  tlsContexts,
  type UdpListenTarget,
  type UdpReconfiguration,
} from '@steelyard/l4'
import type { Binding } from '../desired/binding.ts'
import type {
  DesiredHeader,
  DesiredListener,
  DesiredPool,
  DesiredTcpListener,
  DesiredTlsListener,
  DesiredUdpListener,
} from '../desired/desired.ts'
import { type FileReader, pairOf } from './file-reader.ts'
import type { InheritedSockets } from './inherited-sockets.ts'

/** What listeners are built with. */
export interface ListenerSurroundings {
  readonly files: FileReader
  readonly sockets: InheritedSockets
  /** Random bytes of this process, for what must stay the same as long as it runs. */
  readonly secret: Uint8Array
  /** Throws `no-such-pool`. */
  pool(name: string): { readonly pool: Pool; readonly desired: DesiredPool }
}

/** Where a listener listens. */
export function listenOf(
  listener: DesiredListener,
  sockets: InheritedSockets,
): Listen & UdpListenTarget {
  const { binding, reusePort } = listener
  return { ...placeOf(binding, sockets), ...socketOptions(listener), reusePort }
}

function socketOptions(listener: DesiredListener): object {
  if (listener.protocol !== 'udp') return { backlog: listener.backlog }
  const { receive, send } = listener.udp.buffers
  return { receiveBuffer: receive, ...(send === undefined ? {} : { sendBuffer: send }) }
}

function placeOf(binding: Binding, sockets: InheritedSockets): Exclude<Listen, string> {
  switch (binding.kind) {
    case 'address':
      return { host: binding.host, port: binding.port, ipv6Only: binding.ipv6Only }
    case 'unix':
      return { path: binding.path }
    case 'fd':
      return { fd: sockets.descriptor(binding.fd) }
    default:
      return binding satisfies never
  }
}

/** The options of a TCP or TLS listener. */
export function streamOptions(
  listener: DesiredTcpListener | DesiredTlsListener,
  surroundings: ListenerSurroundings,
): TcpReconfiguration & TcpTarget {
  const { timeouts, retries, bandwidth, proxyProtocol, connectionLimit, keepAlive, whenDown } =
    listener
  return {
    ...(listener.protocol === 'tls'
      ? tlsOptions(listener, surroundings)
      : {
          ...targetOf(listener.pool, listener, surroundings),
          routes: undefined,
          terminate: undefined,
        }),
    acl: aclOf(listener.acl),
    connectionLimit,
    timeouts,
    keepAlive,
    whenDown,
    retries: retries.max,
    retryBudget: retries.budget && retryBudget(retries.budget),
    acceptProxy: acceptProxyOf(proxyProtocol),
    bandwidth,
  }
}

/** The options of a UDP listener. */
export function datagramOptions(
  { pool, acl: access, sourceAddresses, udp }: DesiredUdpListener,
  surroundings: ListenerSurroundings,
): UdpReconfiguration & { readonly pool: Pool } {
  const { buffers, ...rest } = udp
  return {
    ...rest,
    buffers: { datagrams: buffers.datagrams, bytes: buffers.bytes, total: buffers.total },
    pool: surroundings.pool(pool).pool,
    acl: aclOf(access),
    sourceAddresses: sourceAddresses.length === 0 ? undefined : sourceAddresses,
  }
}

/** Who may come. */
export function aclOf(access: DesiredListener['acl']): Acl {
  return access === undefined ? () => true : acl(access)
}

/** Which PROXY headers are taken from clients. */
export function acceptProxyOf(
  proxyProtocol: DesiredTcpListener['proxyProtocol'],
): AcceptProxyOptions | undefined {
  return (
    proxyProtocol && {
      from: proxyProtocol.accept.from,
      untrusted: proxyProtocol.accept.untrusted,
      versions: proxyProtocol.accept.versions.map(versionOf),
    }
  )
}

function versionOf(version: 'v1' | 'v2'): 1 | 2 {
  return version === 'v1' ? 1 : 2
}

function targetOf(
  name: string,
  { sourceAddresses }: DesiredTcpListener | DesiredTlsListener,
  surroundings: ListenerSurroundings,
): TcpTarget {
  const { pool, desired } = surroundings.pool(name)
  const { proxyProtocol, tls } = desired
  return {
    pool,
    sourceAddresses: sourceAddresses.length === 0 ? undefined : sourceAddresses,
    sendProxy: proxyProtocol && headerOf(proxyProtocol),
    originate: tls && originateOf(tls, surroundings.files),
  }
}

function headerOf({ version, passTlvs, tlsFacts, crc32c, tlvs }: DesiredHeader): SendProxyOptions {
  if (version === 'v1') return { version: 1 }
  return {
    version: 2,
    passTlvs,
    tlsFacts,
    crc32c,
    tlvs: tlvs.map(({ type, text, hex }) => ({
      type,
      value:
        text === undefined
          ? Buffer.from((hex ?? '').replaceAll(/[\s:]/g, ''), 'hex')
          : new TextEncoder().encode(text),
    })),
  }
}

/** TLS to members. */
export function originateOf(
  { ca, serverName, certificate, ciphers, ...plain }: NonNullable<DesiredPool['tls']>,
  files: FileReader,
): OriginateOptions {
  return {
    ...plain,
    ...(ca === undefined ? {} : { ca: files.read(ca) }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(certificate === undefined ? {} : { certificate: pairOf(certificate, files) }),
  }
}

/** A TLS listener routes by name, be it with its default rule only. */
function tlsOptions(
  listener: DesiredTlsListener,
  surroundings: ListenerSurroundings,
): Pick<TcpReconfiguration, 'routes' | 'terminate'> & TcpTarget {
  const { pool: own, routes, tls } = listener
  const targets = new Map<string, TcpTarget>()
  const target = (name: string): TcpTarget => {
    const known = targets.get(name) ?? targetOf(name, listener, surroundings)
    targets.set(name, known)
    return known
  }
  const otherwise = own === undefined ? null : target(own)
  const byRule = (rule: typeof tls.absentName): TcpTarget | null => {
    if (typeof rule === 'object') return target(rule.pool)
    return rule === 'reject' ? null : otherwise
  }
  const table = {
    rules: routes.map(({ sni, alpn, pool }) => ({
      sni,
      ...(alpn.length === 0 ? {} : { alpn }),
      target: target(pool),
    })),
    default: otherwise,
    absent: byRule(tls.absentName),
    encrypted: byRule(tls.encryptedName),
  }
  const [any] = targets.values()
  return {
    ...any!,
    routes: table,
    terminate: tls.mode === 'terminate' ? contextsOf(listener.id, tls, surroundings) : undefined,
  }
}

type Termination = Extract<DesiredTlsListener['tls'], { mode: 'terminate' }>
type Settings = Omit<Termination, 'mode' | 'absentName' | 'encryptedName'>

/** Certificates and settings of a listener that ends TLS. */
export function contextsOf(
  id: string,
  tls: Settings & Partial<Termination>,
  { files, secret }: Pick<ListenerSurroundings, 'files' | 'secret'>,
): TlsContexts {
  const { mode: _, absentName: __, encryptedName: ___, ...options } = tls
  const { certificates, ciphers, groups, ticketKeys, clientAuth, ...plain } = options
  const { mode, ca, crl } = clientAuth
  const authorities = ca === undefined ? {} : { clientCa: files.read(ca) }
  const revoked = crl === undefined ? {} : { clientCrl: files.read(crl) }
  // Sessions outlive a reload, unless what clients must show has changed with it.
  const judgedBy = JSON.stringify([id, plain, clientAuth, authorities, revoked])
  return tlsContexts({
    ...plain,
    ...authorities,
    ...revoked,
    certificates: certificates.map(({ chain, ocsp, names, default: isDefault, ...pair }) => ({
      ...pairOf(pair, files),
      default: isDefault,
      ...(names.length === 0 ? {} : { names }),
      ...(chain === undefined ? {} : { ca: files.read(chain) }),
      ...(ocsp === undefined ? {} : { ocspResponse: files.bytes(ocsp) }),
    })),
    clientCertificate: mode,
    ticketKeys:
      ticketKeys === undefined
        ? createHmac('sha384', secret).update(judgedBy).digest()
        : files.bytes(ticketKeys),
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(groups === undefined ? {} : { groups }),
  })
}
