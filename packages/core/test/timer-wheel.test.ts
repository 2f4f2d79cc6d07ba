import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { timerWheel, WheelTimer } from '../src/index.ts'
import { uncaught } from './uncaught.ts'

describe('timer wheel', () => {
  it('fires each timer once, never early and at most one tick late, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 60 }), (delays) => {
        const clock = manualClock()
        const wheel = timerWheel({ clock, tickMs: 10, slots: 64 })
        const fired: [number, number][] = []
        for (const delay of delays) {
          wheel.arm(new WheelTimer(() => fired.push([delay, clock.now()])), delay)
        }
        clock.advance(40_000)
        expect(fired.length).toBe(delays.length)
        for (const [delay, at] of fired) {
          expect(at).toBeGreaterThanOrEqual(delay)
          expect(at).toBeLessThanOrEqual(Math.max(delay, 1) + 10)
        }
        expect(clock.pending).toBe(0)
      }),
    )
  })

  it('lets a task disarm a timer that is due in the same tick, and arm itself a whole turn ahead', () => {
    const clock = manualClock()
    const wheel = timerWheel({ clock, tickMs: 10, slots: 8 })
    const fired: string[] = []
    let turns = 0
    const again: WheelTimer = new WheelTimer(() => {
      fired.push('again')
      if (turns++ < 1) wheel.arm(again, 80)
      wheel.disarm(a)
      wheel.disarm(b)
    })
    const a = new WheelTimer(() => fired.push('a'))
    const b = new WheelTimer(() => fired.push('b'))
    wheel.arm(a, 10)
    wheel.arm(again, 10)
    wheel.arm(b, 10)
    clock.advance(10)
    expect(fired.filter((name) => name === 'again')).toHaveLength(1)
    expect(fired.length).toBe(2)
    clock.advance(79)
    expect(fired.filter((name) => name === 'again')).toHaveLength(1)
    clock.advance(1)
    expect(fired.filter((name) => name === 'again')).toHaveLength(2)
  })

  it('goes by the time that it is given, as if it had read the clock then', () => {
    const clock = manualClock()
    let reads = 0
    const counted = {
      now: () => (reads++, clock.now()),
      wallNow: () => clock.wallNow(),
      after: (delayMs: number, task: () => void) => clock.after(delayMs, task),
    }
    const wheel = timerWheel({ clock: counted, tickMs: 10 })
    const fired: [string, number][] = []
    const now = clock.now()
    wheel.arm(new WheelTimer(() => fired.push(['first', clock.now()])), 100, now)
    clock.advance(35)
    const before = reads
    wheel.arm(new WheelTimer(() => fired.push(['second', clock.now()])), 100, now)
    expect(reads).toBe(before)
    wheel.arm(new WheelTimer(() => fired.push(['third', clock.now()])), 100)
    expect(reads).toBe(before + 1)
    clock.advance(1000)
    const third = fired.findIndex(([name]) => name === 'third')
    expect(fired.map(([name]) => name).sort()).toEqual(['first', 'second', 'third'])
    expect(fired.filter(([name]) => name !== 'third').every(([, at]) => at === now + 100)).toBe(
      true,
    )
    expect(fired[third]![1]).toBeGreaterThanOrEqual(now + 135)
  })

  it('rests without timers, and catches up after a stall', () => {
    const clock = manualClock()
    const wheel = timerWheel({ clock })
    const timer = new WheelTimer(() => {})
    wheel.arm(timer, 500)
    expect(clock.pending).toBe(1)
    wheel.disarm(timer)
    expect([clock.pending, wheel.size]).toEqual([0, 0])
  })

  it('goes on for the others when a task throws, and the error is seen', async () => {
    const clock = manualClock()
    const wheel = timerWheel({ clock })
    const fired: string[] = []
    wheel.arm(new WheelTimer(() => fired.push('same tick')), 10)
    wheel.arm(
      new WheelTimer(() => {
        throw new Error('a bug')
      }),
      10,
    )
    wheel.arm(new WheelTimer(() => fired.push('later')), 20)
    const errors = await uncaught(() => clock.advance(30))
    expect(errors).toMatchObject([{ message: 'a bug' }])
    expect(fired).toEqual(['same tick', 'later'])
  })
})
