import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pool } from '@steelyard/core'
import { afterEach, describe, expect, it } from 'vitest'
import {
  always,
  forward,
  host,
  httpBalancer,
  path,
  redirect,
  respond,
  route,
} from '../../src/index.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

async function origin(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('http balancer', () => {
  it('routes over real connections: forwards, redirects, answers', async () => {
    const backend = await origin((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        response.setHeader('x-seen', `${request.method} ${request.url} ${request.headers.host}`)
        response.end(Buffer.concat(pieces).toString().toUpperCase())
      })
    })
    const api = pool({ backends: [backend] })
    await using edge = await httpBalancer({
      listen: '127.0.0.1:0',
      routes: [
        route(path('/old/*'), redirect('/new/', 308)),
        route(path('/no'), respond(403)),
        route(host('api.example.com'), forward(api)),
        route(path('/api/*'), forward(api, { setHeaders: { 'x-by': 'edge' } })),
      ],
    }).start()
    const base = `http://127.0.0.1:${edge.address!.port}`
    const answer = await fetch(`${base}/api/x?y=1`, { method: 'POST', body: 'hello' })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe('HELLO')
    expect(answer.headers.get('x-seen')).toBe(`POST /api/x?y=1 127.0.0.1:${edge.address!.port}`)
    const moved = await fetch(`${base}/old/a?b=c`, { redirect: 'manual' })
    expect([moved.status, moved.headers.get('location')]).toEqual([308, '/new/a?b=c'])
    expect((await fetch(`${base}/no`)).status).toBe(403)
    expect((await fetch(`${base}/nowhere`)).status).toBe(404)
    expect(edge.stats()).toMatchObject({ requests: 4, exchanges: 0 })
  })

  it('is driven without a socket', async () => {
    const backend = await origin((request, response) => {
      response.end(`${request.method} ${request.url}`)
    })
    const edge = httpBalancer({
      listen: '127.0.0.1:0',
      routes: [route(always, forward(pool({ backends: [backend] })))],
    })
    const { status, text } = await edge.inject('http://example.com/a/../b')
    expect([status, text()]).toEqual([200, 'GET /b'])
    expect(edge.explain('/x')).toEqual([expect.objectContaining({ matched: true })])
    await edge.stop()
  })
})
