import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { issueDocument } from '../desired/issue-document.ts'
import { run } from './steelyard.ts'

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'steelyard-check-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function write(name: string, text: string): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text)
  return file
}

interface Judgement {
  readonly ok: boolean
  readonly findings: readonly {
    readonly code: string
    readonly line: number
    readonly column: number
    readonly message: string
    readonly hint: string
    readonly excerpt: { readonly text: string; readonly from: number; readonly length: number }
  }[]
  readonly summary?: { readonly pools: number; readonly addresses: readonly string[] }
}

/** One mistake, made in the issue's document, and where it has to be pointed at. */
interface Mistake {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly code: string
  /** The text that is underlined. */
  readonly marked: string
  /** Words that message and hint have to have. */
  readonly says: readonly RegExp[]
}

const mistakes: readonly Mistake[] = [
  {
    name: 'a negative weight',
    from: 'weight: 2',
    to: 'weight: -1',
    code: 'out-of-range',
    marked: '-1',
    says: [/-1/, /0/],
  },
  {
    name: 'a key with a slip of the pen',
    from: 'algorithm: source-hash',
    to: 'algoritm: source-hash',
    code: 'unknown-key',
    marked: 'algoritm',
    says: [/algoritm/, /algorithm/],
  },
  {
    name: 'address pools that overlap',
    from: '127.0.0.10-127.0.0.20] }',
    to: '127.0.0.10-127.0.0.20] }\n  - { name: other, addresses: [127.0.0.20-127.0.0.30] }',
    code: 'address-pool-overlap',
    marked: '127.0.0.20-127.0.0.30',
    says: [/local/, /127\.0\.0\.20/],
  },
  {
    name: 'a pool that does not exist',
    from: 'pool: redis\n',
    to: 'pool: rediss\n',
    code: 'unknown-pool',
    marked: 'rediss',
    says: [/rediss/, /"?redis"?/],
  },
  {
    name: 'two listeners on one port',
    from: '      - name: redis\n        protocol: tcp',
    to: '      - { name: first, protocol: tcp, port: 6379, pool: redis }\n      - name: redis\n        protocol: tcp',
    code: 'port-conflict',
    marked: '6379',
    says: [/cache\/first|"first"/, /6379/],
  },
]

describe('steelyard check', () => {
  test('the document of the issue is good, and what it amounts to is said', async () => {
    const file = await write('good.yaml', issueDocument)
    const [text, json] = await Promise.all([run('check', file), run('check', '--json', file)])
    expect(text).toMatchObject({ code: 0, err: '' })
    expect(text.out).toContain(`${file}: ok\n`)
    expect(text.out).toMatch(/listeners +1 {2}1 tcp/)
    expect(text.out).toMatch(/members +3 {2}1 backup/)
    expect(text.out).toContain('127.0.0.10')
    expect(json).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(json.out)).toMatchObject({
      ok: true,
      findings: [],
      summary: { pools: 1, members: 3, addresses: ['127.0.0.10'] },
    })
  })

  test.each(mistakes)('$name: exactly one finding, where the mistake is', async (mistake) => {
    const { from, to, code, marked, says } = mistake
    expect(issueDocument.split(from)).toHaveLength(2)
    const wrong = issueDocument.replace(from, to)
    const file = await write(`${code}.yaml`, wrong)
    const [text, json] = await Promise.all([run('check', file), run('check', '--json', file)])

    expect(json.code).toBe(1)
    const { ok, findings } = JSON.parse(json.out) as Judgement
    expect(ok).toBe(false)
    expect(findings).toHaveLength(1)
    const [finding] = findings
    const line = wrong.split('\n')[finding!.line - 1]!
    expect(finding).toMatchObject({ code })
    expect(line.slice(finding!.column - 1)).toMatch(new RegExp(`^${escaped(marked)}`))
    const { excerpt } = finding!
    expect(excerpt.text.slice(excerpt.from, excerpt.from + excerpt.length)).toBe(marked)
    expect(finding!.hint).not.toBe('')
    for (const words of says) expect(`${finding!.message} ${finding!.hint}`).toMatch(words)

    expect(text).toMatchObject({ code: 1, out: '' })
    const place = `${file}:${finding!.line}:${finding!.column}: error[${code}] `
    expect(text.err.startsWith(place)).toBe(true)
    expect(text.err).toContain(` hint: ${finding!.hint}`)
    expect(text.err).toContain(`${file}: 1 error\n`)
    // The line of carets stands below the text that it means.
    const lines = text.err.split('\n')
    const carets = lines.findIndex((one) => /\^+$/.test(one))
    const [start, end] = [lines[carets]!.indexOf('^'), lines[carets]!.length]
    expect(lines[carets - 1]!.slice(start, end)).toBe(marked)
  })

  test('several mistakes in one document are all told at once', async () => {
    const wrong = mistakes.reduce((text, { from, to }) => text.replace(from, to), issueDocument)
    const file = await write('all.yaml', wrong)
    const { code, out } = await run('check', '--json', file)
    expect(code).toBe(1)
    const codes = (JSON.parse(out) as Judgement).findings.map((finding) => finding.code)
    expect(codes).toEqual(expect.arrayContaining(['out-of-range', 'unknown-key']))
  })

  test('a file that cannot be read is exit code 2, and so is a wrong use', async () => {
    const [missing, folderItself, nothing, wrongOption, noCommand] = await Promise.all([
      run('check', join(folder, 'nowhere.yaml')),
      run('check', folder),
      run('check'),
      run('check', '--jsn', 'x.yaml'),
      run('chekc', 'x.yaml'),
    ])
    expect(missing.code).toBe(2)
    expect(missing.err).toMatch(/^steelyard check: cannot read .*nowhere\.yaml: .*ENOENT.*\n$/)
    expect(folderItself.code).toBe(2)
    expect(folderItself.err).toMatch(/EISDIR/)
    expect(nothing.code).toBe(2)
    expect(nothing.err).toMatch(/missing required argument 'file'/)
    expect(wrongOption.code).toBe(2)
    expect(wrongOption.err).toMatch(/--jsn[\s\S]*Did you mean --json/)
    expect(noCommand.code).toBe(2)
    expect(noCommand.err).toMatch(/chekc[\s\S]*Did you mean check/)
  })

  test('a warning passes, unless warnings are asked to count', async () => {
    const file = await write(
      'unused.yaml',
      `${issueDocument}  - { name: spare, members: [127.0.0.1:7009] }\n`,
    )
    const [lenient, strict] = await Promise.all([
      run('check', file),
      run('check', '--strict', file),
    ])
    expect(lenient.code).toBe(0)
    expect(lenient.err).toContain('warning[unused-pool]')
    expect(strict.code).toBe(1)
  })
})

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
