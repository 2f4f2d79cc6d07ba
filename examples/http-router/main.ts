// An HTTP router with access rules. Usage: node main.ts LISTEN API-BACKEND SITE-BACKEND
import { once } from 'node:events'
import { pool } from '@steelyard/core'
import { httpCheck } from '@steelyard/health'
import {
  all,
  always,
  clientIn,
  forward,
  host,
  httpBalancer,
  method,
  not,
  path,
  redirect,
  respond,
  route,
} from '@steelyard/l7'

const [listen = '127.0.0.1:8080', apiBackend = '10.0.1.11:9000', siteBackend = '10.0.2.11:3000'] =
  process.argv.slice(2)
const check = httpCheck({ path: '/healthz', expect: 200, every: '5s' })
const api = pool({ backends: [apiBackend], check })
const site = pool({ backends: [siteBackend], check })
const office = clientIn('10.0.0.0/8', '2001:db8:feed::/48')

await using edge = await httpBalancer({
  listen,
  routes: [
    // first match wins
    route(all(path('/admin/*'), not(office)), respond(403)),
    route(all(host('api.example.com'), method('GET', 'HEAD')), forward(api, { retries: 2 })),
    route(host('api.example.com'), forward(api)),
    route(path('/old/*'), redirect('/new/', 308)),
    route(({ method }) => method === 'TRACE', respond(405)), // an ACL is just a function
    route(always, forward(site, { setHeaders: { 'x-served-by': 'edge-1' } })),
  ],
}).start()
console.log('listening on port', edge.address?.port)
await once(process, 'SIGTERM') // leaving the scope drains exchanges, then closes
