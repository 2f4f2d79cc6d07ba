import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import { createServer, request } from 'node:https'
import { createProxyServer, type ProxyError, type ServerOptions } from '@steelyard/l7/http-proxy'
import { describe, expect, it } from 'vitest'
import { Bed, call, echo, portOf, type Seen, seen, until } from './bed.ts'

function pem(name: string): string {
  return readFileSync(new URL(`../../../l4/test/vectors/tls/${name}.pem`, import.meta.url), 'utf8')
}
const ca = pem('ca')
const own = { key: pem('local-key'), cert: pem('local') }

async function secureOrigin(options: object = {}): Promise<AsyncDisposable & { port: number }> {
  const server = createServer({ ...own, ...options }, echo).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function front(bed: Bed, options: ServerOptions) {
  const proxy = createProxyServer(options)
  return { proxy, port: portOf(await bed.server((req, res) => proxy.web(req, res))) }
}

describe('https', () => {
  it('verifies the target by its own name, whatever Host the client writes', async () => {
    await using bed = new Bed()
    await using origin = await secureOrigin()
    const headers = { host: 'anything.example' }
    const parts = await front(bed, {
      target: { protocol: 'https', host: 'localhost', port: origin.port, ca },
    })
    expect((await seen(parts.port, { headers })).headers.host).toBe('anything.example')
    const url = await front(bed, {
      target: `https://localhost:${origin.port}`,
      ca,
      changeOrigin: true,
    })
    expect((await seen(url.port, { headers })).headers.host).toBe(`localhost:${origin.port}`)
  })

  it('refuses what it cannot verify, unless secure is false', async () => {
    await using bed = new Bed()
    await using origin = await secureOrigin()
    const target = `https://localhost:${origin.port}`
    const strict = await front(bed, { target })
    const failed = once(strict.proxy, 'error') as Promise<[ProxyError, unknown, { end(): void }]>
    const answer = call(strict.port)
    const [error, , res] = await failed
    res.end()
    await answer
    expect([error.code, error.reason, error.phase]).toEqual([
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'connect-failed',
      'connect',
    ])
    const lax = await front(bed, { target, secure: false })
    expect((await seen(lax.port)).method).toBe('GET')
    const wrong = await front(bed, {
      target: {
        protocol: 'https:',
        host: 'localhost',
        port: origin.port,
        ca,
        servername: 'b.example',
      },
    })
    expect((await call(wrong.port)).status).toBe(502)
  })

  it('shows a client certificate', async () => {
    await using bed = new Bed()
    await using origin = await secureOrigin({ ca, requestCert: true, rejectUnauthorized: true })
    const target = { protocol: 'https:', host: 'localhost', port: origin.port, ca }
    const without = await front(bed, { target })
    expect((await call(without.port)).status).toBe(502)
    const shown = await front(bed, {
      target: { ...target, cert: pem('client'), key: pem('client-key') },
    })
    expect((await seen(shown.port)).method).toBe('GET')
  })

  it('listens with ssl, and tells the target', async () => {
    await using bed = new Bed()
    const proxy = createProxyServer({ target: await bed.origin(), ssl: own, xfwd: true }).listen(
      0,
      '127.0.0.1',
    )
    await until(() => proxy.address() !== null, 'listening')
    const sent = request({
      host: '127.0.0.1',
      port: portOf(proxy),
      ca,
      servername: 'localhost',
      agent: false,
    })
    sent.end()
    const [res] = (await once(sent, 'response')) as [AsyncIterable<Buffer>]
    let text = ''
    for await (const piece of res) text += piece.toString()
    const { headers } = JSON.parse(text) as Seen
    expect([headers['x-forwarded-proto'], headers['x-forwarded-port']]).toEqual([
      'https',
      String(portOf(proxy)),
    ])
    proxy.destroy()
  })
})

describe('requests by HTTP/2, as node:http2 shows them', () => {
  it('pass with their authority and body, and without what HTTP/2 has not', async () => {
    await using bed = new Bed()
    const proxy = createProxyServer({ target: await bed.origin() })
    const server = createHttp2((req, res) => proxy.web(req as never, res as never)).listen(
      0,
      '127.0.0.1',
    )
    await once(server, 'listening')
    const client = connectHttp2(`http://127.0.0.1:${portOf(server)}`)
    const stream = client.request({
      ':method': 'PUT',
      ':path': '/a?b',
      ':authority': 'front.example',
      'x-a': 'b',
    })
    stream.end('body')
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    let text = ''
    for await (const piece of stream) text += String(piece)
    const got = JSON.parse(text) as Seen
    expect([headers[':status'], headers['connection'], headers['transfer-encoding']]).toEqual([
      200,
      undefined,
      undefined,
    ])
    expect([got.method, got.url, got.headers.host, got.headers['x-a'], got.body]).toEqual([
      'PUT',
      '/a?b',
      'front.example',
      'b',
      'body',
    ])
    client.destroy()
    server.close()
  })
})
