import {
  type ByteBudget,
  type Clock,
  type Duration,
  functionOption,
  invalidOption,
  type Logger,
  listOption,
  type Metrics,
  objectOption,
  type Pool,
  parseDuration,
  parseSize,
  partOption,
  type Size,
  shown,
  type TimerWheel,
  type Transport,
} from '@steelyard/core'
import type { Acl } from '../acl.ts'
import { byteBudget } from '../limits/byte-budget.ts'
import { type ConnectionLimit, connectionLimit } from '../limits/connection-limit.ts'
import type { RetryBudget } from '../limits/retry-budget.ts'
import type { Listen } from '../listen.ts'
import { type NameRouter, type NameRoutes, nameRouter } from '../route-by-name.ts'
import type { TlsContexts } from '../tls/contexts.ts'
import { type AcceptProxy, type AcceptProxyOptions, acceptProxy } from './proxy-options.ts'
import type { SessionRecord } from './session-record.ts'
import { readyTarget, type Target, type TcpTarget } from './target.ts'
import { type TcpTimeouts, type TimeoutsMs, timeoutsMs } from './timeouts.ts'

/**
 * What may be changed while a TCP balancer runs; see {@link TcpBalancer.reconfigure}. `undefined` brings an
 * option back to its default.
 */
export interface TcpReconfiguration extends Partial<TcpTarget> {
  /** Asked with the client's address before anything else. Default: everybody may come. */
  readonly acl?: Acl | undefined
  /** Open connections of this listener; more wait in the kernel's backlog. Default 0: no limit. */
  readonly connectionLimit?: number | undefined
  readonly timeouts?: TcpTimeouts | undefined
  /** Connects tried again on the next candidate after one failed. Default 3. */
  readonly retries?: number | undefined
  /** Shared bound on retries, so that a dying pool is not flooded. Default: none. */
  readonly retryBudget?: RetryBudget | undefined
  /** Take the client's address from a PROXY header. Default: no header is expected. */
  readonly acceptProxy?: AcceptProxyOptions | undefined
  /**
   * Bytes a second of the whole listener, each way. A change makes a bound of its own for new connections.
   * Default: no limit.
   */
  readonly bandwidth?: { readonly fromClient?: Size; readonly toClient?: Size } | undefined
  /** TCP keep-alive probes to backends after this much silence. Default `0`: off. */
  readonly keepAlive?: Duration | undefined
  /**
   * Other targets by the server name and application protocol that the client's TLS asks for. With routes
   * the pool of the balancer gets nothing but what they send it; see `default`. Default: none.
   */
  readonly routes?: NameRoutes<TcpTarget> | undefined
  /** TLS with the client ends here, with these certificates. Default: TLS passes through untouched. */
  readonly terminate?: TlsContexts | undefined
  /**
   * Connections of a member that goes down: `keep` leaves them alone; `reset` ends those that are open, and
   * those that are still being made go to the next candidate. Default `keep`.
   */
  readonly whenDown?: 'keep' | 'reset' | undefined
}

/** How a TCP balancer is made. */
export interface TcpBalancerOptions extends TcpReconfiguration {
  readonly listen: Listen
  /** Who gets the connections, unless `routes` say otherwise. */
  readonly pool: Pool
  /** For logs, metrics and records. Default: the listening address. */
  readonly name?: string
  /** What moves the bytes. Default `nodeTransport()`. */
  readonly transport?: Transport
  /** A limit shared with other listeners of the process. Default: none. */
  readonly nodeLimit?: ConnectionLimit
  /** How long `stop` waits for open connections. Default `30s`. */
  readonly drain?: Duration
  /** Called with the summary record of each finished connection. */
  readonly onSession?: (record: SessionRecord) => void
  readonly clock?: Clock
  readonly wheel?: TimerWheel
  readonly log?: Logger
  readonly metrics?: Metrics
}

/** A bound on bytes, and what it is made of. */
export interface Bandwidth {
  readonly bytesPerSecond: number
  readonly budget: ByteBudget
}

/** The options in force, complete and ready for the data path. */
export interface TcpSettings {
  readonly target: Target
  /** Every pool that a connection may go to. */
  readonly pools: readonly Pool[]
  readonly acl: Acl | undefined
  readonly connectionLimit: number
  readonly timeouts: TimeoutsMs
  readonly retries: number
  readonly retryBudget: RetryBudget | undefined
  readonly acceptProxy: AcceptProxy | undefined
  readonly bandwidth: {
    readonly fromClient: Bandwidth | undefined
    readonly toClient: Bandwidth | undefined
  }
  readonly keepAliveMs: number
  readonly routes: NameRouter<Target> | undefined
  readonly terminate: TlsContexts | undefined
  readonly whenDown: 'keep' | 'reset'
}

/**
 * Completes and checks the options.
 *
 * @param before - the settings that these follow: a bandwidth that stays is shared with the connections
 * that are open.
 * @throws `invalid-option` with the path of the field.
 */
export function tcpSettings(
  options: TcpBalancerOptions,
  clock: Clock,
  wheel: TimerWheel,
  before?: TcpSettings,
): TcpSettings {
  const { retries = 3, whenDown = 'keep' } = objectOption(options, 'tcpBalancer')
  const { max } = connectionLimit(options.connectionLimit ?? 0)
  if (!Number.isInteger(retries) || retries < 0) {
    throw invalidOption(
      'retries',
      `${shown(retries)} is not a number of retries: use a whole number from 0`,
    )
  }
  if (whenDown !== 'keep' && whenDown !== 'reset') {
    throw invalidOption('whenDown', `${shown(whenDown)} is neither keep nor reset`)
  }
  const bandwidth = objectOption(options.bandwidth ?? {}, 'bandwidth')
  const target = readyTarget(options)
  const routes = options.routes === undefined ? undefined : nameRouter(readyRoutes(options.routes))
  const budget = (side: 'fromClient' | 'toClient'): Bandwidth | undefined => {
    const size = bandwidth[side]
    if (size === undefined) return undefined
    const bytesPerSecond = parseSize(size, `bandwidth.${side}`)
    const known = before?.bandwidth[side]
    if (known?.bytesPerSecond === bytesPerSecond) return known
    return { bytesPerSecond, budget: byteBudget({ bytesPerSecond, clock, wheel }) }
  }
  return Object.freeze({
    target,
    pools: [...new Set([target, ...(routes?.targets ?? [])].map(({ pool }) => pool))],
    acl: options.acl === undefined ? undefined : functionOption(options.acl, 'acl'),
    connectionLimit: max,
    timeouts: timeoutsMs(options.timeouts),
    retries,
    retryBudget: partOption(
      options.retryBudget,
      'tryRetry',
      'retryBudget',
      'make one with retryBudget()',
    ),
    acceptProxy: options.acceptProxy === undefined ? undefined : acceptProxy(options.acceptProxy),
    bandwidth: {
      fromClient: budget('fromClient'),
      toClient: budget('toClient'),
    },
    keepAliveMs: parseDuration(options.keepAlive ?? 0, 'keepAlive'),
    routes,
    terminate: partOption(options.terminate, 'select', 'terminate', 'make one with tlsContexts()'),
    whenDown,
  })
}

/** Makes each target of the routes ready, once for each, so that rules which share one share its TLS sessions too. */
function readyRoutes(routes: NameRoutes<TcpTarget>): NameRoutes<Target> {
  const ready = new Map<TcpTarget, Target>()
  const of = (options: TcpTarget, path: string): Target => {
    const known = ready.get(options) ?? readyTarget(options, path)
    ready.set(options, known)
    return known
  }
  const fallback = (name: 'default' | 'absent' | 'encrypted'): Partial<NameRoutes<Target>> => {
    const options = objectOption(routes, 'routes')[name]
    if (options === undefined) return {}
    return { [name]: options === null ? null : of(options, `routes.${name}`) }
  }
  return {
    rules: listOption(objectOption(routes, 'routes').rules, 'routes.rules').map((rule, index) => ({
      ...objectOption(rule, `routes.rules[${index}]`),
      target: of(rule.target, `routes.rules[${index}].target`),
    })),
    ...fallback('default'),
    ...fallback('absent'),
    ...fallback('encrypted'),
  }
}
