import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { markdownExamples, sourceExamples, unfencedExamples } from './examples.ts'

const wrong = { at: 'an example that is wrong', code: 'const text: string = 1\nconsole.log(text)' }
const examples = [...markdownExamples(), ...sourceExamples()]
// Inside the repository, because the packages are found from there.
const folder = join('node_modules', '.cache', `steelyard-examples-${process.pid}`)
const errors = new Map<number, string[]>()

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  ;[...examples, wrong].forEach(({ code }, index) => {
    writeFileSync(join(folder, `${index}.ts`), `${code}\nexport {}\n`)
  })
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../../tsconfig.test.json',
      compilerOptions,
      include: ['*.ts'],
      exclude: [],
    }),
  )
  const { stdout } = spawnSync(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', folder, '--pretty', 'false'],
    { encoding: 'utf8' },
  )
  // What is wrong in a package's own sources is told elsewhere.
  for (const [, index, line, text] of stdout.matchAll(
    /^.*steelyard-examples-\d+\/(\d+)\.ts\((\d+),\d+\): (.*(?:\n .*)*)/gm,
  )) {
    const told = errors.get(Number(index)) ?? []
    errors.set(Number(index), [...told, `line ${line}: ${text}`])
  }
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('the examples in the documents', () => {
  it('are found', () => {
    expect(markdownExamples().length).toBeGreaterThan(0)
  })

  it('in sources stand in a block of TypeScript', () => {
    expect(unfencedExamples()).toEqual([])
  })

  it('are read by the compiler', () => {
    expect(errors.get(examples.length)).toEqual([expect.stringContaining('TS2322')])
  })

  it.each(examples.map(({ at }, index) => ({ at, index })))('$at compiles', ({ index }) => {
    expect(errors.get(index) ?? []).toEqual([])
  })
})
