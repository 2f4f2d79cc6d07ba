// `npm test`: everything that can be tested on this machine, and one line at the end.
// `npm test -- FILTER …` hands its arguments to vitest and runs nothing else; `npm test -- smoke` runs the
// tests of the packed tarballs alone.
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDeclarations } from './packing/declarations.ts'
import { runNodeTests } from './report/node-tests.ts'
import { nothing, readTally, sum, type Tally, tallyLines, writeTally } from './report/tally.ts'
import { tallyVariable } from './report/vitest-tally.ts'
import { runChild } from './setup/child.mjs'
import { Problem } from './setup/messages.mjs'

const args = process.argv.slice(2)
const smokeOnly = args.length === 1 && args[0] === 'smoke'
try {
  const tallies: Tally[] = []
  if (!smokeOnly) tallies.push(await vitest(args))
  if (smokeOnly || args.length === 0) tallies.push(await smoke())
  report(sum(tallies))
} catch (error) {
  if (!(error instanceof Problem)) throw error
  console.error(error.message)
  process.exitCode = error.exitCode
}

async function vitest(filters: readonly string[]): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'steelyard-tally-'))
  const file = join(folder, 'vitest.json')
  const reporters = ['--reporter=default', '--reporter=./scripts/report/vitest-tally.ts']
  try {
    const { code, stoppedBy } = await runChild(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...filters],
      { env: { ...process.env, [tallyVariable]: file } },
    )
    if (stoppedBy !== undefined) throw new Problem(`stopped by ${stoppedBy}`, code || 1)
    const tally = readTally(file)
    if (tally === undefined) {
      console.error(`vitest ended with code ${code} before it could report`)
      return { ...nothing, failed: 1 }
    }
    if (code !== 0 && tally.failed === 0) {
      console.error(`vitest ended with code ${code} although no test failed`)
      return { ...tally, failed: 1 }
    }
    // With `-t` or a line number nearly everything is left out, for the same reason: it was not asked for.
    const told = tally.skipped.filter(({ reason }) => reason !== 'no reason given')
    return filters.length === 0 ? tally : { ...tally, skipped: told }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function smoke(): Promise<Tally> {
  const wrong = await buildDeclarations()
  if (wrong !== undefined) {
    console.error(`Nothing was packed: ${wrong}`)
    return { ...nothing, failed: 1 }
  }
  return runNodeTests(globSync('smoke/*.test.ts').sort())
}

function report(tally: Tally): void {
  const failed = tally.failed > 0 || tally.passed === 0
  process.exitCode = failed ? 1 : 0
  if (tally.passed + tally.failed === 0) console.error('No test ran.')
  const lines = tallyLines(tally)
  // Whoever adds up several runs prints the last line.
  const file = process.env['STEELYARD_TALLY']
  if (file !== undefined) {
    writeTally(file, tally)
    lines.pop()
  }
  if (lines.length > 0) console.log(`\n${lines.join('\n')}`)
}
