import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Joint, type Lab, type MakeTransport, withLab } from './lab.ts'
import { readAll, readSome, sha256, turns } from './peer.ts'
import type { Recorder } from './recorder.ts'

/** How bytes go over one stream, accepted, connected, over IPv6 or a unix socket. */
export function exchangeSuite(make: MakeTransport, hasIpv6: boolean): void {
  const kinds: [string, (lab: Lab) => Promise<Joint>][] = [
    ['accepted', (lab) => lab.accepted()],
    ['connected', (lab) => lab.connected()],
    ['accepted on a unix socket', (lab) => lab.accepted({ path: lab.path() })],
    ['connected to a unix socket', (lab) => lab.connected({ path: lab.path() })],
  ]
  if (hasIpv6) kinds.push(['accepted over IPv6', (lab) => lab.accepted({ host: '::1', port: 0 })])
  for (const [kind, open] of kinds) {
    describe(`a stream ${kind}`, () => {
      const check = (title: string, body: (joint: Joint, lab: Lab) => Promise<void>): void => {
        it(
          title,
          withLab(make, async (lab) => body(await open(lab), lab)),
        )
      }

      check('carries bytes both ways and counts them', async ({ stream, heard, peer }) => {
        stream.resume()
        peer.write('ping')
        await heard.received(4)
        expect(heard.bytes.toString()).toBe('ping')
        expect(stream.write(Buffer.from('pong!'))).toBe(true)
        expect((await readSome(peer, 5)).toString()).toBe('pong!')
        expect(stream.bytesRead).toBe(4)
        expect(stream.bytesWritten).toBe(5)
        expect(stream.pending).toBe(0)
        expect(stream.state).toBe('open')
      })

      check('takes what it is given to write during the call', async ({ stream, heard, peer }) => {
        stream.resume()
        const range = new Uint8Array(300_000)
        const whole = randomBytes(30 * range.length)
        for (let at = 0; at < whole.length; at += range.length) {
          range.set(whole.subarray(at, at + range.length))
          stream.write(range)
          range.fill(0)
        }
        stream.end()
        expect(sha256(await readAll(peer))).toBe(sha256(whole))
        peer.end()
        await heard.heard('closed')
        expect(heard.failure).toBeUndefined()
      })

      check('carries single bytes in order past a slow reader', async ({ stream, peer }) => {
        // First fill the kernel, so that every byte has to wait.
        const filler = Buffer.alloc(1024 * 1024)
        let filled = 0
        do filled += filler.length
        while (stream.write(filler))
        const count = 20_000
        const one = new Uint8Array(1)
        for (let at = 0; at < count; at++) {
          one[0] = at % 251
          stream.write(one)
        }
        expect(stream.pending).toBeGreaterThanOrEqual(count)
        stream.end()
        const got = await readAll(peer)
        expect(got.length).toBe(filled + count)
        const wrong = got.subarray(filled).findIndex((byte, at) => byte !== at % 251)
        expect(wrong).toBe(-1)
      })

      check(
        'asks the writer to wait, and says when it need not',
        async ({ stream, heard, peer }) => {
          const block = randomBytes(64 * 1024 + 1)
          let written = 0
          while (written < 1024 * block.length) {
            written += block.length
            if (!stream.write(block)) break
          }
          expect(written).toBeLessThan(1024 * block.length)
          expect(stream.pending).toBeGreaterThan(0)
          expect(stream.write(block)).toBe(false)
          written += block.length
          await turns()
          expect(heard.events).not.toContain('drained')
          const got = readSome(peer, written)
          await heard.heard('drained')
          expect(stream.pending).toBe(0)
          expect((await got).length).toBe(written)
          await turns()
          expect(heard.events.filter((event) => event === 'drained')).toHaveLength(1)
        },
      )

      check('stands still while paused and loses nothing', async ({ stream, heard, peer }) => {
        stream.resume()
        peer.write('a')
        await heard.received(1)
        stream.pause()
        stream.pause()
        peer.write('bcd')
        await turns()
        expect(heard.bytes.toString()).toBe('a')
        stream.resume()
        await heard.received(4)
        expect(heard.bytes.toString()).toBe('abcd')
      })

      check('can be paused from within `data`', async ({ stream, heard, peer }) => {
        const whole = randomBytes(3 * 1024 * 1024)
        heard.onData = () => {
          stream.pause()
          setImmediate(() => stream.resume())
        }
        let inside = 0
        const outer = heard.data
        heard.data = function data(from, bytes) {
          inside++
          expect(inside).toBe(1)
          outer.call(this, from, bytes)
          inside--
        }
        stream.resume()
        peer.end(whole)
        await heard.heard('ended')
        expect(sha256(heard.bytes)).toBe(sha256(whole))
      })

      check(
        'bounds what a peer can push at a reader that stopped',
        async ({ stream, heard, peer }) => {
          stream.resume()
          stream.pause()
          const block = Buffer.alloc(1024 * 1024)
          for (let sent = 0; sent < 64; sent++) peer.write(block)
          await turns(50)
          expect(heard.length).toBe(0)
          expect(peer.writableLength).toBeGreaterThan(32 * block.length)
          stream.resume()
          await heard.received(64 * block.length)
          expect(stream.bytesRead).toBe(64 * block.length)
        },
      )

      for (const size of [0, 1, 1000, 65_537, 5 * 1024 * 1024]) {
        check(
          `carries ${size} bytes each way at once, with half-close`,
          async ({ stream, heard, peer }) => {
            const forth = randomBytes(size)
            const back = randomBytes(size)
            stream.resume()
            const got = readAll(peer)
            peer.end(forth)
            let at = 0
            const more = (): void => {
              while (at < back.length) {
                const next = back.subarray(at, at + 70_000)
                at += next.length
                if (!stream.write(next)) return
              }
              stream.end()
            }
            stream.handler = { ...handlerOf(heard), drained: more }
            more()
            await heard.heard('ended')
            expect(sha256(await got)).toBe(sha256(back))
            await heard.heard('closed')
            expect(sha256(heard.bytes)).toBe(sha256(forth))
            expect(heard.failure).toBeUndefined()
            expect(heard.closes).toBe(1)
          },
        )
      }
    })
  }
}

function handlerOf(heard: Recorder): Joint['stream']['handler'] {
  return {
    data: (stream, bytes) => heard.data(stream, bytes),
    ended: (stream) => heard.ended(stream),
    drained: (stream) => heard.drained(stream),
    closed: (stream, error) => heard.closed(stream, error),
  }
}
