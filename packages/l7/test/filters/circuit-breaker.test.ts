import { pool } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { ExchangeError, type ExchangeErrorCode } from '../../src/exchange/exchange-error.ts'
import {
  type CircuitBreakerOptions,
  type CircuitEvent,
  circuitBreaker,
} from '../../src/filters/circuit-breaker.ts'
import {
  ask,
  type FakeExchange,
  fakeExchange,
  finish,
  headerOf,
  statusOf,
} from './fake-exchange.ts'

function failure(code: ExchangeErrorCode, source: 'client' | 'backend' = 'backend'): ExchangeError {
  return new ExchangeError('it failed', { code, source, phase: 'connect' })
}

function breaker(options: CircuitBreakerOptions = {}) {
  const clock = manualClock()
  const events: CircuitEvent[] = []
  const filter = circuitBreaker({
    clock,
    minRequests: 2,
    openFor: '10s',
    probes: 1,
    onTransition: (event) => events.push(event),
    ...options,
  })
  const web = pool({ name: 'web', backends: ['192.0.2.1:80', '192.0.2.2:80'] })
  const begin = (): FakeExchange => {
    const x = fakeExchange({ pool: web })
    const verdict = ask(filter, x)
    return Object.assign(x, { verdict })
  }
  /** A whole exchange with one result; its status. */
  const pass = (init: Parameters<typeof finish>[2] = {}): number => {
    const x = fakeExchange({ pool: web })
    const verdict = ask(filter, x)
    finish(filter, x, verdict === undefined ? init : { attempts: 0 })
    return statusOf(verdict)
  }
  return { clock, events, filter, web, begin, pass }
}

const bad = { backendStatus: 500 }

describe('circuitBreaker', () => {
  it('opens when half of the results are errors, answers 503, and closes by a good probe', () => {
    const { clock, events, filter, web, pass } = breaker()
    expect([pass(), pass(bad)]).toEqual([0, 0])
    expect(filter.state('web')).toBe('open')
    const x = fakeExchange({ pool: web })
    expect(ask(filter, x)).toMatchObject({ status: 503, reason: 'circuit-open' })
    expect(headerOf(ask(filter, fakeExchange({ pool: web })), 'retry-after')).toBe('10')
    expect(x.flags).toEqual(['circuit-open'])
    clock.advance(10_000)
    expect(pass()).toBe(0)
    expect(filter.state('web')).toBe('closed')
    expect(events).toEqual([
      { circuit: 'web', from: 'closed', to: 'open', cause: 'error-ratio' },
      { circuit: 'web', from: 'open', to: 'half-open' },
      { circuit: 'web', from: 'half-open', to: 'closed' },
    ])
  })

  it('lets one probe pass at a time, and is open again when it fails', () => {
    const { clock, filter, pass, begin } = breaker()
    pass(bad)
    pass(bad)
    clock.advance(10_000)
    const probe = begin()
    expect(pass()).toBe(503)
    finish(filter, probe, { backendStatus: 0, error: failure('connect-failed') })
    expect(filter.circuits()).toEqual([
      { circuit: 'web', state: 'open', retryMs: 10_000, requests: 0, errors: 0, slow: 0 },
    ])
  })

  it('does not blame the backend for clients that go away, unless it was slow', () => {
    const { filter, pass } = breaker({ openWhen: { slowCount: 2 }, slowAfter: '1s' })
    const left = {
      backendStatus: 0,
      endedBy: 'client',
      error: failure('client-aborted', 'client'),
    } as const
    pass({ ...left, firstByte: -1, total: 20 })
    pass({ attempts: 0, backendStatus: 0 })
    expect(filter.circuits()).toMatchObject([{ requests: 0 }])
    pass({ ...left, firstByte: -1, total: 3000 })
    pass({ firstByte: 1500 })
    expect(filter.state('web')).toBe('open')
  })

  it('counts errors as it is told', () => {
    const { filter, pass } = breaker({ isError: ({ backendStatus }) => backendStatus === 429 })
    pass(bad)
    pass(bad)
    expect(filter.state('web')).toBe('closed')
    pass({ backendStatus: 429 })
    pass({ backendStatus: 429 })
    expect(filter.state('web')).toBe('open')
  })

  it('answers with the status and content that it is given', () => {
    const { filter, pass, begin } = breaker({
      status: 409,
      body: '{"degraded":true}',
      responseHeaders: { 'content-type': 'application/json' },
    })
    pass(bad)
    pass(bad)
    const x = begin()
    expect(filter.state('web')).toBe('open')
    expect((x as unknown as { verdict: unknown }).verdict).toMatchObject({
      status: 409,
      body: '{"degraded":true}',
      headers: { 'content-type': 'application/json' },
    })
  })

  it('bounds requests in flight, and counts each once', () => {
    const { filter, web, pass, begin } = breaker({ thresholds: { requests: 1 } })
    const x = begin()
    expect(ask(filter, x)).toBeUndefined()
    expect(pass()).toBe(503)
    const over = fakeExchange({ pool: web })
    ask(filter, over)
    expect(over.flags).toEqual(['circuit-overflow'])
    finish(filter, over)
    finish(filter, x)
    finish(filter, x)
    expect(pass()).toBe(0)
  })

  it('bounds connections and those who wait', () => {
    const busy = breaker({ thresholds: { connections: 1 } })
    const slot = busy.web.roster.current.slots[0]!
    busy.web.opened(slot)
    expect(busy.pass()).toBe(503)
    busy.web.closed(slot)
    expect(busy.pass()).toBe(0)
    const queued = breaker({ thresholds: { pending: 1 } })
    const waiter = { proceed: () => true }
    queued.web.queue.join(waiter)
    expect(queued.pass()).toBe(503)
    queued.web.queue.leave(waiter)
    expect(queued.pass()).toBe(0)
  })

  it('bounds retries under way, and gives their places back', () => {
    const { filter, web } = breaker({ thresholds: { retries: 1 } })
    const [one, two] = web.members().map(({ backend }) => backend)
    const attempt = (x: FakeExchange, attempts: number): unknown => {
      x.attempts = attempts
      x.backend = attempts === 1 ? one : two
      return filter.attempt?.(x)
    }
    const [a, b] = [fakeExchange({ pool: web }), fakeExchange({ pool: web })] as const
    for (const x of [a, b]) ask(filter, x)
    expect([attempt(a, 1), attempt(b, 1), attempt(a, 2), attempt(a, 3)]).toEqual(
      Array(4).fill(undefined),
    )
    expect(attempt(b, 2)).toBe('stop')
    expect(b.flags).toEqual(['retry-overflow'])
    expect(filter.failed?.(failure('connect-failed'), b)).toBeUndefined()
    finish(filter, a)
    const c = fakeExchange({ pool: web })
    ask(filter, c)
    expect([attempt(c, 1), attempt(c, 2)]).toEqual([undefined, undefined])
  })

  it('decides at the attempt when the pool was not known before', () => {
    const { filter, web, pass } = breaker()
    pass(bad)
    pass(bad)
    const x = fakeExchange()
    expect(ask(filter, x)).toBeUndefined()
    x.pool = web
    x.backend = web.members()[0]!.backend
    x.attempts = 1
    expect(filter.attempt?.(x)).toBe('stop')
    expect(filter.failed?.(failure('circuit-open'), x)).toMatchObject({ status: 503 })
    finish(filter, x)
  })

  it('has a circuit for each member, passes over those that are open, and answers when none is left', () => {
    const { filter, web, clock } = breaker({ key: 'backend' })
    const [one, two] = web.members().map(({ backend }) => backend)
    const run = (backend: typeof one, init?: Parameters<typeof finish>[2]): unknown => {
      const x = fakeExchange({ pool: web })
      ask(filter, x)
      x.backend = backend
      x.attempts = 1
      const decision = filter.attempt?.(x)
      finish(filter, x, init)
      return decision
    }
    run(one, bad)
    run(one, bad)
    expect([run(one), run(two)]).toEqual(['pass', undefined])
    expect(filter.state('web/192.0.2.1:80')).toBe('open')
    // A retry on the other member is an error of the first.
    const x = fakeExchange({ pool: web })
    ask(filter, x)
    run(two, bad)
    expect(filter.state('web/192.0.2.2:80')).toBe('open')
    Object.assign(x, { backend: one, attempts: 1 })
    expect(filter.attempt?.(x)).toBe('pass')
    Object.assign(x, { backend: two })
    expect(filter.attempt?.(x)).toBe('pass')
    const reply = filter.failed?.(failure('no-backend'), x)
    expect(reply).toMatchObject({ status: 503, reason: 'circuit-open' })
    finish(filter, x)
    clock.advance(10_000)
    expect(run(one)).toBeUndefined()
    expect(filter.state('web/192.0.2.1:80')).toBe('closed')
  })

  it('counts an attempt that was given up for another as an error of its member, once', () => {
    const { filter, web } = breaker({ key: 'backend', minRequests: 1 })
    const [one, two] = web.members().map(({ backend }) => backend)
    const x = fakeExchange({ pool: web })
    ask(filter, x)
    Object.assign(x, { backend: one, attempts: 1 })
    expect([filter.attempt?.(x), filter.attempt?.(x)]).toEqual([undefined, undefined])
    Object.assign(x, { backend: two, attempts: 2 })
    filter.attempt?.(x)
    finish(filter, x)
    expect(filter.state('web/192.0.2.1:80')).toBe('open')
    expect(filter.circuits()).toMatchObject([
      { circuit: 'web/192.0.2.1:80', state: 'open' },
      { circuit: 'web/192.0.2.2:80', state: 'closed', requests: 1, errors: 0 },
    ])
  })

  it('keys circuits by a function, and keeps a bounded number of them', () => {
    const { filter, web } = breaker({
      key: (x) => x.request.path.slice(1) || undefined,
      maxCircuits: 2,
    })
    const run = (path: string): void => {
      const x = fakeExchange({ pool: web, path })
      ask(filter, x)
      finish(filter, x, bad)
    }
    for (const path of ['/a', '/a', '/b', '/c', '/']) run(path)
    expect(filter.circuits().map(({ circuit, state }) => [circuit, state])).toEqual([
      ['a', 'open'],
      ['c', 'closed'],
    ])
  })

  it('refuses wrong options with their path', () => {
    const wrong = (options: object) => () => circuitBreaker(options, 'cb')
    expect(wrong({ openWhen: { errorRatio: 2 } })).toThrow('cb.openWhen.errorRatio')
    expect(wrong({ openWhen: { slowCount: 0 } })).toThrow('cb.openWhen.slowCount')
    expect(wrong({ thresholds: { retries: -1 } })).toThrow('cb.thresholds.retries')
    expect(wrong({ window: 0 })).toThrow('cb.window')
    expect(wrong({ key: 'host' })).toThrow('cb.key')
    expect(wrong({ probes: 0 })).toThrow('cb.probes')
  })
})
