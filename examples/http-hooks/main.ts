// Hooks of one's own, and policies that are hooks. Usage: node main.ts LISTEN BACKEND…
import { once } from 'node:events'
import { pool } from '@steelyard/core'
import {
  always,
  compression,
  forward,
  type HttpFilter,
  httpBalancer,
  rateLimit,
  route,
} from '@steelyard/l7'

const [listen = '127.0.0.1:8080', ...backends] = process.argv.slice(2)

/** A member may serve only tenants that it knows; everybody is told how long it took. */
const tenants: HttpFilter = {
  name: 'tenants',
  request(x) {
    const tenant = x.request.header('x-tenant')
    if (tenant === undefined) return { status: 400, body: 'x-tenant is missing\n' }
    x.context = { tenant }
    return undefined
  },
  upstreamHead(head, x) {
    head.set('x-tenant-id', (x.context as { tenant: string }).tenant.toLowerCase())
  },
  responseHead(head, x) {
    head.set('server-timing', `total;dur=${(x.clock.now() - x.startedAt).toFixed(1)}`)
  },
  done({ status, times, reason }, { request }) {
    console.log(request.method, request.target, status, reason, `${times.total.toFixed(1)} ms`)
  },
}

await using edge = await httpBalancer({
  listen,
  use: [tenants, rateLimit({ limit: 100, window: '1s', key: 'client' }), compression()],
  routes: [route(always, forward(pool({ backends })))],
}).start()
console.log('listening on port', edge.address?.port)
await once(process, 'SIGTERM')
