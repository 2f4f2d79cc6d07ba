import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { request as requestTls } from 'node:https'
import { join } from 'node:path'
import { hashPassword } from '@steelyard/l7'
import { describe, expect, test } from 'vitest'
import { askHttp, type HttpAnswer } from '../../src/demo/http-traffic.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { httpBackend, type Seen } from './http-backend.ts'
import { startNode, type TestNode } from './node.ts'

const vectors = new URL('../../../../packages/l4/test/vectors/tls/', import.meta.url)
const vector = (name: string): string => readFileSync(new URL(name, vectors), 'utf8')

function document(port: number, listener: string, pools: string): string {
  return `version: 1
node: { name: filters, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - name: web
        protocol: http
        port: ${port}
${listener}
pools:
${pools}
`
}

const seenIn = ({ text }: HttpAnswer): Seen => JSON.parse(text) as Seen

async function explained(node: TestNode, ...args: string[]): Promise<string> {
  return (await node.cli('explain', ...args)).out
}

describe('policies of an HTTP listener', () => {
  test('let in who may come, and explain says who would keep a request out', async () => {
    await using backend = await httpBackend('app')
    const port = await freePort()
    const secret = 'a secret of at least 32 bytes, truly'
    const listener = `        pool: app
        trustedProxies: [127.0.0.1]
        filters: { requestId: { keep: always } }
        rules:
          - { name: ops, match: { path: /ops/* }, pool: app, filters: { basicAuth: { usersFile: users, realm: ops, userHeader: x-user } } }
          - { name: orders, match: { path: /orders }, pool: app, filters: { jwtAuth: { algorithms: [HS256], secretFile: jwt, claimHeaders: { x-sub: sub }, claims: { role: admin } } } }
          - { name: inner, match: { path: /inner }, pool: app, filters: { ipAccess: { allow: [10.0.0.0/8] } } }
          - { name: app, match: { path: /api/*, method: [GET, OPTIONS] }, pool: app, filters: { cors: { origins: ["https://app.example.com"], credentials: true } } }`
    const files = {
      users: `# operators\nann:${await hashPassword('pass', { logN: 10 })}\n`,
      jwt: `${secret}\n`,
    }
    const pools = `  - { name: app, members: ["${backend.address}"] }`
    await using node = await startNode(document(port, listener, pools), { files })
    expect((await node.status()).quarantined).toEqual([])
    const ask = (path: string, headers = {}): Promise<HttpAnswer> =>
      askHttp(port, path, { host: 'x.example', ...headers })

    const refused = await ask('/ops/x')
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      401,
      expect.stringContaining('realm="ops"'),
    ])
    const basic = `Basic ${Buffer.from('ann:pass').toString('base64')}`
    const passed = await ask('/ops/x', { authorization: basic })
    expect(seenIn(passed).headers).toMatchObject({ 'x-user': 'ann' })
    expect(seenIn(passed).headers['authorization']).toBeUndefined()
    const url = `http://127.0.0.1:${port}`
    expect(await explained(node, `${url}/ops/x`)).toMatch(
      /ANSWER {2}401 {2}by the filter basic-auth/,
    )
    expect(await explained(node, `${url}/ops/x`, '-H', `authorization: ${basic}`)).toContain(
      'would get it',
    )

    const token = (claims: object): string => {
      const part = (value: object): string =>
        Buffer.from(JSON.stringify(value)).toString('base64url')
      const body = `${part({ alg: 'HS256' })}.${part({ exp: 4_000_000_000, ...claims })}`
      return `Bearer ${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
    }
    expect((await ask('/orders')).status).toBe(401)
    expect((await ask('/orders', { authorization: token({ sub: 'ann' }) })).status).toBe(403)
    const good = await ask('/orders', { authorization: token({ sub: 'ann', role: 'admin' }) })
    expect(seenIn(good).headers['x-sub']).toBe('ann')

    expect((await ask('/inner')).status).toBe(403)
    expect((await ask('/inner', { 'x-forwarded-for': '10.1.2.3' })).status).toBe(200)
    expect(await explained(node, `${url}/inner`)).toMatch(
      /ip-access +rule +answers 403 \(ip-denied\)/,
    )

    const origin = { origin: 'https://app.example.com' }
    const allowed = await ask('/api/x', origin)
    expect(allowed.headers['access-control-allow-origin']).toBe(origin.origin)
    expect(
      (await ask('/api/x', { origin: 'https://evil.example' })).headers[
        'access-control-allow-origin'
      ],
    ).toBeUndefined()
    expect((await ask('/x', { 'x-request-id': 'mine-1' })).headers['x-request-id']).toBe('mine-1')
  })

  test('keep quotas and sessions over a reload, and write access logs that may be rotated', async () => {
    await using a = await httpBackend('a')
    await using b = await httpBackend('b')
    const port = await freePort()
    const text = (extra = ''): string =>
      document(
        port,
        `        accessLog: { file: access.log, format: "%{status} %{method} %{path} %{route} %{backend}" }
        rules:
          - { name: few, match: { path: /few }, respond: { status: 200, body: ok }, filters: { rateLimit: { limit: 3, window: 10m } } }
          - { name: app, match: { path: /app }, pool: app, persistence: { type: cookie, name: WHO } }
          - { name: split, match: { path: /split }, pools: [{ pool: app, weight: 1 }, { pool: only-b, weight: 1 }], sticky: side }${extra}`,
        `  - { name: app, members: [{ id: a, address: "${a.address}" }, { id: b, address: "${b.address}" }] }
  - { name: only-b, members: [{ id: b, address: "${b.address}" }] }`,
      )
    await using node = await startNode(text())
    const ask = (path: string, headers = {}): Promise<HttpAnswer> =>
      askHttp(port, path, { host: 'x.example', ...headers })
    const statuses = async (count: number): Promise<number[]> => {
      const all: number[] = []
      for (let turn = 0; turn < count; turn++) all.push((await ask('/few')).status)
      return all
    }
    expect(await statuses(2)).toEqual([200, 200])
    const [first] = (await ask('/app')).headers['set-cookie'] ?? []
    const cookie = first!.split(';')[0]!
    expect(cookie).toMatch(/^WHO=/)
    const home = seenIn(await ask('/app', { cookie })).name
    await rename(join(node.folder, 'access.log'), join(node.folder, 'access.log.1'))
    await node.reload(
      text('\n          - { name: new, match: { path: /new }, respond: { status: 204 } }'),
    )
    expect((await ask('/new')).status).toBe(204)
    // The third of three, and then no more: the reload gave nothing back.
    expect(await statuses(2)).toEqual([200, 429])
    for (let turn = 0; turn < 4; turn++)
      expect(seenIn(await ask('/app', { cookie })).name).toBe(home)
    const told = await explained(node, `http://127.0.0.1:${port}/app`, '-H', `cookie: ${cookie}`)
    expect(told).toContain(`would get it: ${home}`)
    // A question costs no quota.
    await explained(node, `http://127.0.0.1:${port}/few`)

    const [side] = (await ask('/split')).headers['set-cookie'] ?? []
    expect(side).toMatch(/^side=/)
    const log = (name: string): Promise<string> =>
      readFile(join(node.folder, name), 'utf8').catch(() => '')
    await eventually('the new file has the newest line', async () =>
      (await log('access.log')).includes(' /split split '),
    )
    const lines = (await log('access.log')).trimEnd().split('\n')
    expect(lines).toContain('204 GET /new new -')
    expect(lines.filter((line) => line.startsWith('429 GET /few few'))).toHaveLength(1)
    expect(await log('access.log.1')).toContain(`200 GET /app app ${home}`)
  })

  test('compress, rewrite, retry, mirror and limit', async () => {
    await using app = await httpBackend('app')
    await using shadow = await httpBackend('shadow')
    const port = await freePort()
    const listener = `        limits: { body: 1KiB }
        filters: { compression: { codings: [gzip], minBytes: 1 } }
        rules:
          - name: api
            match: { path: { prefix: /api }, query: { v: { between: [1, 9] } }, not: { headers: { x-no: { present: true } } } }
            pool: app
            rewrite: { prefix: /inner, query: "q=%{client}" }
            headers: { request: { set: { x-host: "%{host}" }, remove: [x-secret] }, response: { add: { x-seen: "%{backend}" } } }
            filters: { mirror: { pool: shadow } }
          - { name: flaky, match: { path: /status/* }, pool: app, retries: { attempts: 2, on: [503] } }
          - { name: any, match: { any: [{ path: /one }, { all: [{ path: /two }, { cookies: { c: { regex: "^[0-9]+$" } } }] }] }, respond: { status: 200, body: any } }`
    const pools = `  - { name: app, members: ["${app.address}"] }\n  - { name: shadow, members: ["${shadow.address}"] }`
    await using node = await startNode(document(port, listener, pools))
    expect((await node.status()).quarantined).toEqual([])
    const base = `http://127.0.0.1:${port}`
    const answer = await fetch(`${base}/api/x?v=2`, {
      headers: { 'accept-encoding': 'identity', 'x-secret': 's' },
    })
    expect(answer.headers.get('x-seen')).toBe(app.address)
    const seen = (await answer.json()) as Seen
    expect(seen.url).toBe('/inner/x?q=127.0.0.1')
    expect(seen.headers['x-host']).toBe('127.0.0.1')
    expect(seen.headers['x-secret']).toBeUndefined()
    await eventually('the copy came', () => shadow.served === 1)
    for (const path of ['/api/x?v=10', '/api/x', '/two'])
      expect((await fetch(base + path)).status, path).toBe(404)
    expect((await fetch(`${base}/api/x?v=1`, { headers: { 'x-no': '1' } })).status).toBe(404)
    expect((await fetch(`${base}/one`)).status).toBe(200)
    expect((await fetch(`${base}/two`, { headers: { cookie: 'c=42' } })).status).toBe(200)

    const before = app.served
    expect((await fetch(`${base}/status/503`)).status).toBe(503)
    expect(app.served - before).toBe(3)
    const long = await fetch(`${base}/api/x?v=1`, { method: 'POST', body: 'x'.repeat(2000) })
    expect(long.status).toBe(413)
    const squeezed = await askHttp(port, '/api/z?v=3', { host: 'x', 'accept-encoding': 'gzip' })
    expect(squeezed.headers['content-encoding']).toBe('gzip')
    const raw = await fetch(`${base}/api/z?v=3`, { headers: { 'accept-encoding': 'gzip' } })
    expect(((await raw.json()) as Seen).name).toBe('app')
  })

  test('know the client by its certificate', async () => {
    await using app = await httpBackend('app')
    const port = await freePort()
    const text = document(
      port,
      `        tls:
          certificates: [{ cert: www.pem, key: www.key }]
          clientAuth: { mode: optional, ca: ca.pem }
        forwarding: { certificate: [verify, cn] }
        rules:
          - { name: known, match: { tls: { certificate: verified, subject: { CN: "client one" } } }, pool: app }
          - { name: unknown, match: { tls: { certificate: none } }, respond: { status: 200, body: who } }
        pool: app`,
      `  - { name: app, members: ["${app.address}"] }`,
    ).replace('protocol: http', 'protocol: https')
    const files = {
      'www.pem': vector('a.pem'),
      'www.key': vector('a-key.pem'),
      'ca.pem': vector('ca.pem'),
    }
    await using node = await startNode(text, { files })
    expect((await node.status()).quarantined).toEqual([])
    const ask = (identity: object): Promise<string> =>
      new Promise((resolve, reject) => {
        requestTls(
          {
            host: '127.0.0.1',
            port,
            path: '/',
            servername: 'a.example',
            ca: files['ca.pem'],
            agent: false,
            headers: { host: 'a.example', 'x-ssl-client-cn': 'forged' },
            ...identity,
          },
          (response) => {
            let body = ''
            response.setEncoding('utf8').on('data', (piece: string) => {
              body += piece
            })
            response.on('end', () => resolve(body))
          },
        )
          .on('error', reject)
          .end()
      })
    expect(await ask({})).toBe('who')
    const known = JSON.parse(
      await ask({ cert: vector('client.pem'), key: vector('client-key.pem') }),
    ) as Seen
    expect(known.headers['x-ssl-client-verify']).toBe('0')
    expect(known.headers['x-ssl-client-cn']).toMatch(/client/)
  })
})
