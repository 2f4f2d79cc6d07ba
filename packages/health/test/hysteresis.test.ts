import type { HealthState } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counted, needed, type Tally, tally } from '../src/hysteresis.ts'

/** `+` for a pass, `-` for a failure; the states after each. */
const run = (from: HealthState, results: string, rise: number, fall: number): string => {
  let now = tally(from)
  return [...results]
    .map((result) => {
      now = counted(now, result === '+', { rise, fall })
      return { up: 'U', down: 'D', unknown: '?' }[now.state]
    })
    .join('')
}

describe('hysteresis', () => {
  it.each([
    ['the third failure in a row takes down', 'up', '---', 2, 3, 'UUD'],
    ['a pass forgives', 'up', '--+--+---', 2, 3, 'UUUUUUUUD'],
    ['the second pass in a row brings up', 'down', '++', 2, 3, 'DU'],
    ['a failure forgets passes', 'down', '+-+-++', 2, 3, 'DDDDDU'],
    ['rise 1 and fall 1 follow each result', 'up', '-+-+', 1, 1, 'DUDU'],
    ['from unknown the first result decides: pass', 'unknown', '+', 5, 5, 'U'],
    ['from unknown the first result decides: failure', 'unknown', '-', 5, 5, 'D'],
    ['then thresholds hold', 'unknown', '-+++', 3, 2, 'DDDU'],
  ] as const)('%s', (_name, from, results, rise, fall, states) => {
    expect(run(from, results, rise, fall)).toBe(states)
  })

  it('flips exactly when the last n results speak against the state, for any sequence', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<HealthState>('up', 'down'),
        fc.array(fc.boolean(), { maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        (from, results, rise, fall) => {
          let now: Tally = tally(from)
          let sinceFlip: boolean[] = []
          for (const pass of results) {
            const before = now
            now = counted(before, pass, { rise, fall })
            sinceFlip.push(pass)
            const n = needed(before.state, { rise, fall })
            const last = sinceFlip.slice(-n)
            const due = last.length === n && last.every((each) => each !== (before.state === 'up'))
            expect(now.state !== before.state).toBe(due)
            expect(now.against).toBeLessThan(needed(now.state, { rise, fall }))
            if (due) {
              sinceFlip = []
              expect(now.against).toBe(0)
            }
          }
        },
      ),
    )
  })
})
