import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { ConnectTarget, Stream } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type Lab, type MakeTransport, withLab } from './lab.ts'
import { readAll, turns } from './peer.ts'
import { recorder } from './recorder.ts'

/** How streams come to be connected, or fail to. */
export function connectingSuite(make: MakeTransport, hasIpv6: boolean): void {
  describe('connecting', () => {
    it(
      'tells `opened` later, once, and then knows both ends',
      withLab(make, async (lab) => {
        const arrival = Promise.withResolvers<Socket>()
        const { port } = await lab.server(arrival.resolve)
        const { stream, heard } = lab.connect({ host: '127.0.0.1', port })
        expect(stream.state).toBe('connecting')
        expect(heard.events).toEqual([])
        await heard.heard('opened')
        const peer = await arrival.promise
        expect(stream.state).toBe('open')
        expect(stream.local).toMatchObject({
          address: '127.0.0.1',
          port: peer.remotePort,
          family: 4,
        })
        expect(stream.remote).toMatchObject({ address: '127.0.0.1', port, family: 4 })
        await turns()
        expect(heard.events).toEqual(['opened'])
      }),
    )

    it(
      'reads by itself once it is open, unless it is paused',
      withLab(make, async (lab) => {
        const { port } = await lab.server((socket) => socket.write('hello'))
        const paused = lab.connect({ host: '127.0.0.1', port })
        paused.stream.pause()
        const { heard } = lab.connect({ host: '127.0.0.1', port })
        await heard.received(5)
        await paused.heard.heard('opened')
        await turns()
        expect(paused.heard.length).toBe(0)
        paused.stream.resume()
        await paused.heard.received(5)
      }),
    )

    it(
      'sends what was written while connecting, and then FIN',
      withLab(make, async (lab) => {
        const arrival = Promise.withResolvers<Buffer>()
        const { port } = await lab.server((socket) => arrival.resolve(readAll(socket)))
        const { stream, heard } = lab.connect({ host: '127.0.0.1', port })
        const range = Buffer.from('first, ')
        expect(stream.write(range)).toBe(false)
        range.fill(0)
        stream.write(Buffer.from('second'))
        expect(stream.pending).toBe(13)
        stream.end()
        expect((await arrival.promise).toString()).toBe('first, second')
        expect(heard.events.slice(0, 2)).toEqual(['opened', 'drained'])
        expect(stream.pending).toBe(0)
      }),
    )

    it(
      'a refusal is `connection-refused`, the backend’s fault, and may be retried',
      withLab(make, async (lab) => {
        const port = await closedPort()
        const { stream, heard } = lab.connect({ host: '127.0.0.1', port })
        stream.write(Buffer.from('lost'))
        expect(heard.closes).toBe(0)
        await heard.heard('closed')
        expect(heard.events).toEqual(['closed'])
        expect(heard.failure).toMatchObject({
          code: 'connection-refused',
          source: 'backend',
          retryable: true,
        })
        expect(heard.failure?.message).toContain(`127.0.0.1:${port}`)
        expect(heard.failure?.message).toContain('connect')
        expect(heard.failure?.message).toContain('ECONNREFUSED')
        expect(stream.state).toBe('closed')
      }),
    )

    it(
      'a unix socket that is not there is `connection-refused`',
      withLab(make, async (lab) => {
        const { heard } = lab.connect({ path: lab.path() })
        await heard.heard('closed')
        expect(heard.failure).toMatchObject({ code: 'connection-refused', retryable: true })
      }),
    )

    it(
      'a name that does not exist is `name-not-found`',
      withLab(make, async (lab) => {
        const { heard } = lab.connect({ host: 'steelyard.invalid', port: 80 })
        await heard.heard('closed')
        expect(heard.failure).toMatchObject({
          code: 'name-not-found',
          source: 'backend',
          retryable: true,
        })
        expect(heard.failure?.message).toContain('steelyard.invalid')
      }),
    )

    it(
      'a name is looked up by the system, and each of its addresses tried',
      withLab(make, async (lab) => {
        const { port } = await lab.server((socket) => socket.end('by name'))
        const { stream, heard } = lab.connect({ host: 'localhost', port })
        expect(stream.state).toBe('connecting')
        await heard.heard('ended')
        expect(heard.bytes.toString()).toBe('by name')
        expect(stream.remote).toMatchObject({ port })
      }),
    )

    it(
      'binds the source address and port it is told',
      withLab(make, async (lab) => {
        const arrival = Promise.withResolvers<Socket>()
        const { port } = await lab.server(arrival.resolve)
        const localPort = await closedPort('127.0.0.9')
        const { stream, heard } = lab.connect({
          host: '127.0.0.1',
          port,
          localAddress: '127.0.0.9',
          localPort,
        })
        await heard.heard('opened')
        const peer = await arrival.promise
        expect(peer.remoteAddress).toBe('127.0.0.9')
        expect(peer.remotePort).toBe(localPort)
        expect(stream.local).toMatchObject({ address: '127.0.0.9', port: localPort })
      }),
    )

    it(
      'a source address of another machine is `address-not-available`',
      withLab(make, async (lab) => {
        const { port } = await lab.server(() => {})
        const { heard } = lab.connect({ host: '127.0.0.1', port, localAddress: '192.0.2.1' })
        await heard.heard('closed')
        expect(heard.failure).toMatchObject({ code: 'address-not-available', source: 'system' })
      }),
    )

    it(
      'a source port that is taken is `address-in-use`',
      withLab(make, async (lab) => {
        const { port } = await lab.server(() => {})
        const taken = await lab.server(() => {})
        const { heard } = lab.connect({
          host: '127.0.0.1',
          port,
          localAddress: '127.0.0.1',
          localPort: taken.port,
        })
        await heard.heard('closed')
        expect(heard.failure).toMatchObject({ code: 'address-in-use', source: 'system' })
      }),
    )

    for (const verb of ['destroy', 'reset'] as const) {
      it(
        `\`${verb}\` at once gives up connecting`,
        withLab(make, async (lab) => {
          const { port } = await lab.server(() => {})
          const targets: ConnectTarget[] = [
            { host: '127.0.0.1', port },
            { host: 'localhost', port },
            { host: '127.0.0.1', port: await closedPort() },
            { path: lab.path() },
          ]
          for (const target of targets) {
            const { stream, heard } = lab.connect(target)
            stream.write(Buffer.from('never'))
            stream[verb]()
            expect(stream.state).toBe('closed')
            expect(heard.closes).toBe(0)
            await heard.heard('closed')
            await turns()
            expect(heard.events).toEqual(['closed'])
            expect(heard.failure).toBeUndefined()
          }
        }),
      )

      it(
        `\`${verb}\` gives up connecting to a server that does not answer`,
        withLab(make, async (lab) => {
          const port = await silentPort(lab)
          const { stream, heard } = lab.connect({ host: '127.0.0.1', port })
          await turns(50)
          expect(stream.state).toBe('connecting')
          stream[verb]()
          await heard.heard('closed')
          expect(heard.events).toEqual(['closed'])
          expect(heard.failure).toBeUndefined()
        }),
      )
    }

    it(
      'a peer that resets at once is told as a reset',
      withLab(make, async (lab) => {
        const { port } = await lab.server((socket) => socket.resetAndDestroy())
        const { heard } = lab.connect({ host: '127.0.0.1', port })
        await heard.heard('closed')
        expect(heard.failure).toMatchObject({ code: 'connection-reset' })
      }),
    )

    const aloud = process.platform === 'linux' ? '' : ' (skipped: only Linux lets us see the timer)'
    it.skipIf(aloud !== '')(
      `keep-alive starts the kernel’s timer${aloud}`,
      withLab(make, async (lab) => {
        const without = await lab.connected()
        const { stream } = await lab.connected({ keepAlive: '30s' })
        // Column `tr` of /proc/net/tcp: 02 is the keep-alive timer.
        while (kernelTimer(stream) !== '02') await turns(1)
        expect(kernelTimer(without.stream)).toBe('00')
      }),
    )

    it(
      'a wrong target is refused at once with its path',
      withLab(make, async (lab) => {
        const wrong: [ConnectTarget, string][] = [
          [{ host: '127.0.0.1', port: 0 }, 'port'],
          [{ host: '127.0.0.1', port: 65_536 }, 'port'],
          [{ host: '127.0.0.1', port: 1.5 }, 'port'],
          [{ host: '127.0.0.1', port: 80, localAddress: 'here' }, 'localAddress'],
          [{ host: '127.0.0.1', port: 80, localPort: -1 }, 'localPort'],
          [{ host: '127.0.0.1', port: 80, path: '/x' }, 'path'],
          [{ port: 80 }, 'host'],
        ]
        for (const [target, path] of wrong) {
          expect(() => lab.transport.connect(target, recorder())).toThrow(
            expect.objectContaining({ code: 'invalid-option', path }),
          )
        }
      }),
    )

    it.skipIf(!hasIpv6)(
      'connects over IPv6',
      withLab(make, async (lab) => {
        const { port } = await lab.server((socket) => socket.end('six'), { host: '::1' })
        const { stream, heard } = lab.connect({ host: '::1', port, localAddress: '::1' })
        await heard.heard('ended')
        expect(heard.bytes.toString()).toBe('six')
        expect(stream.local).toMatchObject({ address: '::1', family: 6 })
        expect(stream.remote).toMatchObject({ address: '::1', port, family: 6 })
      }),
    )
  })
}

/** Which timer runs for a connection on 127.0.0.1, as `/proc/net/tcp` tells it. */
function kernelTimer({ local, remote }: Stream): string | undefined {
  const [own, other] = [local.port, remote.port].map(
    (port) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`,
  )
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n')
  const fields = lines.map((line) => line.trim().split(/\s+/))
  return fields.find(([, from, to]) => from === own && to === other)?.[5]?.slice(0, 2)
}

/** A port that nobody listens on. */
async function closedPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen({ port: 0, host })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A port whose server has a full backlog and accepts nobody, so that a connect stays under way. */
async function silentPort(lab: Lab): Promise<number> {
  const { spawn } = await import('node:child_process')
  // A process that is stopped accepts nothing; the kernel fills the backlog of one.
  const program =
    "const s = require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},()=>process.stdout.write(String(s.address().port)))"
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  lab.cleanup(() => child.kill('SIGKILL'))
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGSTOP')
  const port = Number(text.toString())
  for (let filled = 0; filled < 4; filled++) {
    const stream = lab.connect({ host: '127.0.0.1', port })
    void stream
  }
  await turns(50)
  return port
}
