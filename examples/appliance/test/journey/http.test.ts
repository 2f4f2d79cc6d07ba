import { readFileSync } from 'node:fs'
import { credentials } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import type { Explanation } from '../../src/explain/explanation.ts'
import { freePort } from './free-port.ts'
import { type HttpBackend, httpBackend, type Seen } from './http-backend.ts'
import { askGrpc, askH2, askWebSocket, grpcBackend, program } from './http-clients.ts'
import { startNode, type TestNode } from './node.ts'

const vectors = new URL('../../../../packages/l4/test/vectors/tls/', import.meta.url)
const vector = (name: string): string => readFileSync(new URL(name, vectors), 'utf8')
const ca = vector('ca.pem')
const files = {
  'www.pem': vector('a.pem'),
  'www.key': vector('a-key.pem'),
  'b.pem': vector('b.pem'),
  'b.key': vector('b-key.pem'),
  'ca.pem': ca,
}

interface Stage extends AsyncDisposable {
  readonly node: TestNode
  readonly http: number
  readonly https: number
  readonly h2c: number
  readonly web: HttpBackend
  readonly api: HttpBackend
  explain(request: string, ...args: string[]): Promise<Explanation>
}

/** Three listeners with the same policies, in the words of Octavia. */
async function stage(): Promise<Stage> {
  const web = await httpBackend('web')
  const api = await httpBackend('api')
  const grpc = await grpcBackend()
  const [http, https, h2c] = [await freePort(), await freePort(), await freePort()]
  const node = await startNode(
    `version: 1
node: { name: router, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - name: http
        protocol: http
        port: ${http}
        pool: web
        policies: &policies
          - name: to-api
            action: REDIRECT_TO_POOL
            redirectPool: api
            rules: [{ type: PATH, compareType: STARTS_WITH, value: /api }]
          - name: calls
            action: REDIRECT_TO_POOL
            redirectPool: grpc
            rules: [{ type: HEADER, key: content-type, compareType: STARTS_WITH, value: application/grpc }]
          - name: moved
            action: REDIRECT_PREFIX
            redirectPrefix: https://new.example
            redirectHttpCode: 301
            rules: [{ type: PATH, compareType: STARTS_WITH, value: /moved }]
          - name: pictures
            action: REDIRECT_TO_URL
            redirectUrl: https://cdn.example/
            rules:
              - { type: FILE_TYPE, compareType: EQUAL_TO, value: jpg }
              - { type: COOKIE, key: local, compareType: EQUAL_TO, value: "yes", invert: true }
          - name: blocked
            action: REJECT
            rules: [{ type: HEADER, key: x-bad, compareType: EQUAL_TO, value: "yes" }]
      - name: https
        protocol: https
        port: ${https}
        pool: web
        tls: { certificates: [{ cert: www.pem, key: www.key }, { cert: b.pem, key: b.key }] }
        filters: { hsts: {} }
        policies: *policies
      - { name: h2c, protocol: h2c, port: ${h2c}, pool: web, policies: *policies }
pools:
  - { name: web, members: [{ id: web, address: "${web.address}" }] }
  - { name: api, members: [{ id: api, address: "${api.address}" }] }
  - { name: grpc, members: [{ id: grpc, address: "${grpc.address}" }], upstream: { protocol: h2 } }
`,
    { files },
  )
  return {
    node,
    http,
    https,
    h2c,
    web,
    api,
    async explain(request, ...args) {
      const { code, out, err } = await node.cli('explain', request, '--json', ...args)
      expect(code, err).toBe(0)
      return JSON.parse(out) as Explanation
    },
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]()
      for (const one of [web, api, grpc]) await one[Symbol.asyncDispose]()
    },
  }
}

describe('an HTTP router with policies in the words of Octavia', () => {
  test('serves curl and fetch over http, and explain tells the truth of each request', async () => {
    await using it = await stage()
    const base = `http://127.0.0.1:${it.http}`
    const seen = (await (await fetch(`${base}/hello?a=b`)).json()) as Seen
    expect(seen).toMatchObject({ name: 'web', method: 'GET', url: '/hello?a=b' })
    expect(seen.headers['x-forwarded-for']).toBe('127.0.0.1')
    expect(seen.headers['x-forwarded-proto']).toBe('http')
    const cases: readonly [string, readonly string[], number, string | undefined, string][] = [
      ['/hello', [], 200, undefined, '(default)'],
      ['/api/orders', [], 200, undefined, 'to-api'],
      ['/moved/a?b=c', [], 301, 'https://new.example/moved/a?b=c', 'moved'],
      ['/a.jpg', [], 302, 'https://cdn.example/', 'pictures'],
      ['/a.jpg', ['cookie: local=yes'], 200, undefined, '(default)'],
      ['/api/orders', ['x-bad: yes'], 403, undefined, 'blocked'],
    ]
    for (const [path, lines, status, location, rule] of cases) {
      const flags = lines.flatMap((line) => ['-H', line])
      const { out } = await program(
        'curl',
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{redirect_url}',
        ...flags,
        `${base}${path}`,
      )
      expect(out.trim(), path).toBe(`${status} ${location ?? ''}`.trim())
      const told = await it.explain(`GET ${base}${path}`, ...flags)
      expect(told, path).toMatchObject({
        by: 'running',
        listener: 'lb/http',
        order: 'octavia',
        rule,
      })
      expect(told.rules.at(-1), path).toMatchObject({ name: rule, matched: true })
      if (status === 200) {
        expect(told.answer, path).toBeUndefined()
        expect(told.pools[0]?.pick, path).toBe(rule === 'to-api' ? 'api' : 'web')
      } else {
        expect(told.answer?.status, path).toBe(status)
        expect(told.answer?.location, path).toBe(location)
      }
    }
    // Rejects come before all others, whatever the order in the document.
    const rejected = await it.explain(`GET ${base}/api/x`, '-H', 'x-bad: yes')
    expect(rejected.rules.map(({ name }) => name)).toEqual(['blocked'])
    // What was explained was not sent.
    expect(it.web.served + it.api.served).toBe(4)
  })

  test('serves https over HTTP/1.1 and HTTP/2, and h2c', async () => {
    await using it = await stage()
    const secure = `https://a.example:${it.https}`
    const curl = (...args: string[]): ReturnType<typeof program> =>
      program(
        'curl',
        '-s',
        '--cacert',
        `${it.node.folder}/ca.pem`,
        '--resolve',
        `a.example:${it.https}:127.0.0.1`,
        ...args,
      )
    const h1 = await curl('--http1.1', '-i', `${secure}/api/x`)
    expect(h1.out).toMatch(/^HTTP\/1\.1 200 /)
    expect(h1.out).toMatch(/^strict-transport-security: max-age=31536000\r$/im)
    expect(h1.out).toContain('"x-forwarded-proto":"https"')
    const h2 = await curl('--http2', '-i', `${secure}/api/x`)
    expect(h2.out).toMatch(/^HTTP\/2 200 /)
    const plain = await curl('--http2-prior-knowledge', '-i', `http://127.0.0.1:${it.h2c}/api/x`)
    expect(plain.out).toMatch(/^HTTP\/2 200 /)
    const fallback = await curl('--http1.1', '-i', `http://127.0.0.1:${it.h2c}/moved/x`)
    expect(fallback.out).toMatch(/^HTTP\/1\.1 301 /)

    const origin = `https://127.0.0.1:${it.https}`
    const posted = await askH2(
      origin,
      '/api/y',
      { ':authority': 'a.example' },
      { ca, servername: 'a.example', body: 'hello' },
    )
    expect(posted.status).toBe(200)
    expect(JSON.parse(posted.text)).toMatchObject({ name: 'api', method: 'POST', body: 'hello' })
    const direct = await askH2(`http://127.0.0.1:${it.h2c}`, '/a.jpg')
    expect([direct.status, direct.headers.location]).toEqual([302, 'https://cdn.example/'])
    // That name has another certificate, which this client was not shown.
    const wrong = await askH2(
      origin,
      '/',
      { ':authority': 'b.example' },
      { ca, servername: 'a.example' },
    )
    expect(wrong.status).toBe(421)

    const told = await it.explain(`GET ${secure}/api/x`)
    expect(told).toMatchObject({ listener: 'lb/https', rule: 'to-api', pools: [{ pick: 'api' }] })
    expect(told.filters).toEqual([{ name: 'hsts', of: 'listener', says: 'passes' }])
    expect(await it.explain(`GET http://127.0.0.1:${it.h2c}/a.jpg`)).toMatchObject({
      listener: 'lb/h2c',
      rule: 'pictures',
      answer: { status: 302, location: 'https://cdn.example/' },
    })
    const { code, out } = await it.node.cli('explain', `GET http://127.0.0.1:${it.https}/`)
    expect(code).toBe(1)
    expect(out).toContain('it speaks https, and the URL says http')
  })

  test('serves WebSocket and gRPC clients', async () => {
    await using it = await stage()
    expect(await askWebSocket(`ws://127.0.0.1:${it.http}/api/ws`, 'hi')).toBe('api /api/ws hi')
    const wss = `wss://127.0.0.1:${it.https}/chat`
    const host = { headers: { host: 'a.example' }, servername: 'a.example', ca }
    expect(await askWebSocket(wss, 'hi', host)).toBe('web /chat hi')
    const upgrade = [
      ...['-H', 'connection: upgrade', '-H', 'upgrade: websocket'],
      ...['-H', 'sec-websocket-version: 13', '-H', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='],
    ]
    expect(await it.explain(`GET http://127.0.0.1:${it.http}/api/ws`, ...upgrade)).toMatchObject({
      rule: 'to-api',
      pools: [{ name: 'api', pick: 'api' }],
    })

    const plain = credentials.createInsecure()
    expect(await askGrpc(`127.0.0.1:${it.h2c}`, plain, 'hello')).toBe('HELLO')
    expect(await askGrpc(`127.0.0.1:${it.h2c}`, plain, 'fail')).toBe('5 no such thing')
    const ssl = credentials.createSsl(Buffer.from(ca))
    const name = {
      'grpc.ssl_target_name_override': 'a.example',
      'grpc.default_authority': 'a.example',
    }
    expect(await askGrpc(`127.0.0.1:${it.https}`, ssl, 'hello', name)).toBe('HELLO')
    const call = `POST http://127.0.0.1:${it.h2c}/test.Echo/Say`
    expect(await it.explain(call, '-H', 'content-type: application/grpc')).toMatchObject({
      listener: 'lb/h2c',
      rule: 'calls',
      pools: [{ name: 'grpc', pick: 'grpc' }],
    })
  })

  test('serves h2load over h1, h2 and h2c without a failed request', async () => {
    await using it = await stage()
    const secure = [`--connect-to=127.0.0.1:${it.https}`, `https://a.example:${it.https}/api/x`]
    const targets = [
      ['--h1', `http://127.0.0.1:${it.http}/api/x`],
      ['-m10', `http://127.0.0.1:${it.h2c}/api/x`],
      ['-m10', ...secure],
      ['--h1', ...secure],
    ]
    for (const target of targets) {
      const { out } = await program('h2load', '-n', '1000', '-c', '10', ...target)
      const what = target.join(' ')
      expect(out, what).toContain('1000 succeeded, 0 failed, 0 errored, 0 timeout')
      expect(out, what).toMatch(/status codes: 1000 2xx/)
    }
    expect(it.api.served).toBe(4000)
    const { loadBalancers } = await it.node.status()
    const routes = loadBalancers[0]!.listeners.map(({ routes = [] }) =>
      routes.find(({ name }) => name === 'to-api'),
    )
    expect(routes.map((route) => route?.requests)).toEqual([1000, 2000, 1000])
    const metrics = (await it.node.ask('/metrics')).text
    expect(metrics).toMatch(
      /steelyard_http_requests_total\{[^}]*route="to-api"[^}]*class="2xx"[^}]*\} 1000/,
    )
  })
})
