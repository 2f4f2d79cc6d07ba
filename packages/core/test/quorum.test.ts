import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Quorum, quorumRule } from '../src/index.ts'

describe('quorum', () => {
  it.each([
    [1, 0, 4, false],
    [1, 1, 4, true],
    [3, 2, 4, false],
    [3, 3, 4, true],
    ['50%', 1, 4, false],
    ['50%', 2, 4, true],
    ['50%', 2, 5, false],
    ['50%', 3, 5, true],
    ['100%', 4, 4, true],
    ['0.1%', 0, 4, false],
    ['0.1%', 1, 4, true],
    ['50%', 0, 0, false],
  ] as const)('%s of %d usable among %d: %s', (quorum, usable, enabled, expected) => {
    expect(quorumRule(quorum, 0).decide(usable, enabled, undefined)).toBe(expected)
  })

  it('flips up at quorum and hysteresis, down below quorum less hysteresis, and else stays', () => {
    const rule = quorumRule(4, 2)
    const walk = (counts: readonly number[], start: boolean): boolean[] => {
      let state = start
      return counts.map((usable) => (state = rule.decide(usable, 10, state)))
    }
    expect(walk([4, 5, 6, 5, 2, 1, 2, 5, 6], false)).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      false,
      true,
    ])
    expect([rule.decide(3, 10, undefined), rule.decide(4, 10, undefined)]).toEqual([false, true])
  })

  it('asks for no more than there are, and never calls nobody available', () => {
    expect(quorumRule(4, 2).decide(5, 5, false)).toBe(true)
    expect(quorumRule(4, 2).decide(4, 5, false)).toBe(false)
    expect(quorumRule(2, 5).decide(0, 5, true)).toBe(false)
    expect(quorumRule(2, 5).decide(1, 5, true)).toBe(true)
  })

  it.each([0, -1, 1.5, Number.NaN, '0%', '101%', '50', '%', 'half%', '-5%', ''])(
    'refuses the quorum %j',
    (quorum) => {
      expect(() => quorumRule(quorum as Quorum, 0)).toThrow(
        expect.objectContaining({ code: 'invalid-option', path: 'pool.quorum' }),
      )
    },
  )

  it.each([-1, 0.5, Number.NaN])('refuses the hysteresis %d', (hysteresis) => {
    expect(() => quorumRule(1, hysteresis, 'site')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'site.hysteresis' }),
    )
  })

  it('is monotonic: more usable members never make a pool unavailable', () => {
    const quorum = fc.oneof(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 100 }).map((percent): Quorum => `${percent}%`),
    )
    const before = fc.constantFrom(true, false, undefined)
    fc.assert(
      fc.property(quorum, fc.nat(5), fc.nat(20), before, (needed, hysteresis, enabled, state) => {
        const rule = quorumRule(needed, hysteresis)
        let reached = false
        for (let usable = 0; usable <= 30; usable++) {
          const available = rule.decide(usable, enabled, state)
          expect(reached && !available).toBe(false)
          reached = available
          // Having been available is never a disadvantage.
          if (rule.decide(usable, enabled, false)) {
            expect(rule.decide(usable, enabled, true)).toBe(true)
          }
        }
        expect(rule.decide(0, enabled, state)).toBe(false)
      }),
    )
  })
})
