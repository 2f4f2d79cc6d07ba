// Follows the health of a pool, as BGP and VRRP will do with a virtual IP, and says it over HTTP too.
// Usage: node main.ts PORT BACKEND…
import { once } from 'node:events'
import { createServer } from 'node:http'
import { pool } from '@steelyard/core'
import { httpCheck } from '@steelyard/health'

const [port = '8081', ...backends] = process.argv.slice(2)
const check = httpCheck({ path: '/healthz', every: '1s', fall: 2 })
const web = pool({ backends, check })

using _ = web.available.watch((available) => console.log(available ? 'announce' : 'withdraw'))

const server = createServer((_, response) =>
  response.writeHead(web.available.current ? 200 : 503).end(),
)
server.listen(Number(port), '127.0.0.1')
await once(process, 'SIGTERM')
server.close()
