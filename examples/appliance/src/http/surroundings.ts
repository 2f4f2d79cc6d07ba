import type { Clock, Logger, Pool, TimerWheel } from '@steelyard/core'
import type { HttpFilter, LogSink, UpstreamOptions } from '@steelyard/l7'
import type { DesiredPool } from '../desired/desired.ts'
import type { FilterStock } from './filter-stock.ts'

/** What rules and filters are made with. */
export interface RouteSurroundings {
  /** The listener, for the state of its filters. */
  readonly listener: string
  /** Throws `no-such-pool`. */
  pool(name: string): { readonly pool: Pool; readonly desired: DesiredPool }
  /** How HTTP is spoken to the members of a pool. */
  upstream(desired: DesiredPool): UpstreamOptions
  /** The text of a file. Throws `file-unreadable`. */
  read(path: string): string
  readonly stock: FilterStock
  readonly clock: Clock
  readonly wheel?: TimerWheel
  readonly log: Logger
  /** Where access logs go; `undefined` for standard output. */
  sink(file: string | undefined): LogSink
  /** Around everything, such as measuring. */
  readonly outermost: readonly HttpFilter[]
}
