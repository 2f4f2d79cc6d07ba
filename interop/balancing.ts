import { EventEmitter, once } from 'node:events'
import type { Pool } from '@steelyard/core'
import {
  type SessionRecord,
  type TcpBalancer,
  type TcpBalancerOptions,
  tcpBalancer,
} from '@steelyard/l4'

/** A TCP balancer at work, and the records of its connections in the order in which they ended. */
export interface Balancing extends AsyncDisposable {
  readonly balancer: TcpBalancer
  readonly host: string
  readonly port: number
  readonly records: readonly SessionRecord[]
  /** The next record that was not asked for yet, once it is there. */
  record(): Promise<SessionRecord>
  /** Forgets the records so far. */
  forget(): void
  /** Resolves when so many connections have ended since the start or the last {@link Balancing.forget}. */
  ended(count: number): Promise<void>
}

/** Starts a balancer on a free port; disposing it cuts what is open. */
export async function balancing(
  options: Partial<TcpBalancerOptions> & { readonly pool: Pool },
  host = '127.0.0.1',
): Promise<Balancing> {
  const records: SessionRecord[] = []
  const news = new EventEmitter()
  let read = 0
  const balancer = await tcpBalancer({
    listen: { host, port: 0 },
    drain: 0,
    onSession(record) {
      records.push(record)
      news.emit('record')
    },
    ...options,
  }).start()
  return {
    balancer,
    host,
    port: balancer.address!.port,
    records,
    async record() {
      while (records.length <= read) await once(news, 'record', patience())
      return records[read++]!
    },
    forget() {
      records.length = 0
      read = 0
    },
    async ended(count) {
      while (records.length < count) await once(news, 'record', patience())
    },
    [Symbol.asyncDispose]: () => balancer.stop(),
  }
}

/** What does not come within this time does not come at all. */
function patience(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(20_000) }
}
