import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { abuseScore } from '../../../src/client/h2/abuse-score.ts'

test('three quarters retire, the whole kills', () => {
  const score = abuseScore(100, 60_000)
  expect(score.add(74, 0)).toBe('fine')
  expect(score.add(1, 0)).toBe('retire')
  expect(score.add(24, 0)).toBe('retire')
  expect(score.add(1, 0)).toBe('kill')
})

test('it fades in the window', () => {
  const score = abuseScore(100, 60_000)
  score.add(90, 1000)
  expect(score.level(1000)).toBe(90)
  expect(score.level(31_000)).toBeCloseTo(40)
  expect(score.level(61_000)).toBe(0)
  expect(score.add(10, 61_000)).toBe('fine')
  expect(score.level(61_000)).toBe(10)
})

test('a limit of 0 never minds', () => {
  const score = abuseScore(0, 60_000)
  expect(score.add(1e9, 0)).toBe('fine')
})

test('it is never negative, never more than what was added, and grows by what is added at one time', () => {
  const events = fc.array(fc.tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.nat(10_000)))
  fc.assert(
    fc.property(events, (list) => {
      const score = abuseScore(100, 10_000)
      let now = 0
      let sum = 0
      for (const [weight, wait] of list) {
        now += wait
        const before = score.level(now)
        const verdict = score.add(weight, now)
        sum += weight
        const after = score.level(now)
        expect(after).toBeGreaterThanOrEqual(0)
        expect(after).toBeLessThanOrEqual(sum + 1e-6)
        expect(after).toBeCloseTo(before + weight)
        expect(verdict).toBe(after >= 100 ? 'kill' : after >= 75 ? 'retire' : 'fine')
      }
    }),
  )
})
