import type { DemoBackend } from './backends.ts'

/** Ports of the demo's listeners. */
export interface DemoPorts {
  readonly tcp: number
  readonly udp: number
  readonly http: number
  readonly admin: number
}

/** Who plays which part. */
export interface DemoCast {
  /** Over TCP. */
  readonly echo: readonly DemoBackend[]
  /** Over UDP. */
  readonly time: DemoBackend
  /** Over HTTP, as the others below. */
  readonly shop: readonly DemoBackend[]
  readonly api: DemoBackend
  readonly canary: DemoBackend
}

const memberOf = ({ name, port }: DemoBackend): string =>
  `      - { id: ${name}, address: 127.0.0.1:${port} }`

/** The demo's document, as somebody would write it. */
export function demoDocument(
  { echo, time, shop, api, canary }: DemoCast,
  ports: DemoPorts,
): string {
  return `# The demo of the Steelyard appliance. Change it while the demo runs: it is reloaded.
version: 1
node: { name: demo, drain: 5s }
admin: { listen: 127.0.0.1:${ports.admin} }
loadBalancers:
  - name: demo
    vip: 127.0.0.1
    listeners:
      - { name: echo, protocol: tcp, port: ${ports.tcp}, pool: echo }
      - { name: time, protocol: udp, port: ${ports.udp}, pool: time, udp: { idleTimeout: 10s } }
      - name: web
        protocol: http
        port: ${ports.http}
        filters: { requestId: {}, rateLimit: { limit: 2000, window: 1s, key: client } }
        errorPages: { "404": "<h1>%{status}</h1><p>Try shop.localhost or api.localhost.</p>" }
        rules:
          - name: old-shop
            match: { host: shop.localhost, path: /old/* }
            redirect: { to: /new/, status: 308 }
          - name: shop
            match: { host: shop.localhost }
            pool: shop
            retries: { attempts: 2 }
          - name: no-admin
            match: { host: api.localhost, path: /admin/* }
            reject: { status: 403, body: "not from here\\n" }
          - name: beta
            match: { host: api.localhost, path: /v1/*, headers: { x-beta: "yes" } }
            pool: canary
            rewrite: { prefix: / }
          - name: api
            match: { host: api.localhost, path: /v1/* }
            pools: [{ pool: api, weight: 90 }, { pool: canary, weight: 10 }]
            rewrite: { prefix: / }
pools:
  - name: echo
    algorithm: round-robin
    members:
${echo.map(memberOf).join('\n')}
    health: { type: tcp, interval: 500ms, fastInterval: 200ms, timeout: 200ms, rise: 2, fall: 2 }
  - name: time
    members:
${memberOf(time)}
    health: { type: udp, mode: reply, send: ping, interval: 500ms, timeout: 400ms, rise: 2, fall: 2 }
  - name: shop
    algorithm: least-connections
    members:
${shop.map(memberOf).join('\n')}
    health: { type: http, path: /healthz, interval: 500ms, fastInterval: 200ms, timeout: 200ms, rise: 2, fall: 2 }
  - name: api
    members:
${memberOf(api)}
    health: { type: http, path: /healthz, interval: 500ms, timeout: 200ms, rise: 2, fall: 2 }
  - name: canary
    members:
${memberOf(canary)}
    health: { type: http, path: /healthz, interval: 500ms, timeout: 200ms, rise: 2, fall: 2 }
`
}
