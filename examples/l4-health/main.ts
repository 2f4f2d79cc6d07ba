// A TCP balancer with health checks. Usage: node main.ts LISTEN BACKEND…
import { once } from 'node:events'
import { leastConnections, pool } from '@steelyard/core'
import { tcpCheck } from '@steelyard/health'
import { tcpBalancer } from '@steelyard/l4'

const [listen = '127.0.0.1:8080', ...backends] = process.argv.slice(2)
const web = pool({
  backends,
  pick: leastConnections(),
  check: tcpCheck({ every: '2s', timeout: '500ms', rise: 2, fall: 3 }),
})
web.on('health', ({ backend, health, reason }) => console.log(backend.address, health, reason))

await using balancer = await tcpBalancer({ listen, pool: web }).start()
console.log('listening on port', balancer.address?.port)
await once(process, 'SIGTERM') // leaving the scope drains connections, then closes
