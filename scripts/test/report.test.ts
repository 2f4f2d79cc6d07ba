import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nothing, readTally, sum, tallyLines, writeTally } from '../report/tally.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('the last lines of a run', () => {
  it('are the numbers alone when nothing was skipped', () => {
    expect(tallyLines({ ...nothing, passed: 3 })).toEqual(['3 passed, 0 failed'])
  })

  it('name what was skipped, and why', () => {
    const tally = sum([
      { passed: 1, failed: 1, skipped: [{ name: 'a', reason: 'no socat here' }] },
      { passed: 2, failed: 0, skipped: [{ name: 'b', reason: 'not root' }] },
    ])
    expect(tallyLines(tally)).toEqual([
      '2 skipped:',
      '  skipped: a: no socat here',
      '  skipped: b: not root',
      '3 passed, 1 failed',
    ])
  })
})

describe('a tally in a file', () => {
  let folder: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'steelyard-report-'))
  })

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('comes back as it was, and is missing when nobody wrote it', () => {
    const file = join(folder, 'tally.json')
    expect(readTally(file)).toBeUndefined()
    const tally = { passed: 5, failed: 2, skipped: [{ name: 'a', reason: 'b' }] }
    writeTally(file, tally)
    expect(readTally(file)).toEqual(tally)
    // .ci/run reads it with sed.
    expect(readFileSync(file, 'utf8')).toMatch(/^\{"passed":5,"failed":2,/)
  })

  it('is what vitest came to, failures outside of tests included', () => {
    writeFileSync(
      join(folder, 'sample.test.js'),
      `it('passes', () => {})
       it('fails', () => { throw new Error('wanted') })
       it('skips with a note', ({ skip }) => { skip('no daemon here') })
       it.skipIf(true)('skips (skipped: not root)', () => {})
       it.todo('is planned')
      `,
    )
    writeFileSync(join(folder, 'broken.test.js'), `throw new Error('broken')`)
    const file = join(folder, 'vitest.json')
    const { status } = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--globals',
        `--root=${folder}`,
        `--reporter=${join(root, 'scripts/report/vitest-tally.ts')}`,
      ],
      { cwd: root, env: { ...process.env, STEELYARD_VITEST_TALLY: file }, encoding: 'utf8' },
    )
    expect(status).toBe(1)
    expect(readTally(file)).toEqual({
      passed: 1,
      failed: 2,
      skipped: [
        { name: 'sample.test.js > skips with a note', reason: 'no daemon here' },
        { name: 'sample.test.js > skips', reason: 'not root' },
        { name: 'sample.test.js > is planned', reason: 'to do' },
      ],
    })
  })
})

describe('the commands', () => {
  it('say which there are when one is not known', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/run.mjs', 'sing'], {
      cwd: root,
      encoding: 'utf8',
    })
    expect(status).toBe(2)
    expect(stderr).toContain('there is no task "sing"; choose one of')
    expect(stderr).toMatch(/^ {2}start +the demo/m)
  })
})
