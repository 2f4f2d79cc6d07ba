import type { Pool } from '@steelyard/core'
import type { TcpBalancer, UdpBalancer } from '@steelyard/l4'
import type { HttpBalancer } from '@steelyard/l7'
import type { DesiredListener, DesiredPool } from '../desired/desired.ts'
import type { FilterStock } from '../http/filter-stock.ts'
import type { PoolParts } from './build-pool.ts'
import type { RenamedMetrics } from './renamed-metrics.ts'
import type { RouteTable } from './route-table.ts'

/** A pool at work. */
export interface RunningPool {
  readonly desired: DesiredPool
  readonly parts: PoolParts
  readonly pool: Pool
}

/** A listener at work. */
export interface RunningListener {
  readonly desired: DesiredListener
  readonly balancer: TcpBalancer | UdpBalancer | HttpBalancer
  readonly metrics: RenamedMetrics
  /** What HTTP listeners have besides. */
  readonly http?: { readonly stock: FilterStock; readonly routes: RouteTable }
}

/** Everything that runs. The reconciler is its only writer. */
export interface Registry {
  /** By name. */
  readonly pools: Map<string, RunningPool>
  /** By `listenerKey`, protocol and place: while a listener moves, two have the same name. */
  readonly listeners: Map<string, RunningListener>
  /** Listeners that take nothing new and live on for their open connections. */
  readonly draining: Set<RunningListener>
}

/** Nothing runs yet. */
export function registry(): Registry {
  return { pools: new Map(), listeners: new Map(), draining: new Set() }
}

/** Cuts the open connections and sessions of a member, on listeners that drain too; returns how many. */
export function cutMember(
  { listeners, draining }: Registry,
  pool: Pool,
  backendId: string,
): number {
  let cut = 0
  for (const { balancer } of [...listeners.values(), ...draining]) {
    cut += balancer.cut({ pool, backendId })
  }
  return cut
}
