import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { colours } from '../../src/cli/colours.ts'
import { clip, screen } from '../../src/cli/screen.ts'
import { table, widthOf } from '../../src/cli/table.ts'

const paint = colours(true)

describe('clip', () => {
  test('leaves what fits, cuts what does not, and ends the colour', () => {
    expect(clip('abc', 3)).toBe('abc')
    expect(clip('abcd', 3)).toBe('ab…')
    expect(clip(paint.bad('abc'), 3)).toBe(paint.bad('abc'))
    expect(clip(`x${paint.bad('abcd')}`, 3)).toBe('x\u001b[31ma…\u001b[0m')
  })

  test('is never wider than asked for, and never anything else than a beginning', () => {
    const line = fc
      .array(fc.tuple(fc.string({ unit: 'grapheme-ascii' }), fc.boolean()))
      .map((parts) => parts.map(([text, red]) => (red ? paint.bad(text) : text)).join(''))
    fc.assert(
      fc.property(line, fc.integer({ min: 1, max: 40 }), (text, columns) => {
        const cut = stripVTControlCharacters(clip(text, columns))
        expect(widthOf(cut)).toBeLessThanOrEqual(columns)
        expect(stripVTControlCharacters(text).startsWith(cut.replace(/…$/, ''))).toBe(true)
      }),
    )
  })
})

describe('screen', () => {
  test('draws in place, within the size of the moment, and gives the cursor back', () => {
    let said = ''
    const size = { columns: 10, rows: 4 }
    const live = screen(
      (text) => {
        said += text
      },
      () => size,
    )
    const drawn = (page: string): string => {
      said = ''
      live.draw(page)
      return said
    }
    expect(drawn('one\ntwo\n')).toBe('\u001b[Hone\u001b[K\ntwo\u001b[K\u001b[J')
    expect(drawn('a line too long\n')).toBe('\u001b[Ha line to…\u001b[K\u001b[J')
    const many = stripVTControlCharacters(drawn('1\n2\n3\n4\n5\n6\n')).split('\n')
    expect(many).toEqual(['1', '2', '3', '… 3 more lines'])
    expect(stripVTControlCharacters(drawn('1\n2\n3\n4\n')).split('\n')).toEqual([
      '1',
      '2',
      '3',
      '4',
    ])
    size.rows = 8
    expect(stripVTControlCharacters(drawn('1\n2\n3\n4\n5\n6\n')).split('\n')).toHaveLength(6)
    said = ''
    live[Symbol.dispose]()
    expect(said).toBe('\u001b[?25h\n')
  })
})

describe('table', () => {
  test('aligns whatever the colours are', () => {
    const columns = [
      { heading: 'NAME' },
      { heading: 'N', align: 'right' as const },
      { heading: 'X' },
    ]
    const plain = table(columns, [
      ['a', '1', ''],
      ['long', '1,000', 'y'],
    ])
    expect(plain).toEqual(['NAME      N  X', 'a         1', 'long  1,000  y'])
    const coloured = table(columns, [
      [paint.good('a'), paint.bad('1'), ''],
      ['long', '1,000', paint.dim('y')],
    ])
    expect(coloured.map(stripVTControlCharacters)).toEqual(plain)
  })
})
