import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, isSteelyardError, parseDuration, parseSize } from '../src/index.ts'

describe('duration', () => {
  it.each([
    [250, 250],
    [0, 0],
    [0.5, 0.5],
    ['500ms', 500],
    ['5s', 5_000],
    ['1m30s', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    [' 1.5s ', 1_500],
    ['4.35s', 4_350],
    // In binary, 1.005 × 1000 is 1004.9999999999999.
    ['1.005s', 1_005],
    ['0s', 0],
    ['1d2h3m4s5ms', 93_784_005],
  ])('reads %j as %d ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms)
  })

  it.each([
    '',
    '5',
    '-5s',
    's',
    '5 s',
    '5sec',
    '1e3s',
    '.5s',
    '5.s',
    `${'9'.repeat(400)}s`,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    {},
    true,
  ])('refuses %j by its path', (value) => {
    expect(() => parseDuration(value as string, 'check.every')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'check.every' }),
    )
  })

  it.each([
    [0, '0ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [90_000, '1m30s'],
    [93_784_005, '1d2h3m4s5ms'],
    [1_500.25, '1s500.25ms'],
    [0.25, '0.25ms'],
    [999.9999, '1s'],
    [60_000.125, '1m0.125ms'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('reads back what it wrote', () => {
    const thousandths = fc.nat(1_000_000_000).map((n) => n / 1000)
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeNat(), thousandths), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })

  it('gives a number or invalid-option for any text', () => {
    const piece = fc.constantFrom('1', '09', '.', 'ms', 's', 'm', 'h', 'd', '-', ' ', 'e', '∞')
    const texts = fc.oneof(
      fc.string(),
      fc.array(piece).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(parseDuration(text)).toBeGreaterThanOrEqual(0)
        } catch (error) {
          expect(isSteelyardError(error, 'invalid-option')).toBe(true)
        }
      }),
    )
  })
})

describe('size', () => {
  it.each([
    [16_384, 16_384],
    ['0', 0],
    ['12', 12],
    ['12B', 12],
    ['64KiB', 65_536],
    ['1 MiB', 1_048_576],
    ['1.5KiB', 1_536],
    ['10MB', 10_000_000],
    ['10kB', 10_000],
    ['10KB', 10_000],
    ['1GiB', 1_073_741_824],
    ['2GB', 2_000_000_000],
  ])('reads %j as %d bytes', (value, bytes) => {
    expect(parseSize(value)).toBe(bytes)
  })

  it.each([
    '',
    '-1',
    '1.5B',
    '0.1KiB',
    '1kiB',
    '1TiB',
    '1 M',
    '1e3',
    -1,
    0.5,
    Number.NaN,
    2 ** 60,
    '99999999999GiB',
    null,
    undefined,
    {},
    Symbol('size'),
  ])('refuses %j by its path', (value) => {
    expect(() => parseSize(value as string, 'buffer')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'buffer' }),
    )
  })

  it('gives whole bytes or invalid-option for any text', () => {
    const piece = fc.constantFrom('1', '09', '.', 'k', 'K', 'M', 'G', 'i', 'B', ' ', '-')
    const texts = fc.oneof(
      fc.string(),
      fc.array(piece).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(Number.isSafeInteger(parseSize(text))).toBe(true)
        } catch (error) {
          expect(isSteelyardError(error, 'invalid-option')).toBe(true)
        }
      }),
    )
  })
})
