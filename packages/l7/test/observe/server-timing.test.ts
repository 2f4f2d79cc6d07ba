import { manualClock } from '@steelyard/testing'
import { expect, it } from 'vitest'
import { type ServerTimingOptions, serverTiming } from '../../src/observe/server-timing.ts'
import { fakeExchange, fakeHead } from './fakes.ts'

function told(options: ServerTimingOptions, sent = true): string[] {
  const clock = manualClock()
  const x = fakeExchange({ clock })
  const filter = serverTiming(options)
  const head = fakeHead({ 'server-timing': 'db;dur=5' })
  clock.advance(12.5)
  if (sent) void filter.upstreamHead!(head, x)
  clock.advance(30.25)
  void filter.responseHead!(head, x)
  return head.all('server-timing')
}

it('adds what it has measured to what members told', () => {
  expect(told({})).toEqual([
    'db;dur=5',
    'lb-wait;dur=12.5, lb-backend;dur=30.25, lb-total;dur=42.75',
  ])
})

it('leaves out what did not happen, or is not wanted', () => {
  expect(told({}, false)[1]).toBe('lb-total;dur=42.75')
  expect(told({ phases: ['backend'], prefix: '' })[1]).toBe('backend;dur=30.25')
  expect(told({ phases: ['backend'] }, false)).toHaveLength(1)
  expect(told({ when: () => false })).toHaveLength(1)
})

it('refuses names that are none', () => {
  expect(() => serverTiming({ prefix: 'a b' })).toThrow(/serverTiming\.prefix/)
  expect(() => serverTiming({ phases: ['cpu' as never] })).toThrow(/serverTiming\.phases\[0\]/)
})
