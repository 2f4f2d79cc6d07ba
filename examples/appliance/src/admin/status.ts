import type { MemberCondition } from '@steelyard/core'
import type { TcpStats, UdpStats } from '@steelyard/l4'
import type { HttpStats } from '@steelyard/l7'
import type { DesiredListener } from '../desired/desired.ts'
import type { ObjectKind } from '../desired/inspection.ts'
import type { Step } from '../reconcile/step.ts'
import type { RouteReport } from '../runtime/route-table.ts'
import type { MemberOverride } from './admin-target.ts'

/** A member as `steelyard status` shows it. */
export interface MemberReport {
  readonly id: string
  readonly address: string
  readonly condition: MemberCondition
  readonly reason: string
  /** ISO 8601. */
  readonly since: string
  readonly weight: number
  /** The weight of the document. */
  readonly configuredWeight: number
  readonly backup: boolean
  readonly active: number
  readonly total: number
  readonly failures: number
  readonly evidence?: Readonly<Record<string, string | number | boolean>>
  /** Changed at run time. */
  readonly override?: MemberOverride
}

/** A pool and its members. */
export interface PoolReport {
  readonly name: string
  readonly algorithm: string
  readonly available: boolean
  readonly queued: number
  readonly persistence?: { readonly entries: number }
  readonly members: readonly MemberReport[]
}

/** An HTTP listener in numbers, in the words of the others. */
export interface HttpListenerStats extends Omit<HttpStats, 'bytesFromClients' | 'bytesToClients'> {
  /** Open client connections. */
  readonly active: number
  readonly bytesFromClient: number
  readonly bytesToClient: number
}

/** A listener and what it has counted. */
export interface ListenerReport {
  readonly name: string
  readonly protocol: DesiredListener['protocol']
  readonly address: string
  readonly pool: string
  readonly state: 'running' | 'draining'
  readonly stats: TcpStats | UdpStats | HttpListenerStats
  /** Of HTTP listeners: what went where. */
  readonly routes?: readonly RouteReport[]
}

/** A load balancer: its virtual address and listeners. */
export interface LoadBalancerReport {
  readonly name: string
  readonly vip: string
  readonly listeners: readonly ListenerReport[]
}

/** An object of the document that does not run, or not in its newest form, and why. */
export interface QuarantineReport {
  readonly kind: ObjectKind | Step['kind']
  /** Of a listener `load balancer/listener`. */
  readonly name: string
  /** Its place in the document; absent where the document is right, and something else is in the way. */
  readonly path?: string
  readonly reason: string
  /** An earlier form of it runs on. */
  readonly kept: boolean
}

/** The node as a whole; the body of `/status`. */
export interface NodeStatus {
  readonly node: string
  readonly version: string
  readonly pid: number
  /** ISO 8601. */
  readonly startedAt: string
  readonly uptimeMs: number
  readonly state: 'starting' | 'running' | 'draining'
  readonly config: {
    readonly file: string
    /** Counts applied documents. */
    readonly generation: number
    /** ISO 8601. */
    readonly appliedAt: string
    /** Why the newest document was refused, when it was. */
    readonly refused?: string
  }
  readonly transport: string
  /** How late the event loop's last tick came, in milliseconds. */
  readonly latenessMs: number
  readonly loadBalancers: readonly LoadBalancerReport[]
  readonly pools: readonly PoolReport[]
  readonly addressPools: readonly AddressPoolReport[]
  readonly quarantined: readonly QuarantineReport[]
}

/** Usage of an address pool. */
export interface AddressPoolReport {
  readonly name: string
  readonly size: string
  readonly used: number
  readonly exhausted: boolean
  readonly disabled: boolean
  readonly assignments: Readonly<Record<string, readonly string[]>>
}

/** A problem in one line: `listener cache/redis left out: …`. */
export function problemText({ kind, name, reason, kept }: QuarantineReport): string {
  const what = kind === name ? name : `${kind.replace('-', ' ')} ${name}`
  return `${what} ${kept ? 'runs on in its earlier form' : 'left out'}: ${reason}`
}
