import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ConcurrencyLimitOptions,
  concurrencyLimit,
} from '../../src/filters/concurrency-limit.ts'
import {
  ask,
  asked,
  type FakeExchange,
  fakeExchange,
  finish,
  headerOf,
  settled,
  statusOf,
} from './fake-exchange.ts'

function limiter(options: Partial<ConcurrencyLimitOptions> = {}) {
  const clock = manualClock()
  return { clock, filter: concurrencyLimit({ limit: 2, clock, ...options }) }
}

describe('concurrencyLimit', () => {
  it('lets so many be in flight, and the next when one is over', () => {
    const { filter } = limiter()
    const [a, b, c] = [fakeExchange(), fakeExchange(), fakeExchange()] as const
    expect([a, b, c].map((x) => statusOf(ask(filter, x)))).toEqual([0, 0, 503])
    expect(c.flags).toEqual(['concurrency-limited'])
    // The one that was turned away holds nothing.
    finish(filter, c)
    expect(filter.inFlight).toBe(2)
    finish(filter, a)
    expect(statusOf(ask(filter, fakeExchange()))).toBe(0)
    expect(filter.inFlight).toBe(2)
  })

  it('says when to come back, unless it is told not to', () => {
    const full = (options: Partial<ConcurrencyLimitOptions>) => {
      const { filter } = limiter({ limit: 1, ...options })
      ask(filter, fakeExchange())
      return ask(filter, fakeExchange())
    }
    expect(full({})).toMatchObject({ reason: 'overloaded' })
    expect(headerOf(full({ retryAfter: '1500ms' }), 'retry-after')).toBe('2')
    expect(headerOf(full({ retryAfter: 0 }), 'retry-after')).toBeUndefined()
    expect(full({ status: 429, body: 'later' })).toMatchObject({ status: 429, body: 'later' })
  })

  it('counts by key, and forgets a key with nothing in flight', () => {
    const { filter } = limiter({ limit: 1, key: 'client' })
    const a = fakeExchange({ client: '192.0.2.1' })
    const b = fakeExchange({ client: '192.0.2.2' })
    expect([a, b].map((x) => statusOf(ask(filter, x)))).toEqual([0, 0])
    expect(statusOf(ask(filter, fakeExchange({ client: '192.0.2.1' })))).toBe(503)
    expect(filter.keys).toBe(2)
    finish(filter, a)
    finish(filter, b)
    expect([filter.keys, filter.inFlight]).toEqual([0, 0])
  })

  it('gives a place back once, however often the end is told', () => {
    const { filter } = limiter({ limit: 2 })
    const a = fakeExchange()
    ask(filter, a)
    ask(filter, fakeExchange())
    finish(filter, a)
    finish(filter, a)
    expect(filter.inFlight).toBe(1)
  })

  it('takes one place for an exchange that passes it twice', () => {
    const { filter } = limiter({ limit: 1 })
    const x = fakeExchange()
    expect([ask(filter, x), ask(filter, x)]).toEqual([undefined, undefined])
    expect(filter.inFlight).toBe(1)
    finish(filter, x)
    finish(filter, x)
    expect(filter.inFlight).toBe(0)
  })

  it('lets those who wait in, first come first served', async () => {
    const { filter, clock } = limiter({ limit: 1, queue: 2 })
    const first = fakeExchange()
    ask(filter, first)
    const [a, b] = [fakeExchange(), fakeExchange()] as const
    const order: string[] = []
    const waits = [
      asked(filter, a).then(() => order.push('a')),
      asked(filter, b).then(() => order.push('b')),
    ]
    expect(statusOf(ask(filter, fakeExchange()))).toBe(503)
    expect(filter.waiting).toBe(2)
    finish(filter, first)
    await settled()
    expect(order).toEqual(['a'])
    finish(filter, a)
    await Promise.all(waits)
    expect(order).toEqual(['a', 'b'])
    expect(b.flags).toEqual(['concurrency-queued'])
    finish(filter, b)
    expect([filter.inFlight, filter.waiting, filter.keys, clock.pending]).toEqual([0, 0, 0, 0])
  })

  it('turns away those who wait too long', async () => {
    const { filter, clock } = limiter({ limit: 1, queue: { length: 2, timeout: '1s' } })
    const holder = fakeExchange()
    ask(filter, holder)
    const x = fakeExchange()
    const verdict = asked(filter, x)
    clock.advance(1020)
    expect(statusOf(await verdict)).toBe(503)
    finish(filter, x)
    expect([filter.inFlight, filter.waiting]).toEqual([1, 0])
  })

  it('refuses wrong options with their path', () => {
    expect(() => concurrencyLimit({ limit: 0 })).toThrow('concurrencyLimit.limit')
    expect(() => concurrencyLimit({ limit: 1, queue: -1 }, 'a')).toThrow('a.queue')
    expect(() => concurrencyLimit({ limit: 1, queue: { length: 1, timeout: 0 } }, 'a')).toThrow(
      'a.queue.timeout',
    )
  })

  it('counts exactly, whatever ends when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant('begin' as const), key: fc.constantFrom('a', 'b') }),
            fc.record({ do: fc.constant('end' as const), which: fc.nat(40) }),
            fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }),
          ),
          { maxLength: 60 },
        ),
        async (limit, length, moves) => {
          const { filter, clock } = limiter({
            limit,
            key: 'route',
            queue: { length, timeout: '1s' },
          })
          /** What the engine knows: in flight, waiting, or refused but not over. */
          const alive = new Map<FakeExchange, 'in' | 'waiting' | 'refused'>()
          const begin = (key: string): void => {
            const x = fakeExchange({ route: key })
            const verdict = filter.request?.(x)
            if (verdict instanceof Promise) {
              alive.set(x, 'waiting')
              void verdict.then((result) => {
                if (alive.has(x)) alive.set(x, result === undefined ? 'in' : 'refused')
              })
            } else alive.set(x, verdict === undefined ? 'in' : 'refused')
          }
          const count = (state: string, key?: string): number =>
            [...alive].filter(([x, at]) => at === state && (key === undefined || x.route === key))
              .length
          for (const move of moves) {
            if (move.do === 'begin') begin(move.key)
            else if (move.do === 'wait') clock.advance(move.ms)
            else {
              const x = [...alive.keys()][move.which]
              if (x !== undefined) {
                alive.delete(x)
                finish(filter, x)
              }
            }
            await settled()
            for (const key of ['a', 'b']) {
              expect(count('in', key)).toBeLessThanOrEqual(limit)
              expect(count('waiting', key)).toBeLessThanOrEqual(length)
              // Nobody waits while there is room.
              if (count('waiting', key) > 0) expect(count('in', key)).toBe(limit)
            }
            expect(filter.inFlight).toBe(count('in'))
            expect(filter.waiting).toBe(count('waiting'))
          }
          for (let x = [...alive.keys()][0]; x !== undefined; x = [...alive.keys()][0]) {
            alive.delete(x)
            finish(filter, x)
            await settled()
          }
          expect([filter.inFlight, filter.waiting, filter.keys]).toEqual([0, 0, 0])
          expect(clock.pending).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })
})
