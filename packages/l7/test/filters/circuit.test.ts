import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Circuit, type CircuitRule, circuit } from '../../src/filters/circuit/circuit.ts'
import { rollingWindow } from '../../src/filters/circuit/rolling-window.ts'

const rule: CircuitRule = {
  windowMs: 1000,
  minRequests: 4,
  errorRatio: 0.5,
  errorCount: Infinity,
  slowMs: 100,
  slowRatio: Infinity,
  slowCount: Infinity,
  latencyMs: Infinity,
  openMs: 5000,
  probes: 2,
}

function pass(one: Circuit, now: number, error = false, latencyMs = 1): boolean {
  const permit = one.admit(now)
  if (permit === 0) return false
  one.settle(permit, now, error, latencyMs)
  return true
}

function opened(changes: Partial<CircuitRule> = {}): Circuit {
  const one = circuit({ ...rule, ...changes, errorRatio: 0.5, minRequests: 1 })
  pass(one, 0, true)
  expect(one.take()).toEqual({ from: 'closed', to: 'open', cause: 'error-ratio' })
  return one
}

describe('a circuit', () => {
  it('stays closed below the least number of requests, and opens with it', () => {
    const one = circuit(rule)
    for (let i = 0; i < 3; i++) pass(one, i, true)
    expect(one.state).toBe('closed')
    pass(one, 3, false)
    expect(one.state).toBe('open')
    expect(one.retryMs(1003)).toBe(4000)
    expect(one.admit(5002)).toBe(0)
  })

  it.each([
    ['error-count', { errorRatio: Infinity, errorCount: 3 }, [1, 1, 0, 1], 1],
    ['slow-ratio', { slowRatio: 0.75 }, [0, 0, 0, 0], 100],
    ['slow-count', { slowCount: 4 }, [0, 0, 0, 0], 100],
    ['latency', { latencyMs: 50 }, [0, 0, 0, 0], 51],
  ] as const)('opens by %s', (cause, changes, errors, latencyMs) => {
    const one = circuit({ ...rule, ...changes })
    for (const error of errors) pass(one, 0, error === 1, latencyMs)
    expect(one.take()).toEqual({ from: 'closed', to: 'open', cause })
    expect(one.take()).toBeUndefined()
  })

  it('forgets what is out of the window', () => {
    const one = circuit(rule)
    for (let i = 0; i < 3; i++) pass(one, 0, true)
    pass(one, 1100, false)
    expect([one.state, one.window.total, one.window.errors]).toEqual(['closed', 1, 0])
  })

  it('lets a bounded number of probes pass when its time is over, and closes when all were good', () => {
    const one = opened()
    const permits = [one.admit(5000), one.admit(5000), one.admit(5000)]
    expect(one.take()).toEqual({ from: 'open', to: 'half-open' })
    expect(permits.map((permit) => permit > 0)).toEqual([true, true, false])
    one.settle(permits[0]!, 5001, false, 1)
    // Two are needed, and the second is under way.
    expect(one.admit(5001)).toBe(0)
    one.settle(permits[1]!, 5002, false, 1)
    expect(one.take()).toEqual({ from: 'half-open', to: 'closed' })
    expect(one.window.total).toBe(0)
    expect(pass(one, 5003)).toBe(true)
  })

  it.each([
    ['an error', true, 1],
    ['a slow answer', false, 100],
  ])('opens again when a probe ends with %s, for the whole time', (_, error, latencyMs) => {
    const one = opened()
    const permit = one.admit(6000)
    one.settle(permit, 6100, error, latencyMs)
    one.take()
    expect([one.state, one.admit(11_099), one.admit(11_100) > 0]).toEqual(['open', 0, true])
  })

  it('gives a probe that told nothing to the next request', () => {
    const one = opened({ probes: 1 })
    const permit = one.admit(5000)
    expect(one.admit(5000)).toBe(0)
    one.forgo(permit)
    expect(one.admit(5001)).toBeGreaterThan(0)
  })

  it('does not hear what comes late from an earlier state', () => {
    const one = circuit({ ...rule, minRequests: 1, probes: 1 })
    const late = [one.admit(0), one.admit(0)]
    pass(one, 0, true)
    one.settle(late[0]!, 1, true, 1)
    expect(one.openUntil).toBe(5000)
    const probe = one.admit(5000)
    one.settle(late[1]!, 5001, true, 1)
    one.forgo(late[1]!)
    expect([one.state, one.admit(5001)]).toEqual(['half-open', 0])
    one.settle(probe, 5002, false, 1)
    expect(one.state).toBe('closed')
  })

  it('is always in a legal state, and never lets more probes pass than it may', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant('admit' as const) }),
            fc.record({
              do: fc.constantFrom('settle' as const, 'forgo' as const),
              which: fc.nat(20),
              error: fc.boolean(),
            }),
            fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 4000 }) }),
          ),
          { maxLength: 150 },
        ),
        (probes, moves) => {
          const one = circuit({ ...rule, minRequests: 2, probes })
          const out: { permit: number; probe: boolean }[] = []
          let now = 0
          let from = 'closed'
          for (const move of moves) {
            if (move.do === 'wait') now += move.ms
            else if (move.do === 'admit') {
              const stood = one.state
              const permit = one.admit(now)
              if (stood === 'closed') expect(permit).toBeGreaterThan(0)
              if (permit > 0) {
                expect(one.state).not.toBe('open')
                out.push({ permit, probe: one.state === 'half-open' })
              }
            } else {
              const [entry] = out.splice(move.which, 1)
              if (entry === undefined) continue
              if (move.do === 'settle') one.settle(entry.permit, now, move.error, 1)
              else one.forgo(entry.permit)
            }
            const change = one.take()
            if (change !== undefined) {
              expect(change.from).toBe(from)
              expect([
                'closed>open',
                'open>half-open',
                'half-open>open',
                'half-open>closed',
              ]).toContain(`${change.from}>${change.to}`)
              from = change.to
            }
            expect(one.state).toBe(from)
            if (one.state === 'half-open') {
              const latest = Math.max(0, ...out.map(({ permit }) => permit))
              const probing = out.filter(({ permit, probe }) => probe && permit === latest).length
              expect(probing).toBeLessThanOrEqual(probes)
            }
          }
        },
      ),
    )
  })
})

describe('a rolling window', () => {
  it('counts what an exact one would, give or take a tenth', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.boolean()), { maxLength: 100 }),
        (results) => {
          const window = rollingWindow(1000)
          const seen: { at: number; error: boolean }[] = []
          let now = 0
          for (const [wait, error] of results) {
            now += wait
            window.add(now, error, !error, 2)
            seen.push({ at: now, error })
            const within = (ms: number, errors: boolean): number =>
              seen.filter(({ at, error }) => at > now - ms && (!errors || error)).length
            expect(window.total).toBeGreaterThanOrEqual(within(900, false))
            expect(window.total).toBeLessThanOrEqual(within(1000, false))
            expect(window.errors).toBeGreaterThanOrEqual(within(900, true))
            expect(window.errors + window.slow).toBe(window.total)
            expect(window.latencyMs).toBe(2 * window.total)
          }
        },
      ),
    )
  })
})
