import type { Clock } from '@steelyard/core'
import { type ExchangeRecord, type HttpFilter, type TrafficRow, trafficTable } from '@steelyard/l7'

/** What went on one route of a listener. */
export interface RouteReport {
  /** `(none)` for requests that no rule took, and for those refused before. */
  readonly name: string
  /** What it does: `→ web`, `redirect 308 to /new/`. */
  readonly action: string
  /** Since the start. */
  readonly requests: number
  readonly inFlight: number
  /** Responses since the start by class, `1xx` to `5xx`; `none` for none. */
  readonly statuses: Readonly<Record<string, number>>
  /** In the last ten seconds. */
  readonly perSecond: number
  /** Milliseconds, of the last ten seconds; 0 without traffic. */
  readonly p50: number
  readonly p99: number
}

/** A filter that counts by route, for status. */
export interface RouteTable extends HttpFilter {
  readonly onExchange: (record: ExchangeRecord) => void
  /** The routes that there are, in their order, and others that have traffic; of more than 500 the busiest. */
  report(
    routes: readonly { readonly name: string; readonly action: string }[],
  ): readonly RouteReport[]
}

interface Count {
  requests: number
  inFlight: number
  readonly classes: Float64Array
}

const classNames = ['none', '1xx', '2xx', '3xx', '4xx', '5xx']
const noRoute = '(none)'

/** Makes an empty {@link RouteTable}. */
export function routeTable(clock: Clock): RouteTable {
  const recent = trafficTable({ windowMs: 10_000, slices: 5, maxRows: 512, clock })
  const counts = new Map<string, Count>()
  const key = {}
  const countOf = (route: string | undefined): Count => {
    const name = route ?? noRoute
    let count = counts.get(name)
    if (count === undefined) {
      counts.set(name, (count = { requests: 0, inFlight: 0, classes: new Float64Array(6) }))
    }
    return count
  }
  return {
    name: 'route-table',
    request(x) {
      const count = countOf(x.route)
      count.inFlight += 1
      x.remember(key, count)
      return undefined
    },
    done(_record, x) {
      const count = x.recall(key) as Count | undefined
      if (count !== undefined) count.inFlight -= 1
    },
    onExchange(record) {
      const count = countOf(record.route)
      count.requests += 1
      count.classes[(record.status / 100) | 0]! += 1
      recent.onExchange(record)
    },
    report(routes) {
      const known = new Set(routes.map(({ name }) => name))
      // Reloads may bring new names without end.
      for (const [name, { inFlight }] of counts) {
        if (name !== noRoute && inFlight === 0 && !known.has(name)) counts.delete(name)
      }
      const others = [...counts.keys()]
        .filter((name) => !known.has(name))
        .map((name) => ({ name, action: name === noRoute ? 'no rule' : 'gone' }))
      // Rules that are gone are told of as long as somebody is on them.
      const all = [...routes, ...others]
      const told = new Set(all.length <= mostTold ? all : busiestOf(all, counts))
      const recently = Map.groupBy(recent.snapshot().rows, ({ route }) => route ?? noRoute)
      return all
        .filter((route) => told.has(route))
        .map(({ name, action }) => reportOf(name, action, counts.get(name), recently.get(name)))
    },
  }
}

/** Routes that are told of at most. */
const mostTold = 500

function busiestOf<Route extends { readonly name: string }>(
  routes: readonly Route[],
  counts: ReadonlyMap<string, Count>,
): readonly Route[] {
  const requests = ({ name }: Route): number => counts.get(name)?.requests ?? 0
  return routes.toSorted((a, b) => requests(b) - requests(a)).slice(0, mostTold)
}

function reportOf(
  name: string,
  action: string,
  count: Count | undefined,
  rows: readonly TrafficRow[] = [],
): RouteReport {
  return {
    name,
    action,
    requests: count?.requests ?? 0,
    inFlight: count?.inFlight ?? 0,
    statuses: Object.fromEntries(
      classNames.map((text, index) => [text, count?.classes[index] ?? 0]),
    ),
    perSecond: sum(rows, ({ perSecond }) => perSecond),
    p50: busiest(rows)?.latency.p50 ?? 0,
    p99: Math.max(0, ...rows.map(({ latency }) => latency.p99)),
  }
}

function sum(rows: readonly TrafficRow[], value: (row: TrafficRow) => number): number {
  return rows.reduce((total, row) => total + value(row), 0)
}

function busiest(rows: readonly TrafficRow[]): TrafficRow | undefined {
  return rows.toSorted((a, b) => b.requests - a.requests)[0]
}
