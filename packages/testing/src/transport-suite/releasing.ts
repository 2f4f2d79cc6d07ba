import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type MakeTransport, withLab } from './lab.ts'
import { readAll, readSome, sha256, turns } from './peer.ts'

/** How a connection is given up to Node. */
export function releasingSuite(make: MakeTransport): void {
  describe('releasing a stream', () => {
    for (const kind of ['accepted', 'connected'] as const) {
      it(
        `${kind} gives a socket that works both ways`,
        withLab(make, async (lab) => {
          const { stream, heard, peer } =
            kind === 'accepted' ? await lab.accepted() : await lab.connected()
          stream.pause()
          peer.write('early, ')
          await turns()
          const socket = lab.transport.release(stream)
          lab.cleanup(() => socket.destroy())
          expect(stream.state).toBe('closed')
          const whole = randomBytes(3 * 1024 * 1024)
          peer.end(whole)
          const got = await readAll(socket)
          expect(got.subarray(0, 7).toString()).toBe('early, ')
          expect(sha256(got.subarray(7))).toBe(sha256(whole))
          const answer = randomBytes(3 * 1024 * 1024)
          socket.end(answer)
          expect(sha256(await readAll(peer))).toBe(sha256(answer))
          stream.destroy()
          stream.write(Buffer.from('nobody'))
          await turns()
          expect(heard.closes).toBe(0)
        }),
      )

      it(
        `${kind} from within \`data\`, with bytes put back`,
        withLab(make, async (lab) => {
          const { stream, heard, peer } =
            kind === 'accepted' ? await lab.accepted() : await lab.connected()
          const released = Promise.withResolvers<Buffer>()
          heard.onData = (_stream, bytes) => {
            const socket = lab.transport.release(stream)
            lab.cleanup(() => socket.destroy())
            socket.unshift(Buffer.from(bytes))
            released.resolve(readAll(socket))
          }
          const whole = randomBytes(2 * 1024 * 1024)
          stream.resume()
          peer.end(whole)
          expect(sha256(await released.promise)).toBe(sha256(whole))
          await turns()
          expect(heard.closes).toBe(0)
        }),
      )

      it(
        `${kind} keeps what waits to be sent`,
        withLab(make, async (lab) => {
          const { stream, peer } =
            kind === 'accepted' ? await lab.accepted() : await lab.connected()
          const first = randomBytes(12 * 1024 * 1024)
          stream.write(first)
          stream.write(Buffer.from('|'))
          expect(stream.pending).toBeGreaterThan(0)
          const socket = lab.transport.release(stream)
          lab.cleanup(() => socket.destroy())
          socket.end('last')
          const got = await readAll(peer)
          expect(got.subarray(first.length).toString()).toBe('|last')
          expect(sha256(got.subarray(0, first.length))).toBe(sha256(first))
        }),
      )
    }

    it(
      'after the peer’s FIN: the socket ends too',
      withLab(make, async (lab) => {
        const { stream, heard, peer } = await lab.accepted()
        stream.resume()
        peer.end('x')
        await heard.heard('ended')
        const socket = lab.transport.release(stream)
        lab.cleanup(() => socket.destroy())
        expect((await readAll(socket)).length).toBe(0)
        socket.end('y')
        expect((await readSome(peer, 1)).toString()).toBe('y')
      }),
    )

    it(
      'that is not open is refused',
      withLab(make, async (lab) => {
        const { stream, heard } = await lab.accepted()
        stream.destroy()
        await heard.heard('closed')
        expect(() => lab.transport.release(stream)).toThrow(
          expect.objectContaining({ code: 'closed' }),
        )
      }),
    )
  })
}
