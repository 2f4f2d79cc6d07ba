import { describe, expect, it } from 'vitest'
import { parse } from '../../src/desired/parse.ts'
import { issueDocument } from './issue-document.ts'

const codesOf = (text: string | Uint8Array): string[] =>
  parse(text, 'lb.yaml').findings.map(
    ({ code, line, column, path }) => `${code} ${line}:${column}${path === '' ? '' : ` ${path}`}`,
  )

describe('reading the text', () => {
  it('takes the documented example', () => {
    expect(codesOf(issueDocument)).toEqual([])
  })

  it('takes JSON, also when tabs indent it', () => {
    const value = { version: 1, node: { name: 'lb-a' } }
    expect(codesOf(JSON.stringify(value))).toEqual([])
    expect(codesOf(JSON.stringify(value, null, '\t'))).toEqual([])
  })

  it('takes bytes, a byte order mark and CRLF, with the right places', () => {
    const text = `\ufeff${issueDocument.replace('rise: 2', 'rise: 0').replaceAll('\n', '\r\n')}`
    expect(codesOf(new TextEncoder().encode(text))).toEqual([
      'out-of-range 24:62 pools[0].health.rise',
    ])
  })

  it('counts columns in characters', () => {
    expect(codesOf('version: 1\nnode: { name: "\u{1f600}é", x: 1 }')).toEqual([
      'invalid-value 2:15 node.name',
      'unknown-key 2:21 node.x',
    ])
  })

  it.each([
    ['', 'document-empty 1:1'],
    ['# nothing\n', 'document-empty 1:1'],
    ['~', 'document-empty 1:1'],
    ['version: 1\nnode:\n\tname: a', 'yaml-tab 3:1'],
    ['version: 1\n---\nversion: 1', 'several-documents 2:1'],
    ['version: "1', 'yaml-syntax 1:12'],
    ['node: { name: a', 'yaml-syntax 1:16'],
    ['%YAML 1.1\n---\nversion: 1', 'yaml-directive 1:1'],
    ['version: !!binary aGk=', 'yaml-tag 1:10'],
    ['version: !mine 1', 'yaml-tag 1:10'],
  ])('says what is wrong with %j', (text, finding) => {
    expect(codesOf(text)).toEqual([finding])
  })

  it('tells of a duplicate key once, with its path and the first place', () => {
    const { findings } = parse(issueDocument.replace('rise: 2', 'fall: 2'), 'lb.yaml')
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({
      code: 'duplicate-key',
      path: 'pools[0].health.fall',
      text: 'fall',
      message: '"fall" stands here a second time; the first is on line 24',
    })
  })

  it('hints at the quotes that an IPv6 endpoint needs', () => {
    const { findings } = parse('admin: { listen: [::1]:80 }', 'lb.yaml')
    expect(findings[0]?.code).toBe('yaml-syntax')
    expect(findings[0]?.hint).toContain('"[::1]:80"')
  })

  it('repeats anchors', () => {
    const text = issueDocument
      .replace('{ type: tcp,', '&check { type: tcp,')
      .concat('  - { name: other, members: [127.0.0.1:1], health: *check }\n')
    const { document, findings } = parse(text, 'lb.yaml')
    expect(findings).toEqual([])
    expect(document?.pools[1]?.health).toEqual(document?.pools[0]?.health)
  })

  it('finds aliases without an anchor, and ones that hold themselves', () => {
    expect(codesOf('version: *v')).toEqual(['yaml-alias 1:10 version'])
    expect(codesOf('pools: &p [*p]')).toEqual(['yaml-alias 1:12 pools[0]'])
  })

  it('tells of a mistake in an anchor once, however often it is repeated', () => {
    const text = `version: 1\nnode: { name: a }\npools:\n  - { name: a, members: &m [{ address: "h:1", weight: -1 }] }\n  - { name: b, members: *m }\n  - { name: c, members: *m }\n`
    expect(codesOf(text)).toEqual(['out-of-range 4:55 pools[0].members[0].weight'])
  })

  it('does not follow an alias bomb to its end', () => {
    const lines = ['l0: &l0 [1,1,1,1,1,1,1,1,1,1]']
    for (let i = 1; i < 12; i++)
      lines.push(
        `l${i}: &l${i} [${Array(10)
          .fill(`*l${i - 1}`)
          .join(',')}]`,
      )
    const members = `${lines.join('\n')}\nversion: 1\nnode: {name: a}\npools: *l11\n`
    const startedAt = performance.now()
    const codes = codesOf(members)
    expect(codes.some((code) => code.startsWith('unknown-key'))).toBe(true)
    expect(performance.now() - startedAt).toBeLessThan(5000)
    // Nested where it is looked at in earnest.
    const nested = 'x: &a {labels: {}}\nversion: 1\nnode: {name: a}\npools:\n'.concat(
      `  - { name: p, members: &m [${Array(4096).fill('"127.0.0.1:1"').join(',')}] }\n`,
      Array.from({ length: 400 }, (_, i) => `  - { name: q${i}, members: *m }\n`).join(''),
    )
    expect(codesOf(nested).filter((code) => code.startsWith('yaml-too-deep'))).toHaveLength(1)
  })

  it.each([
    ['brackets', '['.repeat(100_000)],
    ['braces', '{a: '.repeat(50_000)],
    ['dashes', '- '.repeat(50_000)],
    ['questions', '? '.repeat(50_000)],
    ['indentation', Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ])('refuses %s nested without end', (_, text) => {
    expect(codesOf(text).map((code) => code.split(' ')[0])).toEqual(['yaml-too-deep'])
  })

  it('refuses what is too large, and what is no text', () => {
    expect(codesOf(' '.repeat(1024 * 1024 + 1))).toEqual(['document-too-large 1:1'])
    expect(parse('version: 1', 'f', { maxBytes: 5 }).findings[0]?.code).toBe('document-too-large')
    expect(codesOf(Uint8Array.of(0x61, 0x0a, 0x62, 0xff, 0x63))).toEqual(['document-not-utf8 2:2'])
  })
})
