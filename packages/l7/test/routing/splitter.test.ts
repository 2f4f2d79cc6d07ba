import { seededRandom } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { ResponseEditor } from '../../src/exchange/field-editor.ts'
import { type Splitter, splitter } from '../../src/routing/splitter.ts'
import { type FakeRequest, fakeEditor, fakeExchange, fakePool } from './fakes.ts'

/** The cookie that a response sets; undefined for none. */
function cookieOf(split: Splitter, x: Exchange): string | undefined {
  const editor = fakeEditor()
  void split.filter?.responseHead?.(editor as unknown as ResponseEditor, x)
  return editor.get('set-cookie')
}

function withCookie(cookie: string, more: FakeRequest = {}): Exchange {
  return fakeExchange({ ...more, headers: [['cookie', cookie]] })
}

describe('splitter', () => {
  const stable = fakePool('stable')
  const canary = fakePool('canary')

  it('divides by weight', () => {
    const split = splitter(
      [
        { pool: stable, weight: 90 },
        { pool: canary, weight: 10 },
      ],
      undefined,
      seededRandom(1),
    )
    let count = 0
    for (let i = 0; i < 10_000; i++) if (split.choose(fakeExchange()) === canary) count += 1
    expect(count).toBeGreaterThan(900)
    expect(count).toBeLessThan(1100)
    expect(split.filter).toBeUndefined()
  })

  it('gives weight 0 nothing, at either end of the draw', () => {
    for (const random of [0, 0.5, 1 - 2 ** -53]) {
      const split = splitter(
        [
          { pool: canary, weight: 0 },
          { pool: stable, weight: 1 },
          { pool: fakePool('last'), weight: 0 },
        ],
        undefined,
        () => random,
      )
      expect(split.choose(fakeExchange())).toBe(stable)
    }
  })

  it('passes the share of a pool with nobody to the others', () => {
    const empty = fakePool('empty', 0)
    const split = splitter([{ pool: empty, weight: 99 }, { pool: stable }], undefined, () => 0)
    expect(split.choose(fakeExchange())).toBe(stable)
    const alone = splitter([{ pool: empty }, { pool: fakePool('also', 0) }], undefined, () => 0)
    expect(alone.choose(fakeExchange())).toBe(empty)
  })

  it('keeps clients by a cookie that is set once', () => {
    let next = 0.99
    const split = splitter([{ pool: stable }, { pool: canary }], 'split', () => next)
    const first = fakeExchange()
    expect(split.choose(first)).toBe(canary)
    const set = cookieOf(split, first)
    expect(set).toMatch(/^split=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax$/)
    const [cookie = ''] = set?.split(';') ?? []
    next = 0
    const second = withCookie(cookie)
    expect(split.choose(second)).toBe(canary)
    expect(cookieOf(split, second)).toBeUndefined()
    const other = splitter([{ pool: stable }, { pool: canary, weight: 0 }], 'split', () => next)
    expect(other.choose(withCookie(cookie))).toBe(canary)
  })

  it('draws anew for what the cookie names no longer, and says so', () => {
    const split = splitter([{ pool: stable }, { pool: fakePool('canary', 0) }], 'split', () => 0.99)
    const gone = fakeExchange({ scheme: 'https' })
    expect(split.choose(gone)).toBe(stable)
    expect(cookieOf(split, gone)).toMatch(/; Secure$/)
    const forged = withCookie('split=forged')
    expect(split.choose(forged)).toBe(stable)
    expect(cookieOf(split, forged)).toBeDefined()
  })

  it('keeps splitters apart', () => {
    const one = splitter([{ pool: stable }, { pool: canary }], 'one', () => 0)
    const two = splitter([{ pool: stable }, { pool: canary }], 'two', () => 0)
    const x = fakeExchange()
    one.choose(x)
    expect(cookieOf(two, x)).toBeUndefined()
    expect(cookieOf(one, x)).toBeDefined()
  })
})
