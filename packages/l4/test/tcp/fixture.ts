import type { BackendInit, Pool } from '@steelyard/core'
import {
  type SessionRecord,
  type TcpBalancer,
  type TcpBalancerOptions,
  tcpBalancer,
} from '../../src/index.ts'
import type { Peer } from './peers.ts'

/** A balancer at work, and its records in the order in which connections ended. */
export interface Fixture extends AsyncDisposable {
  readonly balancer: TcpBalancer
  readonly port: number
  readonly records: readonly SessionRecord[]
  /** The next record, once it is there. */
  record(): Promise<SessionRecord>
}

/** Starts a balancer on a free loopback port; disposing it cuts what is open. */
export async function fixture(
  options: Partial<TcpBalancerOptions> & { readonly pool: Pool },
): Promise<Fixture> {
  const records: SessionRecord[] = []
  const waiting: (() => void)[] = []
  let read = 0
  const balancer = await tcpBalancer({
    listen: '127.0.0.1:0',
    drain: 0,
    onSession(record) {
      records.push(record)
      waiting.shift()?.()
    },
    ...options,
  }).start()
  return {
    balancer,
    port: balancer.address!.port,
    records,
    async record() {
      if (records.length <= read) await new Promise<void>((resolve) => waiting.push(resolve))
      return records[read++]!
    },
    [Symbol.asyncDispose]: () => balancer.stop(),
  }
}

/** Peers as members, by their names. */
export function members(...peers: Peer[]): BackendInit[] {
  return peers.map(({ address, name }) => ({ address, id: name }))
}
