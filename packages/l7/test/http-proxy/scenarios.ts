import { once } from 'node:events'
import { Agent } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import type { ServerOptions } from '@steelyard/l7/http-proxy'
import { WebSocket, WebSocketServer } from 'ws'
import { type Bed, type Create, call, exchangeBytes, portOf, seen } from './bed.ts'

/** What a program sees; both proxies are asked. */
export interface Scenario {
  readonly name: string
  run(create: Create, bed: Bed): Promise<unknown>
  /** What is documented, and what we do. */
  readonly expected: unknown
}

/** A proxy on a server of its own. */
async function front(
  create: Create,
  bed: Bed,
  options: ServerOptions,
): Promise<{ port: number; proxy: ReturnType<Create> }> {
  const proxy = create(options)
  const server = await bed.server((req, res) => proxy.web(req, res))
  return { port: portOf(server), proxy }
}

async function path(
  create: Create,
  bed: Bed,
  url: string,
  options: ServerOptions & { base?: string } = {},
): Promise<string> {
  const { base = '', ...rest } = options
  const { port } = await front(create, bed, { target: (await bed.origin()) + base, ...rest })
  return (await seen(port, { path: url })).url
}

async function answered(
  create: Create,
  bed: Bed,
  headers: Record<string, string | string[]>,
  options: ServerOptions,
  status = 200,
): Promise<NodeJS.Dict<string | string[]>> {
  const target = await bed.origin((_req, res) => {
    const own: Record<string, string | string[]> = {}
    for (const [name, value] of Object.entries(headers)) {
      own[name] = typeof value === 'string' ? value.replace('TARGET', new URL(target).host) : value
    }
    res.writeHead(status, own)
    res.end('x')
  })
  const { port } = await front(create, bed, { target, ...options })
  return (await call(port, { headers: { host: 'front.example' } })).headers
}

/** A port at which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'the path is passed',
    run: (c, b) => path(c, b, '/a/b?c=d&e=%20f'),
    expected: '/a/b?c=d&e=%20f',
  },
  {
    name: 'the path of the target goes before it',
    run: (c, b) => path(c, b, '/a?b=c', { base: '/base/' }),
    expected: '/base/a?b=c',
  },
  {
    name: 'prependPath: false',
    run: (c, b) => path(c, b, '/a', { base: '/base', prependPath: false }),
    expected: '/a',
  },
  {
    name: 'ignorePath',
    run: (c, b) => path(c, b, '/a?b=c', { base: '/base?x=1', ignorePath: true }),
    expected: '/base?x=1',
  },
  {
    name: 'a URL with a host becomes a path',
    run: async (c, b) => {
      const { port } = await front(c, b, { target: await b.origin() })
      return (
        await seen(port, { path: 'http://front.example/a?b', headers: { host: 'front.example' } })
      ).url
    },
    expected: '/a?b',
  },
  {
    name: 'toProxy',
    run: async (c, b) => {
      const { port } = await front(c, b, {
        target: await b.origin(),
        toProxy: true,
        prependPath: false,
      })
      return exchangeLine(port)
    },
    expected: 'http://front.example/a?b',
  },
  { name: 'slashes within the path', run: (c, b) => path(c, b, '//a//b'), expected: '//a//b' },
  {
    name: 'queries of target and request',
    run: (c, b) => path(c, b, '/a?b=c', { base: '/base?x=1' }),
    expected: '/base/a?x=1&b=c',
  },
  {
    name: 'Host passes, changeOrigin replaces it',
    async run(create, bed) {
      const target = await bed.origin()
      const plain = await front(create, bed, { target })
      const changed = await front(create, bed, { target, changeOrigin: true })
      const headers = { host: 'front.example' }
      return [
        (await seen(plain.port, { headers })).headers.host,
        (await seen(changed.port, { headers })).headers.host === new URL(target).host,
      ]
    },
    expected: ['front.example', true],
  },
  {
    name: 'a target in parts, auth and headers',
    async run(create, bed) {
      const { port } = await front(create, bed, {
        target: { host: '127.0.0.1', port: new URL(await bed.origin()).port },
        auth: 'me:secret',
        headers: { 'X-Extra': 'yes', 'user-agent': 'proxy' },
      })
      const { headers } = await seen(port, { headers: { 'user-agent': 'client', accept: 'a/b' } })
      return [headers.authorization, headers['x-extra'], headers['user-agent'], headers.accept]
    },
    expected: ['Basic bWU6c2VjcmV0', 'yes', 'proxy', 'a/b'],
  },
  {
    name: 'xfwd tells of the client',
    async run(create, bed) {
      const { port } = await front(create, bed, { target: await bed.origin(), xfwd: true })
      return family(await seen(port, { headers: { host: 'front.example:8080' } }))
    },
    expected: ['127.0.0.1', '8080', 'http', 'front.example:8080'],
  },
  {
    name: 'xfwd and what the client claims',
    async run(create, bed) {
      const { port } = await front(create, bed, { target: await bed.origin(), xfwd: true })
      const headers = {
        host: 'front.example',
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-host': 'evil.example',
      }
      return family(await seen(port, { headers }))
    },
    expected: ['127.0.0.1', '80', 'http', 'front.example'],
  },
  {
    name: 'a body with a length, a chunked body',
    async run(create, bed) {
      const { port } = await front(create, bed, { target: await bed.origin() })
      const a = await seen(port, { method: 'POST', headers: { 'content-length': 5 } }, 'hello')
      const b = await seen(
        port,
        { method: 'PUT', headers: { 'transfer-encoding': 'chunked' } },
        'world',
      )
      return [a.body, a.headers['content-length'], b.body, b.headers['transfer-encoding']]
    },
    expected: ['hello', '5', 'world', 'chunked'],
  },
  {
    name: 'DELETE without a body has length 0',
    async run(create, bed) {
      const { port } = await front(create, bed, { target: await bed.origin() })
      return (await seen(port, { method: 'DELETE' })).headers['content-length']
    },
    expected: '0',
  },
  {
    name: 'the body of a chunked DELETE becomes a request',
    async run(create, bed) {
      const urls: (string | undefined)[] = []
      const target = await bed.origin((req, res) => {
        urls.push(req.url)
        req.resume().on('end', () => res.end())
      })
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const { port, proxy } = await front(create, bed, { target, agent })
      proxy.on('error', (_error, _req, res) => res.end())
      const options = {
        method: 'DELETE',
        headers: { 'transfer-encoding': 'chunked', connection: 'keep-alive' },
      }
      await call(port, options, 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n')
      for (let i = 0; i < 10; i++) await call(port, { path: '/b' })
      agent.destroy()
      return urls.includes('/smuggled')
    },
    expected: false,
  },
  {
    name: 'method and buffer',
    async run(create, bed) {
      const target = await bed.origin()
      const proxy = create({ target })
      const server = await bed.server((req, res) => {
        req.resume().on('end', () =>
          proxy.web(req, res, {
            method: 'PUT',
            buffer: Readable.from([Buffer.from('stored')]).pipe(new PassThrough()),
          }),
        )
      })
      const { method, body } = await seen(
        portOf(server),
        { method: 'POST', headers: { 'content-length': 6 } },
        'before',
      )
      return [method, body]
    },
    expected: ['PUT', 'stored'],
  },
  {
    name: 'order and arguments of events',
    async run(create, bed) {
      const events: unknown[] = []
      const target = await bed.origin()
      const { port, proxy } = await front(create, bed, { target })
      proxy.on('start', (req, res, to) =>
        events.push(['start', req.url, typeof res.end, (to as URL).host === new URL(target).host]),
      )
      proxy.on('proxyReq', (proxyReq, req, res, options) => {
        proxyReq.setHeader('x-added', 'yes')
        events.push([
          'proxyReq',
          proxyReq.path,
          proxyReq.getHeader('host') !== undefined,
          req.url,
          res.headersSent,
          typeof options.target,
        ])
      })
      proxy.on('proxyRes', (proxyRes, req, res) => {
        proxyRes.headers['x-changed'] = 'yes'
        events.push(['proxyRes', proxyRes.statusCode, req.url, res.headersSent])
      })
      proxy.on('end', (req, res, proxyRes) =>
        events.push(['end', req.url, res.headersSent, proxyRes.statusCode]),
      )
      const answer = await call(port, { path: '/x' })
      return [
        events,
        answer.headers['x-changed'],
        (JSON.parse(answer.body) as { headers: Record<string, string> }).headers['x-added'],
      ]
    },
    expected: [
      [
        ['start', '/x', 'function', true],
        ['proxyReq', '/x', true, '/x', false, 'object'],
        ['proxyRes', 200, '/x', false],
        ['end', '/x', true, 200],
      ],
      'yes',
      'yes',
    ],
  },
  {
    name: 'selfHandleResponse',
    async run(create, bed) {
      const { port, proxy } = await front(create, bed, {
        target: await bed.origin(),
        selfHandleResponse: true,
      })
      proxy.on('proxyRes', (proxyRes, _req, res) => {
        const pieces: Buffer[] = []
        proxyRes.on('data', (piece: Buffer) => pieces.push(piece))
        proxyRes.on('end', () => {
          res.writeHead(201, { 'x-own': 'yes' })
          res.end(`got ${Buffer.concat(pieces).length > 0}`)
        })
      })
      const { status, headers, body } = await call(port)
      return [status, headers['x-own'], headers['content-type'], body]
    },
    expected: [201, 'yes', undefined, 'got true'],
  },
  {
    name: 'cookieDomainRewrite by text and by map',
    async run(create, bed) {
      const cookies = {
        'set-cookie': [
          'a=1; Domain=old.example; Path=/',
          'b=2; Path=/',
          'c=3; domain=other.example',
        ],
      }
      const all = await answered(create, bed, cookies, { cookieDomainRewrite: 'new.example' })
      const map = await answered(create, bed, cookies, {
        cookieDomainRewrite: { 'old.example': 'new.example', '*': '' },
      })
      return [sorted(all['set-cookie']), sorted(map['set-cookie'])]
    },
    expected: [
      [
        ['a=1', 'domain=new.example', 'path=/'],
        ['b=2', 'path=/'],
        ['c=3', 'domain=new.example'],
      ],
      [['a=1', 'domain=new.example', 'path=/'], ['b=2', 'path=/'], ['c=3']],
    ],
  },
  {
    name: 'cookiePathRewrite',
    async run(create, bed) {
      const cookies = { 'set-cookie': ['a=1; Path=/old/', 'b=2; path=/kept'] }
      const headers = await answered(create, bed, cookies, {
        cookiePathRewrite: { '/old/': '/new/' },
      })
      return sorted(headers['set-cookie'])
    },
    expected: [
      ['a=1', 'path=/new/'],
      ['b=2', 'path=/kept'],
    ],
  },
  ...(
    [
      ['hostRewrite', { hostRewrite: 'outside.example:8443' }, 'http://outside.example:8443/x?y'],
      ['autoRewrite', { autoRewrite: true }, 'http://front.example/x?y'],
      [
        'protocolRewrite',
        { autoRewrite: true, protocolRewrite: 'https' },
        'https://front.example/x?y',
      ],
    ] as const
  ).map(([name, options, expected]) => ({
    name,
    run: async (create: Create, bed: Bed) =>
      (await answered(create, bed, { location: 'http://TARGET/x?y' }, options, 302))['location'],
    expected,
  })),
  {
    name: 'Location of another host stays',
    run: async (create, bed) =>
      (
        await answered(
          create,
          bed,
          { location: 'http://else.example/x' },
          { autoRewrite: true },
          302,
        )
      )['location'],
    expected: 'http://else.example/x',
  },
  {
    name: 'preserveHeaderKeyCase',
    async run(create, bed) {
      const target = await bed.origin((_req, res) => {
        res.writeHead(200, { 'X-MiXed': 'a' })
        res.end()
      })
      const names: boolean[] = []
      for (const preserveHeaderKeyCase of [false, true]) {
        const { port } = await front(create, bed, { target, preserveHeaderKeyCase })
        names.push((await call(port)).rawHeaders.includes('X-MiXed'))
      }
      return names
    },
    expected: [false, true],
  },
  {
    name: 'status line and HEAD',
    async run(create, bed) {
      const target = await bed.origin((_req, res) => {
        res.writeHead(418, 'Short And Stout', { 'content-length': 3 })
        res.end('pot')
      })
      const { port } = await front(create, bed, { target })
      const text = await exchangeBytes(
        port,
        'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      )
      return [text.split('\r\n')[0], /content-length: 3\r\n/i.test(text), text.endsWith('\r\n\r\n')]
    },
    expected: ['HTTP/1.1 418 Short And Stout', true, true],
  },
  {
    name: 'followRedirects within the target',
    async run(create, bed) {
      const target = await bed.origin((req, res) => {
        if (req.url === '/from') {
          res.writeHead(302, { location: '/to' })
          res.end()
        } else res.end(`${req.method} ${req.url}`)
      })
      const { port } = await front(create, bed, { target, followRedirects: true })
      const first = await call(port, { path: '/from' })
      const second = await call(
        port,
        { path: '/from', method: 'POST', headers: { 'content-length': 2 } },
        'ab',
      )
      return [first.status, first.body, second.body]
    },
    expected: [200, 'GET /to', 'GET /to'],
  },
  {
    name: 'followRedirects to another host',
    async run(create, bed) {
      const inner = await bed.origin((_req, res) => res.end('inner'))
      const target = await bed.origin((_req, res) => {
        res.writeHead(302, { location: `${inner}/secret` })
        res.end()
      })
      const { port } = await front(create, bed, { target, followRedirects: true })
      return (await call(port)).status
    },
    expected: 302,
  },
  {
    name: 'nobody listens at the target: the listener of error',
    async run(create, bed) {
      const { port, proxy } = await front(create, bed, {
        target: `http://127.0.0.1:${await deadPort()}`,
      })
      proxy.on('error', (error, req, res, target) => {
        const { code } = error
        if ('writeHead' in res) res.writeHead(500)
        res.end([code, req.url, typeof target].join(' '))
      })
      const { status, body } = await call(port, { path: '/x' })
      return [status, body]
    },
    expected: [500, 'ECONNREFUSED /x object'],
  },
  {
    name: 'nobody listens at the target: the callback',
    async run(create, bed) {
      const proxy = create({ target: `http://127.0.0.1:${await deadPort()}` })
      proxy.on('error', () => {
        throw new Error('not asked')
      })
      const server = await bed.server((req, res) =>
        proxy.web(req, res, {}, (error) => {
          res.statusCode = 509
          res.end(error.code)
        }),
      )
      const { status, body } = await call(portOf(server))
      return [status, body]
    },
    expected: [509, 'ECONNREFUSED'],
  },
  {
    name: 'proxyTimeout',
    async run(create, bed) {
      const target = await bed.origin(() => undefined)
      const { port, proxy } = await front(create, bed, { target, proxyTimeout: 50 })
      proxy.on('error', (error, _req, res) => res.end(error.code))
      return (await call(port)).body
    },
    expected: 'ECONNRESET',
  },
  {
    name: 'no target at all',
    async run(create, bed) {
      const proxy = create({})
      const messages: boolean[] = []
      proxy.on('error', (error) => messages.push(error instanceof Error))
      const server = await bed.server((req, res) => {
        proxy.web(req, res)
        res.end()
      })
      await call(portOf(server))
      return messages
    },
    expected: [true],
  },
  {
    name: 'forward alone',
    async run(create, bed) {
      const got = Promise.withResolvers<string>()
      const forward = await bed.origin((req, res) => {
        let text = ''
        req.on('data', (piece: Buffer) => (text += piece.toString()))
        req.on('end', () => {
          got.resolve(`${req.method} ${req.url} ${text}`)
          res.end('nobody reads this')
        })
      })
      const { port } = await front(create, bed, { forward })
      const answer = await call(
        port,
        { method: 'POST', path: '/f', headers: { 'content-length': 2 } },
        'ab',
      )
      return [answer.status, answer.body, await got.promise]
    },
    expected: [200, '', 'POST /f ab'],
  },
  {
    name: 'before puts a step before stream',
    async run(create, bed) {
      const { port, proxy } = await front(create, bed, { target: await bed.origin() })
      proxy.before('web', 'stream', (req, res) => {
        if (req.url !== '/stop') return false
        res.end('stopped')
        return true
      })
      return [(await call(port, { path: '/stop' })).body, (await seen(port, { path: '/go' })).url]
    },
    expected: ['stopped', '/go'],
  },
  {
    name: 'a WebSocket echo, its events and fields',
    async run(create, bed) {
      const events: string[] = []
      const origin = await bed.server()
      const sockets = new WebSocketServer({ server: origin })
      sockets.on('connection', (socket, req) => {
        socket.on('message', (data) =>
          socket.send([(data as Buffer).toString(), req.url, req.headers['x-added']].join(' ')),
        )
      })
      const proxy = create({ target: `ws://127.0.0.1:${portOf(origin)}` })
      const server = await bed.server()
      server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head))
      proxy.on('proxyReqWs', (proxyReq, req, socket, options, head) => {
        proxyReq.setHeader('x-added', 'yes')
        events.push(
          `proxyReqWs ${req.url} ${typeof socket.write} ${typeof options.target} ${head?.length}`,
        )
      })
      proxy.on('open', (socket) => events.push(`open ${typeof socket.write}`))
      const closed = once(proxy, 'close')
      const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}/room`)
      await once(client, 'open')
      client.send('hello')
      const [data] = (await once(client, 'message')) as [Buffer]
      client.close(1000)
      const [code] = (await once(client, 'close')) as [number]
      const [proxyRes] = (await closed) as [{ statusCode: number }]
      sockets.close()
      return [events, data.toString(), code, proxyRes.statusCode]
    },
    expected: [
      ['proxyReqWs /room function object 0', 'open function'],
      'hello /room yes',
      1000,
      101,
    ],
  },
  {
    name: 'a WebSocket handshake that is refused',
    async run(create, bed) {
      const origin = await bed.server()
      origin.on('upgrade', (_req, socket) =>
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'),
      )
      const proxy = create({ target: `http://127.0.0.1:${portOf(origin)}` })
      const server = await bed.server()
      server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head))
      const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}/`)
      client.on('error', () => undefined)
      const [, res] = (await once(client, 'unexpected-response')) as [
        unknown,
        { statusCode: number; resume(): void },
      ]
      res.resume()
      return res.statusCode
    },
    expected: 403,
  },
  {
    name: 'a WebSocket target that is not there',
    async run(create, bed) {
      const proxy = create({ target: `ws://127.0.0.1:${await deadPort()}` })
      const failed = once(proxy, 'error')
      const server = await bed.server()
      server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head))
      const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}/`)
      const lost = once(client, 'error').catch(() => undefined)
      const [error, req, socket] = (await failed) as [
        NodeJS.ErrnoException,
        { url: string },
        { write: unknown },
      ]
      await lost
      return [error.code, req.url, typeof socket.write]
    },
    expected: ['ECONNREFUSED', '/', 'function'],
  },
]

function family({ headers }: { headers: NodeJS.Dict<string | string[]> }): unknown[] {
  return ['for', 'port', 'proto', 'host'].map((name) => headers[`x-forwarded-${name}`])
}

function sorted(cookies: string | string[] | undefined): string[][] {
  return [cookies ?? []].flat().map((cookie) => {
    const [pair = '', ...attributes] = cookie.split(/;\s*/)
    return [
      pair,
      ...attributes.map((text) => text.replace(/^[A-Z]/, (letter) => letter.toLowerCase())).sort(),
    ]
  })
}

async function exchangeLine(port: number): Promise<string> {
  const text = await exchangeBytes(
    port,
    'GET http://front.example/a?b HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\n\r\n',
  )
  return (JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as { url: string })
    .url
}

/** Where http-proxy 1.18.1 does something else, what, and why we do not. */
export const differences: Readonly<
  Record<string, { readonly theirs: unknown; readonly why: string }>
> = {
  'slashes within the path': {
    theirs: '/a/b',
    why: 'A rule that was matched against //a is not asked again for /a: paths pass as they were matched.',
  },
  'queries of target and request': {
    theirs: '/base?x=1/a?b=c',
    why: 'That is no URL anybody means.',
  },
  'xfwd and what the client claims': {
    theirs: ['6.6.6.6,127.0.0.1', '80', 'http', 'evil.example'],
    why: "Whoever asks could choose its own address; `xfwd: 'append'` is there for proxies behind proxies.",
  },
  'the body of a chunked DELETE becomes a request': {
    theirs: true,
    why: 'Its body is sent behind a length of 0, as the next request (CVE-2026-29057): framing is explicit here.',
  },
  'followRedirects to another host': {
    theirs: 200,
    why: 'An open redirect would show the client what only the proxy can reach; `followRedirects.hosts` allows hosts.',
  },
}
