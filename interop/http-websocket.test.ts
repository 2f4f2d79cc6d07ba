import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type ClientHttp2Session, connect as connectH2, constants } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { pool } from '@steelyard/core'
import type { ForwardOptions, HttpBalancerOptions } from '@steelyard/l7'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { type HttpServing, httpServing } from './http-serving.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { suiteWith } from './needs.ts'
import { type Authority, authority, type Issued } from './peers/authority.ts'
import { haproxy } from './peers/haproxy.ts'

/** A server of the package ws that sends back what it hears, and what it has seen of its clients. */
interface EchoServer extends AsyncDisposable {
  readonly address: string
  readonly clients: ReadonlySet<WebSocket>
  /** Codes and reasons of connections that ended, as the server sees it. */
  readonly ended: string[]
  readonly headers: Readonly<Record<string, string | string[] | undefined>>[]
  /** Ends without farewell. */
  kill(): void
}

async function echoServer(): Promise<EchoServer> {
  const http = createServer((_, response) => response.writeHead(426).end())
  const server = new WebSocketServer({
    server: http,
    maxPayload: 16 * 1024 * 1024,
    handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
    verifyClient: ({ req }, answer) => answer(req.url !== '/forbidden', 403, 'No'),
  })
  const ended: string[] = []
  const headers: EchoServer['headers'] = []
  server.on('connection', (client, request) => {
    headers.push(request.headers)
    client.on('error', () => {})
    client.on('close', (code, reason) => ended.push(`${code} ${reason.toString()}`))
    client.on('message', (data, binary) => {
      const word = binary ? '' : (data as Buffer).toString()
      if (word === 'leave') client.close(4001, 'as you wish')
      else client.send(data as Buffer, { binary })
    })
  })
  const host = ownAddress()
  http.listen(0, host)
  await once(http, 'listening')
  const kill = (): void => {
    for (const client of server.clients) client.terminate()
  }
  return {
    address: at(host, (http.address() as AddressInfo).port),
    clients: server.clients,
    ended,
    headers,
    kill,
    async [Symbol.asyncDispose]() {
      kill()
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}

/** What a client has been through. */
interface Visit {
  readonly socket: WebSocket
  readonly messages: RawData[]
  next(): Promise<Buffer>
  readonly over: Promise<string>
}

function visit(socket: WebSocket): Promise<Visit> {
  const messages: RawData[] = []
  socket.on('message', (data) => messages.push(data))
  socket.on('error', () => {})
  let read = 0
  const over = new Promise<string>((resolve) => {
    socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`))
  })
  return new Promise((resolve, reject) => {
    socket.once('unexpected-response', (_, response) => {
      reject(new Error(`answered ${response.statusCode}`))
      response.destroy()
    })
    socket.once('error', reject)
    socket.once('open', () =>
      resolve({
        socket,
        messages,
        over,
        async next() {
          while (messages.length <= read) await once(socket, 'message')
          return messages[read++] as Buffer
        },
      }),
    )
  })
}

/** WebSocket over one stream of HTTP/2 (RFC 8441), by the framing of ws. */
async function overH2(session: ClientHttp2Session, path: string, protocol = ''): Promise<Visit> {
  if (session.remoteSettings?.enableConnectProtocol !== true) {
    await once(session, 'remoteSettings')
  }
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'edge.test',
    'sec-websocket-version': '13',
    ...(protocol === '' ? {} : { 'sec-websocket-protocol': protocol }),
  })
  stream.on('error', () => {})
  const [headers] = (await once(stream, 'response')) as [Record<string, string | number>]
  if (headers[':status'] !== 200) {
    stream.close(constants.NGHTTP2_CANCEL)
    throw new Error(`answered ${String(headers[':status'])}`)
  }
  // What ws does with a socket that was upgraded; it has no other way to begin on a stream.
  const socket = new WebSocket(null as never, undefined, {
    autoPong: true,
    closeTimeout: 5000,
  } as never) as WebSocket & {
    setSocket(socket: Duplex, head: Buffer, options: object): void
    _isServer: boolean
    _protocol: string
  }
  socket._isServer = false
  socket._protocol = String(headers['sec-websocket-protocol'] ?? '')
  const begun = visit(socket)
  socket.setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true,
    maxPayload: 16 * 1024 * 1024,
    skipUTF8Validation: false,
  })
  return begun
}

suiteWith('WebSocket through an HTTP balancer', ['haproxy', 'openssl'], () => {
  let home: Folder
  let trust: Authority
  let edge: Issued
  let server: EchoServer
  let relay: AsyncDisposable
  let relayAddress = ''

  beforeAll(async () => {
    home = await folder()
    trust = await authority(home)
    edge = await trust.issue('edge', ['DNS:edge.test', 'IP:127.0.0.1'])
    server = await echoServer()
    const host = ownAddress()
    relayAddress = at(host, await freePort(host))
    relay = await haproxy(
      home,
      `frontend sockets
  bind ${relayAddress} proto h2
  default_backend sockets
frontend old
  bind ${at(host, 0).replace(/0$/, String(Number(relayAddress.split(':')[1]) + 1))}
  default_backend sockets
backend sockets
  timeout tunnel 1h
  server s ${server.address}`,
    )
  })

  afterAll(async () => {
    await relay?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await home?.[Symbol.asyncDispose]()
  })

  const oldAddress = (): string => {
    const [host, port] = relayAddress.split(':')
    return `${host}:${Number(port) + 1}`
  }

  interface Scene extends AsyncDisposable {
    readonly serving: HttpServing
    begin(path?: string, protocol?: string): Promise<Visit>
  }

  async function scene(
    down: 'h1' | 'tls' | 'h2c' | 'h2',
    up: 'direct' | 'haproxy' | 'haproxy h2c',
    options: ForwardOptions = {},
  ): Promise<Scene> {
    const more: Partial<HttpBalancerOptions> =
      down === 'tls' || down === 'h2' ? { tls: { certificates: [edge] } } : {}
    const address = { direct: server.address, haproxy: oldAddress(), 'haproxy h2c': relayAddress }
    const serving = await httpServing(
      pool({ backends: [address[up]] }),
      { upstream: { protocol: up === 'haproxy h2c' ? 'h2' : 'http/1.1' }, ...options },
      more,
    )
    const session =
      down === 'h2c' || down === 'h2' ? connectH2(serving.url, { ca: trust.ca }) : undefined
    session?.on('error', () => {})
    return {
      serving,
      begin: (path = '/', protocol = '') =>
        session === undefined
          ? visit(
              new WebSocket(serving.url.replace('http', 'ws') + path, protocol ? [protocol] : [], {
                ca: trust.ca,
                perMessageDeflate: down === 'tls',
              }),
            )
          : overH2(session, path, protocol),
      async [Symbol.asyncDispose]() {
        session?.destroy()
        await serving[Symbol.asyncDispose]()
      },
    }
  }

  describe.each([
    ['h1', 'direct'],
    ['tls', 'direct'],
    ['h2c', 'direct'],
    ['h2', 'direct'],
    ['h1', 'haproxy'],
    ['h2', 'haproxy'],
    ['h1', 'haproxy h2c'],
    ['h2', 'haproxy h2c'],
  ] as const)('by %s, to %s', (down, up) => {
    it('says what is said, in messages of every size', async () => {
      await using stage = await scene(down, up)
      const client = await stage.begin('/chat?room=1', 'chat.v2')
      expect(client.socket.protocol).toBe('chat.v2')
      expect(server.headers.at(-1)).toMatchObject({
        'x-forwarded-for': expect.stringMatching(/^127\.0\.0\.1/) as string,
      })
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024, 5_000_000]) {
        const sent = randomBytes(size)
        client.socket.send(sent)
        expect(Buffer.compare(await client.next(), sent)).toBe(0)
      }
      client.socket.send('è vero')
      expect((await client.next()).toString()).toBe('è vero')
      client.socket.close(1000, 'done')
      expect(await client.over).toBe('1000 done')
      await eventually(() => String(server.clients.size), /^0$/)
      expect(server.ended.at(-1)).toBe('1000 done')
      await eventually(() => String(stage.serving.balancer.stats().exchanges), /^0$/)
      expect(stage.serving.served).toMatchObject([{ path: '/chat', status: 101 }])
    })

    it('brings the code with which the server leaves', async () => {
      await using stage = await scene(down, up)
      const client = await stage.begin()
      client.socket.send('leave')
      expect(await client.over).toBe('4001 as you wish')
      await eventually(() => String(stage.serving.balancer.stats().exchanges), /^0$/)
    })

    it('tells either side when the other one is gone', async () => {
      await using stage = await scene(down, up)
      const one = await stage.begin()
      const two = await stage.begin()
      one.socket.send('here')
      await one.next()
      one.socket.terminate()
      await eventually(() => String(server.clients.size), /^1$/)
      expect(server.ended.at(-1)).toBe('1006 ')
      server.kill()
      expect(await two.over).toBe('1006 ')
      await eventually(() => String(stage.serving.balancer.stats().exchanges), /^0$/)
    })

    it('is refused where the server refuses', async () => {
      await using stage = await scene(down, up)
      await expect(stage.begin('/forbidden')).rejects.toThrow('answered 403')
      await eventually(() => String(stage.serving.balancer.stats().exchanges), /^0$/)
    })
  })

  it('ends when nothing moved for too long, and not while something does', async () => {
    await using stage = await scene('h1', 'direct', { timeouts: { tunnel: '600ms' } })
    const quiet = await stage.begin()
    const busy = await stage.begin()
    let over = false
    void quiet.over.then(() => (over = true))
    while (!over) {
      busy.socket.send('still here')
      await Promise.race([busy.next(), busy.over])
      expect(busy.socket.readyState).toBe(WebSocket.OPEN)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(await quiet.over).toBe('1006 ')
    busy.socket.close()
    await busy.over
    await eventually(() => String(stage.serving.served.length), /^2$/)
    expect(stage.serving.served.map(({ reason }) => reason)).toContain('idle-timeout')
  })

  it('does not let a client that asks for something else through', async () => {
    await using stage = await scene('h1', 'direct')
    const socket = connect(stage.serving.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp-tunnel\r\n\r\n')
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 426 /)
    socket.destroy()
  })

  it('carries 200 at once, which all get their own words back', async () => {
    await using stage = await scene('h1', 'direct')
    await using multiplexed = await scene('h2', 'direct')
    const clients = await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? stage : multiplexed).begin()),
    )
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        clients.map(async (client, i) => {
          const word = `${i}:${round}:`.repeat(100)
          client.socket.send(word)
          expect((await client.next()).toString()).toBe(word)
        }),
      )
    }
    expect(server.clients.size).toBe(200)
    for (const { socket } of clients) socket.close()
    await Promise.all(clients.map(({ over }) => over))
    await eventually(() => String(server.clients.size), /^0$/)
  })
})
