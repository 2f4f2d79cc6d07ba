import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { combined, type Part } from '../src/combined-result.ts'
import { failed, inconclusive, type ProbeResult, passed, refused } from '../src/probe.ts'

const results: Record<string, ProbeResult | undefined> = {
  ok: passed('fine'),
  fail: failed('timed out'),
  no: refused('refused'),
  odd: inconclusive('late'),
  open: undefined,
}
const parts = (text: string): Part[] =>
  text.split(' ').map((word, index) => ({ name: `c${index}`, result: results[word] }))

describe('combined results', () => {
  it.each([
    ['ok ok', 2, 'ok'],
    ['ok fail', 2, 'fail'],
    ['ok fail', 1, 'ok'],
    ['ok open', 1, 'ok'],
    ['ok open', 2, undefined],
    ['fail open', 2, undefined],
    ['ok odd', 2, 'inconclusive'],
    ['no odd', 2, 'fail'],
    ['no odd', 1, 'inconclusive'],
    ['ok no fail', 2, 'fail'],
    ['ok ok fail', 2, 'ok'],
  ])('%s with %i wanted', (text, wanted, outcome) => {
    expect(combined(parts(text), wanted)?.outcome).toBe(outcome)
  })

  it('names those that failed, and keeps all evidence apart', () => {
    const result = combined(
      [
        { name: 'tcp', result: passed('fine', { latencyMs: 1 }) },
        { name: 'http', result: refused('answered 503', { status: 503 }) },
        { name: 'http', result: failed('timed out') },
      ],
      3,
    )
    expect(result?.reason).toBe(
      '1 of 3 checks passed, 3 are needed; http: answered 503; http: timed out',
    )
    expect(result?.evidence).toEqual({
      tcp: 'ok',
      'tcp.latencyMs': 1,
      http: 'fail',
      'http.status': 503,
      http2: 'fail',
    })
  })

  it('is definite only when it would fail without the failures that are not', () => {
    expect(combined(parts('ok no'), 2)).toMatchObject({ outcome: 'fail', definite: true })
    expect(combined(parts('ok fail'), 2)).toMatchObject({ outcome: 'fail', definite: false })
    expect(combined(parts('no fail'), 1)).toMatchObject({ outcome: 'fail', definite: false })
    expect(combined(parts('no no fail'), 2)).toMatchObject({ outcome: 'fail', definite: true })
  })

  it('never changes its mind when more results come in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('ok', 'fail', 'no', 'odd'), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 6 }),
        (words, wanted) => {
          fc.pre(wanted <= words.length)
          const final = combined(parts(words.join(' ')), wanted)
          expect(final).toBeDefined()
          for (let known = 0; known < words.length; known++) {
            const open = words.map((word, index) => (index < known ? word : 'open'))
            const early = combined(parts(open.join(' ')), wanted)
            if (early !== undefined) expect(early.outcome).toBe(final?.outcome)
          }
        },
      ),
    )
  })
})
