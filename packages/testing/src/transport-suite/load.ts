import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Stream, StreamHandler } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type Lab, type MakeTransport, withLab } from './lab.ts'
import { readAll, readSome, turns } from './peer.ts'

/** Many connections, and no descriptor to spare. */
export function loadSuite(
  make: MakeTransport,
  connections: number,
  child: string | undefined,
): void {
  describe('load', () => {
    it(
      `${connections} short connections, one by one and at once, leave nothing behind`,
      withLab(make, async (lab) => {
        const { port, relays } = await forwarder(lab)
        await exchange(port)
        const before = await steadyDescriptors()
        const oneByOne = Math.floor(connections / 4)
        for (let count = 0; count < oneByOne; count++) await exchange(port)
        let left = connections - oneByOne
        const worker = async (): Promise<void> => {
          while (left-- > 0) await exchange(port)
        }
        await Promise.all(Array.from({ length: 64 }, worker))
        while (relays.done < connections + 1) await turns(1)
        expect(relays.errors).toBe(0)
        expect(await steadyDescriptors()).toBe(before)
      }),
      120_000,
    )

    it(
      'connections that fail in every way leave nothing behind',
      withLab(make, async (lab) => {
        const { port, relays } = await forwarder(lab)
        await exchange(port)
        const before = await steadyDescriptors()
        const clients: Socket[] = []
        for (let count = 0; count < 200; count++) {
          const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
          socket.on('error', () => {})
          clients.push(socket)
          if (count % 5 === 0) socket.destroy()
          else if (count % 5 === 1) socket.once('connect', () => socket.resetAndDestroy())
          else if (count % 5 === 2) socket.end('x')
          else if (count % 5 === 3)
            socket.once('connect', () =>
              socket.write(Buffer.alloc(100_000), () => socket.resetAndDestroy()),
            )
          else socket.once('connect', () => socket.destroy())
          if (count % 5 === 2) socket.resume()
        }
        await Promise.all(
          clients.map(async (socket) => {
            if (!socket.closed) await once(socket, 'close')
          }),
        )
        while (relays.open > 0) await turns(1)
        expect(await steadyDescriptors()).toBe(before)
        expect((await exchange(port)).length).toBe(1024)
      }),
    )

    it(
      'closing a listener and its streams leaves nothing behind',
      withLab(make, async (lab) => {
        const before = await steadyDescriptors()
        const streams: Stream[] = []
        const listener = await lab.transport.listen(
          { host: '127.0.0.1', port: 0 },
          { accepted: (stream) => void streams.push(stream), failed: () => {} },
        )
        const sockets = Array.from({ length: 20 }, () =>
          connect(listener.address.port, '127.0.0.1'),
        )
        for (const socket of sockets) socket.on('error', () => {})
        await Promise.all(sockets.map((socket) => once(socket, 'connect')))
        while (streams.length < sockets.length) await turns(1)
        listener.pause()
        await listener.close()
        for (const stream of streams) stream.destroy()
        for (const socket of sockets) socket.destroy()
        expect(await steadyDescriptors()).toBe(before)
      }),
    )
  })

  describe('a process of its own', () => {
    const aloud = child === undefined ? ' (skipped: the suite was given no module to load)' : ''
    it.skipIf(child === undefined)(
      `without descriptors: accepting fails aloud, connecting fails, and both recover${aloud}`,
      withLab(make, async (lab) => {
        const run = start(lab, child!, 'exhaust', 'ulimit -n 64; ')
        const [{ port }] = (await once(run, 'message')) as [{ port: number }]
        const sockets = Array.from({ length: 80 }, () => {
          const socket = connect({ port, host: '127.0.0.1' })
          socket.on('error', () => {})
          lab.cleanup(() => socket.destroy())
          return socket
        })
        const [report] = (await once(run, 'message')) as [
          { failed: { code: string; source: string } },
        ]
        expect(report.failed).toMatchObject({ code: 'too-many-files', source: 'system' })
        run.send('connect')
        const [second] = (await once(run, 'message')) as [{ connect: string }]
        expect(second).toEqual({ connect: 'too-many-files' })
        for (const socket of sockets) socket.destroy()
        run.send('release')
        await once(run, 'message')
        const late = await lab.client({ port })
        expect((await readSome(late, 7)).toString()).toBe('welcome')
        run.send('connect')
        const [third] = (await once(run, 'message')) as [{ connect: string }]
        expect(third).toEqual({ connect: 'opened' })
      }),
    )

    it.skipIf(child === undefined)(
      `listens on descriptors it inherited${aloud}`,
      withLab(make, async (lab) => {
        const server = createServer().listen({ port: 0, host: '127.0.0.1' })
        await once(server, 'listening')
        const { port } = server.address() as AddressInfo
        const path = lab.path()
        const unix = createServer().listen({ path })
        await once(unix, 'listening')
        lab.cleanup(() => unix.close())
        const udp = createSocket('udp4')
        udp.bind(0, '127.0.0.1')
        await once(udp, 'listening')
        lab.cleanup(() => udp.close())
        const inherited = [descriptorOf(server), descriptorOf(unix), datagramDescriptor(udp)]
        const run = start(lab, child!, 'inherit', '', inherited)
        const [ready] = (await once(run, 'message')) as [{ ports: number[]; bad: string }]
        expect(ready.ports).toEqual([port, 0, udp.address().port])
        expect(ready.bad).not.toBe('')
        // Only the child accepts from here on.
        server.close()
        const client = await lab.client({ port })
        expect((await readSome(client, 7)).toString()).toBe('welcome')
      }),
    )

    it.skipIf(child === undefined)(
      `ends by itself when everything is closed${aloud}`,
      withLab(make, async (lab) => {
        const run = start(lab, child!, 'finish', '')
        const [code] = (await once(run, 'exit')) as [number]
        expect(code).toBe(0)
      }),
    )
  })
}

/** Open descriptors of this process that are sockets or pipes. */
function descriptors(): number {
  let count = 0
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`).startsWith('socket:')) count++
    } catch {
      // It was the descriptor of the listing itself.
    }
  }
  return count
}

/** The same once nothing is closing any more. */
async function steadyDescriptors(): Promise<number> {
  let count = descriptors()
  for (let same = 0; same < 5; ) {
    await turns(20)
    const now = descriptors()
    same = now === count ? same + 1 : 0
    count = now
  }
  return count
}

/** Node has no public way to a datagram socket's descriptor. */
function datagramDescriptor(socket: object): number {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state = (socket as Record<symbol, unknown>)[symbol] as { handle?: { fd?: number } } | null
    if (typeof state?.handle?.fd === 'number') return state.handle.fd
  }
  throw new Error('the descriptor cannot be seen')
}

function descriptorOf(server: object): number {
  return (server as { _handle: { fd: number } })._handle.fd
}

function start(
  lab: Lab,
  module: string,
  task: string,
  before: string,
  inherited: number[] = [],
): ChildProcess {
  const program = fileURLToPath(new URL('./child.ts', import.meta.url))
  const command = `${before}exec "$0" "$@"`
  const run = spawn(
    'sh',
    [
      ...['-c', command, process.execPath],
      ...['--conditions=@steelyard/source', '--no-warnings', program, module, task],
    ],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...inherited] },
  )
  lab.cleanup(() => run.kill('SIGKILL'))
  return run
}

interface Forwarder {
  readonly port: number
  readonly relays: { done: number; errors: number; open: number }
}

/** A listener of the transport that relays to a plain server, which answers 1 KiB and ends. */
async function forwarder(lab: Lab): Promise<Forwarder> {
  const answer = Buffer.alloc(1024, 'a')
  const { port: backend } = await lab.server((socket) => {
    socket.once('data', () => socket.end(answer))
    socket.once('end', () => socket.end())
  })
  const relays = { done: 0, errors: 0, open: 0 }
  const done = (end: { error?: unknown }): void => {
    relays.done++
    relays.open--
    if (end.error !== undefined) relays.errors++
  }
  const joining: StreamHandler = {
    opened(stream) {
      lab.transport.relay(stream.context as Stream, stream, { done })
    },
    data() {},
    ended() {},
    drained() {},
    closed(stream) {
      relays.open--
      ;(stream.context as Stream).destroy()
    },
  }
  const listener = await lab.listen({
    accepted(stream) {
      relays.open++
      lab.transport.connect({ host: '127.0.0.1', port: backend }, joining).context = stream
    },
  })
  return { port: listener.address.port, relays }
}

async function exchange(port: number): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  socket.write('60 bytes or so')
  const got = await readAll(socket)
  socket.end()
  if (!socket.closed) await once(socket, 'close')
  if (got.length !== 1024) throw new Error(`got ${got.length} bytes of 1024`)
  return got
}
