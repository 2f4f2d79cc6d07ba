import fc from 'fast-check'
import { expect, it } from 'vitest'
import { commonTime, haproxyTime, isoTime } from '../../src/observe/log-time.ts'
import { thousandthsText } from '../../src/observe/number-text.ts'

it('is that of the calendar, for any moment of three thousand years', () => {
  const [iso, common, haproxy] = [isoTime(), commonTime(), haproxyTime()]
  fc.assert(
    fc.property(fc.integer({ min: -3e13, max: 6e13 }), (ms) => {
      // oxlint-disable-next-line no-restricted-globals -- the calendar that ours is compared with
      const date = new Date(ms)
      expect(iso(ms)).toBe(date.toISOString())
      const [, day, month, year, time] = /, (\d\d) (\w{3}) (\d+) ([\d:]+)/.exec(date.toUTCString())!
      expect(common(ms)).toBe(`${day}/${month}/${Number(year)}:${time} +0000`)
      expect(haproxy(ms)).toBe(
        `${day}/${month}/${Number(year)}:${time}.${date.toISOString().slice(-4, -1)}`,
      )
    }),
    { numRuns: 500 },
  )
})

it('writes numbers with three places at most', () => {
  expect(
    [0, 1, 0.5, 1.25, 12.3456, 0.0004, 1.9996, 999.9999, 1e15, -1.5].map(thousandthsText),
  ).toEqual(['0', '1', '0.5', '1.25', '12.346', '0', '2', '1000', '1000000000000000', '-1.5'])
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (value) => {
      expect(Math.abs(Number(thousandthsText(value)) - value)).toBeLessThan(0.000501)
    }),
  )
})
