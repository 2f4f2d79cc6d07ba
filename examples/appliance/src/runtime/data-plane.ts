import {
  type Clock,
  type Logger,
  type Metrics,
  type Pool,
  pool,
  SteelyardError,
  type TimerWheel,
  type Transport,
} from '@steelyard/core'
import type { Monitor } from '@steelyard/health'
import {
  type ConnectionLimit,
  type TcpBalancer,
  tcpBalancer,
  type UdpBalancer,
  udpBalancer,
} from '@steelyard/l4'
import {
  type HttpBalancer,
  type HttpBalancerOptions,
  httpBalancer,
  httpMetrics,
} from '@steelyard/l7'
import type { AdminDoor } from '../admin/admin-door.ts'
import {
  type DesiredAdmin,
  type DesiredHttpListener,
  type DesiredListener,
  type DesiredNode,
  type DesiredPool,
  isHttp,
} from '../desired/desired.ts'
import { borrowedStock } from '../explain/borrowed-stock.ts'
import { type FilterStock, filterStock } from '../http/filter-stock.ts'
import type { RouteSurroundings } from '../http/surroundings.ts'
import { listenerKey } from '../reconcile/plan-listener.ts'
import type { AccessLogs } from './access-logs.ts'
import { httpOptions } from './build-http-listener.ts'
import {
  datagramOptions,
  type ListenerSurroundings,
  listenOf,
  streamOptions,
} from './build-listener.ts'
import { membersOf, policyOf, poolParts } from './build-pool.ts'
import type { FileReader } from './file-reader.ts'
import { httpSurroundings } from './http-surroundings.ts'
import type { InheritedSockets } from './inherited-sockets.ts'
import type { Overrides } from './overrides.ts'
import { cutMember, type Registry, type RunningListener, type RunningPool } from './registry.ts'
import { type RenamedMetrics, renamedMetrics } from './renamed-metrics.ts'
import { type RouteTable, routeTable } from './route-table.ts'

/** What everything on the node shares. */
export interface DataPlaneSurroundings {
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  readonly metrics: Metrics
  readonly transport: Transport
  readonly monitor: Monitor
  readonly sockets: InheritedSockets
  readonly files: FileReader
  readonly nodeLimit: ConnectionLimit
  /** Where access logs go. */
  readonly logs: AccessLogs
  readonly overrides: Overrides
  /** Random bytes of this process. */
  readonly secret: Uint8Array
  readonly admin: Pick<AdminDoor, 'change'>
  setLogLevel(level: DesiredNode['logLevel']): void
}

/** The verbs of the reconciler: each brings one object to its desired form, or throws and leaves it as it was. */
export interface DataPlane {
  /** What concerns all listeners. */
  editNode(desired: DesiredNode): void
  editAdmin(desired: DesiredAdmin): Promise<void>
  addPool(desired: DesiredPool): void
  /**
   * Members, policy and check in place: verdicts, counters and connections stay. Those of members that
   * leave are cut after the node's drain time.
   */
  editPool(desired: DesiredPool): void
  removePool(name: string): void
  startListener(desired: DesiredListener): Promise<void>
  /** New options for new connections; the name may be another too. */
  editListener(from: DesiredListener, to: DesiredListener): void
  /**
   * Stops listening and drains; waits until it has stopped listening, not for the drain.
   *
   * @param makesWay - another listener needs the place at once.
   */
  stopListener(desired: DesiredListener, makesWay: boolean): Promise<void>
  /** What the routes of a listener that runs are made with, for looking at them only. */
  routesOf(listener: DesiredHttpListener): RouteSurroundings
  /** Resolves when nothing drains any more. */
  drained(): Promise<void>
}

/** Makes the verbs over a registry. */
export function dataPlane(registry: Registry, surroundings: DataPlaneSurroundings): DataPlane {
  const { clock, wheel, log, metrics, transport, monitor, sockets, files, nodeLimit, overrides } =
    surroundings
  const stops = new Set<Promise<void>>()
  const measures = httpMetrics(metrics)
  let nodeDrainMs = 0

  const parts: ListenerSurroundings = {
    files,
    sockets,
    secret: surroundings.secret,
    pool: runningPool,
  }

  function runningPool(name: string): RunningPool {
    const found = registry.pools.get(name)
    if (found !== undefined) return found
    throw new SteelyardError(
      `there is no pool "${name}"; there are ${[...registry.pools.keys()].join(', ') || 'none'}`,
      {
        code: 'no-such-pool',
        source: 'config',
      },
    )
  }

  function runningListener(desired: DesiredListener): RunningListener {
    const found = registry.listeners.get(listenerKey(desired))
    if (found !== undefined) return found
    throw new RangeError(`listener ${desired.id} does not run`)
  }

  function built(desired: DesiredListener): RunningListener {
    const own = renamedMetrics(metrics, desired.id)
    const common = {
      listen: listenOf(desired, sockets),
      name: desired.id,
      clock,
      wheel,
      log,
      metrics: own,
      transport,
    }
    if (isHttp(desired)) return builtHttp(desired, common, own)
    const balancer =
      desired.protocol === 'udp'
        ? udpBalancer({ ...common, ...datagramOptions(desired, parts) })
        : tcpBalancer({ ...common, ...streamOptions(desired, parts), nodeLimit })
    return { desired, balancer, metrics: own }
  }

  function builtHttp(
    desired: DesiredHttpListener,
    common: Pick<HttpBalancerOptions, 'listen'>,
    own: RenamedMetrics,
  ): RunningListener {
    const stock = filterStock()
    const routes = routeTable(clock)
    try {
      const options = httpOptions(desired, routesWith(desired, stock, routes), parts)
      const balancer = httpBalancer({ ...common, ...present(options), nodeLimit })
      stock.commit()
      return { desired, balancer, metrics: own, http: { stock, routes } }
    } catch (error) {
      stock.abandon()
      throw error
    }
  }

  function editHttp(to: DesiredHttpListener, { balancer, http }: RunningListener): void {
    const { stock, routes } = http!
    try {
      const options = httpOptions(to, routesWith(to, stock, routes), parts)
      ;(balancer as HttpBalancer).reconfigure(options)
    } catch (error) {
      stock.abandon()
      throw error
    }
    stock.commit()
  }

  function routesWith(
    desired: DesiredHttpListener,
    stock: FilterStock,
    routes: RouteTable,
  ): RouteSurroundings {
    const node = { files, clock, log, logs: surroundings.logs, pool: runningPool }
    return httpSurroundings(node, desired, stock, [routes, measures])
  }

  function drain(listener: RunningListener): void {
    registry.draining.add(listener)
    const stop = listener.balancer
      .stop({ drain: listener.desired.drain ?? nodeDrainMs })
      .finally(() => {
        registry.draining.delete(listener)
        // Twice: nothing was taken, so that nothing is kept.
        listener.http?.stock.commit()
        stops.delete(stop)
      })
    stops.add(stop)
  }

  /** Cuts what members that left a pool still have; one that came back meanwhile keeps its connections. */
  function cutGone(from: Pool, ids: readonly string[]): void {
    const present = new Set(from.members().map(({ backend }) => backend.id))
    for (const member of ids.filter((id) => !present.has(id))) {
      const cut = cutMember(registry, from, member)
      if (cut > 0) log.warn({ pool: from.name, member, cut }, 'drain time is over, connections cut')
    }
  }

  return {
    editNode(desired) {
      nodeDrainMs = desired.drain
      nodeLimit.setMax(desired.connectionLimit)
      surroundings.setLogLevel(desired.logLevel)
    },
    editAdmin: (desired) => surroundings.admin.change(desired),
    addPool(desired) {
      const made = poolParts(desired, { monitor, files, clock })
      const members = membersOf(desired).map((member) => overrides.applied(desired.name, member))
      const created = pool({
        name: desired.name,
        backends: members,
        queueLimit: desired.queueLimit,
        clock,
        ...policyOf(desired, made),
      })
      created.on('health', ({ backend, health, previous, reason }) => {
        const fields = { pool: desired.name, member: backend.id, health, previous, reason }
        if (health === 'down') log.warn(fields, 'member is down')
        else log.info(fields, 'member health changed')
      })
      created.on('outlier', ({ backend, ejected, reason }) => {
        const fields = { pool: desired.name, member: backend.id, reason }
        log.warn(fields, ejected ? 'member was ejected' : 'member was readmitted')
      })
      registry.pools.set(desired.name, { desired, parts: made, pool: created })
    },
    editPool(desired) {
      const running = runningPool(desired.name)
      const made = poolParts(desired, { monitor, files, clock }, running)
      const members = membersOf(desired).map((member) => overrides.applied(desired.name, member))
      running.pool.reconfigure(policyOf(desired, made))
      running.pool.queue.setLimit(desired.queueLimit)
      running.pool.set(members)
      registry.pools.set(desired.name, { ...running, desired, parts: made })
      const gone = Object.keys(running.desired.members).filter(
        (id) => desired.members[id] === undefined,
      )
      if (gone.length > 0) clock.after(nodeDrainMs, () => cutGone(running.pool, gone))
    },
    removePool(name) {
      registry.pools.delete(name)
    },
    async startListener(desired) {
      const listener = built(desired)
      await listener.balancer.start()
      registry.listeners.set(listenerKey(desired), listener)
    },
    editListener(from, to) {
      const listener = runningListener(from)
      const { balancer, metrics: own } = listener
      if (isHttp(to)) editHttp(to, listener)
      else if (to.protocol === 'udp')
        (balancer as UdpBalancer).reconfigure(datagramOptions(to, parts))
      else (balancer as TcpBalancer).reconfigure(streamOptions(to, parts))
      own.name = to.id
      registry.listeners.set(listenerKey(to), { ...listener, desired: to })
    },
    async stopListener(desired, makesWay) {
      const running = runningListener(desired)
      const { balancer } = running
      registry.listeners.delete(listenerKey(desired))
      // A UDP socket that listens is also the way back for replies: it closes when the drain is over.
      if ('unlisten' in balancer) await balancer.unlisten()
      else if (makesWay) await balancer.stop({ drain: 0 })
      drain(running)
    },
    routesOf(listener) {
      const node = { files, clock, log, logs: surroundings.logs, pool: runningPool }
      const running = registry.listeners.get(listenerKey(listener))?.http?.stock
      return httpSurroundings(node, listener, borrowedStock(running), [])
    },
    async drained() {
      while (stops.size > 0) await Promise.allSettled(stops)
    },
  }
}

/** Options that are there: a factory takes no `undefined`. */
function present<Options extends object>(options: Options): Options {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Options
}
