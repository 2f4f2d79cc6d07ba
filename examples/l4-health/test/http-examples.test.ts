import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { cleanup, run } from './program.ts'

/** What a backend was asked. */
interface Asked {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
}

interface WebServer {
  readonly address: string
  /** Everything but the checks, in the order in which it came. */
  readonly asked: Asked[]
}

async function webServer(name: string): Promise<WebServer> {
  const asked: Asked[] = []
  const server = createServer((message, response) => {
    const { method, url, headers } = message
    if (url !== '/healthz') asked.push({ method, url, headers })
    response.setHeader('content-type', 'text/plain')
    response.end(name.repeat(2000))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

async function ask(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<Answer> {
  const asking = request({ host: '127.0.0.1', port, path, method, headers, agent: false })
  asking.end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.concat(chunks),
  }
}

describe('HTTP examples', () => {
  it('http-router chooses by address, host, path and method', async () => {
    const api = await webServer('api')
    const site = await webServer('site')
    const program = run('http-router', '127.0.0.1:0', api.address, site.address)
    const port = Number((await program.says(/port (\d+)/))[1])

    const admin = await ask(port, '/admin/users', { host: 'www.example.com' })
    expect(admin.status).toBe(403)
    // The office is an address, and whoever claims to be there is not believed.
    const claimed = await ask(port, '/a/../admin/users', { 'x-forwarded-for': '10.1.2.3' })
    expect(claimed.status).toBe(403)
    expect((await ask(port, '/x', {}, 'TRACE')).status).toBe(405)
    expect([api.asked, site.asked]).toEqual([[], []])

    const moved = await ask(port, '/old/page?a=1', { host: 'www.example.com' })
    expect(moved.status).toBe(308)
    expect(moved.headers.location).toMatch(/\/new\//)

    const fromApi = await ask(port, '/v1/things', { host: 'api.example.com' })
    expect(fromApi.body.toString()).toBe('api'.repeat(2000))
    const posted = await ask(port, '/v1/things', { host: 'api.example.com' }, 'POST')
    expect(posted.status).toBe(200)
    expect(api.asked.map(({ method }) => method)).toEqual(['GET', 'POST'])

    const fromSite = await ask(port, '/index.html', { host: 'www.example.com' })
    expect(fromSite.body.toString()).toBe('site'.repeat(2000))
    expect(site.asked).toHaveLength(1)
    expect(site.asked[0]?.headers).toMatchObject({
      host: 'www.example.com',
      'x-served-by': 'edge-1',
      'x-forwarded-for': '127.0.0.1',
    })
    expect(await program.end()).toBe(0)
  })

  it('http-hooks asks for a tenant, names it to the backend, compresses, limits and logs', async () => {
    const backend = await webServer('hello')
    const program = run('http-hooks', '127.0.0.1:0', backend.address)
    const port = Number((await program.says(/port (\d+)/))[1])

    const nobody = await ask(port, '/')
    expect(nobody.status).toBe(400)
    expect(nobody.body.toString()).toBe('x-tenant is missing\n')
    expect(nobody.headers['server-timing']).toMatch(/^total;dur=/)
    expect(backend.asked).toEqual([])

    const plain = await ask(port, '/a', { 'x-tenant': 'Acme' })
    expect(plain.body.toString()).toBe('hello'.repeat(2000))
    expect(plain.headers['server-timing']).toMatch(/^total;dur=\d+\.\d$/)
    expect(backend.asked[0]?.headers['x-tenant-id']).toBe('acme')
    await program.says(/GET \/a 200 done \d+\.\d ms/)

    const packed = await ask(port, '/b', { 'x-tenant': 'Acme', 'accept-encoding': 'gzip' })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(packed.headers.vary).toMatch(/accept-encoding/i)
    expect(gunzipSync(packed.body).toString()).toBe('hello'.repeat(2000))

    const statuses = new Set<number | undefined>()
    for (let round = 0; round < 20 && !statuses.has(429); round++) {
      const asked = Array.from({ length: 150 }, () => ask(port, '/c', { 'x-tenant': 'Acme' }))
      for (const { status } of await Promise.all(asked)) statuses.add(status)
    }
    expect([...statuses].sort()).toEqual([200, 429])
    expect(await program.end()).toBe(0)
  })
})
