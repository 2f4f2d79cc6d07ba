import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  parseTraceParent,
  readTraceState,
  traceParentText,
} from '../../src/observe/trace-context.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'

describe('traceparent', () => {
  it.each([
    [`00-${traceId}-${parentId}-01`, 1],
    [`00-${traceId}-${parentId}-00`, 0],
    [`00-${traceId}-${parentId}-03`, 3],
    // Bits that are not known yet are not passed on.
    [`00-${traceId}-${parentId}-ff`, 3],
    [`00-${traceId}-${parentId}-09`, 1],
    // Later versions: as ours, and they may go on behind a dash.
    [`01-${traceId}-${parentId}-01`, 1],
    [`cc-${traceId}-${parentId}-01-what-the-future-will-be-like`, 1],
    [`fe-${traceId}-${parentId}-01-`, 1],
  ])('%s is read', (text, flags) => {
    expect(parseTraceParent(text)).toEqual({ traceId, parentId, flags })
  })

  it.each([
    '',
    traceId,
    `00-${traceId}-${parentId}`,
    `00-${traceId}-${parentId}-`,
    `00-${traceId}-${parentId}-1`,
    `00-${traceId}-${parentId}-0x`,
    `00-${traceId}-${parentId}-01-`,
    `00-${traceId}-${parentId}-01-more`,
    `00-${traceId}-${parentId}-01.`,
    `cc-${traceId}-${parentId}-01.what-the-future-will-be-like`,
    `cc-${traceId}-${parentId}-011`,
    `ff-${traceId}-${parentId}-01`,
    `0-${traceId}-${parentId}-01`,
    `000-${traceId}-${parentId}-01`,
    `.0-${traceId}-${parentId}-01`,
    `00-${'0'.repeat(32)}-${parentId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${parentId}-01`,
    `00-${traceId}-${parentId.toUpperCase()}-01`,
    `00-${traceId.slice(1)}-${parentId}-01`,
    `00-${traceId}0-${parentId}-01`,
    `00-${traceId.slice(0, 31)}.-${parentId}-01`,
    `00_${traceId}_${parentId}_01`,
    ` 00-${traceId}-${parentId}-01`,
    `00-${traceId}-${parentId}-01 `,
    `00-${traceId}-${parentId}-01\n`,
    `cc-${traceId}-${parentId}-01-${'x'.repeat(600)}`,
  ])('%j is none', (text) => {
    expect(parseTraceParent(text)).toBeUndefined()
  })

  it('reads what it writes', () => {
    const hex = (length: number): fc.Arbitrary<string> =>
      fc
        .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
        .map((digits) => digits.join(''))
        .filter((text) => /[^0]/.test(text))
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 3 }), (id, parent, flags) => {
        const text = traceParentText(id, parent, flags)
        expect(text).toHaveLength(55)
        expect(parseTraceParent(text)).toEqual({ traceId: id, parentId: parent, flags })
      }),
    )
  })
})

describe('tracestate', () => {
  it.each([
    [['foo=1'], 'foo=1'],
    [['foo=1,bar=2'], 'foo=1,bar=2'],
    [['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'], 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'],
    [['foo=1', 'bar=2'], 'foo=1,bar=2'],
    [['foo=1 \t , \t bar=2, \t baz=3'], 'foo=1,bar=2,baz=3'],
    [['foo=1,', ',bar=2', ''], 'foo=1,bar=2'],
    [['foo= a b'], 'foo= a b'],
    [['fw529a3039@dt=FfAAAAAAAfSA,0a-_*/@z=x'], 'fw529a3039@dt=FfAAAAAAAfSA,0a-_*/@z=x'],
    [[`${'z'.repeat(256)}=v`], `${'z'.repeat(256)}=v`],
    [[`t=${'v'.repeat(256)}`], `t=${'v'.repeat(256)}`],
  ])('%j is passed on', (lines, text) => {
    expect(readTraceState(lines)).toBe(text)
  })

  it.each([
    [['']],
    [[' , \t,']],
    [['foo']],
    [['=1']],
    [['foo=']],
    [['foo=1=2']],
    [['foo =1']],
    [['FOO=1']],
    [['foo.bar=1']],
    [['foo=1,foo=2']],
    [['foo=1', 'foo=2']],
    [['foo=\u00e9']],
    [['foo=a\u0000']],
    [[`${'z'.repeat(257)}=v`]],
    [[`t=${'v'.repeat(257)}`]],
    [[Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(',')]],
    [['x'.repeat(20_000)]],
  ])('%j is not', (lines) => {
    expect(readTraceState(lines)).toBeUndefined()
  })

  it('keeps 32 members', () => {
    const text = Array.from({ length: 32 }, (_, index) => `k${index}=1`).join(',')
    expect(readTraceState([text])).toBe(text)
  })

  it('loses long members first, then the last ones, when it is too long', () => {
    const long = `long=${'x'.repeat(200)}`
    expect(readTraceState([`a=1,${long},b=2`], 20)).toBe('a=1,b=2')
    expect(readTraceState(['a=1,b=2,c=3'], 7)).toBe('a=1,b=2')
    expect(readTraceState(['a=1,b=2,c=3'], 2)).toBeUndefined()
    fc.assert(
      fc.property(
        fc.array(fc.nat(250), { minLength: 1, maxLength: 32 }),
        fc.integer({ min: 1, max: 2000 }),
        (sizes, most) => {
          const text = sizes.map((size, index) => `k${index}=${'v'.repeat(size + 1)}`).join(',')
          const kept = readTraceState([text], most)
          if (text.length <= most) expect(kept).toBe(text)
          else expect(kept?.length ?? 0).toBeLessThanOrEqual(most)
        },
      ),
    )
  })
})
