import type { Clock, Logger, Pool } from '@steelyard/core'
import type { HttpFilter, UpstreamOptions } from '@steelyard/l7'
import type { DesiredPool } from '../desired/desired.ts'
import type { FilterStock } from '../http/filter-stock.ts'
import type { RouteSurroundings } from '../http/surroundings.ts'
import type { AccessLogs } from './access-logs.ts'
import { originateOf } from './build-listener.ts'
import type { FileReader } from './file-reader.ts'

/** What all HTTP listeners of a node share. */
export interface HttpNode {
  readonly files: FileReader
  readonly clock: Clock
  readonly log: Logger
  readonly logs: AccessLogs
  pool(name: string): { readonly pool: Pool; readonly desired: DesiredPool }
}

/** What the routes of one listener are made with. */
export function httpSurroundings(
  { files, clock, log, logs, pool }: HttpNode,
  listener: {
    readonly id: string
    readonly sourceAddresses: readonly string[]
  },
  stock: FilterStock,
  outermost: readonly HttpFilter[],
): RouteSurroundings {
  return {
    listener: listener.id,
    pool,
    upstream: (desired) => upstreamOf(desired, listener.sourceAddresses, files),
    read: (path) => files.read(path),
    stock,
    clock,
    log,
    sink: (file) => logs.sink(file),
    outermost,
  }
}

/** How HTTP is spoken to the members of a pool. */
export function upstreamOf(
  { upstream = {}, tls, proxyProtocol }: DesiredPool,
  sourceAddresses: readonly string[],
  files: FileReader,
): UpstreamOptions {
  const { protocol = 'http/1.1' } = upstream
  return {
    ...upstream,
    ...(sourceAddresses.length === 0 ? {} : { sourceAddresses }),
    ...(proxyProtocol === undefined ? {} : { sendProxy: proxyProtocol.version }),
    ...(tls === undefined ? {} : { tls: tlsOf(tls, protocol, files) }),
  }
}

function tlsOf(
  tls: NonNullable<DesiredPool['tls']>,
  protocol: string,
  files: FileReader,
): NonNullable<Exclude<UpstreamOptions['tls'], true>> {
  const { alpn, ...rest } = originateOf(tls, files)
  return protocol === 'http/1.1' && alpn !== undefined && alpn.length > 0 ? { ...rest, alpn } : rest
}
