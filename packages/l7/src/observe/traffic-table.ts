import {
  type Clock,
  clockOption,
  type Duration,
  invalidOption,
  objectOption,
  parseDuration,
  systemClock,
} from '@steelyard/core'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { wholeOption } from '../filters/number-option.ts'
import { type LatencyHistogram, latencyHistogram } from './latency-histogram.ts'
import { recordTap } from './record-tap.ts'

/** How a {@link trafficTable} looks back. */
export interface TrafficTableOptions {
  /** How far back, in milliseconds or as a duration. Default `60s`. */
  readonly windowMs?: Duration
  /** Parts of the window, which are forgotten one by one. Default 6. */
  readonly slices?: number
  /** Rows at one time; traffic beyond them is in a row `other`. Each takes about 2 kB a slice. Default 256. */
  readonly maxRows?: number
  readonly clock?: Clock
}

/** What went on one route to one pool, within the window. */
export interface TrafficRow {
  readonly listener: string
  /** Undefined where no route matched. */
  readonly route: string | undefined
  readonly pool: string | undefined
  readonly requests: number
  readonly perSecond: number
  /** Answered 500 or above, or ended by a fault that was not the client's. */
  readonly errors: number
  /** 0 to 1. */
  readonly errorRate: number
  readonly retries: number
  /** Body bytes a second, from clients and to them. */
  readonly bytesInPerSecond: number
  readonly bytesOutPerSecond: number
  /** Total milliseconds of exchanges, tunnels excepted. */
  readonly latency: {
    readonly mean: number
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly max: number
  }
}

/** A {@link TrafficTable} at one moment. */
export interface TrafficSnapshot {
  /** Milliseconds that it tells of: less than the window when it has not run that long. */
  readonly windowMs: number
  /** The busiest first. */
  readonly rows: readonly TrafficRow[]
  /** All together. */
  readonly total: TrafficRow
}

/** A filter that counts, for status pages. */
export interface TrafficTable extends HttpFilter {
  readonly done: (record: ExchangeRecord) => void
  /** For `onExchange`: counts what {@link TrafficTable.done} has not; alone or beside the filter. */
  readonly onExchange: (record: ExchangeRecord) => void
  snapshot(): TrafficSnapshot
}

/**
 * Counts what goes on each route and pool in a window of time that moves along: requests, errors and latencies a second,
 * in bounded memory and without a timer.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function trafficTable(
  options: TrafficTableOptions = {},
  path = 'trafficTable',
): TrafficTable {
  const clock = clockOption(objectOption(options, path).clock ?? systemClock, `${path}.clock`)
  const windowMs = parseDuration(options.windowMs ?? '60s', `${path}.windowMs`)
  if (windowMs < 1 || windowMs > 86_400_000) {
    throw invalidOption(`${path}.windowMs`, 'must be from 1ms to 1d')
  }
  const slices = wholeOption(options.slices ?? 6, `${path}.slices`, 1, 120, 'number of slices')
  const maxRows = wholeOption(options.maxRows ?? 256, `${path}.maxRows`, 1, 10_000, 'bound')
  return new SlicedTable(clock, windowMs, slices, maxRows)
}

class Slice {
  /** Which slice of time it holds. */
  epoch = -1
  requests = 0
  errors = 0
  retries = 0
  bytesIn = 0
  bytesOut = 0
  readonly latency: LatencyHistogram = latencyHistogram()

  restart(epoch: number): void {
    this.epoch = epoch
    this.requests = 0
    this.errors = 0
    this.retries = 0
    this.bytesIn = 0
    this.bytesOut = 0
    this.latency.clear()
  }

  add(record: ExchangeRecord): void {
    const { status, error, attempts, bytesIn, bytesOut, times } = record
    this.requests += 1
    if (
      status >= 500 ||
      (error !== undefined && error.source !== 'client' && error.code !== 'no-route')
    ) {
      this.errors += 1
    }
    if (attempts > 1) this.retries += attempts - 1
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
    // How long a tunnel stood says nothing of how fast we are.
    if (status !== 101 && times.total >= 0) this.latency.record(times.total)
  }

  merge(other: Slice): void {
    this.requests += other.requests
    this.errors += other.errors
    this.retries += other.retries
    this.bytesIn += other.bytesIn
    this.bytesOut += other.bytesOut
    this.latency.merge(other.latency)
  }
}

class Row {
  readonly listener: string
  readonly route: string | undefined
  readonly pool: string | undefined
  readonly slices: (Slice | undefined)[]

  constructor(
    listener: string,
    route: string | undefined,
    pool: string | undefined,
    slices: number,
  ) {
    this.listener = listener
    this.route = route
    this.pool = pool
    this.slices = new Array<Slice | undefined>(slices).fill(undefined)
  }

  at(epoch: number): Slice {
    const index = epoch % this.slices.length
    const slice = (this.slices[index] ??= new Slice())
    if (slice.epoch !== epoch) slice.restart(epoch)
    return slice
  }

  since(epoch: number): Slice {
    const sum = new Slice()
    for (const slice of this.slices) {
      if (slice !== undefined && slice.epoch >= epoch) sum.merge(slice)
    }
    return sum
  }
}

type ByPool = Map<string | undefined, Row>
type ByRoute = Map<string | undefined, ByPool>

class SlicedTable implements TrafficTable {
  readonly name = 'traffic-table'
  readonly done: (record: ExchangeRecord) => void
  readonly onExchange: (record: ExchangeRecord) => void
  readonly #clock: Clock
  readonly #sliceMs: number
  readonly #slices: number
  readonly #maxRows: number
  readonly #rows = new Map<string, ByRoute>()
  readonly #startedAt: number
  #count = 0
  #other: Row | undefined
  #forgotAt = -1

  constructor(clock: Clock, windowMs: number, slices: number, maxRows: number) {
    this.#clock = clock
    this.#sliceMs = windowMs / slices
    this.#slices = slices
    this.#maxRows = maxRows
    this.#startedAt = clock.now()
    const { done, onExchange } = recordTap((record) => {
      this.#rowOf(record).at(this.#epoch()).add(record)
    })
    this.done = done
    this.onExchange = onExchange
  }

  snapshot(): TrafficSnapshot {
    const now = this.#clock.now()
    const epoch = this.#epoch()
    const first = epoch - this.#slices + 1
    // The newest slice has only begun.
    const began = Math.max(this.#startedAt, this.#startedAt + first * this.#sliceMs)
    const windowMs = Math.max(1, now - began)
    const all = new Slice()
    const rows: TrafficRow[] = []
    for (const row of this.#all()) {
      const sum = row.since(first)
      if (sum.requests === 0) continue
      all.merge(sum)
      rows.push(rowText(row, sum, windowMs))
    }
    this.#forget(first)
    rows.sort((a, b) => b.requests - a.requests)
    const total = rowText({ listener: '', route: undefined, pool: undefined }, all, windowMs)
    return { windowMs, rows, total }
  }

  *#all(): Iterable<Row> {
    for (const routes of this.#rows.values()) {
      for (const pools of routes.values()) yield* pools.values()
    }
    if (this.#other !== undefined) yield this.#other
  }

  #epoch(): number {
    return Math.floor((this.#clock.now() - this.#startedAt) / this.#sliceMs)
  }

  #rowOf({ listener, route, pool }: ExchangeRecord): Row {
    const known = this.#rows.get(listener)?.get(route)?.get(pool)
    if (known !== undefined) return known
    const epoch = this.#epoch()
    if (this.#count >= this.#maxRows && this.#forgotAt !== epoch) {
      // Looked for once a slice: not each request pays for a table that is full.
      this.#forgotAt = epoch
      this.#forget(epoch - this.#slices + 1)
    }
    if (this.#count >= this.#maxRows) {
      return (this.#other ??= new Row('other', 'other', 'other', this.#slices))
    }
    const row = new Row(listener, route, pool, this.#slices)
    let routes = this.#rows.get(listener)
    if (routes === undefined) this.#rows.set(listener, (routes = new Map()))
    let pools = routes.get(route)
    if (pools === undefined) routes.set(route, (pools = new Map()))
    pools.set(pool, row)
    this.#count += 1
    return row
  }

  /** Drops rows in which nothing happened since: routes come and go with reloads. */
  #forget(first: number): void {
    for (const [listener, routes] of this.#rows) {
      for (const [route, pools] of routes) {
        for (const [pool, row] of pools) {
          if (row.slices.some((slice) => slice !== undefined && slice.epoch >= first)) continue
          pools.delete(pool)
          this.#count -= 1
        }
        if (pools.size === 0) routes.delete(route)
      }
      if (routes.size === 0) this.#rows.delete(listener)
    }
  }
}

function rowText(
  { listener, route, pool }: Pick<TrafficRow, 'listener' | 'route' | 'pool'>,
  sum: Slice,
  windowMs: number,
): TrafficRow {
  const { requests, errors, retries, bytesIn, bytesOut, latency } = sum
  const seconds = windowMs / 1000
  return {
    listener,
    route,
    pool,
    requests,
    perSecond: requests / seconds,
    errors,
    errorRate: requests === 0 ? 0 : errors / requests,
    retries,
    bytesInPerSecond: bytesIn / seconds,
    bytesOutPerSecond: bytesOut / seconds,
    latency: {
      mean: latency.count === 0 ? 0 : latency.sum / latency.count,
      p50: latency.quantile(0.5),
      p90: latency.quantile(0.9),
      p99: latency.quantile(0.99),
      max: latency.max,
    },
  }
}
