import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { invalidOption, SteelyardError, shown } from '../src/index.ts'

const revoked = Proxy.revocable([], {})
revoked.revoke()

describe('shown', () => {
  it.each<[unknown, string]>([
    ['a b', '"a b"'],
    ['', '""'],
    ['say "x" \\', '"say \\"x\\" \\\\"'],
    ['\n\t\u0000\u001b\u007f\u0085', '"\\n\\t\\u0000\\u001b\\u007f\\u0085"'],
    ['\u2028\u202e\ufeff', '"\\u2028\\u202e\\ufeff"'],
    ['\ud800', '"\\ud800"'],
    ['Größe 🐟', '"Größe 🐟"'],
    ['x'.repeat(100), `"${'x'.repeat(100)}"`],
    ['x'.repeat(101), `"${'x'.repeat(100)}…"`],
    [`${'x'.repeat(99)}🐟`, `"${'x'.repeat(99)}…"`],
    [-0, '-0'],
    [0.5, '0.5'],
    [Number.NaN, 'NaN'],
    [-5n, '-5n'],
    [10n ** 400n, 'a very large bigint'],
    [Symbol('a\nb'), 'Symbol(a\\nb)'],
    [Symbol('x'.repeat(200)), `Symbol(${'x'.repeat(100)}…)`],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [[1], 'a list'],
    [{ toString: '' }, 'an object'],
    [Object.create(null), 'an object'],
    [() => 1, 'a function'],
  ])('%# tells a value', (value, text) => {
    expect(shown(value)).toBe(text)
  })

  it('is one short line for anything, without running its code', () => {
    const trap = (): never => {
      throw new Error('was asked')
    }
    const proxy = new Proxy({}, { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap })
    expect([shown(proxy), shown(revoked.proxy)]).toEqual(['an object', 'an object'])
    const anything = fc.anything({ withBigInt: true, withNullPrototype: true })
    fc.assert(
      fc.property(fc.oneof(anything, fc.string({ unit: 'binary', maxLength: 300 })), (value) => {
        const text = shown(value)
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
        expect(text.length).toBeLessThan(700)
      }),
    )
  })

  it('gives short texts back by JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        expect(JSON.parse(shown(text.slice(0, 100)))).toBe(text.slice(0, 100))
      }),
    )
  })
})

describe('messages', () => {
  it('are one line of bounded length, whatever path and problem hold', () => {
    const error = invalidOption(`headers.a\n${'b'.repeat(1000)}`, `is wrong\r\n${'c'.repeat(5000)}`)
    expect(error.message).toMatch(/^headers\.a\\u000ab{190}…: is wrong\\u000d\\u000ac+…$/)
    expect(error.message.length).toBeLessThan(2100)
    expect(error.path).toBe(`headers.a\n${'b'.repeat(1000)}`)
    const plain = new SteelyardError('a\u001b[2Jb', { code: 'x', source: 'peer' })
    expect(plain.message).toBe('a\\u001b[2Jb')
  })
})
