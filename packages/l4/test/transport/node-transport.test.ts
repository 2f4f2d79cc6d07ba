import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RelayEnd, Stream, StreamListener, TransportError } from '@steelyard/core'
import { afterEach, describe, expect, it } from 'vitest'
import { nodeTransport } from '../../src/transport/node-transport.ts'
import { relayStreams } from '../../src/transport/relay.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close()
})
const quiet = { data() {}, ended() {}, drained() {}, closed() {} }

describe('what connections stand on', () => {
  const major = Number.parseInt(process.versions.node, 10)
  const expected = process.platform !== 'win32' && major >= 22 && major <= 26 ? 'handles' : 'public'

  it(`on Node ${process.versions.node} is ${expected} by default`, () => {
    expect(nodeTransport().io).toBe(expected)
    expect(nodeTransport({ io: 'auto' }).name).toBe('node')
  })

  it('can be forced to public sockets', () => {
    expect(nodeTransport({ io: 'public' }).io).toBe('public')
  })

  it('wrong options are refused with their path', () => {
    const wrong: [object, string][] = [
      [{ io: 'fast' }, 'io'],
      [{ readBuffer: 1000 }, 'readBuffer'],
      [{ readBuffer: '65MiB' }, 'readBuffer'],
      [{ readBuffer: 'much' }, 'readBuffer'],
    ]
    for (const [options, path] of wrong) {
      expect(() => nodeTransport(options)).toThrow(
        expect.objectContaining({ code: 'invalid-option', path }),
      )
    }
  })

  it('leaves `net.Socket` as it was', async () => {
    nodeTransport({ io: 'handles' })
    const server = await listen({ accepted: (stream) => stream.destroy() })
    const socket = connect(server.address.port, '127.0.0.1')
    await once(socket, 'close')
    expect(Object.getOwnPropertySymbols(socket).map(String)).not.toContain('Symbol(wire)')
  })
})

describe('a relay between transports', () => {
  it('joins streams of different ones', async () => {
    const front = nodeTransport({ io: 'handles', readBuffer: 1024 })
    const back = nodeTransport({ io: 'public', readBuffer: '64KiB' })
    const echo = await back.listen(
      { host: '127.0.0.1', port: 0 },
      {
        accepted(stream) {
          stream.handler = {
            ...quiet,
            data: (from, bytes) => void (from.write(bytes) || from.pause()),
            drained: (from) => from.resume(),
            ended: (from) => from.end(),
          }
          stream.resume()
        },
        failed() {},
      },
    )
    open.push(echo)
    const done = Promise.withResolvers<RelayEnd>()
    const listener = await front.listen(
      { host: '127.0.0.1', port: 0 },
      {
        accepted(a) {
          const target = { host: '127.0.0.1', port: echo.address.port }
          back.connect(target, {
            ...quiet,
            opened: (b) => void relayStreams(a, b, { done: done.resolve }),
          })
        },
        failed() {},
      },
    )
    open.push(listener)
    const socket = connect({ port: listener.address.port, host: '127.0.0.1', allowHalfOpen: true })
    const payload = Buffer.alloc(3_000_000, 'abcdefg')
    socket.end(payload)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'end')
    expect(Buffer.concat(chunks).equals(payload)).toBe(true)
    expect(await done.promise).toEqual({ by: 'a' })
  })
})

for (const io of ['handles', 'public'] as const) {
  describe(`a full kernel, ${io}`, () => {
    it('that takes nothing of a small write loses none of it', async () => {
      // A unix socket takes a small write whole or not at all.
      const path = join(tmpdir(), `steelyard-${randomUUID()}.sock`)
      const arrival = Promise.withResolvers<Stream>()
      const listener = await nodeTransport({ io }).listen(
        { path },
        { accepted: arrival.resolve, failed() {} },
      )
      open.push(listener)
      const socket = connect({ path })
      const stream = await arrival.promise
      const block = new Uint8Array(1000)
      let blocks = 0
      let waiting = 0
      while (waiting < 100) {
        block.fill(blocks++ % 251)
        if (!stream.write(block)) waiting++
      }
      stream.end()
      const chunks: Buffer[] = []
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      await once(socket, 'end')
      const whole = Buffer.concat(chunks)
      expect(whole.length).toBe(blocks * 1000)
      expect(whole.findIndex((byte, at) => byte !== Math.floor(at / 1000) % 251)).toBe(-1)
    })
  })

  describe(`a paused listener, ${io}`, () => {
    it('holds as many as its backlog, refuses the rest, and says so once', async () => {
      const failures: TransportError[] = []
      const streams: Stream[] = []
      const listener = await nodeTransport({ io }).listen(
        { host: '127.0.0.1', port: 0, backlog: 4 },
        {
          accepted: (stream) => void streams.push(stream),
          failed: (error) => void failures.push(error),
        },
      )
      open.push(listener)
      listener.pause()
      const sockets: Socket[] = []
      let refused = 0
      for (let count = 0; count < 10; count++) {
        const socket = connect(listener.address.port, '127.0.0.1')
        socket.on('error', () => refused++)
        open.push({ close: () => socket.destroy() })
        sockets.push(socket)
        await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve))
      }
      while (refused < 6) await turn()
      expect(streams).toHaveLength(0)
      expect(failures).toHaveLength(1)
      expect(failures[0]).toMatchObject({ code: 'connection-aborted', source: 'system' })
      listener.resume()
      while (streams.length < 4) await turn()
      expect(refused).toBe(6)
      for (const stream of streams) stream.destroy()
    })
  })

  describe(`a handler that throws, ${io}`, () => {
    it('is an uncaught error by default, after the stream was destroyed', async () => {
      const uncaught = Promise.withResolvers<unknown>()
      const others = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.once('uncaughtException', uncaught.resolve)
      open.push({
        close: () => {
          process.removeAllListeners('uncaughtException')
          for (const other of others) process.on('uncaughtException', other)
        },
      })
      const problem = new Error('a bug of the owner')
      let closed: TransportError | undefined
      const listener = await nodeTransport({ io }).listen(
        { host: '127.0.0.1', port: 0 },
        {
          accepted(stream) {
            stream.handler = {
              ...quiet,
              data() {
                throw problem
              },
              closed: (_stream, error) => void (closed = error),
            }
            stream.resume()
          },
          failed() {},
        },
      )
      open.push(listener)
      const socket = connect(listener.address.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('x')
      await once(socket, 'close')
      expect(await uncaught.promise).toBe(problem)
      expect(closed).toMatchObject({ code: 'io', cause: problem })
    })
  })
}

async function listen(handler: { accepted(stream: Stream): void }): Promise<StreamListener> {
  const listener = await nodeTransport().listen(
    { host: '127.0.0.1', port: 0 },
    { ...handler, failed() {} },
  )
  open.push(listener)
  return listener
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
