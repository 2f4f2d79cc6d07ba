import { addressPools, type SocketAddress } from '@steelyard/core'
import type {
  AddressPoolReport,
  ListenerReport,
  MemberReport,
  NodeStatus,
  PoolReport,
  QuarantineReport,
} from '../admin/status.ts'
import { bindingText } from '../desired/binding.ts'
import { type Desired, type DesiredHttpListener, isHttp } from '../desired/desired.ts'
import { poolNamesOf } from '../desired/normalise.ts'
import { actionText } from '../http/action-text.ts'
import { defaultRoute } from '../http/routes.ts'
import type { Overrides } from './overrides.ts'
import type { Registry, RunningListener, RunningPool } from './registry.ts'

/** What the status is made of. */
export interface StatusSources {
  readonly registry: Registry
  readonly overrides: Overrides
  readonly running: Desired | undefined
  /** As the newest document has it: the order in which things are told. Default: `running`. */
  readonly wanted: Desired | undefined
  readonly quarantined: readonly QuarantineReport[]
  readonly state: NodeStatus['state']
  readonly file: string
  readonly version: string
  readonly generation: number
  readonly appliedAt: number
  readonly startedAt: number
  readonly refused: string | undefined
  readonly transport: string
  readonly latenessMs: number
  readonly now: number
}

/** The whole node, for `/status`. */
export function nodeStatus(sources: StatusSources): NodeStatus {
  const { running, wanted = running, registry, refused, startedAt, now } = sources
  const listeners = inOrder(
    new Map([...registry.listeners.values()].map((one) => [one.desired.id, one])),
    wanted?.listeners,
  )
  const loadBalancers = inOrder(
    new Map(Object.entries(running?.loadBalancers ?? {})),
    wanted?.loadBalancers,
  )
  const draining = [...registry.draining]
  return {
    node: running?.node.name ?? 'starting',
    version: sources.version,
    pid: process.pid,
    startedAt: new Date(startedAt).toISOString(),
    uptimeMs: now - startedAt,
    state: sources.state,
    config: {
      file: sources.file,
      generation: sources.generation,
      appliedAt: new Date(sources.appliedAt).toISOString(),
      ...(refused === undefined ? {} : { refused }),
    },
    transport: sources.transport,
    latenessMs: sources.latenessMs,
    loadBalancers: loadBalancers.map(({ name, address = '' }) => ({
      name,
      vip: address,
      listeners: [
        ...listeners.map((one) => listenerReport(one, 'running' as const)),
        ...draining.map((one) => listenerReport(one, 'draining' as const)),
      ]
        .filter(({ loadBalancer }) => loadBalancer === name)
        .map(({ report }) => report),
    })),
    pools: inOrder(registry.pools, wanted?.pools).map((pool) =>
      poolReport(pool, sources.overrides),
    ),
    addressPools: addressPoolReports(running),
    quarantined: sources.quarantined,
  }
}

/** In the order of the document; what it does not have comes last. */
function inOrder<T>(
  values: ReadonlyMap<string, T>,
  order: Readonly<Record<string, unknown>> = {},
): T[] {
  const places = new Map(Object.keys(order).map((name, index) => [name, index]))
  const place = (name: string): number => places.get(name) ?? places.size
  return [...values].sort(([a], [b]) => place(a) - place(b)).map(([, value]) => value)
}

function listenerReport(
  { desired, balancer, http }: RunningListener,
  state: ListenerReport['state'],
): { readonly loadBalancer: string; readonly report: ListenerReport } {
  return {
    loadBalancer: desired.loadBalancer,
    report: {
      name: desired.name,
      protocol: desired.protocol,
      address: addressText(balancer.address) ?? bindingText(desired.binding),
      pool: poolNamesOf(desired).join(', '),
      state,
      stats: statsOf(balancer),
      ...(http === undefined || !isHttp(desired)
        ? {}
        : { routes: http.routes.report(routesOf(desired)) }),
    },
  }
}

function statsOf(balancer: RunningListener['balancer']): ListenerReport['stats'] {
  const stats = balancer.stats()
  if (!('exchanges' in stats)) return stats
  const { bytesFromClients, bytesToClients, ...rest } = stats
  return {
    ...rest,
    active: stats.connections,
    bytesFromClient: bytesFromClients,
    bytesToClient: bytesToClients,
  }
}

/** The routes of a listener and what they do, in the order in which they are written. */
function routesOf(listener: DesiredHttpListener): { name: string; action: string }[] {
  return [
    ...listener.rules.filter(({ enabled }) => enabled),
    ...listener.policies.filter(({ enabled }) => enabled),
  ]
    .map((rule) => ({ name: rule.name, action: actionText(rule) }))
    .concat(
      listener.pool === undefined ? [] : [{ name: defaultRoute, action: `→ ${listener.pool}` }],
    )
}

function addressText(address: SocketAddress | undefined): string | undefined {
  if (address === undefined) return undefined
  if (address.family === 'unix') return `unix:${address.path ?? ''}`
  return address.family === 6
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`
}

function poolReport({ desired, pool }: RunningPool, overrides: Overrides): PoolReport {
  const { persistence } = pool
  return {
    name: desired.name,
    algorithm: pool.algorithm,
    available: pool.available.current,
    queued: pool.queue.size,
    ...(persistence === undefined ? {} : { persistence: { entries: persistence.size } }),
    members: pool
      .members()
      .map(({ backend, condition, verdict, weight, active, total, failures }): MemberReport => {
        const override = overrides.get(desired.name, backend.id)
        return {
          id: backend.id,
          address: backend.address,
          condition,
          reason: verdict.reason,
          since: new Date(verdict.since).toISOString(),
          weight,
          configuredWeight: desired.members[backend.id]?.weight ?? backend.weight,
          backup: backend.backup,
          active,
          total,
          failures,
          ...(verdict.evidence === undefined ? {} : { evidence: verdict.evidence }),
          ...(override === undefined ? {} : { override }),
        }
      }),
  }
}

/** Usage by the load balancers that run. */
function addressPoolReports(running: Desired | undefined): AddressPoolReport[] {
  if (running === undefined) return []
  const pools = addressPools()
  for (const { name, addresses, exclude, skipNetworkAndBroadcast, disable } of Object.values(
    running.addressPools,
  )) {
    pools.define({ name, addresses, exclude, skipNetworkAndBroadcast, disabled: disable })
  }
  for (const { name, address } of Object.values(running.loadBalancers)) {
    if (address !== undefined)
      pools.restore([{ address, request: { owner: name, address, shared: true, ports: [] } }])
  }
  return pools.status().map((status) => ({
    name: status.name,
    size: String(status.size),
    used: Number(status.used),
    exhausted: status.exhausted,
    disabled: status.disabled,
    assignments: Object.fromEntries(
      Object.entries(status.assignments).map(([address, owners]) => [
        address,
        owners.map(({ owner }) => owner),
      ]),
    ),
  }))
}
