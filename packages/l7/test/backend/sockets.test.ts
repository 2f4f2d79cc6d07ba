import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as httpServer, type RequestListener } from 'node:http'
import { createServer as httpsServer, type ServerOptions } from 'node:https'
import { type AddressInfo, createServer as netServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { type Backend, backend, silentLog, systemClock, timerWheel } from '@steelyard/core'
import { nodeTransport } from '@steelyard/l4'
import { afterEach, describe, expect, it } from 'vitest'
import type { BackendConnections, LegDemand } from '../../src/backend/connections.ts'
import { upstreamConnections } from '../../src/backend/upstream-connections.ts'
import type { UpstreamOptions } from '../../src/backend/upstream-options.ts'
import { unknownLength } from '../../src/wire/request-head.ts'
import { bytes, demand, Exchange, ok, requestHead } from './bed.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function pem(name: string): string {
  return readFileSync(new URL(`../../../l4/test/vectors/tls/${name}.pem`, import.meta.url), 'utf8')
}

interface Origin {
  readonly member: Backend
  /** Connections that it has accepted. */
  readonly sockets: Socket[]
}

async function listening(server: {
  listen(port: number, host: string): unknown
  address(): string | AddressInfo | null
  on(event: string, listener: (socket: Socket) => void): unknown
  once(event: string, listener: () => void): unknown
  close(done: () => void): unknown
}): Promise<Origin> {
  const sockets: Socket[] = []
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
  })
  server.listen(0, '127.0.0.1')
  await new Promise<void>((resolve) => server.once('listening', resolve))
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(resolve))
  })
  return { member: backend(`127.0.0.1:${(server.address() as AddressInfo).port}`), sockets }
}

const raw = (onSocket: (socket: Socket) => void): Promise<Origin> =>
  listening(netServer({ allowHalfOpen: true }, onSocket))
const http = (listener: RequestListener): Promise<Origin> => listening(httpServer(listener))
const https = (options: ServerOptions, listener: RequestListener): Promise<Origin> =>
  listening(httpsServer(options, listener))

function connectionsOf(options: UpstreamOptions = {}): BackendConnections {
  const wheel = timerWheel()
  const connections = upstreamConnections(options, {
    transport: nodeTransport(),
    wheel,
    clock: systemClock,
    log: silentLog,
    random: Math.random,
  })
  cleanups.push(() => {
    connections.close()
    wheel[Symbol.dispose]()
    expect(connections.open).toBe(0)
  })
  return connections
}

async function leg(
  connections: BackendConnections,
  { member }: Pick<Origin, 'member'>,
  init?: Partial<LegDemand>,
): Promise<Exchange> {
  const x = new Exchange()
  x.search = connections.seek(member, x, demand(init))
  return x.hears('connected')
}

async function get(
  connections: BackendConnections,
  origin: Pick<Origin, 'member'>,
  path = '/',
): Promise<Exchange> {
  return (await leg(connections, origin)).send(requestHead('GET', path)).done()
}

it('reuses a connection of node:http for every kind of body', async () => {
  const origin = await http((request, response) => {
    if (request.url === '/chunked') {
      response.write('one')
      response.addTrailers({ 'X-Sum': '6' })
      response.end('two')
    } else if (request.url === '/empty') {
      response.writeHead(204).end()
    } else if (request.url === '/hints') {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.end('hinted')
    } else {
      request.pipe(response)
    }
  })
  const connections = connectionsOf()
  expect((await get(connections, origin, '/chunked')).body).toBe('onetwo')
  expect((await get(connections, origin, '/empty')).status).toBe(204)
  expect(await get(connections, origin, '/hints')).toMatchObject({ body: 'hinted', interim: [103] })
  for (const length of [5, unknownLength]) {
    const x = (await leg(connections, origin)).send(requestHead('PUT', '/echo'), length)
    x.leg!.sendBody(bytes('he'))
    x.leg!.sendBody(bytes('llo'))
    x.leg!.finish(undefined)
    expect((await x.done()).body).toBe('hello')
  }
  expect(origin.sockets.length).toBe(1)
  expect(connections.stats!()).toMatchObject({ opened: 1, reused: 4, idle: 1 })
})

it('streams large bodies both ways at the same time, with bounded memory', async () => {
  const origin = await http((request, response) => void request.pipe(response))
  const connections = connectionsOf()
  const x = (await leg(connections, origin)).send(requestHead('POST', '/'), unknownLength)
  const total = 32 * 1024 * 1024
  const piece = new Uint8Array(128 * 1024).fill(0x61)
  let sent = 0
  let received = 0
  let resting = 0
  x.responseBody = (range) => {
    received += range.length
    resting += 1
    // A reader that cannot keep up.
    x.leg!.pauseBody()
    setImmediate(() => x.leg!.resumeBody())
  }
  const pump = (): void => {
    while (sent < total) {
      sent += piece.length
      if (!x.leg!.sendBody(piece)) return
    }
    x.leg!.finish(undefined)
  }
  x.during = (what) => what === 'drained' && pump()
  pump()
  expect(sent).toBeLessThan(total)
  await x.done()
  expect([sent, received]).toEqual([total, total])
  expect(resting).toBeGreaterThan(10)
  expect(x.error).toBeUndefined()
})

describe('a member that closes idle connections', () => {
  it('is noticed, and a new one is made', async () => {
    const origin = await raw((socket) => {
      socket.on('data', () => socket.write(ok))
    })
    const connections = connectionsOf()
    await get(connections, origin)
    expect(connections.idle()).toBe(1)
    origin.sockets[0]!.end()
    await once(origin.sockets[0]!, 'close')
    expect(connections.idle()).toBe(0)
    expect(connections.stats!().closed['member-closed']).toBe(1)
    expect((await get(connections, origin)).body).toBe('ok')
    expect(origin.sockets.length).toBe(2)
  })

  it('at the very moment of a request: it may be sent again', async () => {
    const origin = await raw((socket) => {
      socket.once('data', () => {
        socket.write(ok)
        // Everything that comes from now on meets a connection that is being closed.
        socket.on('data', () => socket.resetAndDestroy())
      })
    })
    const connections = connectionsOf()
    await get(connections, origin)
    const x = await get(connections, origin)
    expect(x.leg!.reused).toBe(true)
    expect(x.error).toMatchObject({ code: 'backend-reset', replayable: true })
    const again = await leg(connections, origin, { mayReuse: false })
    expect((await again.send(requestHead('GET', '/')).done()).body).toBe('ok')
  })

  it('races many times without a response lost or mixed up', async () => {
    const origin = await http((request, response) => {
      response.end(request.url)
    })
    const connections = connectionsOf()
    let lost = 0
    for (let i = 0; i < 300; i++) {
      const x = (await leg(connections, origin)).send(requestHead('GET', `/${i}`))
      if (i % 3 === 0) for (const socket of origin.sockets) socket.destroySoon()
      await x.done()
      if (x.error === undefined) expect(x.body).toBe(`/${i}`)
      else {
        lost += 1
        expect(x.error.replayable).toBe(x.leg!.reused)
        expect(x.body).toBe('')
      }
    }
    expect(lost).toBeLessThan(101)
    expect(connections.open).toBeLessThanOrEqual(1)
  })
})

it('closes a connection on which a second response comes unasked (response queue poisoning)', async () => {
  const origin = await raw((socket) => {
    socket.on('data', () => socket.write(ok))
  })
  const connections = connectionsOf()
  const first = await get(connections, origin)
  expect(first.body).toBe('ok')
  expect(connections.idle()).toBe(1)
  origin.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
  await once(origin.sockets[0]!, 'end')
  expect(connections.idle()).toBe(0)
  expect(connections.stats!().closed['unexpected-bytes']).toBe(1)
  expect((await get(connections, origin)).body).toBe('ok')
})

it('sees a body cut short', async () => {
  const origin = await raw((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort'))
  })
  const x = await get(connectionsOf(), origin)
  expect(x).toMatchObject({
    body: 'short',
    error: { code: 'backend-closed', phase: 'response-body', replayable: false },
  })
})

it('is told when nobody listens, and when nobody answers', async () => {
  const gone = netServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  const connections = connectionsOf()
  const x = new Exchange()
  x.search = connections.seek(backend(`127.0.0.1:${port}`), x, demand())
  await x.done()
  expect(x.error).toMatchObject({ code: 'connect-failed', cause: { code: 'connection-refused' } })
})

it('abandons exchanges at any point without leaving a socket', async () => {
  const origin = await http((request, response) => {
    request.resume()
    response.write('x'.repeat(10_000))
    request.on('end', () => response.end('y'))
  })
  const connections = connectionsOf()
  for (let round = 0; round < 60; round++) {
    const x = new Exchange()
    x.search = connections.seek(origin.member, x, demand({ mayReuse: round % 2 === 0 }))
    if (round % 6 === 0) {
      x.search?.cancel()
      x.leg?.abort()
      continue
    }
    await x.hears('connected')
    if (round % 6 > 1) x.send(requestHead('POST', '/'), 4)
    if (round % 6 > 2) x.leg!.sendBody(bytes('he'))
    if (round % 6 > 3) await x.hears('body')
    x.leg!.abort()
  }
  for (const socket of origin.sockets) if (!socket.closed) socket.destroy()
  connections.close()
  expect(connections.open).toBe(0)
  expect(connections.stats!().connecting).toBe(0)
})

it('speaks to unix sockets', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'steelyard-l7-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'app.sock')
  const server = httpServer((_, response) => response.end('local')).listen(path)
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const connections = connectionsOf()
  const origin = { member: backend(`unix:${path}`) }
  expect((await get(connections, origin)).body).toBe('local')
  expect((await get(connections, origin)).leg!.reused).toBe(true)
})

describe('TLS', () => {
  const server = { cert: pem('local'), key: pem('local-key') }
  const ca = pem('ca')

  it('verifies the member, reuses connections, offers http/1.1', async () => {
    const offered: unknown[] = []
    const origin = await https(
      {
        ...server,
        ALPNCallback: ({ protocols }) => {
          offered.push(protocols)
          return protocols[0]
        },
      },
      (request, response) => {
        expect((request.socket as TLSSocket).encrypted).toBe(true)
        request.pipe(response)
      },
    )
    const connections = connectionsOf({ tls: { ca } })
    for (let i = 0; i < 4; i++) {
      const x = (await leg(connections, origin)).send(requestHead('POST', '/'), 5)
      x.leg!.sendBody(bytes('hello'))
      x.leg!.finish(undefined)
      expect(await x.done()).toMatchObject({ body: 'hello', error: undefined })
    }
    expect(offered).toEqual([['http/1.1']])
    expect(connections.stats!()).toMatchObject({ opened: 1, reused: 3, idle: 1 })
    origin.sockets[0]!.destroy()
    await once(origin.sockets[0]!, 'close')
    while (connections.idle() > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(connections.open).toBe(0)
  })

  it('refuses a member that cannot prove who it is', async () => {
    const origin = await https(server, (_, response) => response.end())
    for (const tls of [true, { ca, serverName: 'else.example' }] as const) {
      const connections = connectionsOf({ tls })
      const x = new Exchange()
      x.search = connections.seek(origin.member, x, demand())
      await x.done()
      expect(x.error).toMatchObject({
        code: 'connect-failed',
        source: 'backend',
        replayable: true,
        cause: { code: 'tls-verify-failed' },
      })
      expect(connections.stats!()).toMatchObject({ connectFailures: 1, connecting: 0, open: 0 })
    }
  })

  it('has one time limit for the connect and the handshake, and can be given up in between', async () => {
    const silent = await raw((socket) => socket.resume().on('end', () => socket.end()))
    const connections = connectionsOf({ tls: { ca } })
    const late = new Exchange()
    late.search = connections.seek(silent.member, late, demand({ connectTimeoutMs: 100 }))
    await late.done()
    expect(late.error?.code).toBe('connect-timeout')
    const given = new Exchange()
    given.search = connections.seek(silent.member, given, demand())
    while (silent.sockets.length < 2) await new Promise((resolve) => setImmediate(resolve))
    given.search!.cancel()
    await Promise.all(
      silent.sockets.map(async (socket) => {
        if (!socket.closed) await once(socket, 'close')
      }),
    )
    expect(given.told).toEqual([])
    expect(connections.stats!()).toMatchObject({ connecting: 0, open: 0 })
  })

  it('gives the PROXY header before the handshake', async () => {
    const secure = httpsServer(server, (_, response) => response.end('ok'))
    let header = ''
    const origin = await raw((socket) => {
      socket.once('data', (chunk: Buffer) => {
        const end = chunk.indexOf('\r\n') + 2
        header = chunk.subarray(0, end).toString()
        socket.pause()
        if (chunk.length > end) socket.unshift(chunk.subarray(end))
        secure.emit('connection', socket)
      })
    })
    const connections = connectionsOf({ tls: { ca }, sendProxy: 'v1' })
    expect((await get(connections, origin)).body).toBe('ok')
    expect(header).toBe('PROXY TCP4 192.0.2.7 10.0.0.1 40000 443\r\n')
  })

  it('shows its own certificate', async () => {
    const origin = await https(
      { ...server, ca, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        response.end((request.socket as TLSSocket).getPeerCertificate().subject.CN)
      },
    )
    const certificate = { cert: pem('client'), key: pem('client-key') }
    const connections = connectionsOf({ tls: { ca, certificate } })
    expect((await get(connections, origin)).body).toBe('client one')
  })
})
