import { readFileSync } from 'node:fs'
import { pool } from '@steelyard/core'
import { tcpCheck } from '@steelyard/health'
import {
  all,
  forward,
  type HttpBalancerOptions,
  host,
  httpBalancer,
  path,
  route,
} from '@steelyard/l7'
import { nodeProxyOrder } from './node-proxy.ts'
import { hosts } from './setup.ts'

// One balancer as its users would run it: routes by host and path, an active check, timeouts as they come. Like the
// others it adds X-Forwarded-For; with `defaults` also the rest of the family, and Via.
const { listen, backend, tls, rules, variant } = nodeProxyOrder()
const web = pool({ backends: [`127.0.0.1:${backend}`], check: tcpCheck({ every: '2s' }) })
const options: HttpBalancerOptions = {
  listen: `127.0.0.1:${listen}`,
  routes: hosts(rules).map((name) => route(all(host(name), path('/api/*')), forward(web))),
  ...(variant === 'defaults' ? {} : { forwarding: { fields: ['for'], via: 'none' } }),
  ...(tls === undefined
    ? {}
    : { tls: { certificates: [{ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }] } }),
}
const logged = variant === 'access log' ? await import('./access-logged.ts') : undefined
await httpBalancer(logged?.accessLogged(options) ?? options).start()
console.log('listening')
