import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdleWatch } from '../../src/tcp/idle-watch.ts'
import { type TimeoutsMs, timeoutsMs } from '../../src/tcp/timeouts.ts'

const never: TimeoutsMs = {
  ...timeoutsMs(),
  client: 0,
  server: 0,
  halfClosed: 0,
  total: 0,
}

/** What happens on a connection, and when. */
interface Story {
  /** Bytes from or to the client. */
  readonly client?: readonly number[]
  readonly server?: readonly number[]
  /** The first FIN. */
  readonly fin?: number
  /** How late each look comes, as the wheel's tick makes it. */
  readonly lateMs?: number
}

/** Looks when the watch wants it to, until it is cut or `until` has come. */
function cutAt(
  timeouts: Partial<TimeoutsMs>,
  { client = [], server = [], fin = Number.POSITIVE_INFINITY, lateMs = 0 }: Story,
  until = 100_000,
): { at: number; expiry: string; looks: number } | undefined {
  const watch = new IdleWatch({ ...never, ...timeouts }, 0, 0)
  let now = 0
  let looks = 0
  for (;;) {
    now += watch.nextLookMs(now) + lateMs
    if (now > until) return undefined
    looks += 1
    const seen = (times: readonly number[]): number => times.filter((time) => time <= now).length
    const expiry = watch.look(now, seen(client), seen(server), fin <= now)
    if (expiry !== undefined) return { at: now, expiry, looks }
  }
}

describe('idle watch', () => {
  it.each([
    ['nothing is limited', {}, {}, undefined],
    ['a silent client', { client: 800 }, {}, { at: 800, expiry: 'client-idle' }],
    [
      'a silent backend',
      { server: 800 },
      { client: [100, 500, 900] },
      { at: 800, expiry: 'server-idle' },
    ],
    [
      'the total time of a busy one',
      { total: 500 },
      { client: [100, 400] },
      { at: 500, expiry: 'total' },
    ],
    ['the total time first', { total: 800, client: 800 }, {}, { at: 800, expiry: 'total' }],
    ['a FIN at the start', { halfClosed: 800 }, { fin: 0 }, { at: 900, expiry: 'half-closed' }],
    ['no FIN', { halfClosed: 800 }, {}, undefined],
    // Silence before the FIN does not count.
    [
      'a FIN after a long silence',
      { halfClosed: 800 },
      { fin: 5000 },
      { at: 5800, expiry: 'half-closed' },
    ],
    [
      'bytes after the FIN',
      { halfClosed: 800 },
      { fin: 100, server: [850] },
      { at: 1700, expiry: 'half-closed' },
    ],
  ] as const)('%s', (_, timeouts, story, expected) => {
    const cut = cutAt(timeouts, story)
    if (expected === undefined) expect(cut).toBeUndefined()
    else expect(cut).toMatchObject(expected)
  })

  it('has no need to look when nothing is limited', () => {
    expect(new IdleWatch(never, 0, 0).nextLookMs(5)).toBe(Number.POSITIVE_INFINITY)
  })

  it('counts from the accept for the total time, from the relay for the others', () => {
    const watch = new IdleWatch({ ...never, total: 1000, client: 800 }, 0, 900)
    expect(watch.nextLookMs(900)).toBe(100)
    expect(watch.look(999, 0, 0, false)).toBeUndefined()
    expect(watch.look(1000, 0, 0, false)).toBe('total')
  })

  it('cuts never before the timeout, and at most one eighth of it later', () => {
    const timeout = fc.integer({ min: 80, max: 5000 })
    const times = fc.array(fc.nat({ max: 6000 }), { maxLength: 12 })
    fc.assert(
      fc.property(
        timeout,
        timeout,
        timeout,
        times,
        times,
        fc.option(fc.nat({ max: 6000 }), { nil: undefined }),
        fc.constantFrom(0, 10),
        (client, server, halfClosed, clientAt, serverAt, fin, lateMs) => {
          const story = {
            client: clientAt,
            server: serverAt,
            lateMs,
            ...(fin === undefined ? {} : { fin }),
          }
          const cut = cutAt({ client, server, halfClosed }, story)!
          const last = (events: readonly number[]): number =>
            Math.max(0, ...events.filter((time) => time <= cut.at))
          const both = Math.max(last(clientAt), last(serverAt))
          const [from, ms] =
            cut.expiry === 'client-idle'
              ? [last(clientAt), client]
              : cut.expiry === 'server-idle'
                ? [last(serverAt), server]
                : [Math.max(both, fin!), halfClosed]
          // What came since the last look is seen in this one, and so is the silence before it.
          expect(cut.at).toBeGreaterThanOrEqual(from + ms)
          expect(cut.at).toBeLessThanOrEqual(from + ms + ms / 8 + 2 * lateMs + 1e-6)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('looks a bounded number of times', () => {
    expect(cutAt({ client: 10_000 }, {})!.looks).toBeLessThanOrEqual(8)
    expect(cutAt({ client: 1 }, {})).toMatchObject({ at: 1, looks: 1 })
  })
})
