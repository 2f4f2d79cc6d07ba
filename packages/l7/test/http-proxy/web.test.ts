import { once } from 'node:events'
import { Agent, type ClientRequest, createServer, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { createProxyServer, type ProxyError } from '@steelyard/l7/http-proxy'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { Bed, call, connections, echo, exchangeBytes, portOf, seen, until } from './bed.ts'
import { deadPort } from './scenarios.ts'

async function front(bed: Bed, options: Parameters<typeof createProxyServer>[0]) {
  const proxy = createProxyServer(options)
  const server = await bed.server((req, res) => proxy.web(req, res))
  return { proxy, server, port: portOf(server) }
}

describe('what passes and what does not', () => {
  it.each([
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    [
      'a coding that is not chunked',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      501,
    ],
    [
      'an alias of Transfer-Encoding',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n',
      400,
    ],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a NUL in the path', 'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a climb above the root', 'GET /../x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['another authority than Host', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  ])('refuses %s, and the target hears nothing', async (_name, bytes, status) => {
    await using bed = new Bed()
    let requests = 0
    const target = await bed.origin((req, res) => {
      requests += 1
      echo(req, res)
    })
    const { port, proxy } = await front(bed, { target })
    const refused: ProxyError[] = []
    proxy.on('refused', (error) => refused.push(error))
    const answer = await exchangeBytes(port, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toMatch(/connection: close\r\n/i)
    expect(requests).toBe(0)
    expect(refused.map(({ source }) => source)).toEqual(['client'])
  })

  it('strips what is for us alone, before it adds its own', async () => {
    await using bed = new Bed()
    const { port } = await front(bed, { target: await bed.origin(), xfwd: true })
    const { headers } = await seen(port, {
      headers: {
        connection: 'close, x-secret, x-forwarded-for, authorization',
        'x-secret': '1',
        authorization: 'Basic eA==',
        'keep-alive': 'timeout=9',
        'proxy-connection': 'keep-alive',
        'proxy-authorization': 'Basic eA==',
        te: 'gzip',
        x_forwarded_for: '6.6.6.6',
        'x-real-ip': '6.6.6.6',
        api_key: 'kept',
      },
    })
    expect(headers).toMatchObject({
      connection: 'keep-alive',
      authorization: 'Basic eA==',
      'x-forwarded-for': '127.0.0.1',
      api_key: 'kept',
    })
    for (const name of [
      'x-secret',
      'keep-alive',
      'proxy-connection',
      'proxy-authorization',
      'te',
      'x_forwarded_for',
      'x-real-ip',
    ]) {
      expect(headers).not.toHaveProperty([name])
    }
  })

  it("lets xfwd: 'append' extend what a proxy in front has said", async () => {
    await using bed = new Bed()
    const { port } = await front(bed, { target: await bed.origin(), xfwd: 'append' })
    const { headers } = await seen(port, {
      headers: { 'x-forwarded-for': '10.1.1.1', 'x-forwarded-host': 'outer' },
    })
    expect([headers['x-forwarded-for'], headers['x-forwarded-host']]).toEqual([
      '10.1.1.1,127.0.0.1',
      'outer',
    ])
  })

  it.each(['GET', 'DELETE', 'OPTIONS', 'HEAD'])(
    'frames a chunked %s: the target counts as many requests as the client',
    async (method) => {
      await using bed = new Bed()
      const urls: (string | undefined)[] = []
      const target = await bed.origin((req, res) => {
        urls.push(req.url)
        req.resume().on('end', () => res.end())
      })
      const { port } = await front(bed, { target })
      const body = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
      for (const path of ['/a', '/b']) {
        await call(port, { method, path, headers: { 'transfer-encoding': 'chunked' } }, body)
      }
      expect(urls).toEqual(['/a', '/b'])
    },
  )

  it('frames what listeners write, and lets one framing go when they set the other', async () => {
    await using bed = new Bed()
    const { port, proxy } = await front(bed, { target: await bed.origin() })
    proxy.on('proxyReq', (proxyReq, req) => {
      if (req.url === '/get') proxyReq.write('GET /smuggled HTTP/1.1\r\n\r\n')
      if (req.url === '/bare') {
        proxyReq.removeHeader('content-length')
        proxyReq.removeHeader('transfer-encoding')
      }
      if (req.url === '/length') {
        proxyReq.setHeader('Content-Length', 2)
        proxyReq.end('ok')
      }
    })
    const got = await seen(port, { path: '/get' })
    expect([got.headers['transfer-encoding'], got.body]).toEqual([
      'chunked',
      'GET /smuggled HTTP/1.1\r\n\r\n',
    ])
    const bare = await seen(
      port,
      { path: '/bare', method: 'POST', headers: { 'content-length': 3 } },
      'abc',
    )
    expect([bare.headers['transfer-encoding'], bare.body]).toEqual(['chunked', 'abc'])
    const length = await seen(
      port,
      { path: '/length', method: 'POST', headers: { 'transfer-encoding': 'chunked' } },
      'x',
    )
    expect([
      length.headers['content-length'],
      length.headers['transfer-encoding'],
      length.body,
    ]).toEqual(['2', undefined, 'ok'])
  })

  it('fails a body that was read already instead of waiting for it', async () => {
    await using bed = new Bed()
    const proxy = createProxyServer({ target: await bed.origin() })
    const errors: ProxyError[] = []
    proxy.on('error', (error, _req, res) => {
      errors.push(error)
      res.end()
    })
    const server = await bed.server((req, res) => {
      req.resume().on('end', () => proxy.web(req, res))
    })
    await call(portOf(server), { method: 'POST', headers: { 'content-length': 3 } }, 'abc')
    expect(errors.map(({ code, reason }) => [code, reason])).toEqual([
      ['ERR_HTTP_CONTENT_LENGTH_MISMATCH', 'hook-failed'],
    ])
  })

  it('passes allowed trailers both ways', async () => {
    await using bed = new Bed()
    const target = await bed.origin((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(200, { trailer: 'x-end' })
        res.write('x')
        res.addTrailers({ 'x-end': JSON.stringify(req.trailers), 'set-cookie': 'a=b' })
        res.end()
      })
    })
    const { port } = await front(bed, { target })
    const text = await exchangeBytes(
      port,
      'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
        '1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Type: a\r\n\r\n',
    )
    expect(text).toContain('x-end: {"x-sum":"1"}\r\n')
    expect(text).not.toContain('a=b')
  })
})

describe('failures', () => {
  it('answers itself when nobody listens, and does not crash', async () => {
    await using bed = new Bed()
    const { port } = await front(bed, { target: `http://127.0.0.1:${await deadPort()}` })
    const { status, body, headers } = await call(port)
    expect([status, body, headers['cache-control']]).toEqual([
      502,
      'Bad Gateway: the server could not be reached\n',
      'no-store',
    ])
  })

  it.each([
    ['no target', {}, 'there is neither target nor forward'],
    [
      'a wrong target',
      { target: 'localhost:80' },
      'target: "localhost:80" is no http, https, ws or wss URL',
    ],
  ])('takes %s in a call for a failure of that call', async (_name, options, message) => {
    await using bed = new Bed()
    const proxy = createProxyServer()
    const server = await bed.server((req, res) => proxy.web(req, res, options))
    expect((await call(portOf(server))).status).toBe(500)
    const failed = once(proxy, 'error') as Promise<[ProxyError, unknown, ServerResponse]>
    const answer = call(portOf(server))
    const [error, , res] = await failed
    res.end()
    await answer
    expect([error.reason, error.code, error.source]).toEqual([
      'invalid-option',
      'invalid-option',
      'config',
    ])
    expect(error.message).toContain(message)
  })

  it('leaves the body for another target when the first cannot be reached', async () => {
    await using bed = new Bed()
    const second = await bed.origin()
    const proxy = createProxyServer({ target: `http://127.0.0.1:${await deadPort()}` })
    const server = await bed.server((req, res) => {
      proxy.web(req, res, undefined, () => proxy.web(req, res, { target: second }))
    })
    const { body } = await seen(
      portOf(server),
      { method: 'POST', headers: { 'content-length': 3 } },
      'abc',
    )
    expect(body).toBe('abc')
  })

  it.each(['start', 'proxyReq', 'proxyRes'] as const)(
    'fails one exchange when a listener of %s throws or rejects',
    async (event) => {
      await using bed = new Bed()
      const { port, proxy } = await front(bed, { target: await bed.origin() })
      const errors: ProxyError[] = []
      proxy.on('error', (error, _req, res) => {
        errors.push(error)
        res.end('handled')
      })
      let turn = 0
      proxy.on(event, () => {
        turn += 1
        if (turn === 1) throw new Error('thrown')
      })
      expect((await call(port)).body).toBe('handled')
      expect(errors[0]).toMatchObject({
        message: 'thrown',
        reason: 'hook-failed',
        source: 'config',
      })
      expect((await seen(port)).method).toBe('GET')
    },
  )

  it('fails the exchange of an async listener that rejects', async () => {
    await using bed = new Bed()
    const { port, proxy } = await front(bed, {
      target: await bed.origin(),
      selfHandleResponse: true,
    })
    const rejecting: () => unknown = () => Promise.reject(new Error('rejected'))
    proxy.on('proxyRes', rejecting)
    expect((await call(port)).status).toBe(500)
  })

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length and a coding',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    [
      '101 that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['no HTTP', 'hello\r\n\r\n'],
  ])('answers 502 to a target that sends %s', async (_name, bytes) => {
    await using bed = new Bed()
    const origin = await bed.server()
    origin.removeAllListeners('connection')
    origin.on('connection', (socket: Socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(bytes))
    })
    const { port } = await front(bed, { target: `http://127.0.0.1:${portOf(origin)}` })
    expect((await call(port)).status).toBe(502)
  })

  it('cuts the client when the target breaks off, and says so by `incomplete`', async () => {
    await using bed = new Bed()
    const target = await bed.origin((_req, res) => {
      res.writeHead(200, { 'content-length': 10 })
      res.write('half', () => res.destroy())
    })
    const { port, proxy } = await front(bed, { target })
    const told = once(proxy, 'incomplete') as Promise<[ProxyError]>
    proxy.on('error', () => expect.unreachable())
    await expect(call(port)).rejects.toMatchObject({ code: 'ECONNRESET' })
    const [error] = await told
    expect([error.reason, error.source, error.phase]).toEqual([
      'backend-reset',
      'backend',
      'response-body',
    ])
  })

  it('sends a GET again, on a new connection, when a kept one turns out to be closed', async () => {
    await using bed = new Bed()
    let sockets = 0
    const origin = createServer({ keepAlive: true })
    origin.on('connection', () => (sockets += 1))
    let requests = 0
    origin.on('request', (req, res) => {
      requests += 1
      // The second request on the first connection finds it closed.
      if (requests === 2) req.socket.destroy()
      else res.end(String(requests))
    })
    origin.listen(0, '127.0.0.1')
    await once(origin, 'listening')
    const { port, proxy } = await front(bed, { target: `http://127.0.0.1:${portOf(origin)}` })
    let proxyReqs = 0
    proxy.on('proxyReq', (proxyReq) => {
      proxyReqs += 1
      proxyReq.setHeader('x-added', 'yes')
    })
    expect((await call(port)).body).toBe('1')
    expect((await call(port)).body).toBe('3')
    expect([sockets, proxyReqs]).toEqual([2, 2])
    expect(
      (await call(port, { method: 'POST', headers: { 'content-length': 1 } }, 'x')).status,
    ).toBe(200)
    proxy.close()
    origin.closeAllConnections()
    origin.close()
  })

  it('does not send a POST again', async () => {
    await using bed = new Bed()
    let requests = 0
    const target = await bed.origin((req, res) => {
      requests += 1
      if (requests === 2) req.socket.destroy()
      else res.end()
    })
    const { port } = await front(bed, { target })
    await call(port)
    const { status } = await call(port, { method: 'POST', headers: { 'content-length': 0 } })
    expect([status, requests]).toEqual([502, 2])
  })

  it('keeps the limits of redirects: how many, which hosts, and credentials for their host alone', async () => {
    await using bed = new Bed()
    const other = await bed.origin()
    const target = await bed.origin((req, res) => {
      res.writeHead(307, { location: req.url === '/out' ? `${other}/x` : '/again' })
      res.end()
    })
    const bounded = await front(bed, { target, followRedirects: { max: 2 } })
    expect((await call(bounded.port, { path: '/loop' })).status).toBe(307)
    const open = await front(bed, { target, followRedirects: { hosts: [new URL(other).host] } })
    const { headers, body, method } = await seen(
      open.port,
      {
        path: '/out',
        method: 'POST',
        headers: { 'content-length': 3, authorization: 'x', cookie: 'a=b' },
      },
      'abc',
    )
    expect([method, body, headers.host, headers.authorization, headers.cookie]).toEqual([
      'POST',
      'abc',
      new URL(other).host,
      undefined,
      undefined,
    ])
  })
})

describe('timeouts', () => {
  it('counts the silence of the target and not the time that the client takes', async () => {
    await using bed = new Bed()
    const clock = manualClock()
    const target = await bed.origin((req, res) => {
      if (req.url === '/stops') res.write('x')
      req.on('data', () => undefined)
    })
    const { port, proxy } = await front(bed, { target, clock, proxyTimeout: 1_000 })
    const errors: ProxyError[] = []
    proxy.on('error', (error, _req, res) => {
      errors.push(error)
      res.end()
    })
    const client = connect(port, '127.0.0.1')
    client.resume()
    const started = once(proxy, 'proxyReq')
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\na')
    const [proxyReq] = (await started) as [ClientRequest]
    await until(() => proxyReq.socket?.bytesWritten !== 0 && proxyReq.headersSent, 'the first byte')
    clock.advance(900)
    clock.advance(900)
    clock.advance(900)
    expect(errors).toEqual([])
    client.write('b')
    await until(() => proxyReq.writableFinished, 'the body')
    clock.advance(1_000)
    await once(client, 'close')
    expect(errors.map(({ code, reason }) => [code, reason])).toEqual([
      ['ECONNRESET', 'first-byte-timeout'],
    ])

    const stopped = once(proxy, 'incomplete') as Promise<[ProxyError]>
    const answered = once(proxy, 'proxyRes')
    const answer = call(port, { path: '/stops' })
    answer.catch(() => undefined)
    await answered
    clock.advance(2_000)
    expect((await stopped)[0].reason).toBe('idle-timeout')
    await expect(answer).rejects.toThrow(/aborted|ECONNRESET|hang up/)
  })
})

describe('more of the options', () => {
  it('closes a client connection in which nothing moves for `timeout`', async () => {
    await using bed = new Bed()
    const { port } = await front(bed, { target: await bed.origin(() => undefined), timeout: 30 })
    await expect(call(port)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  it('hands a redirect to the client when a listener has written the body', async () => {
    await using bed = new Bed()
    const target = await bed.origin((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(307, { location: '/next' })
        res.end()
      })
    })
    const { port, proxy } = await front(bed, { target, followRedirects: true })
    proxy.on('proxyReq', (proxyReq) => {
      proxyReq.setHeader('content-length', 2)
      proxyReq.write('ok')
    })
    expect((await call(port, { method: 'DELETE' })).status).toBe(307)
  })

  it('keeps a client connection usable after an answer that came before the end of the request', async () => {
    await using bed = new Bed()
    const target = await bed.origin((req, res) => {
      if (req.method === 'POST') res.end('early')
      else res.end('next')
    })
    const { port } = await front(bed, { target })
    const client = connect(port, '127.0.0.1')
    let text = ''
    client.on('data', (piece: Buffer) => (text += piece.toString()))
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin')
    await until(() => text.includes('early'), 'the early answer')
    client.write(`${'x'.repeat(999_995)}GET / HTTP/1.1\r\nHost: a\r\n\r\n`)
    await until(() => text.includes('next'), 'the next answer')
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
    client.destroy()
  })
})

describe('both legs end together', () => {
  it.each(['before the response', 'in the response', 'in the request body'] as const)(
    'ends the upstream leg when the client goes %s',
    async (when) => {
      await using bed = new Bed()
      const origin = await bed.server((req, res) => {
        if (when === 'in the response') res.write('x')
        req.resume()
      })
      const { port, proxy } = await front(bed, { target: `http://127.0.0.1:${portOf(origin)}` })
      const told = once(proxy, 'econnreset') as Promise<[ProxyError]>
      proxy.on('error', () => expect.unreachable())
      const reached = once(origin, 'request')
      const client = connect(port, '127.0.0.1')
      client.on('error', () => undefined)
      client.write(
        when === 'in the request body'
          ? 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab'
          : 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      )
      await reached
      if (when === 'in the response') await once(client, 'data')
      client.destroy()
      const [error] = await told
      expect([error.code, error.reason, error.source]).toEqual([
        'ECONNRESET',
        'client-aborted',
        'client',
      ])
      await until(async () => (await connections(origin)) === 0, 'no connection to the target')
    },
  )

  it('leaves no socket behind after 300 exchanges that were aborted anywhere', async () => {
    await using bed = new Bed()
    const origin = await bed.server((req, res) => {
      res.write('x'.repeat(1000))
      req.resume().on('end', () => res.end('y'.repeat(100_000)))
    })
    const { port, proxy, server } = await front(bed, {
      target: `http://127.0.0.1:${portOf(origin)}`,
    })
    proxy.on('econnreset', () => undefined)
    const abort = (index: number) =>
      new Promise<void>((resolve) => {
        const client = connect(port, '127.0.0.1')
        client.on('error', () => undefined)
        client.on('close', () => resolve())
        const text = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n01234567890123456789'
        client.on('connect', () => {
          client.write(text.slice(0, 1 + ((index * 7) % text.length)))
          if (index % 3 === 0) client.destroy()
          else if (index % 3 === 1) setImmediate(() => client.destroy())
          else client.once('data', () => client.destroy()).end()
        })
      })
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 30 }, (_, index) => abort(round * 30 + index)))
    }
    await until(async () => (await connections(server)) === 0, 'no client connection')
    proxy.close()
    await until(async () => (await connections(origin)) === 0, 'no connection to the target')
    expect((await seenStatus(port)).status).toBe(200)
  })

  it('lets a slow client hold the target back', async () => {
    await using bed = new Bed()
    let written = 0
    const target = await bed.origin((_req, res) => {
      const piece = Buffer.alloc(65_536)
      const more = (): void => {
        while (written < 2 ** 26) {
          written += piece.length
          if (!res.write(piece)) {
            res.once('drain', more)
            return
          }
        }
        res.end()
      }
      more()
    })
    const { port } = await front(bed, { target })
    const client = connect(port, '127.0.0.1')
    client.on('error', () => undefined)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(client, 'readable')
    let before = -1
    await until(() => {
      const still = before === written
      before = written
      return still && written > 0
    }, 'the target waits')
    expect(written).toBeLessThan(2 ** 25)
    client.destroy()
  })

  it('destroys what is at work, and closes what listens', async () => {
    await using bed = new Bed()
    const origin = await bed.server(() => undefined)
    const proxy = createProxyServer({ target: `http://127.0.0.1:${portOf(origin)}` }).listen(
      0,
      '127.0.0.1',
    )
    await until(() => proxy.address() !== null, 'listening')
    const reached = once(origin, 'request')
    const answer = call(portOf(proxy))
    answer.catch(() => undefined)
    await reached
    proxy.destroy()
    await expect(answer).rejects.toThrow(/socket hang up|ECONNRESET/)
    await until(async () => (await connections(origin)) === 0, 'no connection to the target')
    expect(proxy.address()).toBeNull()
    await new Promise<void>((resolve) => proxy.close(() => resolve()))
  })
})

describe('other ways to call it', () => {
  it('keeps connections by default, opens new ones with agent: false, and uses an agent that is handed in', async () => {
    await using bed = new Bed()
    for (const [agent, sockets] of [
      [undefined, 1],
      [false, 3],
      [new Agent({ keepAlive: true, maxSockets: 1 }), 1],
    ] as const) {
      let opened = 0
      const origin = await bed.server(echo)
      origin.on('connection', () => (opened += 1))
      const target = `http://127.0.0.1:${portOf(origin)}`
      const { port } = await front(bed, agent === undefined ? { target } : { target, agent })
      for (let i = 0; i < 3; i++) await call(port)
      expect(opened).toBe(sockets)
    }
  })

  it('can be awaited, and called with new', async () => {
    await using bed = new Bed()
    const Callable = createProxyServer as unknown as new (
      options: object,
    ) => ReturnType<typeof createProxyServer>
    const proxy = new Callable({ target: await bed.origin() })
    const over = Promise.withResolvers<boolean>()
    const server = await bed.server((req, res) => {
      const result = proxy.web(req, res) as unknown as Promise<void>
      void result.then(() => over.resolve(res.writableEnded))
    })
    await call(portOf(server))
    expect(await over.promise).toBe(true)
  })

  it('copies requests to forward while the target answers, whatever becomes of the copy', async () => {
    await using bed = new Bed()
    const copied = Promise.withResolvers<string>()
    const forward = await bed.origin((req, res) => {
      let text = ''
      req.on('data', (piece: Buffer) => (text += piece.toString()))
      req.on('end', () => {
        copied.resolve(text)
        res.end()
      })
    })
    const target = await bed.origin()
    const { port } = await front(bed, { target, forward })
    expect(
      (await seen(port, { method: 'POST', headers: { 'content-length': 3 } }, 'abc')).body,
    ).toBe('abc')
    expect(await copied.promise).toBe('abc')
    const dead = await front(bed, { target, forward: `http://127.0.0.1:${await deadPort()}` })
    const failed = once(dead.proxy, 'forwardError') as Promise<[ProxyError]>
    expect(
      (await seen(dead.port, { method: 'POST', headers: { 'content-length': 3 } }, 'abc')).body,
    ).toBe('abc')
    expect((await failed)[0].code).toBe('ECONNREFUSED')
  })

  it.each([
    ['target', 'example.com'],
    ['target', { host: 'a b' }],
    ['target', {}],
    ['forward', 'ftp://a'],
    ['agent', 7],
    ['ws', 'yes'],
    ['secure', 'false'],
    ['xfwd', 'yes'],
    ['localAddress', 'eth0'],
    ['auth', 'nocolon'],
    ['hostRewrite', 'a/b'],
    ['protocolRewrite', 'ftp'],
    ['cookieDomainRewrite', { a: 'b;c' }],
    ['cookiePathRewrite', 5],
    ['headers', { 'content-length': '5' }],
    ['headers', { 'x-a': 'b\r\nc: d' }],
    ['proxyTimeout', -1],
    ['followRedirects', { max: 100 }],
    ['buffer', 'text'],
    ['method', 'CONNECT'],
    ['clock', {}],
  ])('refuses %s: %j', (name, value) => {
    expect(() => createProxyServer({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: expect.stringMatching(`^${name}`) }),
    )
  })

  it('takes null for left out, and leaves unknown fields alone', () => {
    const proxy = createProxyServer({
      target: null,
      hostRewrite: null,
      protocolRewrite: null,
      agent: null,
      pathFilter: '/api',
    } as object)
    expect(proxy.options).toMatchObject({ pathFilter: '/api', prependPath: true })
  })
})

function seenStatus(port: number) {
  return call(port, { method: 'POST', headers: { 'content-length': 1 } }, 'x')
}
