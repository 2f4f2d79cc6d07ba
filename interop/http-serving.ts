import type { Pool } from '@steelyard/core'
import {
  always,
  type ExchangeRecord,
  type ForwardOptions,
  forward,
  type HttpBalancer,
  type HttpBalancerOptions,
  httpBalancer,
  route,
} from '@steelyard/l7'
import { eventually } from './eventually.ts'

/** What is kept of an exchange that is over. */
export interface Served {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly reason: string
  readonly backend: string | undefined
  readonly attempts: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Both together, and the cause, for what went wrong. */
  readonly said: string
}

/** An HTTP balancer at work. */
export interface HttpServing extends AsyncDisposable {
  readonly balancer: HttpBalancer
  readonly host: string
  readonly port: number
  /** Such as `https://127.0.0.1:8443`. */
  readonly url: string
  /** Exchanges that are over, in that order. */
  readonly served: readonly Served[]
  /** Those among them that did not end as they should, as texts. */
  readonly unusual: readonly string[]
  /** Resolves when no exchange is under way and no client is connected. */
  quiet(): Promise<void>
}

/** Starts a balancer on a free port, by default with h2c and one route for everything; disposing it cuts what is open. */
export async function httpServing(
  group: Pool,
  options: ForwardOptions = {},
  more: Partial<HttpBalancerOptions> = {},
): Promise<HttpServing> {
  const served: Served[] = []
  const host = '127.0.0.1'
  const balancer = await httpBalancer({
    listen: { host, port: 0 },
    routes: [route(always, forward(group, options))],
    drain: 0,
    ...(more.tls === undefined ? { http2: 'prior-knowledge' as const } : {}),
    onExchange: (record) => served.push(servedOf(record)),
    ...more,
  }).start()
  const { port } = balancer.address!
  return {
    balancer,
    host,
    port,
    url: `${more.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    served,
    get unusual() {
      return served.filter(({ reason }) => reason !== 'done').map(({ said }) => said)
    },
    quiet: () =>
      eventually(() => {
        const { exchanges, connections } = balancer.stats()
        return `${exchanges} ${connections}`
      }, /^0 0$/),
    [Symbol.asyncDispose]: () => balancer.stop(),
  }
}

function servedOf(record: ExchangeRecord): Served {
  const { request, status, reason, backend, attempts, bytesIn, bytesOut, error } = record
  const [method, path] = [request?.method ?? '', request?.path ?? '']
  return {
    ...{ method, path, status, reason, backend, attempts, bytesIn, bytesOut },
    said: `${method} ${path} ${status} ${reason}: ${error?.message ?? ''}`,
  }
}
