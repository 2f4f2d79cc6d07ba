import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatFindings } from '../../src/commands/format-findings.ts'
import { findingCodes } from '../../src/desired/finding-codes.ts'
import { load } from '../../src/desired/resolve.ts'
import { fullDocument, issueDocument } from './issue-document.ts'

/** Whatever goes in: a configuration or findings, each in order and with a place, never a crash. */
function judge(text: string | Uint8Array): void {
  const { desired, findings, quarantined } = load(text, 'lb.yaml')
  const hasErrors = findings.some(({ severity }) => severity === 'error')
  if (desired === undefined) expect(hasErrors).toBe(true)
  if (!hasErrors) {
    expect(desired).toBeDefined()
    expect(quarantined).toEqual([])
  }
  let last = -1
  const seen = new Set<string>()
  for (const finding of findings) {
    expect(Object.keys(findingCodes)).toContain(finding.code)
    expect(finding.line).toBeGreaterThan(0)
    expect(finding.column).toBeGreaterThan(0)
    expect(finding.message).not.toBe('')
    expect(finding.hint).not.toBe('')
    expect(finding.span.start).toBeGreaterThanOrEqual(last)
    last = finding.span.start
    const key = `${finding.span.start} ${finding.span.end} ${finding.code} ${finding.message}`
    expect(seen).not.toContain(key)
    seen.add(key)
  }
  // oxlint-disable-next-line no-control-regex
  expect(formatFindings(findings)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
}

const documents = [issueDocument, fullDocument]

describe('any text', () => {
  it('gives findings: bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), judge), { numRuns: 500 })
  })

  it('gives findings: text', () => {
    const yaml = fc.string({
      unit: fc.constantFrom(...' \n\t:-?[]{},#&*!|>%@`"\'a1~<'),
      maxLength: 120,
    })
    fc.assert(fc.property(fc.oneof(yaml, fc.string({ unit: 'binary' })), judge), { numRuns: 800 })
  })

  it('gives findings: JSON of any shape', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 8 }), judge), { numRuns: 500 })
  })

  it('gives findings: a good document with a stretch replaced', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '',
        ' ',
        '\n',
        ':',
        '- ',
        '[',
        '}',
        '"',
        '&a',
        '*a',
        '!t',
        '~',
        '-1',
        '1e99',
        '0x1F',
        '.nan',
        '.inf',
        'true',
        '::',
        '127.0.0.1',
        '\u0000',
        '\ud800',
        '999999999999',
      ),
      fc.string({ maxLength: 6 }),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...documents),
        fc.nat(),
        fc.nat(12),
        piece,
        (text, at, length, other) => {
          const start = at % text.length
          judge(text.slice(0, start) + other + text.slice(start + length))
        },
      ),
      { numRuns: 900 },
    )
  })

  it('gives findings: a good document with its lines moved about', () => {
    fc.assert(
      fc.property(fc.constantFrom(...documents), fc.nat(), fc.nat(), (text, from, to) => {
        const lines = text.split('\n')
        const [line] = lines.splice(from % lines.length, 1)
        lines.splice(to % (lines.length + 1), 0, line!)
        judge(lines.join('\n'))
      }),
      { numRuns: 400 },
    )
  })

  it('gives findings: one value of a good document replaced', () => {
    const values = fc.constantFrom(
      'null',
      '[]',
      '{}',
      '0',
      '-1',
      '65536',
      'x',
      '""',
      '[x, y]',
      '{ type: tcp }',
      '{ pool: local }',
      '"127.0.0.1"',
      '"::"',
      '0.0.0.0',
      'redis',
      '5s',
      '.nan',
      '-.inf',
    )
    fc.assert(
      fc.property(fc.constantFrom(...documents), fc.nat(), values, (text, at, value) => {
        const places = [...text.matchAll(/: (?![&*|>])([^\s,{}[\]]+)/g)]
        const { index, 0: all } = places[at % places.length]!
        judge(`${text.slice(0, index)}: ${value}${text.slice(index + all.length)}`)
      }),
      { numRuns: 700 },
    )
  })
})
