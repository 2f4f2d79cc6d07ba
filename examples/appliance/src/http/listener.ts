import {
  accessLog,
  type ErrorPageFilter,
  type ExchangeRecord,
  type HttpFilter,
  type HttpReconfiguration,
  type Route,
  type RouteOrder,
} from '@steelyard/l7'
import type { DesiredHttpListener } from '../desired/desired.ts'
import { pagesOf } from './error-pages.ts'
import { within } from './fault.ts'
import { filtersOf } from './filters.ts'
import { routesOf } from './routes.ts'
import type { RouteSurroundings } from './surroundings.ts'

/** What an HTTP listener is made of, but for its place, TLS and connections. */
export type RoutingOptions = HttpReconfiguration & {
  readonly routes: readonly Route[]
  readonly use: readonly HttpFilter[]
}

/** In which order the rules of a listener are tried. */
export function orderOf({
  order,
  policies,
}: Pick<DesiredHttpListener, 'order' | 'policies'>): RouteOrder {
  return order ?? (policies.length > 0 ? 'octavia' : 'listed')
}

/**
 * The options of an HTTP listener that concern requests. Filters are taken from the stock; whoever calls commits or
 * abandons it.
 *
 * @throws a fault with its place below the listener.
 */
export function routingOptions(
  listener: DesiredHttpListener,
  surroundings: RouteSurroundings,
): RoutingOptions {
  const { forwarding, trustedProxies, timeouts, limits, gate, connectionLimit } = listener
  const frame = frameOf(listener, surroundings)
  return {
    ...frame,
    routes: routesOf(listener, surroundings),
    order: orderOf(listener),
    trustedProxies,
    gate: gate ?? {},
    forwarding: forwarding ?? {},
    timeouts: timeouts ?? {},
    limits: { ...limits, connections: connectionLimit },
    continueBy: listener.continueBy ?? 'balancer',
    proxyStatus: listener.proxyStatus ?? true,
    halfClose: listener.halfClose ?? false,
    whenDown: listener.whenDown,
  }
}

/** What stands around all rules: filters of the listener, access log and error pages. */
export function frameOf(
  listener: Pick<DesiredHttpListener, 'filters' | 'accessLog' | 'errorPages'>,
  surroundings: RouteSurroundings,
): Pick<RoutingOptions, 'use' | 'errorPages' | 'onExchange'> {
  const { log, read, stock, sink, outermost } = surroundings
  const pages = listener.errorPages === undefined ? undefined : pagesOf(listener.errorPages, read)
  const hears: ((record: ExchangeRecord) => void)[] = outermost.flatMap(hearing)
  const use: HttpFilter[] = [...outermost]
  if (listener.accessLog !== undefined) {
    const { file, format, fields, percent = 100 } = listener.accessLog
    const options = {
      ...(format === undefined ? {} : { format }),
      ...(fields === undefined ? {} : { fields }),
      sample: percent / 100,
    }
    const made = within(['accessLog'], (path) =>
      stock.take('listener accessLog', { ...options, sink: sink(file) }, () =>
        accessLog({ ...options, sink: sink(file), always: hasFailed, log }, path),
      ),
    )
    use.push(made)
    hears.push(made.onExchange)
  }
  use.push(...filtersOf(listener.filters, 'listener', ['filters'], surroundings))
  if (pages !== undefined) use.push(pages satisfies ErrorPageFilter)
  return {
    use,
    errorPages: pages,
    onExchange: (record) => {
      for (const hear of hears) hear(record)
    },
  } as Pick<RoutingOptions, 'use' | 'errorPages' | 'onExchange'>
}

function hasFailed({ status }: ExchangeRecord): boolean {
  return status >= 500 || status === 0
}

/** Filters that also hear of what never came to them. */
function hearing(filter: HttpFilter): ((record: ExchangeRecord) => void)[] {
  return 'onExchange' in filter ? [filter.onExchange as (record: ExchangeRecord) => void] : []
}
