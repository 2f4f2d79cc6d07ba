import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

// docs/errors.md and the sources say the same: each code is documented, and each documented code exists.

const sources = globSync('packages/*/src/**/*.ts')
  .filter((file) => !file.startsWith('packages/testing/'))
  .map((file) => readFileSync(file, 'utf8'))
const rows = documentedRows(readFileSync('docs/errors.md', 'utf8'))

/** Codes that the sources give to an error, or name in a type called …Code. */
function codesInSources(): Set<string> {
  const found = new Set<string>()
  const add = (text: string): void => {
    for (const [, code] of text.matchAll(/'([a-z][a-z0-9]*(?:-[a-z0-9]+)*)'/g)) found.add(code!)
  }
  for (const source of sources) {
    for (const [text] of source.matchAll(/\bcode: '[^']*'/g)) add(text)
    for (const [text] of source.matchAll(/\btype \w*Code =[^=]*?(?=\n\n|\n\/\*\*|\nexport|$)/g)) {
      add(text)
    }
    for (const [text] of source.matchAll(/\b(?:SteelyardError|DecodeError)<[^>]*>/g)) add(text)
  }
  return found
}

interface Row {
  readonly code: string
  readonly source: string
  readonly retryable: string
  readonly meaning: string
  readonly action: string
}

function documentedRows(text: string): Row[] {
  return [...text.matchAll(/^\| `([^`]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$/gm)].map(
    ([, code = '', source = '', retryable = '', meaning = '', action = '']) => ({
      code,
      source: source.trim(),
      retryable: retryable.trim(),
      meaning: meaning.trim(),
      action: action.trim(),
    }),
  )
}

describe('docs/errors.md', () => {
  it('has each code of the sources', () => {
    const documented = new Set(rows.map(({ code }) => code))
    expect([...codesInSources()].filter((code) => !documented.has(code))).toEqual([])
  })

  it('has no code that the sources do not know', () => {
    const known = codesInSources()
    expect(rows.map(({ code }) => code).filter((code) => !known.has(code))).toEqual([])
  })

  it('has each code once', () => {
    const codes = rows.map(({ code }) => code)
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([])
  })

  it.each(rows)('says all of $code', ({ source, retryable, meaning, action }) => {
    const sourceNames =
      /^(?:client|backend|peer|system|config)(?:, (?:client|backend|peer|system|config))*$/
    expect(source).toMatch(sourceNames)
    expect(retryable).toMatch(/^(?:yes|no|depends)$/)
    expect(meaning).not.toBe('')
    expect(action).not.toBe('')
  })
})
