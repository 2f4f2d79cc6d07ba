import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createProxyServer, type ProxyError } from '@steelyard/l7/http-proxy'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { Bed, connections, exchangeBytes, portOf, until } from './bed.ts'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const accept = createHash('sha1')
  .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64')
const handshake =
  'GET /room HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
const agreed = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`

/** A target that speaks bytes, and a proxy before it. */
async function tunnelBed(
  bed: Bed,
  onUpgrade: (socket: Socket) => void,
  options: Parameters<typeof createProxyServer>[0] = {},
  endsToo = true,
) {
  const origin = await bed.server()
  let heads = 0
  origin.on('upgrade', (_req, socket) => {
    heads += 1
    socket.on('error', () => undefined)
    if (endsToo) socket.on('end', () => socket.destroy())
    onUpgrade(socket as Socket)
    socket.resume()
  })
  const proxy = createProxyServer({ target: `http://127.0.0.1:${portOf(origin)}`, ...options })
  const server = await bed.server()
  server.on('upgrade', proxy.ws)
  return { origin, proxy, server, port: portOf(server), heads: () => heads }
}

function opened(port: number, more = ''): Socket {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => undefined)
  client.write(handshake + more)
  return client
}

async function textOf(client: Socket, wanted: string): Promise<void> {
  let text = ''
  client.on('data', (piece: Buffer) => (text += piece.toString('latin1')))
  await until(() => text.includes(wanted), wanted)
}

describe('handshakes', () => {
  it.each([
    ['another protocol', handshake.replace('websocket', 'h2c'), 400],
    ['a key that is none', handshake.replace(key, 'short'), 400],
    ['another version', handshake.replace(': 13', ': 8'), 400],
    ['a body', handshake.replace('Host: a', 'Host: a\r\nContent-Length: 3'), 400],
  ])('refuses %s, and the target hears nothing', async (_name, bytes, status) => {
    await using bed = new Bed()
    const { port, proxy, heads } = await tunnelBed(bed, (socket) => socket.end())
    const refused = once(proxy, 'refused')
    expect(await exchangeBytes(port, bytes)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    await refused
    expect(heads()).toBe(0)
  })

  it.each([
    ['gives no proof', agreed.replace(accept, 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
    ['switches to something else', agreed.replace('Upgrade: websocket', 'Upgrade: other')],
    ['closes', ''],
  ])('answers 502 when the target %s', async (_name, bytes) => {
    await using bed = new Bed()
    const { port } = await tunnelBed(bed, (socket) => socket.end(bytes))
    expect(await exchangeBytes(port, handshake)).toMatch(/^HTTP\/1\.1 502 /)
  })

  it('passes an answer that is no agreement, framed anew, and ends', async () => {
    await using bed = new Bed()
    const { port } = await tunnelBed(bed, (socket) =>
      socket.end(
        'HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\nX-Why: token\r\n\r\n2\r\nno\r\n0\r\n\r\n',
      ),
    )
    const text = await exchangeBytes(port, handshake)
    expect(text).toMatch(/^HTTP\/1\.1 401 No\r\n/)
    expect(text).toMatch(/x-why: token\r\n/)
    expect(text).not.toMatch(/transfer-encoding/i)
    expect(text.endsWith('connection: close\r\n\r\nno')).toBe(true)
  })

  it('holds what the client sends early until the target has agreed', async () => {
    await using bed = new Bed()
    let agree = (): void => undefined
    let got = ''
    const { port, origin } = await tunnelBed(bed, (socket) => {
      socket.on('data', (piece: Buffer) => (got += piece.toString()))
      agree = () => socket.write(agreed)
    })
    const asked = once(origin, 'upgrade')
    const client = opened(port, 'early')
    await asked
    expect(got).toBe('')
    agree()
    await until(() => got === 'early', 'the early bytes')
    client.destroy()
  })

  it('ends the handshake upstream when the client goes, and when nobody answers in time', async () => {
    await using bed = new Bed()
    const clock = manualClock()
    const { port, origin, server, proxy } = await tunnelBed(bed, () => undefined, {
      clock,
      proxyTimeout: 1_000,
    })
    const asked = once(origin, 'upgrade')
    const client = opened(port)
    await asked
    client.destroy()
    await until(async () => (await connections(origin)) === 0, 'no connection to the target')
    const failed = once(proxy, 'error') as Promise<[ProxyError]>
    const again = once(origin, 'upgrade')
    const other = opened(port)
    await again
    clock.advance(1_000)
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET', reason: 'first-byte-timeout' })
    other.destroy()
    await until(async () => (await connections(server)) === 0, 'no client connection')
  })
})

describe('tunnels', () => {
  it('carries frames of any size both ways, over listen() with ws: true', async () => {
    await using bed = new Bed()
    const origin = await bed.server()
    const sockets = new WebSocketServer({ server: origin })
    sockets.on('connection', (socket) =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    )
    const proxy = createProxyServer({
      target: { host: '127.0.0.1', port: portOf(origin) },
      ws: true,
    }).listen(0, '127.0.0.1')
    await until(() => proxy.address() !== null, 'listening')
    const client = new WebSocket(`ws://127.0.0.1:${portOf(proxy)}`)
    await once(client, 'open')
    for (const length of [0, 1, 126, 65_536, 1_000_000]) {
      const sent = Buffer.alloc(length, 'x')
      client.send(sent)
      const [data] = (await once(client, 'message')) as [Buffer]
      expect(data.equals(sent)).toBe(true)
    }
    client.terminate()
    sockets.close()
    proxy.destroy()
  })

  it('ends a half-open tunnel after a while, and tells close once', async () => {
    await using bed = new Bed()
    const clock = manualClock()
    let upstream: Socket | undefined
    const { port, server, proxy } = await tunnelBed(
      bed,
      (socket) => {
        upstream = socket
        socket.write(agreed)
      },
      { clock },
      false,
    )
    let closes = 0
    proxy.on('close', () => (closes += 1))
    const client = opened(port)
    await textOf(client, '101')
    const heard = once(upstream!, 'end')
    client.end()
    await heard
    expect(closes).toBe(0)
    clock.advance(10_000)
    expect(closes).toBe(1)
    await until(async () => (await connections(server)) === 0, 'no client connection')
    upstream!.destroy()
    expect(closes).toBe(1)
  })

  it.each(['client', 'target'] as const)('ends both when the %s is gone', async (who) => {
    await using bed = new Bed()
    let upstream: Socket | undefined
    const { port, origin, server, proxy } = await tunnelBed(bed, (socket) => {
      upstream = socket
      socket.write(agreed)
    })
    let closes = 0
    proxy.on('close', () => (closes += 1))
    proxy.on('error', () => undefined)
    const client = opened(port)
    await textOf(client, '101')
    if (who === 'client') client.resetAndDestroy()
    else upstream!.resetAndDestroy()
    await until(
      async () => (await connections(origin)) + (await connections(server)) === 0,
      'no connection',
    )
    client.destroy()
    expect(closes).toBe(1)
  })

  it('delivers what a target sent before it closed', async () => {
    await using bed = new Bed()
    const { port } = await tunnelBed(bed, (socket) => {
      socket.write(agreed)
      socket.end(Buffer.alloc(2_000_000, 'x'))
    })
    const text = await exchangeBytes(port, handshake)
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(2_000_000)
  })

  it('leaves no socket behind after 200 tunnels that ended in any way', async () => {
    await using bed = new Bed()
    let index = 0
    const { port, origin, server, proxy } = await tunnelBed(bed, (socket) => {
      index += 1
      if (index % 4 === 0) socket.destroy()
      else if (index % 4 === 1) socket.end(agreed)
      else if (index % 4 === 2) socket.write(agreed, () => socket.destroy())
      else socket.write(agreed)
    })
    proxy.on('error', () => undefined)
    await Promise.all(
      Array.from({ length: 200 }, async (_, turn) => {
        const client = connect(port, '127.0.0.1')
        client.on('error', () => undefined)
        client.write(handshake)
        await Promise.race([once(client, 'data').catch(() => undefined), once(client, 'close')])
        if (turn % 2 === 0) client.destroy()
        else client.end()
      }),
    )
    await until(
      async () => (await connections(origin)) + (await connections(server)) === 0,
      'no connection',
    )
    expect(index).toBe(200)
  })
})
