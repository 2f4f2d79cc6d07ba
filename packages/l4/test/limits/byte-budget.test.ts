import { timerWheel } from '@steelyard/core'
import { type ManualClock, manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type AdjustableByteBudget, byteBudget } from '../../src/limits/byte-budget.ts'

function make(
  bytesPerSecond: number,
  burst?: number,
): { clock: ManualClock; budget: AdjustableByteBudget } {
  const clock = manualClock()
  const wheel = timerWheel({ clock, tickMs: 10 })
  const limits = burst === undefined ? { bytesPerSecond } : { bytesPerSecond, burst }
  return { clock, budget: byteBudget({ ...limits, clock, wheel }) }
}

/** A relay that always has `chunk` bytes more to send; gives a function that tells how many it sent. */
function relay(budget: AdjustableByteBudget, chunk = 65_536): { sent: number; stop(): void } {
  const self = { sent: 0, stop: () => waiting?.[Symbol.dispose]() }
  let waiting: Disposable | undefined
  const pump = (): void => {
    for (;;) {
      const taken = budget.take(chunk)
      self.sent += taken
      if (taken < chunk) break
    }
    waiting = budget.whenAvailable(pump)
  }
  pump()
  return self
}

describe('byte budget', () => {
  it('gives its burst at once, then nothing', () => {
    const { budget } = make(10_000, 4000)
    expect(budget.take(3000)).toBe(3000)
    expect(budget.take(3000)).toBe(1000)
    expect(budget.take(3000)).toBe(0)
  })

  it('fills again with time, up to the burst', () => {
    const { clock, budget } = make(10_000, 4000)
    budget.take(4000)
    clock.advance(100)
    expect(budget.take(9999)).toBe(1000)
    clock.advance(3_600_000)
    expect(budget.take(9999)).toBe(4000)
  })

  it('wakes those who wait, once each, and never within the call', () => {
    const { clock, budget } = make(100_000, 10_000)
    budget.take(10_000)
    let woken = 0
    budget.whenAvailable(() => (woken += 1))
    expect(woken).toBe(0)
    clock.advance(1000)
    expect(woken).toBe(1)
    budget.whenAvailable(() => (woken += 1))
    expect(woken).toBe(1)
    clock.advance(20)
    expect(woken).toBe(2)
    expect(clock.pending).toBe(0)
  })

  it('keeps its rate with one relay, with hundreds, and with chunks of any size', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1000, 50_000, 1_000_000, 125_000_000),
        fc.integer({ min: 1, max: 200 }),
        fc.constantFrom(1, 100, 1448, 65_536),
        (rate, count, chunk) => {
          const { clock, budget } = make(rate)
          const burst = Math.max(16_384, rate / 10)
          const relays = Array.from({ length: count }, () =>
            relay(budget, Math.max(chunk, rate / 50_000)),
          )
          clock.advance(2000)
          const sent = relays.reduce((sum, { sent: own }) => sum + own, 0)
          expect(sent).toBeLessThanOrEqual(burst + rate * 2)
          if (count * chunk > 65_536) expect(sent).toBeGreaterThan(rate * 2 * 0.95)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('shares fairly between a greedy relay and modest ones', () => {
    const { clock, budget } = make(1_000_000)
    const greedy = relay(budget, 65_536)
    const modest = Array.from({ length: 9 }, () => relay(budget, 1448))
    clock.advance(10_000)
    const before = greedy.sent
    const shares = modest.map(({ sent }) => sent)
    clock.advance(10_000)
    expect(greedy.sent - before).toBeLessThan(1_000_000 * 10 * 0.15)
    modest.forEach(({ sent }, i) => {
      expect(sent - shares[i]!).toBeGreaterThan(1_000_000 * 10 * 0.05)
    })
  })

  it('serves in the order of coming, and a newcomer cannot jump the line', () => {
    const { clock, budget } = make(1000, 1024)
    const log: string[] = []
    budget.take(1024)
    for (const name of ['a', 'b', 'c']) {
      budget.whenAvailable(() => {
        log.push(name)
        budget.take(100_000)
      })
    }
    clock.advance(500)
    expect(budget.take(10)).toBe(0)
    clock.advance(4000)
    expect(log).toEqual(['a', 'b', 'c'])
    expect(budget.waiting).toBe(0)
  })

  it('passes a turn on when the relay has gone or takes nothing', () => {
    const { clock, budget } = make(100_000, 10_000)
    budget.take(10_000)
    const log: string[] = []
    budget.whenAvailable(() => log.push('idle'))
    const gone = budget.whenAvailable(() => log.push('gone'))
    budget.whenAvailable(() => log.push(`took ${budget.take(500)}`))
    gone[Symbol.dispose]()
    clock.advance(100)
    expect(log).toEqual(['idle', 'took 500'])
  })

  it('gives each no more than an equal part in one turn', () => {
    const { clock, budget } = make(100_000, 100_000)
    budget.take(100_000)
    const helpings: number[] = []
    budget.whenAvailable(() =>
      helpings.push(budget.take(400), budget.take(9999), budget.take(9999)),
    )
    budget.whenAvailable(() => {})
    clock.advance(20)
    expect(helpings[0]).toBe(400)
    expect(helpings[1]).toBeGreaterThan(100)
    expect(helpings[1]).toBeLessThanOrEqual(1024 - 400)
    expect(helpings[2]).toBe(0)
  })

  it('stops its timer when the last one leaves the line', () => {
    const { clock, budget } = make(1000, 1000)
    budget.take(1000)
    budget.whenAvailable(() => {})[Symbol.dispose]()
    expect(clock.pending).toBe(0)
  })

  it('goes on after a relay that throws, and lets the error be seen', () => {
    const later = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(() => {})
    const { clock, budget } = make(100_000, 10_000)
    budget.take(10_000)
    let served = 0
    budget.whenAvailable(() => {
      throw new Error('a relay failed')
    })
    budget.whenAvailable(() => {
      served += budget.take(10)
    })
    clock.advance(50)
    expect(served).toBe(10)
    expect(later.mock.calls[0]![0]).toThrow('a relay failed')
    later.mockRestore()
  })

  it('takes a new rate for those who wait', () => {
    const { clock, budget } = make(1, 1)
    budget.take(1)
    let woken = false
    budget.whenAvailable(() => (woken = true))
    clock.advance(100)
    expect(woken).toBe(false)
    budget.adjust({ bytesPerSecond: 1_000_000 })
    clock.advance(50)
    expect(woken).toBe(true)
    expect(() => budget.adjust({ bytesPerSecond: 0 })).toThrow('bytesPerSecond')
  })

  it('refuses a burst that could not keep the rate', () => {
    expect(() => byteBudget({ bytesPerSecond: '10MB', burst: '64KiB' })).toThrow('200000 or more')
    expect(() => byteBudget({ bytesPerSecond: 0 })).toThrow('bytesPerSecond')
  })
})
