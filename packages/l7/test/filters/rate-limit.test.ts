import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rememberClaims } from '../../src/filters/auth/claims.ts'
import { localRates } from '../../src/filters/rate-limit/limiter-store.ts'
import type { RateDecision, RateRule } from '../../src/filters/rate-limit/rate-rule.ts'
import { type RateLimitOptions, rateLimit } from '../../src/filters/rate-limit.ts'
import {
  ask,
  asked,
  fakeExchange,
  finish,
  headerOf,
  respond,
  settled,
  statusOf,
} from './fake-exchange.ts'

function limiter(options: Partial<RateLimitOptions> = {}) {
  const clock = manualClock()
  const filter = rateLimit({ limit: 2, window: '1s', clock, ...options })
  const status = (init: Parameters<typeof fakeExchange>[0] = {}): number =>
    statusOf(ask(filter, fakeExchange(init)))
  return { clock, filter, status }
}

describe('rateLimit', () => {
  it('lets the limit pass, then says 429 with Retry-After, and lets in evenly what comes back', () => {
    const { clock, filter, status } = limiter()
    expect([status(), status(), status()]).toEqual([0, 0, 429])
    const x = fakeExchange()
    const refused = ask(filter, x)
    expect(refused).toMatchObject({ status: 429, reason: 'rate-limited' })
    expect(headerOf(refused, 'retry-after')).toBe('1')
    expect(x.flags).toEqual(['rate-limited'])
    clock.advance(499)
    expect(status()).toBe(429)
    clock.advance(1)
    expect([status(), status()]).toEqual([0, 429])
  })

  it('has a burst beyond the limit, and tells how long it takes', () => {
    const { filter, clock } = limiter({ limit: 1, window: '10s', burst: 3 })
    const verdicts = Array.from({ length: 4 }, () => ask(filter, fakeExchange()))
    expect(verdicts.map(statusOf)).toEqual([0, 0, 0, 429])
    expect(headerOf(verdicts[3], 'retry-after')).toBe('10')
    clock.advance(7500)
    expect(headerOf(ask(filter, fakeExchange()), 'retry-after')).toBe('3')
  })

  it('counts each client, and networks of IPv6 as one', () => {
    const { status } = limiter({ limit: 1 })
    expect([
      status({ client: '192.0.2.1' }),
      status({ client: '192.0.2.2' }),
      status({ client: '192.0.2.1' }),
    ]).toEqual([0, 0, 429])
    expect([
      status({ client: '2001:db8::1' }),
      status({ client: '2001:db8::ffff:1' }),
      status({ client: '2001:db8:0:1::1' }),
    ]).toEqual([0, 429, 0])
    const wide = limiter({ limit: 1, key: { client: { ipv4Prefix: 24 } } })
    expect([
      wide.status({ client: '192.0.2.1' }),
      wide.status({ client: '192.0.2.200' }),
      wide.status({ client: '192.0.3.1' }),
    ]).toEqual([0, 429, 0])
  })

  it('counts by header, cookie, host, route, claim, everything, and functions', () => {
    const twice = (
      key: RateLimitOptions['key'],
      a: Parameters<typeof fakeExchange>[0],
      b: Parameters<typeof fakeExchange>[0],
    ): number[] => {
      const { status } = limiter({ limit: 1, key: key! })
      return [status(a), status(b), status(a)]
    }
    expect(
      twice({ header: 'X-Key' }, { headers: { 'x-key': 'a' } }, { headers: { 'X-KEY': 'b' } }),
    ).toEqual([0, 0, 429])
    expect(
      twice({ cookie: 'id' }, { headers: { cookie: 'id=1' } }, { headers: { cookie: 'id=2' } }),
    ).toEqual([0, 0, 429])
    expect(twice('host', { host: 'a.example' }, { host: 'b.example' })).toEqual([0, 0, 429])
    expect(twice('route', { route: 'a' }, { route: 'b' })).toEqual([0, 0, 429])
    expect(twice('all', { client: '192.0.2.1' }, { client: '192.0.2.2' })).toEqual([0, 429, 429])
    expect(twice((x) => x.request.path, { path: '/a' }, { path: '/b' })).toEqual([0, 0, 429])

    const { filter } = limiter({ limit: 1, key: { claim: 'sub' } })
    const withSub = (sub: unknown): number => {
      const x = fakeExchange()
      rememberClaims(x, { sub })
      return statusOf(ask(filter, x))
    }
    expect([withSub('ann'), withSub('bob'), withSub('ann'), withSub(7), withSub(7)]).toEqual([
      0, 0, 429, 0, 429,
    ])
  })

  it('has three answers to requests without the key', () => {
    const key = { header: 'x-key' }
    const byClient = limiter({ limit: 1, key })
    expect([byClient.status(), byClient.status()]).toEqual([0, 429])
    const skipping = limiter({ limit: 1, key, whenAbsent: 'skip' })
    expect([skipping.status(), skipping.status()]).toEqual([0, 0])
    const refusing = limiter({ limit: 1, key, whenAbsent: 'refuse' })
    expect(refusing.status()).toBe(429)
  })

  it('does not keep long keys of clients, and still tells them apart', () => {
    const { filter, status } = limiter({ limit: 1, key: { header: 'x-key' } })
    const long = (end: string): number => status({ headers: { 'x-key': 'x'.repeat(10_000) + end } })
    expect([long('a'), long('b'), long('a')]).toEqual([0, 0, 429])
    expect(filter.keys).toBe(2)
  })

  it('charges by cost, passes what is free, and never lets in what is too dear', () => {
    const { filter } = limiter({
      limit: 10,
      cost: (x) => Number(x.request.header('cost')),
    })
    const costing = (cost: number) => ask(filter, fakeExchange({ headers: { cost: String(cost) } }))
    expect([6, 6, 0, 4, 1].map((cost) => statusOf(costing(cost)))).toEqual([0, 429, 0, 0, 429])
    const never = costing(11)
    expect(statusOf(never)).toBe(429)
    expect(headerOf(never, 'retry-after')).toBeUndefined()
    expect(() => costing(-1)).toThrow('cost')
  })

  it('tells its quota in the fields of the draft, and in the old ones', () => {
    const { filter } = limiter({ limit: 10, window: '60s', headers: 'both', name: 'a "b"' })
    const x = fakeExchange()
    ask(filter, x)
    expect(respond(filter, x).told).toEqual({
      'ratelimit-policy': '"a \\"b\\"";q=10;w=60',
      ratelimit: '"a \\"b\\"";r=9;t=6',
      'x-ratelimit-limit': '10',
      'x-ratelimit-remaining': '9',
      'x-ratelimit-reset': '6',
    })
    const other = limiter({ limit: 3, window: '1500ms', headers: 'both', name: 'second' }).filter
    ask(other, x)
    const head = respond(filter, x)
    void other.responseHead?.(head, x)
    expect(head.told).toMatchObject({
      'ratelimit-policy': '"a \\"b\\"";q=10;w=60|"second";q=3',
      'x-ratelimit-limit': '3',
      'x-ratelimit-remaining': '2',
    })
    expect(limiter({ headers: 'none' }).filter.responseHead).toBeUndefined()
    expect(respond(filter, fakeExchange()).told).toEqual({})
  })

  it('answers as it is told to', () => {
    const { filter, status } = limiter({
      limit: 1,
      status: 503,
      body: 'slow down',
      responseHeaders: { 'x-why': 'limit' },
    })
    expect(status()).toBe(0)
    const refused = ask(filter, fakeExchange())
    expect(refused).toMatchObject({ status: 503, body: 'slow down' })
    expect(headerOf(refused, 'x-why')).toBe('limit')
  })

  it('forgets the key not seen for the longest time when there are too many, or denies new ones', () => {
    const { filter, status } = limiter({ limit: 1, window: '1h', maxKeys: 2 })
    expect([status({ client: '192.0.2.1' }), status({ client: '192.0.2.2' })]).toEqual([0, 0])
    expect(status({ client: '192.0.2.1' })).toBe(429)
    expect(status({ client: '192.0.2.3' })).toBe(0)
    expect(filter.keys).toBe(2)
    expect([status({ client: '192.0.2.1' }), status({ client: '192.0.2.2' })]).toEqual([429, 0])

    const strict = limiter({ limit: 1, window: '1h', maxKeys: 1, whenFull: 'deny' })
    expect([
      strict.status({ client: '192.0.2.1' }),
      strict.status({ client: '192.0.2.2' }),
    ]).toEqual([0, 429])
    strict.clock.advance(3_600_000)
    expect(strict.status({ client: '192.0.2.2' })).toBe(0)
  })

  it('refuses wrong options with their path', () => {
    const wrong = (options: object) => () => rateLimit({ limit: 1, ...options }, 'routes[1].limit')
    expect(wrong({ limit: 0 })).toThrow('routes[1].limit.limit')
    expect(wrong({ window: '0s' })).toThrow('routes[1].limit.window')
    expect(wrong({ algorithm: 'leaky' })).toThrow('routes[1].limit.algorithm')
    expect(wrong({ algorithm: 'sliding-window', burst: 3 })).toThrow('routes[1].limit.burst')
    expect(wrong({ key: { header: 'no good' } })).toThrow('routes[1].limit.key.header')
    expect(wrong({ key: { client: { ipv6Prefix: 129 } } })).toThrow('key.client.ipv6Prefix')
    expect(wrong({ key: 'nobody' })).toThrow('routes[1].limit.key')
    expect(wrong({ whenAbsent: 'no' })).toThrow('routes[1].limit.whenAbsent')
    expect(wrong({ queue: { length: -1 } })).toThrow('routes[1].limit.queue.length')
    expect(wrong({ status: 99 })).toThrow('routes[1].limit.status')
    expect(wrong({ responseHeaders: { 'x-a': 'b\r\nc: d' } })).toThrow('responseHeaders.x-a')
    expect(wrong({ responseHeaders: { 'Content-Length': '5' } })).toThrow('responseHeaders')
    expect(wrong({ name: 'é' })).toThrow('routes[1].limit.name')
    expect(wrong({ store: {} })).toThrow('routes[1].limit.store')
    expect(wrong({ headers: 'all' })).toThrow('routes[1].limit.headers')
  })
})

describe('rateLimit with a queue', () => {
  it('lets those who wait in, in their order, when their time comes', async () => {
    const { clock, filter } = limiter({ limit: 1, window: '1s', queue: 2 })
    expect(statusOf(ask(filter, fakeExchange()))).toBe(0)
    const order: string[] = []
    const waiting = ['a', 'b'].map((id) => {
      const x = fakeExchange({ id })
      return asked(filter, x).then((verdict) => {
        order.push(id)
        return { status: statusOf(verdict), flags: x.flags }
      })
    })
    expect(filter.waiting).toBe(2)
    expect(statusOf(ask(filter, fakeExchange()))).toBe(429)
    clock.advance(990)
    await settled()
    expect(order).toEqual([])
    clock.advance(30)
    await settled()
    expect(order).toEqual(['a'])
    clock.advance(1000)
    expect(await Promise.all(waiting)).toEqual([
      { status: 0, flags: ['rate-queued'] },
      { status: 0, flags: ['rate-queued'] },
    ])
    expect(order).toEqual(['a', 'b'])
    expect(filter.waiting).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('lets nobody pass by those who wait', async () => {
    const { clock, filter } = limiter({ limit: 1, window: '1s', queue: 5 })
    ask(filter, fakeExchange())
    const first = asked(filter, fakeExchange())
    clock.advance(999)
    const second = filter.request?.(fakeExchange())
    expect(second).toBeInstanceOf(Promise)
    clock.advance(20)
    expect(await first).toBeUndefined()
    expect(filter.waiting).toBe(1)
  })

  it('turns away those who wait too long, and at once those who would', async () => {
    const { clock, filter } = limiter({
      limit: 1,
      window: '1s',
      queue: { length: 3, timeout: '1500ms' },
    })
    ask(filter, fakeExchange())
    const first = asked(filter, fakeExchange())
    const second = asked(filter, fakeExchange())
    clock.advance(1600)
    expect(statusOf(await first)).toBe(0)
    expect(statusOf(await second)).toBe(429)
    const impatient = limiter({ limit: 1, window: '1m', queue: { length: 3, timeout: '1s' } })
    ask(impatient.filter, fakeExchange())
    expect(statusOf(ask(impatient.filter, fakeExchange()))).toBe(429)
  })

  it('lets go of those whose exchange is over, and gives their turn to the next', async () => {
    const { clock, filter } = limiter({ limit: 1, window: '1s', queue: 5 })
    ask(filter, fakeExchange())
    const gone = fakeExchange()
    const first = asked(filter, gone)
    const second = asked(filter, fakeExchange())
    finish(filter, gone, { endedBy: 'client' })
    finish(filter, gone, { endedBy: 'client' })
    expect(await first).toBeUndefined()
    expect(filter.waiting).toBe(1)
    clock.advance(1010)
    expect(await second).toBeUndefined()
    expect(filter.waiting).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('holds no more than so many in all', () => {
    const { filter } = limiter({ limit: 1, queue: { length: 5, total: 1 } })
    for (const client of ['192.0.2.1', '192.0.2.2']) ask(filter, fakeExchange({ client }))
    expect(filter.request?.(fakeExchange({ client: '192.0.2.1' }))).toBeInstanceOf(Promise)
    expect(statusOf(ask(filter, fakeExchange({ client: '192.0.2.2' })))).toBe(429)
  })
})

describe('rateLimit with a shared store', () => {
  const yes: RateDecision = { allowed: true, remaining: 4, resetMs: 2000, retryMs: 0 }
  const no: RateDecision = { allowed: false, remaining: 0, resetMs: 9000, retryMs: 3000 }

  it('asks it by name and key, at once or later, and tells what it says', async () => {
    const keys: string[] = []
    const { filter } = limiter({
      name: 'api',
      store: {
        take(key) {
          keys.push(key)
          return keys.length === 1 ? yes : Promise.resolve(no)
        },
      },
    })
    const x = fakeExchange({ client: '2001:db8::7' })
    expect(ask(filter, x)).toBeUndefined()
    expect(respond(filter, x).told['ratelimit']).toBe('"api";r=4;t=2')
    const refused = await asked(filter, fakeExchange())
    expect(headerOf(refused, 'retry-after')).toBe('3')
    expect(keys).toEqual(['api:2001:db8::', 'api:192.0.2.1'])
  })

  it('hands the rule to a function that makes one', () => {
    const rules: RateRule[] = []
    limiter({
      limit: 5,
      window: '2s',
      store: (rule) => {
        rules.push(rule)
        return { take: () => yes }
      },
    })
    expect(rules).toEqual([{ algorithm: 'token-bucket', limit: 5, windowMs: 2000, burst: 5 }])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
    ['answers nonsense', () => 'yes' as never],
    ['answers nonsense later', () => Promise.resolve({ allowed: 1 } as never)],
  ])('passes or denies, as it is told, when the store %s', async (_, take) => {
    const open = fakeExchange()
    expect(await asked(limiter({ store: { take } }).filter, open)).toBeUndefined()
    expect(open.flags).toEqual(['rate-limit-store-failed'])
    const denied = await asked(
      limiter({ store: { take }, onStoreFailure: 'deny' }).filter,
      fakeExchange(),
    )
    expect(denied).toMatchObject({ status: 503, reason: 'rate-limit-store-failed' })
  })

  it('does not wait for ever', async () => {
    const { filter, clock } = limiter({ store: { take: () => new Promise(() => {}) } })
    const verdict = asked(filter, fakeExchange())
    clock.advance(300)
    expect(await verdict).toBeUndefined()
    expect(clock.pending).toBe(0)
  })

  it('queues with a store that answers later, and loses nobody', async () => {
    let tokens = 1
    const { filter, clock } = limiter({
      queue: 3,
      store: {
        async take() {
          if (tokens === 0) return { allowed: false, remaining: 0, resetMs: 100, retryMs: 100 }
          tokens -= 1
          return yes
        },
      },
    })
    expect(await asked(filter, fakeExchange())).toBeUndefined()
    const leaving = fakeExchange()
    const three = [
      asked(filter, fakeExchange()),
      asked(filter, leaving),
      asked(filter, fakeExchange()),
    ]
    await settled()
    expect(filter.waiting).toBe(3)
    finish(filter, leaving)
    tokens = 2
    clock.advance(120)
    await settled()
    clock.advance(120)
    expect((await Promise.all(three)).map(statusOf)).toEqual([0, 0, 0])
    expect(tokens).toBe(0)
    expect(filter.waiting).toBe(0)
  })
})

describe('the limiters, whatever comes', () => {
  const rule = fc.record({
    limit: fc.integer({ min: 1, max: 20 }),
    windowMs: fc.integer({ min: 10, max: 5000 }),
    burst: fc.integer({ min: 1, max: 30 }),
  })
  const steps = fc.array(
    fc.tuple(
      fc.oneof(
        fc.constant(0),
        fc.integer({ min: 0, max: 50 }),
        fc.double({ min: 0, max: 3000, noNaN: true }),
      ),
      fc.integer({ min: 1, max: 3 }),
    ),
    { minLength: 1, maxLength: 120 },
  )
  const most = (taken: readonly (readonly [number, number])[], windowMs: number): number => {
    let highest = 0
    for (const [from] of taken) {
      let sum = 0
      for (const [at, cost] of taken) if (at >= from && at < from + windowMs) sum += cost
      highest = Math.max(highest, sum)
    }
    return highest
  }

  it.each(['token-bucket', 'sliding-window'] as const)(
    '%s never lets more pass in any window than it may, and its retry time is true',
    (algorithm) => {
      fc.assert(
        fc.property(rule, steps, (given, moves) => {
          const full = { ...given, algorithm }
          const rates = localRates(full, 10, 'forget')
          const bound = algorithm === 'token-bucket' ? given.limit + given.burst : given.limit
          const taken: [number, number][] = []
          let now = 0
          for (const [wait, cost] of moves) {
            now += wait
            const decision = rates.take('k', cost, now)
            if (decision.allowed) taken.push([now, cost])
            else if (Number.isFinite(decision.retryMs)) {
              expect(decision.retryMs).toBeGreaterThan(0)
              now += decision.retryMs + 1e-3
              expect(rates.take('k', cost, now).allowed).toBe(true)
              taken.push([now, cost])
            } else {
              const holds = algorithm === 'token-bucket' ? given.burst : given.limit
              expect(cost).toBeGreaterThan(holds)
            }
            expect(decision.remaining).toBeGreaterThanOrEqual(0)
          }
          expect(most(taken, given.windowMs)).toBeLessThanOrEqual(bound)
        }),
        { numRuns: 300 },
      )
    },
  )

  it.each(['token-bucket', 'sliding-window'] as const)(
    '%s gives the whole limit again after a quiet time',
    (algorithm) => {
      fc.assert(
        fc.property(rule, fc.integer({ min: 0, max: 1_000_000 }), (given, start) => {
          const burst = algorithm === 'token-bucket' ? given.burst : given.limit
          const rates = localRates({ ...given, burst, algorithm }, 10, 'forget')
          const passed = (now: number): number => {
            let count = 0
            while (rates.take('k', 1, now).allowed) count += 1
            return count
          }
          expect(passed(start)).toBe(burst)
          const quiet = (given.windowMs / given.limit) * burst + 1.1 * given.windowMs + 1
          expect(passed(start + quiet)).toBe(burst)
        }),
      )
    },
  )

  it.each(['token-bucket', 'sliding-window'] as const)(
    '%s remembers no more keys than it may, and none that has rested for long',
    (algorithm) => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 20 }),
          fc.constantFrom('forget' as const, 'deny' as const),
          fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 400 })), {
            maxLength: 200,
          }),
          (maxKeys, whenFull, moves) => {
            const rates = localRates(
              { algorithm, limit: 2, windowMs: 1000, burst: 2 },
              maxKeys,
              whenFull,
            )
            let now = 0
            for (const [key, wait] of moves) {
              now += wait
              rates.take(key, 1, now)
              expect(rates.size).toBeLessThanOrEqual(maxKeys)
            }
            now += 10_000
            for (let i = 0; i < 30; i++) rates.take(`late ${i % 2}`, 0.001, now)
            expect(rates.size).toBeLessThanOrEqual(Math.min(maxKeys, 6))
          },
        ),
      )
    },
  )
})
