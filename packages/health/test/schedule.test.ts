import { isSteelyardError } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstDelay, nextStart, phaseOf, type ScheduleOptions, schedule } from '../src/schedule.ts'

const complaint = (options: ScheduleOptions): string | undefined => {
  try {
    schedule(options, 'tcpCheck')
    return undefined
  } catch (error) {
    if (!isSteelyardError(error, 'invalid-option')) throw error
    return error.message
  }
}

describe('schedule options', () => {
  it('fills in the defaults', () => {
    expect(schedule({}, 'x')).toEqual({
      intervalMs: 5000,
      fastIntervalMs: 5000,
      downIntervalMs: 5000,
      timeoutMs: 2000,
      rise: 2,
      fall: 3,
      initial: 'unknown',
    })
    expect(schedule({ every: '1s' }, 'x').timeoutMs).toBe(1000)
    expect(schedule({ interval: '1s' }, 'x')).toEqual(schedule({ every: 1000 }, 'x'))
  })

  it.each<[ScheduleOptions, string]>([
    [{ every: '1s', interval: '1s' }, 'tcpCheck.interval: says the same as "every"'],
    [{ every: '5ms' }, 'tcpCheck.every: 5ms is no interval'],
    [{ interval: '2d' }, 'tcpCheck.interval: 172800000ms is no interval'],
    [{ every: '1s', timeout: '1001ms' }, 'tcpCheck.timeout: 1001ms must be from 1ms up to'],
    [{ every: '1s', timeout: 0 }, 'tcpCheck.timeout: 0ms must be from 1ms up to'],
    [{ every: 'soon' }, 'tcpCheck.every: "soon" is not a duration'],
    [{ fastInterval: 1 }, 'tcpCheck.fastInterval: 1ms is no interval'],
    [{ downInterval: '-1s' }, 'tcpCheck.downInterval: "-1s" is not a duration'],
    [{ rise: 0 }, 'tcpCheck.rise: 0 is not a count'],
    [{ fall: 1.5 }, 'tcpCheck.fall: 1.5 is not a count'],
    [{ initial: 'well' as 'up' }, 'tcpCheck.initial: "well" is none of unknown, up, down'],
  ])('refuses %j', (options, message) => {
    expect(complaint(options)).toContain(message)
  })

  it('accepts a timeout as long as the interval', () => {
    expect(schedule({ every: '1s', timeout: '1s' }, 'x').timeoutMs).toBe(1000)
  })
})

describe('phases', () => {
  it('spread 10,000 targets evenly over the interval, the same way each time', () => {
    const buckets = new Array<number>(20).fill(0)
    for (let i = 0; i < 10_000; i++) {
      const phase = phaseOf(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:80`, 'tcp', 0)
      expect(phase).toBeGreaterThanOrEqual(0)
      expect(phase).toBeLessThan(1)
      buckets[Math.floor(phase * 20)]! += 1
    }
    // 500 expected in each; five standard deviations are 109.
    for (const bucket of buckets) expect(Math.abs(bucket - 500)).toBeLessThan(110)
    expect(phaseOf('10.0.0.1:80', 'tcp', 0)).toBe(phaseOf('10.0.0.1:80', 'tcp', 0))
    expect(phaseOf('10.0.0.1:80', 'tcp', 1)).not.toBe(phaseOf('10.0.0.1:80', 'tcp', 0))
  })

  it('bound the first round', () => {
    expect(firstDelay(0.5, 30_000, 1000)).toBe(500)
    expect(firstDelay(0.5, 400, 1000)).toBe(200)
  })
})

const plan = schedule(
  { every: '10s', fastInterval: '2s', downInterval: '30s', timeout: '1s' },
  'test',
)
const turn = {
  schedule: plan,
  state: 'up' as const,
  changing: false,
  inconclusive: 0,
  phase: 0.25,
  startedAt: 2500,
  now: 2510,
  jitter: 0,
  random: () => 0.5,
}

describe('the next start', () => {
  it.each([
    ['a steady target keeps to its grid', {}, 12_500],
    ['one that is down has the grid of the down interval', { state: 'down' as const }, 37_500],
    ['one that began late returns to the grid', { startedAt: 4000, now: 4100 }, 12_500],
    ['one that began very late skips a turn', { startedAt: 9000, now: 9100 }, 22_500],
    ['a stall of many turns is not made up for', { startedAt: 2500, now: 63_000 }, 72_500],
    ['while counting, the fast interval runs from the last start', { changing: true }, 4500],
    ['a probe longer than the fast interval is not overtaken', { changing: true, now: 5000 }, 5000],
    ['after an inconclusive result, soon', { inconclusive: 1 }, 2510 + 750],
    ['and soon once more', { inconclusive: 2, changing: true }, 2510 + 750],
    ['but then in the ordinary turn', { inconclusive: 3, changing: true }, 12_500],
    ['jitter moves it by 5 % at most, early', { jitter: 0.05, random: () => 0 }, 12_000],
    ['and late', { jitter: 0.05, random: () => 0.999_999_9 }, 13_000],
  ])('%s', (_name, change, expected) => {
    expect(nextStart({ ...turn, ...change })).toBeCloseTo(expected, 2)
  })

  it('never lies in the past, nor beyond one and a half intervals and the jitter', () => {
    fc.assert(
      fc.property(
        fc.record({
          phase: fc.double({ min: 0, max: 0.999, noNaN: true }),
          startedAt: fc.integer({ min: 0, max: 1_000_000 }),
          took: fc.integer({ min: 0, max: 60_000 }),
          random: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
          state: fc.constantFrom('up' as const, 'down' as const, 'unknown' as const),
          changing: fc.boolean(),
          inconclusive: fc.integer({ min: 0, max: 4 }),
        }),
        ({ took, random, ...given }) => {
          const now = given.startedAt + took
          const at = nextStart({
            ...turn,
            ...given,
            now,
            jitter: 0.05,
            random: () => random,
          })
          const interval = given.state === 'down' ? 30_000 : 10_000
          expect(at).toBeGreaterThanOrEqual(now)
          expect(at).toBeLessThanOrEqual(
            Math.max(now + interval * 1.05, given.startedAt + interval * 1.55),
          )
        },
      ),
    )
  })

  it('keeps steady gaps within 10 % of the interval, whatever the jitter throws', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), {
          minLength: 2,
          maxLength: 50,
        }),
        (phase, throws) => {
          let startedAt = phase * 10_000
          for (const value of throws) {
            const at = nextStart({
              ...turn,
              phase,
              startedAt,
              now: startedAt + 1,
              jitter: 0.05,
              random: () => value,
            })
            expect(at - startedAt).toBeGreaterThanOrEqual(8999)
            expect(at - startedAt).toBeLessThanOrEqual(11_001)
            startedAt = at
          }
        },
      ),
    )
  })
})
