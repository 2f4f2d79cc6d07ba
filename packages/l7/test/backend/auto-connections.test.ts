import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSecureServer, type ServerHttp2Session } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Backend, backend, silentLog, systemClock, timerWheel } from '@steelyard/core'
import { nodeTransport } from '@steelyard/l4'
import { afterEach, describe, expect, it } from 'vitest'
import type { BackendConnections, LegDemand } from '../../src/backend/connections.ts'
import { upstreamConnections } from '../../src/backend/upstream-connections.ts'
import { demand, Exchange, requestHead } from './bed.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function pem(name: string): string {
  return readFileSync(new URL(`../../../l4/test/vectors/tls/${name}.pem`, import.meta.url), 'utf8')
}

interface Origin {
  readonly member: Backend
  readonly sockets: Socket[]
  readonly sessions: ServerHttp2Session[]
}

/** Speaks HTTP/2 and, by ALPN, HTTP/1.1; or HTTP/1.1 alone. */
async function origin(protocols: readonly string[]): Promise<Origin> {
  const sockets: Socket[] = []
  const server = createSecureServer(
    {
      cert: pem('local'),
      key: pem('local-key'),
      allowHTTP1: true,
      ALPNCallback: ({ protocols: offered }) => offered.find((each) => protocols.includes(each)),
    },
    (request, response) => {
      response.end(`${request.httpVersion} ${request.url}`)
    },
  )
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session) => sessions.push(session))
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(async () => {
    for (const session of sessions) session.destroy()
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return {
    member: backend(`127.0.0.1:${(server.address() as AddressInfo).port}`),
    sockets,
    sessions,
  }
}

function connectionsOf(): BackendConnections {
  const wheel = timerWheel()
  const connections = upstreamConnections(
    { protocol: 'auto', tls: { ca: pem('ca') } },
    {
      transport: nodeTransport(),
      wheel,
      clock: systemClock,
      log: silentLog,
      random: Math.random,
    },
  )
  cleanups.push(() => {
    connections.close()
    wheel[Symbol.dispose]()
  })
  return connections
}

function seek(
  connections: BackendConnections,
  member: Backend,
  init?: Partial<LegDemand>,
): Exchange {
  const x = new Exchange()
  x.during = (what) => what === 'connected' && x.send(requestHead('GET', '/x'))
  x.search = connections.seek(member, x, demand(init))
  return x
}

describe('auto', () => {
  it('shares one connection of HTTP/2, also among those who came before it was known', async () => {
    const { member, sockets } = await origin(['h2', 'http/1.1'])
    const connections = connectionsOf()
    const burst = Array.from({ length: 50 }, () => seek(connections, member))
    await Promise.all(burst.map((x) => x.done()))
    expect(new Set(burst.map((x) => x.body))).toEqual(new Set(['2.0 /x']))
    expect((await seek(connections, member).done()).body).toBe('2.0 /x')
    expect(sockets.length).toBe(1)
    expect(connections.open).toBe(1)
    expect(connections.stats!()).toMatchObject({ connecting: 0, connectFailures: 0 })
  })

  it('makes and reuses connections of HTTP/1.1 where the member speaks no other', async () => {
    const { member, sockets } = await origin(['http/1.1'])
    const connections = connectionsOf()
    const burst = Array.from({ length: 5 }, () => seek(connections, member))
    await Promise.all(burst.map((x) => x.done()))
    expect(new Set(burst.map((x) => x.body))).toEqual(new Set(['1.1 /x']))
    expect(sockets.length).toBe(5)
    const again = seek(connections, member)
    expect(again.leg?.reused).toBe(true)
    expect((await again.done()).body).toBe('1.1 /x')
    expect(sockets.length).toBe(5)
    expect(connections.idle(member.id)).toBe(5)
  })

  it('speaks HTTP/1.1 for an upgrade', async () => {
    const { member } = await origin(['h2', 'http/1.1'])
    const connections = connectionsOf()
    expect((await seek(connections, member).done()).body).toBe('2.0 /x')
    expect((await seek(connections, member, { upgrade: true }).done()).body).toBe('1.1 /x')
  })

  it('tells all who wait when it fails', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const member = backend(`127.0.0.1:${(gone.address() as AddressInfo).port}`)
    gone.close()
    await once(gone, 'close')
    const connections = connectionsOf()
    const burst = Array.from({ length: 5 }, () => seek(connections, member))
    await Promise.all(burst.map((x) => x.done()))
    for (const x of burst) expect(x.error).toMatchObject({ code: 'connect-failed' })
    expect(connections.stats!()).toMatchObject({ connecting: 0, connectFailures: 1, open: 0 })
  })

  it('goes on for those who still wait when the first gives up, and ends with the last', async () => {
    const { member, sockets } = await origin(['h2', 'http/1.1'])
    const connections = connectionsOf()
    const [first, second] = [seek(connections, member), seek(connections, member)]
    first.search!.cancel()
    expect((await second.done()).body).toBe('2.0 /x')
    expect(first.told).toEqual([])
    expect(sockets.length).toBe(1)

    const silent: Socket[] = []
    const deaf = createServer((socket) => silent.push(socket.resume())).listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    cleanups.push(() => deaf.close())
    const other = backend(`127.0.0.1:${(deaf.address() as AddressInfo).port}`)
    const [third, fourth] = [
      seek(connections, other),
      seek(connections, other, { connectTimeoutMs: 60 }),
    ]
    await fourth.done()
    expect(fourth.error?.code).toBe('connect-timeout')
    expect(connections.stats!().connecting).toBe(1)
    third.search!.cancel()
    expect(connections.stats!().connecting).toBe(0)
    expect(third.told).toEqual([])
    while (silent.length < 1) await new Promise((resolve) => setImmediate(resolve))
    if (!silent[0]!.closed) await once(silent[0]!, 'close')
  })

  it('finds out anew when the member speaks another protocol than before', async () => {
    const protocols = ['h2', 'http/1.1']
    const { member, sessions } = await origin(protocols)
    const connections = connectionsOf()
    expect((await seek(connections, member).done()).body).toBe('2.0 /x')
    protocols.shift()
    for (const session of sessions) session.destroy()
    while (connections.open > 0) await new Promise((resolve) => setImmediate(resolve))
    expect((await seek(connections, member).done()).body).toBe('1.1 /x')
    protocols.unshift('h2')
    const other = seek(connections, member, { mayReuse: false })
    expect((await other.done()).body).toBe('2.0 /x')
  })
})
