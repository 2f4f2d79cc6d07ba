import { once } from 'node:events'
import {
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import { seededRandom } from '@steelyard/testing'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { joinedProxy } from './joined-proxy.ts'

async function member(
  answer: (stream: ServerHttp2Stream, path: string) => void,
  settings = {},
): Promise<Http2Server & { readonly port: number }> {
  const server = createServer({ settings })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    answer(stream, headers[':path'] ?? '')
  })
  server.on('session', (session) => session.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as { port: number }).port })
}

const gib = 1024 ** 3

test('1 GiB up and 1 GiB down, with bounded memory', { timeout: 120_000 }, async () => {
  const piece = Buffer.alloc(256 * 1024, 1)
  let received = 0
  const server = await member((stream, path) => {
    if (path === '/up') {
      stream.on('data', (bytes: Buffer) => {
        received += bytes.length
      })
      stream.on('end', () => {
        stream.respond({ ':status': 200 })
        stream.end(String(received))
      })
      return
    }
    stream.respond({ ':status': 200, 'content-length': String(gib) })
    let sent = 0
    const more = (): void => {
      while (sent < gib) {
        sent += piece.length
        if (!stream.write(piece)) return void stream.once('drain', more)
      }
      stream.end()
    }
    more()
  })
  await using proxy = await joinedProxy(`127.0.0.1:${server.port}`)
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  let most = 0
  const watch = (): void => {
    const { external, arrayBuffers, heapUsed } = process.memoryUsage()
    most = Math.max(most, external + heapUsed, arrayBuffers)
  }
  const down = session.request({ ':path': '/down' })
  let got = 0
  for await (const bytes of down) {
    got += (bytes as Buffer).length
    if (got % (16 * 1024 * 1024) < 20_000) watch()
  }
  expect(got).toBe(gib)
  const up = session.request({ ':path': '/up', ':method': 'POST', 'content-length': String(gib) })
  for (let sent = 0; sent < gib; sent += piece.length) {
    if (!up.write(piece)) await once(up, 'drain')
    if (sent % (64 * 1024 * 1024) === 0) watch()
  }
  up.end()
  up.setEncoding('latin1')
  let text = ''
  for await (const part of up) text += part as string
  expect(text).toBe(String(gib))
  // Client, proxy and member are all in this process.
  expect(most).toBeLessThan(300 * 1024 * 1024)
  session.destroy()
  server.close()
})

test('a WebSocket by extended CONNECT, through both sides', async () => {
  const server = await member(
    (stream) => {
      stream.respond({ ':status': 200 })
      // Past the handshake the two protocols are the same bytes.
      const socket = webSocketOn(stream, true)
      socket.on('message', (text: Buffer) => socket.send(`echo ${text.toString()}`))
    },
    { enableConnectProtocol: true },
  )
  await using proxy = await joinedProxy(`127.0.0.1:${server.port}`)
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  await once(session, 'remoteSettings')
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/ws',
      ':scheme': 'http',
      ':authority': 'a.example',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  )
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
  expect([head[':status'], head['sec-websocket-accept']]).toEqual([200, undefined])
  const client = webSocketOn(stream, false)
  client.send('one')
  expect(String((await once(client, 'message'))[0])).toBe('echo one')
  client.send('x'.repeat(200_000))
  expect(String((await once(client, 'message'))[0])).toBe(`echo ${'x'.repeat(200_000)}`)
  client.close(1000, 'bye')
  const [code] = (await once(client, 'close')) as [number]
  expect(code).toBe(1000)
  while (proxy.server.streams > 0) await new Promise(setImmediate)
  expect(proxy.failures).toEqual([])
  session.destroy()
  server.close()
})

/** The protocol of ws on any stream: it can do so, but only its own handshake is a documented way there. */
function webSocketOn(stream: Duplex, isServer: boolean): WebSocket {
  const socket = new WebSocket(null as never, undefined, {})
  const inner = socket as unknown as {
    _isServer: boolean
    _closeTimeout: number
    setSocket(stream: Duplex, head: Buffer, options: object): void
  }
  inner._isServer = isServer
  inner._closeTimeout = 5000
  Object.assign(stream, { setTimeout: () => stream, setNoDelay: () => stream })
  inner.setSocket(stream, Buffer.alloc(0), { maxPayload: 1e6, allowSynchronousEvents: true })
  return socket
}

test('a client that leaves resets the stream to the member; a member that fails resets the client', async () => {
  const codes: number[] = []
  const server = await member((stream, path) => {
    stream.on('close', () => codes.push(stream.rstCode))
    if (path !== '/fail') return
    stream.respond({ ':status': 200 })
    stream.write('half', () => stream.session!.destroy())
  })
  await using proxy = await joinedProxy(`127.0.0.1:${server.port}`)
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  const leaving = session.request({ ':path': '/wait' })
  leaving.on('error', () => {})
  while (proxy.server.streams === 0 || proxy.pool.idle() > 0) await new Promise(setImmediate)
  leaving.close(8)
  while (codes.length === 0) await new Promise(setImmediate)
  expect(codes).toEqual([8])
  const failing = session.request({ ':path': '/fail' })
  let clean = false
  failing.on('end', () => {
    clean = failing.rstCode === 0
  })
  const failed = new Promise<number>((resolve) => {
    failing.on('error', () => {})
    failing.on('close', () => resolve(failing.rstCode))
  })
  failing.resume()
  expect([await failed, clean]).toEqual([2, false])
  session.destroy()
  server.close()
})

test('thousands of exchanges that end at any point leave nothing behind', {
  timeout: 60_000,
}, async () => {
  const random = seededRandom(7)
  const server = await member((stream, path) => {
    const kind = Number(path.slice(1))
    if (kind < 0.1) return stream.close(2)
    if (kind < 0.2) return void setImmediate(() => stream.close(7))
    stream.respond({ ':status': 200 })
    stream.write('x'.repeat(Math.floor(kind * 50_000)))
    if (kind < 0.3) return stream.close(2)
    if (kind < 0.4) return void setImmediate(() => stream.destroy())
    stream.end('y')
  })
  await using proxy = await joinedProxy(`127.0.0.1:${server.port}`, { h2: { abuseLimit: 0 } })
  let ended = 0
  const one = (session: ReturnType<typeof connect>): Promise<void> =>
    new Promise((resolve) => {
      const body = random() < 0.5
      const stream: ClientHttp2Stream = session.request(
        { ':path': `/${random()}`, ':method': body ? 'POST' : 'GET' },
        { endStream: !body },
      )
      stream.on('error', () => {})
      stream.on('close', () => {
        ended += 1
        resolve()
      })
      if (random() < 0.7) stream.resume()
      else stream.on('response', () => stream.close(8))
      if (!body) return
      stream.write('z'.repeat(Math.floor(random() * 30_000)))
      if (random() < 0.3) setImmediate(() => stream.close(8))
      else stream.end()
    })
  const total = 4000
  const heap = (): number => process.memoryUsage().heapUsed
  let before = 0
  for (let round = 0; round < 20; round++) {
    const session = connect(`http://127.0.0.1:${proxy.port}`)
    session.on('error', () => {})
    await Promise.all(Array.from({ length: total / 20 }, () => one(session)))
    session.destroy()
    if (round === 4) before = heap()
  }
  expect(ended).toBe(total)
  while (proxy.server.sessions > 0) await new Promise(setImmediate)
  while (proxy.pool.idle() < proxy.pool.open) await new Promise(setImmediate)
  expect(proxy.server.streams).toBe(0)
  // Garbage included; 3,000 exchanges with their heads would be more.
  expect(heap() - before).toBeLessThan(60 * 1024 * 1024)
  expect(proxy.failures.filter((failure) => !failure.startsWith('127.0.0.1:'))).toEqual([])
  server.close()
})
