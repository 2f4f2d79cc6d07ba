import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pool } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { tcpBalancer } from '../../src/index.ts'
import { mirror, peer, talk } from './peers.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3
/** A prime length, so that a lost, doubled or moved range never matches the pattern again. */
const pattern = Buffer.from(
  Uint8Array.from({ length: 65_521 }, (_, index) => (index * 31 + (index >> 8)) & 255),
)
const doubled = Buffer.concat([pattern, pattern])

/** Writes `total` bytes of the pattern as fast as the reader takes them, then FIN. */
async function pour(socket: Socket, total: number): Promise<void> {
  for (let sent = 0; sent < total; ) {
    const chunk = pattern.subarray(0, Math.min(pattern.length, total - sent))
    sent += chunk.length
    if (!socket.write(chunk)) await once(socket, 'drain')
  }
  socket.end()
}

/** Reads to the end and counts; throws at the first wrong byte. */
async function drink(socket: Socket): Promise<number> {
  let at = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    for (let done = 0; done < chunk.length; ) {
      const offset = (at + done) % pattern.length
      const length = Math.min(chunk.length - done, pattern.length)
      if (doubled.compare(chunk, done, done + length, offset, offset + length) !== 0) {
        throw new Error(`wrong bytes at ${at + done}`)
      }
      done += length
    }
    at += chunk.length
  }
  return at
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

describe('tcp balancer over the long run', () => {
  it('carries 1 GiB each way intact, beside a reader that does not read, in bounded memory', async () => {
    await using both = await peer('both', (socket) => {
      void pour(socket, GiB)
      void drink(socket).then((count) => socket.emit('drunk', count))
    })
    // Offers without end, while its client never reads.
    await using flood = await peer(
      'flood',
      (socket) => void pour(socket, Number.MAX_SAFE_INTEGER).catch(() => {}),
    )
    await using balancer = await tcpBalancer({
      listen: '127.0.0.1:0',
      pool: pool({ backends: [both.address] }),
      drain: 0,
    }).start()
    await using stalled = await tcpBalancer({
      listen: '127.0.0.1:0',
      pool: pool({ backends: [flood.address] }),
      drain: 0,
    }).start()

    const slow = connect(stalled.address!.port, '127.0.0.1')
    slow.pause()
    slow.on('error', () => {})
    await once(slow, 'connect')

    const before = process.memoryUsage()
    const client = connect({ port: balancer.address!.port, host: '127.0.0.1', allowHalfOpen: true })
    const pouring = pour(client, GiB)
    let most = 0
    const watch = setInterval(() => {
      const { arrayBuffers, heapUsed } = process.memoryUsage()
      most = Math.max(most, arrayBuffers + heapUsed - before.arrayBuffers - before.heapUsed)
    }, 50)
    const server = await expect
      .poll(() => [...both.open][0])
      .toBeDefined()
      .then(() => [...both.open][0]!)
    const drunk = once(server, 'drunk')
    const received = await drink(client)
    await pouring
    const [sent] = (await drunk) as [number]
    clearInterval(watch)
    expect([received, sent]).toEqual([GiB, GiB])
    // What was offered to the stalled client stays in the kernel; ours is a buffer or two for a side.
    expect(most).toBeLessThan(96 * MiB)
    expect(stalled.stats().bytesToClient).toBeLessThan(64 * MiB)
    slow.destroy()
  }, 120_000)

  it('leaves no descriptor and no growing memory after 20,000 short connections', async () => {
    await using backend = await mirror()
    const web = pool({ backends: [backend.address] })
    await using balancer = await tcpBalancer({ listen: '127.0.0.1:0', pool: web, drain: 0 }).start()
    const { port } = balancer.address!
    async function some(count: number): Promise<void> {
      for (let done = 0; done < count; done++) {
        const { socket } = await talk(port, 'x')
        const closed = once(socket, 'close')
        if (done % 2 === 0) socket.resetAndDestroy()
        else socket.end()
        await closed
      }
    }
    const rounds = async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: 50 }, () => some(count / 50)))
      await expect.poll(() => balancer.stats().active).toBe(0)
      await expect.poll(() => backend.open.size).toBe(0)
    }
    await rounds(4000)
    const settled = { descriptors: descriptors(), memory: heapAfterCollection() }
    await rounds(16_000)
    expect(balancer.stats()).toMatchObject({ accepted: 20_000, active: 0, connectFailures: 0 })
    expect(web.load.sum()).toBe(0)
    expect(descriptors()).toBeLessThanOrEqual(settled.descriptors + 2)
    // A leak of a mere 1 KiB a connection would be 16 MiB.
    expect(heapAfterCollection() - settled.memory).toBeLessThan(8 * MiB)
  }, 120_000)
})

/** Bytes on the heap after a full collection. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
