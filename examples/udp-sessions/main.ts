// A UDP balancer for a service with one answer to each question, such as DNS. Usage: node main.ts LISTEN BACKEND…
import { once } from 'node:events'
import { pool, sourceHash } from '@steelyard/core'
import { udpBalancer } from '@steelyard/l4'

const [listen = '127.0.0.1:5353', ...backends] = process.argv.slice(2)
const dns = pool({ backends, pick: sourceHash({ consistent: true }) })

await using balancer = await udpBalancer({
  listen,
  pool: dns,
  expectedReplies: 1,
  idleTimeout: '5s',
}).start()
console.log('listening on port', balancer.address?.port)
await once(process, 'SIGTERM')
