import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pool } from '@steelyard/core'
import { seededRandom } from '@steelyard/testing'
import { expect, it } from 'vitest'
import { always, type ExchangeRecord, forward, httpBalancer, route } from '../../src/index.ts'

/** Exchanges begun; raise it for a soak. */
const exchanges = 10_000
const atOnce = 250
const body = 'y'.repeat(3000)

it('leaves nothing open and keeps no memory, however many exchanges are broken off', async () => {
  const random = seededRandom(7)
  const handles = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket')).length
  const before = handles()
  const held = new Set<Socket>()
  const server = createServer((socket) => {
    held.add(socket)
    socket.on('close', () => held.delete(socket))
    socket.on('error', () => {})
    socket.on('data', () => {
      const luck = random()
      if (luck < 0.05) socket.destroy()
      else if (luck < 0.1) reset(socket)
      else if (luck < 0.15) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nhalf')
      else if (luck < 0.2) socket.write('?!\r\n\r\n')
      else if (luck < 0.25) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nhalf')
      else if (luck < 0.27) socket.end(`HTTP/1.1 200 OK\r\n\r\n${body}`)
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const members = pool({ backends: [`127.0.0.1:${(server.address() as AddressInfo).port}`] })
  let records = 0
  const reasons = new Map<string, number>()
  const edge = await httpBalancer({
    listen: '127.0.0.1:0',
    routes: [route(always, forward(members))],
    timeouts: {
      firstByte: '100ms',
      idle: '100ms',
      body: '100ms',
      keepAlive: '100ms',
      head: '100ms',
    },
    onExchange: ({ reason }: ExchangeRecord) => {
      records += 1
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    },
  }).start()
  const { port } = edge.address!

  /** One connection with a few requests, some of which are broken off. */
  async function visit(count: number): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await Promise.race([closed, once(socket, 'connect')])
    let read = 0
    const limit = random() < 0.3 ? random() * 6000 : Number.POSITIVE_INFINITY
    socket.on('data', (piece: Buffer) => {
      read += piece.length
      if (read <= limit) return
      if (random() < 0.5) socket.destroy()
      else reset(socket)
    })
    for (let i = 0; i < count && !socket.destroyed && !socket.writableEnded; i++) {
      const luck = random()
      if (luck < 0.7) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      else if (luck < 0.8) {
        socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
        socket.write(luck < 0.75 ? body : body.slice(0, 1000))
      } else if (luck < 0.9) {
        socket.write('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
        if (luck < 0.85) socket.write('0\r\n\r\n')
      } else if (luck < 0.93) socket.write('GET / HT')
      else if (luck < 0.96) socket.end()
      else reset(socket)
    }
    await closed
  }

  async function crowd(total: number): Promise<void> {
    let left = total
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left > 0) {
          const count = 1 + Math.floor(random() * 4)
          left -= count
          await visit(count)
        }
      }),
    )
  }

  await crowd(exchanges / 5)
  const heapBefore = heap()
  await crowd((exchanges / 5) * 4)
  const grown = heap() - heapBefore

  // What clients still send is read for a moment behind our FIN.
  await expect.poll(() => edge.stats().connections, { timeout: 10_000 }).toBe(0)
  expect([edge.stats().exchanges, members.load.sum()]).toEqual([0, 0])
  expect(edge.stats().requests).toBe(records)
  expect(records).toBeGreaterThan(exchanges / 4)
  for (const reason of [
    'done',
    'client-aborted',
    'backend-closed',
    'bad-response',
    'idle-timeout',
  ]) {
    expect(reasons.get(reason), reason).toBeGreaterThan(0)
  }
  await edge.stop({ drain: 0 })
  for (const socket of held) socket.destroy()
  server.close()
  await once(server, 'close')
  for (let turns = 0; turns < 10_000 && handles() > before; turns++) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(edge.stats().upstream).toEqual({ open: 0, idle: 0 })
  expect(handles()).toBe(before)
  expect(grown).toBeLessThan(8e6)
}, 180_000)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/** A socket of Node that is reset twice, or after its end, may never say that it is closed. */
function reset(socket: Socket): void {
  if (!socket.destroyed && !socket.writableEnded) socket.resetAndDestroy()
  else socket.destroy()
}
