// Routes TLS by server name without touching it. Usage: node main.ts LISTEN NAME=BACKEND…
import { once } from 'node:events'
import { pool } from '@steelyard/core'
import { tcpBalancer } from '@steelyard/l4'

const [listen = '127.0.0.1:8443', ...routes] = process.argv.slice(2)
const rules = routes.map((route) => {
  const [sni = '', backend = ''] = route.split('=')
  return { sni, target: { pool: pool({ name: sni, backends: [backend] }) } }
})

await using balancer = await tcpBalancer({
  listen,
  pool: pool(), // nobody: names without a rule are refused
  routes: { rules },
  onSession: ({ client, serverName, pool, reason }) =>
    console.log(client, serverName, pool, reason),
}).start()
console.log('listening on port', balancer.address?.port)
await once(process, 'SIGTERM')
