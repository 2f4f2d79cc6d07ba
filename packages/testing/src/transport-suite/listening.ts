import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Stream } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type MakeTransport, withLab } from './lab.ts'
import { ending, readSome, turns } from './peer.ts'
import { recorder } from './recorder.ts'

/** How listeners open, pause, fail and close. */
export function listeningSuite(make: MakeTransport, hasIpv6: boolean): void {
  describe('listening', () => {
    it(
      'tells the address that the system chose, and both ends of what comes',
      withLab(make, async (lab) => {
        const { stream, peer, listener } = await lab.accepted()
        expect(listener.address).toMatchObject({
          address: '127.0.0.1',
          port: peer.remotePort,
          family: 4,
        })
        expect(stream.state).toBe('open')
        expect(stream.local).toMatchObject({
          address: '127.0.0.1',
          port: peer.remotePort,
          family: 4,
        })
        expect(stream.remote).toMatchObject({
          address: '127.0.0.1',
          port: peer.localPort,
          family: 4,
        })
      }),
    )

    it(
      'hands over streams that stand still',
      withLab(make, async (lab) => {
        const { stream, heard, peer } = await lab.accepted()
        peer.write('early')
        await turns()
        expect(heard.events).toEqual([])
        stream.resume()
        await heard.received(5)
      }),
    )

    it(
      'a port that is taken is `address-in-use`',
      withLab(make, async (lab) => {
        const { port } = await lab.server(() => {})
        await expect(lab.listen({}, { host: '127.0.0.1', port })).rejects.toMatchObject({
          code: 'address-in-use',
          source: 'system',
          retryable: true,
          message: expect.stringContaining(`127.0.0.1:${port}`),
        })
      }),
    )

    it(
      'an address of another machine is `address-not-available`',
      withLab(make, async (lab) => {
        await expect(lab.listen({}, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
          code: 'address-not-available',
          source: 'system',
        })
      }),
    )

    it(
      'a name that does not exist is `name-not-found`',
      withLab(make, async (lab) => {
        await expect(lab.listen({}, { host: 'steelyard.invalid', port: 0 })).rejects.toMatchObject({
          code: 'name-not-found',
        })
      }),
    )

    const isRoot = process.getuid?.() === 0
    it.skipIf(isRoot)(
      `a port below 1024 is \`permission-denied\`${isRoot ? ' (skipped: root may bind it)' : ''}`,
      withLab(make, async (lab) => {
        await expect(lab.listen({}, { host: '127.0.0.1', port: 1 })).rejects.toMatchObject({
          code: 'permission-denied',
          retryable: false,
        })
      }),
    )

    it(
      'several listeners share a port when all say so',
      withLab(make, async (lab) => {
        const counts = [0, 0]
        const countAt = (index: 0 | 1) => ({
          accepted(stream: Stream) {
            counts[index]!++
            stream.destroy()
          },
        })
        const first = await lab.listen(countAt(0), { host: '127.0.0.1', port: 0, reusePort: true })
        const target = { host: '127.0.0.1', port: first.address.port, reusePort: true }
        await lab.listen(countAt(1), target)
        for (let count = 0; count < 64; count++) {
          await ending(await lab.client({ port: first.address.port }))
        }
        expect(counts[0]! + counts[1]!).toBe(64)
        expect(counts[0]).toBeGreaterThan(0)
        expect(counts[1]).toBeGreaterThan(0)
        await expect(lab.listen({}, { ...target, reusePort: false })).rejects.toMatchObject({
          code: 'address-in-use',
        })
      }),
    )

    it(
      'pausing holds connections back, resuming lets them in',
      withLab(make, async (lab) => {
        const streams: Stream[] = []
        const arrivals = recorder()
        const listener = await lab.listen({
          accepted(stream) {
            streams.push(stream)
            arrivals.opened!(stream)
            lab.cleanup(() => stream.destroy())
          },
        })
        const { port } = listener.address
        await lab.client({ port })
        await arrivals.heard('opened')
        listener.pause()
        listener.pause()
        const held = await Promise.all([
          lab.client({ port }),
          lab.client({ port }),
          lab.client({ port }),
        ])
        for (const socket of held) socket.write('x')
        await turns()
        expect(streams).toHaveLength(1)
        listener.resume()
        for (const _ of held) await arrivals.heard('opened')
        expect(streams).toHaveLength(4)
        // Pausing from within `accepted` keeps the rest back.
        listener.pause()
        const more = await Promise.all([lab.client({ port }), lab.client({ port })])
        expect(more).toHaveLength(2)
        await turns()
        streams.length = 0
        const once = { count: 0 }
        const push = streams.push.bind(streams)
        streams.push = (...items) => {
          if (++once.count === 1) listener.pause()
          return push(...items)
        }
        listener.resume()
        await arrivals.heard('opened')
        await turns()
        expect(streams).toHaveLength(1)
        listener.resume()
        await arrivals.heard('opened')
        expect(streams).toHaveLength(2)
      }),
    )

    it(
      'closing refuses who comes and leaves who is there',
      withLab(make, async (lab) => {
        const { stream, heard, peer, listener } = await lab.accepted()
        const first = listener.close()
        expect(listener.close()).toBe(first)
        await first
        const late = lab.connect({ host: '127.0.0.1', port: listener.address.port })
        await late.heard.heard('closed')
        expect(late.heard.failure).toMatchObject({ code: 'connection-refused' })
        stream.resume()
        peer.write('still')
        await heard.received(5)
        stream.write(Buffer.from('here'))
        expect((await readSome(peer, 4)).toString()).toBe('here')
      }),
    )

    it(
      'closing ends connections that were held back',
      withLab(make, async (lab) => {
        const listener = await lab.listen({})
        listener.pause()
        const held = await lab.client({ port: listener.address.port })
        await turns()
        await listener.close()
        expect(await ending(held)).toMatch(/^(?:end|ECONNRESET)$/)
      }),
    )

    it(
      'gives up when its signal aborts',
      withLab(make, async (lab) => {
        const reason = new Error('no longer wanted')
        await expect(
          lab.listen({}, { host: '127.0.0.1', port: 0, signal: AbortSignal.abort(reason) }),
        ).rejects.toMatchObject({ code: 'aborted', cause: reason })
        const controller = new AbortController()
        const under = lab.listen({}, { host: 'localhost', port: 0, signal: controller.signal })
        controller.abort(reason)
        await expect(under).rejects.toMatchObject({ code: 'aborted', cause: reason })
        // Once it listens, the signal has no say.
        const later = new AbortController()
        const listener = await lab.listen({}, { host: '127.0.0.1', port: 0, signal: later.signal })
        later.abort()
        await lab.client({ port: listener.address.port })
      }),
    )

    it.skipIf(!hasIpv6)(
      '`::` serves both families, IPv4 as IPv4',
      withLab(make, async (lab) => {
        const remotes: Stream['remote'][] = []
        const listener = await lab.listen(
          {
            accepted(stream) {
              remotes.push(stream.remote, stream.local)
              stream.destroy()
            },
          },
          { host: '::', port: 0 },
        )
        expect(listener.address).toMatchObject({ address: '::', family: 6 })
        const { port } = listener.address
        await ending(await lab.client({ port, host: '127.0.0.1' }))
        await ending(await lab.client({ port, host: '::1' }))
        expect(remotes).toMatchObject([
          { address: '127.0.0.1', family: 4 },
          { address: '127.0.0.1', family: 4, port },
          { address: '::1', family: 6 },
          { address: '::1', family: 6, port },
        ])
      }),
    )

    it.skipIf(!hasIpv6)(
      '`::` with `ipv6Only` leaves the port to IPv4',
      withLab(make, async (lab) => {
        const six = await lab.listen({}, { host: '::', port: 0, ipv6Only: true })
        const four = await lab.listen({}, { host: '0.0.0.0', port: six.address.port })
        expect(four.address.port).toBe(six.address.port)
      }),
    )
  })

  describe('listening on a unix socket', () => {
    it(
      'serves, tells its path, and removes the file',
      withLab(make, async (lab) => {
        const path = lab.path()
        const { stream, listener } = await lab.accepted({ path })
        expect(listener.address).toMatchObject({ family: 'unix', path, port: 0 })
        expect(stream.local).toMatchObject({ family: 'unix', path, port: 0 })
        expect(stream.remote).toMatchObject({ family: 'unix', port: 0 })
        expect(existsSync(path)).toBe(true)
        await listener.close()
        expect(existsSync(path)).toBe(false)
      }),
    )

    it(
      'takes over a path that nobody serves any more',
      withLab(make, async (lab) => {
        const path = lab.path()
        const { spawn } = await import('node:child_process')
        const child = spawn(
          process.execPath,
          [
            '-e',
            `require('net').createServer().listen(${JSON.stringify(path)},()=>process.stdout.write('x'))`,
          ],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        )
        await once(child.stdout, 'data')
        child.kill('SIGKILL')
        await once(child, 'close')
        expect(existsSync(path)).toBe(true)
        const { stream, heard, peer } = await lab.accepted({ path })
        stream.resume()
        peer.write('x')
        await heard.received(1)
      }),
    )

    it(
      'leaves a path alone that somebody serves',
      withLab(make, async (lab) => {
        const path = lab.path()
        const server = createServer((socket) => {
          socket.on('error', () => {})
          socket.end('mine')
        })
        server.listen({ path })
        await once(server, 'listening')
        lab.cleanup(() => server.close())
        await expect(lab.listen({}, { path })).rejects.toMatchObject({
          code: 'address-in-use',
          message: expect.stringContaining('listens there'),
        })
        expect((await readSome(await lab.client({ path }), 4)).toString()).toBe('mine')
      }),
    )

    it(
      'leaves a file alone that is not a socket',
      withLab(make, async (lab) => {
        const path = lab.path()
        writeFileSync(path, 'precious')
        await expect(lab.listen({}, { path })).rejects.toMatchObject({
          code: 'address-in-use',
          message: expect.stringContaining('not a socket'),
        })
        expect(existsSync(path)).toBe(true)
      }),
    )

    it(
      'a path in a folder that is not there is refused',
      withLab(make, async (lab) => {
        await expect(lab.listen({}, { path: '/nowhere/steelyard.sock' })).rejects.toMatchObject({
          isSteelyardError: true,
          message: expect.stringContaining('/nowhere/steelyard.sock'),
        })
      }),
    )
  })
}
