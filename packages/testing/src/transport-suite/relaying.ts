import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { ByteBudget, Relay, RelayEnd, RelayOptions } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type Joint, type Lab, type MakeTransport, withLab } from './lab.ts'
import { ending, readAll, readSome, sha256, turns } from './peer.ts'

/** Two joined streams: `a` was accepted, `b` connected; each with its plain peer. */
interface Joined {
  readonly a: Joint
  readonly b: Joint
  readonly relay: Relay
  readonly done: Promise<RelayEnd>
  /** How often `done` was called. */
  count(): number
}

/** How two streams are joined. */
export function relayingSuite(make: MakeTransport): void {
  describe('a relay', () => {
    const check = (title: string, body: (joined: Joined, lab: Lab) => Promise<void>): void => {
      it(
        title,
        withLab(make, async (lab) => {
          const joined = join(lab, await lab.accepted(), await lab.connected())
          await body(joined, lab)
          await turns()
          expect(joined.count()).toBeLessThanOrEqual(1)
          expect(lab.thrown).toEqual([])
        }),
      )
    }

    check('carries bytes and FIN both ways, and counts', async ({ a, b, relay, done }) => {
      a.peer.write('to the backend')
      expect((await readSome(b.peer, 14)).toString()).toBe('to the backend')
      b.peer.write('answer')
      expect((await readSome(a.peer, 6)).toString()).toBe('answer')
      expect([relay.bytesAtoB, relay.bytesBtoA]).toEqual([14, 6])
      expect([relay.endedA, relay.endedB]).toEqual([false, false])
      a.peer.end()
      expect(await ending(b.peer)).toBe('end')
      expect([relay.endedA, relay.endedB]).toEqual([true, false])
      b.peer.write('more')
      expect((await readSome(a.peer, 4)).toString()).toBe('more')
      b.peer.end()
      expect(await ending(a.peer)).toBe('end')
      expect(await done).toEqual({ by: 'a' })
      expect([relay.endedA, relay.endedB]).toEqual([true, true])
      expect([relay.bytesAtoB, relay.bytesBtoA]).toEqual([14, 10])
      expect([a.stream.state, b.stream.state]).toEqual(['closed', 'closed'])
    })

    check('tells that the backend ended first', async ({ a, b, done }) => {
      b.peer.end('bye')
      expect((await readAll(a.peer)).toString()).toBe('bye')
      a.peer.end()
      expect(await done).toEqual({ by: 'b' })
    })

    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      check(`a reset of ${from} becomes a reset of ${to}`, async (joined) => {
        joined[from].peer.write('x')
        await readSome(joined[to].peer, 1)
        const failed = once(joined[to].peer, 'error')
        joined[to].peer.resume()
        joined[from].peer.resetAndDestroy()
        expect(await failed).toMatchObject([{ code: 'ECONNRESET' }])
        expect(await joined.done).toMatchObject({ by: from, error: { code: 'connection-reset' } })
      })

      check(`a reset of ${from} after the FIN of ${to}`, async (joined) => {
        joined[to].peer.end()
        expect(await ending(joined[from].peer)).toBe('end')
        joined[from].peer.resetAndDestroy()
        expect(await joined.done).toMatchObject({ by: from, error: { code: 'connection-reset' } })
      })

      check(`a reset of ${from} while ${to} does not read`, async (joined) => {
        joined[from].peer.write(Buffer.alloc(64 * 1024 * 1024))
        while (joined[to].stream.pending === 0) await turns(1)
        joined[to].peer.resetAndDestroy()
        const end = await joined.done
        expect(end.by).toBe(to)
        expect(['connection-reset', 'broken-pipe']).toContain(end.error?.code)
      })
    }

    check('one side closed by its owner closes the other', async ({ a, b, done }) => {
      a.stream.destroy()
      expect(await ending(b.peer)).toMatch(/^(?:end|ECONNRESET)$/)
      expect(await done).toEqual({ by: 'a' })
    })

    for (const how of ['reset', 'destroy'] as const) {
      check(`\`stop('${how}')\` ends both`, async ({ a, b, relay, done }) => {
        a.peer.write('x')
        await readSome(b.peer, 1)
        const ends = Promise.all([ending(a.peer), ending(b.peer)])
        relay.stop(how)
        relay.stop('destroy')
        expect(await done).toEqual({ by: 'owner' })
        expect(await ends).toEqual(how === 'reset' ? ['ECONNRESET', 'ECONNRESET'] : ['end', 'end'])
      })
    }

    check('holds little for a reader that stopped', async ({ a, b, relay, done }) => {
      const block = Buffer.alloc(1024 * 1024)
      const whole = 96
      for (let sent = 0; sent < whole; sent++) a.peer.write(block)
      a.peer.end()
      // As much as the kernel takes, and then it stands still.
      for (let before = -1; before !== relay.bytesAtoB; ) {
        before = relay.bytesAtoB
        await turns(200)
      }
      expect(relay.bytesAtoB).toBeLessThan(48 * block.length)
      expect(a.peer.writableLength).toBeGreaterThan(32 * block.length)
      expect(b.stream.pending).toBeGreaterThan(0)
      expect(b.stream.pending).toBeLessThanOrEqual(1024 * 1024)
      const got = await readAll(b.peer)
      expect(got.length).toBe(whole * block.length)
      b.peer.end()
      expect(await done).toEqual({ by: 'a' })
    })

    for (const size of [0, 1, 70_000, 5 * 1024 * 1024]) {
      check(`carries ${size} bytes each way at once`, async ({ a, b, relay, done }) => {
        const forth = randomBytes(size)
        const back = randomBytes(size)
        const received = Promise.all([readAll(a.peer), readAll(b.peer)])
        a.peer.end(forth)
        b.peer.end(back)
        const [atA, atB] = await received
        expect(sha256(atA)).toBe(sha256(back))
        expect(sha256(atB)).toBe(sha256(forth))
        expect((await done).error).toBeUndefined()
        expect([relay.bytesAtoB, relay.bytesBtoA]).toEqual([size, size])
      })
    }

    it(
      'sends what was written before it first, and carries a FIN that came before it',
      withLab(make, async (lab) => {
        const a = await lab.accepted()
        const b = await lab.connected()
        const header = randomBytes(8 * 1024 * 1024)
        b.stream.write(header)
        a.stream.resume()
        a.peer.end()
        await a.heard.heard('ended')
        const { done } = join(lab, a, b)
        expect(sha256(await readAll(b.peer))).toBe(sha256(header))
        b.peer.end('ok')
        expect((await readAll(a.peer)).toString()).toBe('ok')
        expect(await done).toEqual({ by: 'a' })
        expect(a.heard.events).toEqual(['ended'])
      }),
    )

    it(
      'of a stream that is closed already ends at once, but not within the call',
      withLab(make, async (lab) => {
        const a = await lab.accepted()
        const b = await lab.connected()
        a.stream.destroy()
        await a.heard.heard('closed')
        const { done, count } = join(lab, a, b)
        expect(count()).toBe(0)
        expect(await done).toEqual({ by: 'a' })
        expect(await ending(b.peer)).toBe('end')
      }),
    )

    it(
      'reports what `done` throws, and goes on',
      withLab(make, async (lab) => {
        const a = await lab.accepted()
        const b = await lab.connected()
        const problem = new Error('thrown in done')
        const uncaught: unknown[] = []
        const others = process.listeners('uncaughtException')
        process.removeAllListeners('uncaughtException')
        process.on('uncaughtException', (error) => uncaught.push(error))
        lab.cleanup(() => {
          process.removeAllListeners('uncaughtException')
          for (const other of others) process.on('uncaughtException', other)
        })
        const called = Promise.withResolvers<void>()
        lab.transport
          .relay(a.stream, b.stream, {
            done() {
              called.resolve()
              throw problem
            },
          })
          .stop('destroy')
        await called.promise
        await turns()
        expect([...uncaught, ...lab.thrown]).toEqual([problem])
      }),
    )
  })

  describe('many relays at once', () => {
    it(
      'past readers that stop and go, mix nothing up',
      withLab(make, async (lab) => {
        const size = 3 * 1024 * 1024
        const all = await Promise.all(
          Array.from({ length: 16 }, async (_, index) => {
            const joined = join(lab, await lab.accepted(), await lab.connected())
            const forth = randomBytes(size + index)
            const back = randomBytes(size - index)
            const atA = haltingly(joined.a.peer, 1 + (index % 5))
            const atB = haltingly(joined.b.peer, 1 + (index % 7))
            joined.a.peer.end(forth)
            joined.b.peer.end(back)
            return { joined, forth, back, atA, atB }
          }),
        )
        for (const { joined, forth, back, atA, atB } of all) {
          expect(sha256(await atA)).toBe(sha256(back))
          expect(sha256(await atB)).toBe(sha256(forth))
          expect((await joined.done).error).toBeUndefined()
        }
      }),
    )
  })

  describe('a relay with a byte budget', () => {
    it(
      'lets through what the bucket gives, shared by several relays',
      withLab(make, async (lab) => {
        const budget = manualBudget()
        const joined = [
          join(lab, await lab.accepted(), await lab.connected(), { limitAtoB: budget }),
          join(lab, await lab.accepted(), await lab.connected(), { limitAtoB: budget }),
        ]
        const forth = [randomBytes(300_000), randomBytes(300_000)]
        const got = joined.map(({ b }) => readAll(b.peer))
        for (const [index, { a }] of joined.entries()) a.peer.end(forth[index]!)
        const moved = (): number => joined.reduce((sum, { relay }) => sum + relay.bytesAtoB, 0)
        while (budget.waiters < 2) await turns(1)
        expect(moved()).toBe(0)
        let given = 0
        while (given < 600_000) {
          budget.give(50_000)
          given += 50_000
          while (moved() < given) await turns(1)
          await turns()
          expect(moved()).toBe(given)
        }
        const whole = await Promise.all(got)
        expect(whole.map(sha256)).toEqual(forth.map(sha256))
        // The other direction has no limit.
        for (const { b } of joined) b.peer.end('free')
        for (const { a, done } of joined) {
          expect((await readAll(a.peer)).toString()).toBe('free')
          expect(await done).toEqual({ by: 'a' })
        }
        expect(budget.waiters).toBe(0)
      }),
    )

    it(
      'forgets the bucket when a side fails',
      withLab(make, async (lab) => {
        const budget = manualBudget()
        const { a, b, done } = join(lab, await lab.accepted(), await lab.connected(), {
          limitAtoB: budget,
        })
        a.peer.write('held')
        while (budget.waiters === 0) await turns(1)
        b.peer.resetAndDestroy()
        expect(await done).toMatchObject({ by: 'b', error: { code: 'connection-reset' } })
        expect(budget.waiters).toBe(0)
      }),
    )

    it(
      'sends what is held even when both sides have ended',
      withLab(make, async (lab) => {
        const budget = manualBudget()
        const { a, b, done } = join(lab, await lab.accepted(), await lab.connected(), {
          limitAtoB: budget,
        })
        a.peer.end('late words')
        b.peer.end()
        while (budget.waiters === 0) await turns(1)
        await ending(a.peer)
        budget.give(4)
        await turns()
        budget.give(100)
        expect((await readAll(b.peer)).toString()).toBe('late words')
        expect((await done).error).toBeUndefined()
      }),
    )
  })
}

function join(lab: Lab, a: Joint, b: Joint, limits: Omit<RelayOptions, 'done'> = {}): Joined {
  const end = Promise.withResolvers<RelayEnd>()
  let calls = 0
  const relay = lab.transport.relay(a.stream, b.stream, {
    ...limits,
    done(how) {
      calls++
      end.resolve(how)
    },
  })
  return { a, b, relay, done: end.promise, count: () => calls }
}

/** Reads everything, resting some turns of the loop after each chunk, so that the kernel's buffers fill. */
async function haltingly(socket: Socket, rest: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    socket.pause()
    void turns(rest).then(() => socket.resume())
  })
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** A bucket that a test fills. */
function manualBudget(): ByteBudget & { readonly waiters: number; give(bytes: number): void } {
  let level = 0
  const waiting = new Set<() => void>()
  return {
    get waiters() {
      return waiting.size
    },
    give(bytes) {
      level += bytes
      for (const task of [...waiting]) {
        if (level === 0) return
        waiting.delete(task)
        task()
      }
    },
    take(wanted) {
      const given = Math.min(wanted, level)
      level -= given
      return given
    },
    whenAvailable(task) {
      const entry = (): void => task()
      waiting.add(entry)
      return { [Symbol.dispose]: () => void waiting.delete(entry) }
    },
  }
}
