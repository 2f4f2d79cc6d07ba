import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { pool } from '@steelyard/core'
import type { HttpBalancerOptions } from '@steelyard/l7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { type HttpServing, httpServing } from './http-serving.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { type Authority, authority, type Issued } from './peers/authority.ts'
import { type Heard, type HttpOrigin, type NodeOrigin, nodeOrigin } from './peers/http-origin.ts'
import { everyOrigin } from './peers/http-origins.ts'
import { nginx } from './peers/nginx.ts'
import { run, said } from './run.ts'

const needs = ['curl', 'h2load', 'nghttp', 'wrk', 'nginx', 'haproxy', 'openssl']

suiteWith('an HTTP balancer between clients and servers of others', needs, () => {
  let home: Folder
  let trust: Authority
  let edge: Issued
  const origins: HttpOrigin[] = []

  beforeAll(async () => {
    home = await folder()
    trust = await authority(home)
    edge = await trust.issue('edge', ['DNS:edge.test', 'IP:127.0.0.1'])
    origins.push(...(await everyOrigin(home, trust)))
  })

  afterAll(async () => {
    for (const origin of origins) await origin[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  const secure = (): Partial<HttpBalancerOptions> => ({ tls: { certificates: [edge] } })

  function inFrontOf(
    origin: HttpOrigin,
    more: Partial<HttpBalancerOptions> = {},
  ): Promise<HttpServing> {
    return httpServing(pool({ backends: [origin.address] }), { upstream: origin.upstream }, more)
  }

  function curl(...args: string[]): Promise<string> {
    return said(path('curl'), ['-sS', '--max-time', '20', '--cacert', trust.caFile, ...args])
  }

  describe.each([
    ['node http/1.1', /^node HTTP\/1\.1\n$/],
    ['node h2c', /^node HTTP\/2\.0\n$/],
    ['node https', /^node HTTP\/1\.1\n$/],
    ['node h2', /^node HTTP\/2\.0\n$/],
    ['nginx http/1.1', /^nginx HTTP\/1\.1\n$/],
    ['nginx h2c', /^nginx HTTP\/2\.0\n$/],
    ['nginx h2', /^nginx HTTP\/2\.0\n$/],
    ['haproxy http/1.1', /^haproxy HTTP\/1\.1\n$/],
    ['haproxy h2c', /^haproxy HTTP\/2\.0\n$/],
    ['haproxy h2', /^haproxy HTTP\/2\.0\n$/],
  ])('in front of %s', (name, who) => {
    const origin = (): HttpOrigin => origins.find((one) => one.name === name)!
    // After 1000 requests nginx ends a connection; in HTTP/2 it leaves the streams behind its GOAWAY to be asked again.
    const retires = name.startsWith('nginx h2')

    it('is what curl asks for, in every version', async () => {
      await using plain = await inFrontOf(origin())
      await using tls = await inFrontOf(origin(), secure())
      const write = ['-w', '%{http_version} %{http_code}']
      for (const [version, args] of [
        // The answer is in our own version (RFC 9110 section 6.2); curl says which.
        ['1.1', ['--http1.0', `${plain.url}/who`]],
        ['1.1', ['--http1.1', `${plain.url}/who`]],
        // What asks for h2c by Upgrade goes on in HTTP/1.1.
        ['1.1', ['--http2', `${plain.url}/who`]],
        ['2', ['--http2-prior-knowledge', `${plain.url}/who`]],
        ['1.1', ['--http1.1', `${tls.url}/who`]],
        ['2', ['--http2', `${tls.url}/who`]],
      ] as const) {
        const answer = await curl(...write, ...args)
        const end = answer.lastIndexOf('\n') + 1
        expect(answer.slice(end)).toBe(`${version} 200`)
        expect(answer.slice(0, end)).toMatch(who)
      }
      await Promise.all([plain.quiet(), tls.quiet()])
      expect([...plain.unusual, ...tls.unusual]).toEqual([])
    })

    it.each([
      ['h1', 'plain', ['--h1', '-n', '2000', '-c', '20']],
      ['h1 over TLS', 'tls', ['--h1', '-n', '1500', '-c', '10']],
      ['h2c', 'plain', ['-n', '2000', '-c', '10', '-m', '10']],
      ['h2 over TLS', 'tls', ['-n', '2000', '-c', '10', '-m', '10']],
    ] as const)('carries h2load by %s without a failed request', async (_, kind, args) => {
      await using serving = await inFrontOf(origin(), kind === 'tls' ? secure() : {})
      const before = await origin().seen()
      const report = await said(path('h2load'), [...args, `${serving.url}/who`])
      const count = Number(args[args.indexOf('-n') + 1])
      expect(report).toMatch(
        new RegExp(`${count} done, ${count} succeeded, 0 failed, 0 errored, 0 timeout`),
      )
      expect(report).toMatch(new RegExp(`status codes: ${count} 2xx, 0 3xx, 0 4xx, 0 5xx`))
      await serving.quiet()
      await eventually(
        async () => String((await origin().seen()) - before),
        new RegExp(`^${count}$`),
      )
      const { requests, retries } = serving.balancer.stats()
      expect(requests).toBe(count)
      if (!retires) expect(retries).toBe(0)
      expect(serving.unusual).toEqual([])
    })

    it('carries wrk, which asks for eight at once', async () => {
      const script = await home.write(
        'pipelined.lua',
        `local all
init = function()
  local each = {}
  for i = 1, 8 do each[i] = wrk.format("GET", "/who?" .. i) end
  all = table.concat(each)
end
request = function() return all end
`,
      )
      await using serving = await inFrontOf(origin())
      const before = await origin().seen()
      const report = await said(path('wrk'), [
        ...['-t', '1', '-c', '16', '-d', '1s', '--timeout', '5s', '-s', script, serving.url],
      ])
      expect(report).not.toMatch(/Socket errors|Non-2xx/)
      const answered = Number(/(\d+) requests in/.exec(report)?.[1])
      expect(answered).toBeGreaterThan(500)
      await serving.quiet()
      const { requests, retries } = serving.balancer.stats()
      if (!retires) expect(retries).toBe(0)
      // When its time is up, it leaves with what it has asked for.
      expect(requests).toBeGreaterThanOrEqual(answered)
      expect(requests).toBeLessThanOrEqual(answered + 16 * 8 + 1)
      const seen = (await origin().seen()) - before
      expect(seen).toBeGreaterThanOrEqual(answered)
      expect(seen).toBeLessThanOrEqual(requests)
    })
  })

  describe.each([
    ['http/1.1', 'http/1.1'],
    ['h2c', 'http/1.1'],
    ['http/1.1', 'h2c'],
    ['h2c', 'h2c'],
  ] as const)('curl by %s in front of %s', (down, up) => {
    const version = down === 'h2c' ? '--http2-prior-knowledge' : '--http1.1'
    let origin: NodeOrigin
    let serving: HttpServing

    beforeAll(async () => {
      origin = await nodeOrigin(up, (_, response, heard) => {
        if (heard.url === '/trailers') {
          response.setHeader('trailer', 'x-sum')
          response.write('body')
          // A forbidden one has no business here, and is taken out on the way.
          response.addTrailers({ 'x-sum': 'abc', authorization: 'Basic YTpi' })
          response.end()
          return
        }
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(heard))
      })
      serving = await inFrontOf(origin)
    })

    afterAll(async () => {
      await serving?.[Symbol.asyncDispose]()
      await origin?.[Symbol.asyncDispose]()
    })

    async function heardOf(...args: string[]): Promise<Heard> {
      return JSON.parse(await curl(version, ...args)) as Heard
    }

    it('uploads a file by its length, and by chunks', async () => {
      const bytes = randomBytes(3_000_000)
      const file = await home.write('upload', bytes)
      const hash = createHash('sha256').update(bytes).digest('hex')
      const sized = await heardOf('-T', file, `${serving.url}/a`)
      expect(sized).toMatchObject({ method: 'PUT', url: '/a', bytes: bytes.length, hash })
      expect(sized.headers['content-length']).toBe(String(bytes.length))
      const unsized = JSON.parse(
        await said(path('curl'), ['-sS', version, '-T', '-', `${serving.url}/b`], { input: bytes }),
      ) as Heard
      expect(unsized).toMatchObject({ method: 'PUT', bytes: bytes.length, hash })
      expect(unsized.headers['content-length']).toBeUndefined()
      expect(unsized.headers['transfer-encoding']).toBe(up === 'h2c' ? undefined : 'chunked')
    })

    it('waits for 100 Continue, and gets it before its time is up', async () => {
      const file = await home.write('expected', randomBytes(2_000_000))
      const { stderr, stdout } = await run(path('curl'), [
        ...['-sSv', version, '--expect100-timeout', '15', '-H', 'Expect: 100-continue'],
        ...['-T', file, '-w', '\n%{time_total}', `${serving.url}/expected`],
      ])
      expect(stderr).toMatch(/^< HTTP\/\S+ 100/m)
      const [body, time] = stdout.split('\n')
      expect(JSON.parse(body!)).toMatchObject({ bytes: 2_000_000 })
      expect(Number(time)).toBeLessThan(10)
    })

    it('sees trailers, but not those that no trailer may be', async () => {
      const answer = await curl(version, '-i', '-H', 'TE: trailers', `${serving.url}/trailers`)
      expect(answer).toMatch(/x-sum: abc/i)
      expect(answer).not.toMatch(/authorization/i)
    })

    it('is told whose it was, and nothing that it made up', async () => {
      const { headers } = await heardOf(
        ...['-H', 'X-Forwarded-For: 6.6.6.6', '-H', 'Forwarded: for=6.6.6.6'],
        ...['-H', 'Connection: x-hop', '-H', 'X-Hop: 1', '-H', 'X_Forwarded_For: 6.6.6.6'],
        ...['-H', 'Host: shop.test', `${serving.url}/`],
      )
      expect(headers).toMatchObject({
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'shop.test',
      })
      expect(JSON.stringify(headers)).not.toContain('6.6.6.6')
      if (down === 'http/1.1') expect(headers).not.toHaveProperty('x-hop')
      expect(up === 'h2c' ? headers[':authority' as 'host'] : headers.host).toBe('shop.test')
    })

    it('cannot reach what it was not routed to', async () => {
      const before = await origin.seen()
      for (const bad of [
        '/../etc/passwd',
        '/a/%2e%2e/%2e%2e/etc/passwd',
        '/a/..%2f..%2fetc',
        '/a/%00',
        '/a%5c..%5cb',
        '/%u002e',
        '/..;x/admin',
        '/%',
      ]) {
        const status = await curl(
          ...[version, '--path-as-is', '-o', '/dev/null', '-w', '%{http_code}', serving.url + bad],
        )
        expect(`${bad} ${status}`).toBe(`${bad} 400`)
      }
      expect(await origin.seen()).toBe(before)
      for (const [odd, canonical] of [
        ['/a/./b/../c', '/a/c'],
        ['/%7euser/%2e/x', '/~user/x'],
        ['/caf%c3%a9', '/caf%C3%A9'],
        ['/a//b', '/a//b'],
        ['/a?x=/../%2e', '/a?x=/../%2e'],
      ] as const) {
        expect(await heardOf('--path-as-is', serving.url + odd)).toMatchObject({ url: canonical })
      }
    })
  })

  it.each(['--http1.1', '--http2'])(
    'lets curl %s hang on to its connection, also for heads',
    async (version) => {
      const origin = origins.find(({ name }) => name === 'nginx http/1.1')!
      await using serving = await inFrontOf(origin, secure())
      const urls = [1, 2, 3, 4].map((query) => `${serving.url}/who?${query}`)
      const answer = await curl(version, '-I', ...urls)
      expect(answer.match(/^HTTP\/\S+ 200/gm)).toHaveLength(4)
      expect(answer.match(/^content-length: 15\r$/gim)).toHaveLength(4)
      await serving.quiet()
      expect(serving.balancer.stats()).toMatchObject({ accepted: 1, requests: 4 })
      expect(serving.unusual).toEqual([])
    },
  )

  it('brings ranges and conditions of nginx as they are', async () => {
    const bytes = randomBytes(1_000_000)
    const file = await home.write('ranges', bytes)
    const host = ownAddress()
    const address = at(host, await freePort(host))
    await using _ = await nginx(home, {
      http: `  server {
    listen ${address};
    location = /ranges { alias ${file}; }
    location /put/ { alias ${home.path}/; dav_methods PUT; client_max_body_size 0; }
  }`,
    })
    for (const more of [{}, secure()]) {
      await using serving = await httpServing(pool({ backends: [address] }), {}, more)
      const url = `${serving.url}/ranges`
      const got = home.at('got')
      expect(await curl('-r', '1000-1999', '-o', got, '-w', '%{http_code}', url)).toBe('206')
      expect((await readFile(got)).equals(bytes.subarray(1000, 2000))).toBe(true)
      const parts = await curl('-r', '0-9,20-29', '-D', '-', '-o', got, url)
      expect(parts).toMatch(/206[\s\S]*multipart\/byteranges/)
      expect(await curl('-r', '2000000-', '-o', got, '-w', '%{http_code}', url)).toBe('416')
      // A download that was broken off goes on.
      await home.write('got', bytes.subarray(0, 600_000))
      await curl('-C', '-', '-o', got, url)
      expect((await readFile(got)).equals(bytes)).toBe(true)
      const head = await curl('-I', url)
      const tag = /etag: (\S+)/i.exec(head)?.[1] ?? ''
      expect(head).toMatch(/content-length: 1000000/i)
      expect(await curl('-H', `If-None-Match: ${tag}`, '-o', got, '-w', '%{http_code}', url)).toBe(
        '304',
      )
      expect(
        await curl('-T', file, '-w', '%{http_code}', `${serving.url}/put/copy-${serving.port}`),
      ).toBe('201')
      expect((await readFile(home.at(`copy-${serving.port}`))).equals(bytes)).toBe(true)
      await serving.quiet()
      expect(serving.unusual).toEqual([])
    }
  })

  it('serves nghttp, also who asks for h2c by Upgrade', async () => {
    const origin = origins.find(({ name }) => name === 'nginx h2c')!
    await using plain = await inFrontOf(origin)
    await using tls = await inFrontOf(origin, secure())
    const urls = (base: string): string[] => ['1', '2', '3'].map((query) => `${base}/who?${query}`)
    for (const base of [plain.url, tls.url]) {
      const report = await said(path('nghttp'), ['-nv', '-m', '5', ...urls(base)])
      expect(report.match(/:status: 200/g)).toHaveLength(15)
      expect(report).not.toMatch(/RST_STREAM|some requests were not processed/)
    }
    const { stdout, stderr } = await run(path('nghttp'), ['-u', `${plain.url}/who`])
    expect(stdout + stderr).toMatch(/HTTP Upgrade failed/)
    await Promise.all([plain.quiet(), tls.quiet()])
    expect([...plain.unusual, ...tls.unusual]).toEqual([])
  })
})
