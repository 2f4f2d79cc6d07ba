import type { Binding } from './binding.ts'
import type { MeantDocument } from './schema.ts'

type Node = MeantDocument['node']
type Admin = MeantDocument['admin']
type WrittenListener = MeantDocument['loadBalancers'][number]['listeners'][number]
type WrittenPool = MeantDocument['pools'][number]
type WrittenMember = Exclude<WrittenPool['members'][number], string>
type WrittenAlgorithm = Exclude<WrittenPool['algorithm'], string>
type WrittenHealth = NonNullable<WrittenPool['health']>
type WrittenHeader = NonNullable<WrittenPool['proxyProtocol']>

/** What concerns the whole process. */
export interface DesiredNode extends Node {}

/** The admin endpoint. */
export interface DesiredAdmin extends Admin {}

/** Addresses that virtual IPs are taken from. */
export type DesiredAddressPool = MeantDocument['addressPools'][number]

/** A virtual IP, with the address that it has. */
export interface DesiredLoadBalancer {
  readonly name: string
  readonly enabled: boolean
  /** As written. */
  readonly vip?: MeantDocument['loadBalancers'][number]['vip']
  /** The address in force; absent when no listener needs one. */
  readonly address?: string
}

interface Placed {
  /** `load balancer/listener`: unique. */
  readonly id: string
  readonly loadBalancer: string
  readonly name: string
  readonly binding: Binding
}

type Without<Listener> = Omit<
  Listener,
  'name' | 'enabled' | 'port' | 'listen' | 'ipv6Only' | 'bandwidth'
>

interface Stream {
  readonly bandwidth?: { readonly fromClient?: number; readonly toClient?: number }
}

/** A TCP listener, ready to be built. */
export type DesiredTcpListener = Without<Extract<WrittenListener, { protocol: 'tcp' }>> &
  Placed &
  Stream

/** A TLS listener, ready to be built. */
export type DesiredTlsListener = Without<Extract<WrittenListener, { protocol: 'tls' }>> &
  Placed &
  Stream

/** A UDP listener, ready to be built. */
export type DesiredUdpListener = Without<Extract<WrittenListener, { protocol: 'udp' }>> & Placed

type WrittenHttp<Protocol extends 'http' | 'https' | 'h2c'> = Extract<
  WrittenListener,
  { protocol: Protocol }
>

/** A rule of an HTTP listener. */
export type DesiredRule = WrittenHttp<'http'>['rules'][number] & {
  /** Why its requests get 503: the rule as written cannot be, and nobody else shall have what is meant for it. */
  readonly unavailable?: string
}

/** A policy in Octavia's style. */
export type DesiredPolicy = WrittenHttp<'http'>['policies'][number] & {
  /** As in {@link DesiredRule}. */
  readonly unavailable?: string
}

type Http<Protocol extends 'http' | 'https' | 'h2c'> = Omit<
  Without<WrittenHttp<Protocol>>,
  'rules' | 'policies'
> &
  Placed & {
    readonly rules: readonly DesiredRule[]
    readonly policies: readonly DesiredPolicy[]
  }

/** A listener for HTTP, over TLS or not. */
export type DesiredHttpListener = Http<'http'> | Http<'https'> | Http<'h2c'>

/** A listener, ready to be built: only enabled ones of enabled load balancers are there. */
export type DesiredListener =
  | DesiredTcpListener
  | DesiredTlsListener
  | DesiredUdpListener
  | DesiredHttpListener

/** Does it speak HTTP? */
export function isHttp<Listener extends { readonly protocol?: string | undefined }>(
  listener: Listener,
): listener is Extract<Listener, { readonly protocol?: 'http' | 'https' | 'h2c' | undefined }> {
  const { protocol } = listener
  return protocol === 'http' || protocol === 'https' || protocol === 'h2c'
}

/** A member of a pool. */
export type DesiredMember = Omit<WrittenMember, 'id'> & { readonly id: string }

/** A health check; parts of a combined one without a timeout of their own have the whole's. */
export type DesiredHealth = WrittenHealth & { readonly timeout: number }

/** The PROXY header that members get. */
export type DesiredHeader = Exclude<WrittenHeader, string>

/** A pool, ready to be built. */
export type DesiredPool = Omit<
  WrittenPool,
  'algorithm' | 'members' | 'health' | 'proxyProtocol'
> & {
  readonly algorithm: WrittenAlgorithm
  /** By id. */
  readonly members: Readonly<Record<string, DesiredMember>>
  readonly health?: DesiredHealth
  /** Absent: no PROXY header is sent to members. */
  readonly proxyProtocol?: DesiredHeader
}

/**
 * What the operator wants, normalised and frozen: durations in milliseconds, sizes in bytes, addresses
 * in their shortest form, defaults filled in, objects by name. Plain data that survives JSON.
 */
export interface Desired {
  readonly node: DesiredNode
  readonly admin: DesiredAdmin
  readonly addressPools: Readonly<Record<string, DesiredAddressPool>>
  readonly loadBalancers: Readonly<Record<string, DesiredLoadBalancer>>
  /** By id. */
  readonly listeners: Readonly<Record<string, DesiredListener>>
  readonly pools: Readonly<Record<string, DesiredPool>>
}
