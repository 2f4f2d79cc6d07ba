import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import type { SkippedTest, Tally } from './tally.ts'

/** Runs files with Node's own test runner and shows its report. */
export async function runNodeTests(files: readonly string[]): Promise<Tally> {
  let passed = 0
  let failed = 0
  const skipped: SkippedTest[] = []
  const events = run({ files: [...files], concurrency: false })
  events.on('test:pass', ({ name, skip, details }) => {
    if (details.type === 'suite') return
    if (skip === undefined || skip === false) passed += 1
    else skipped.push({ name, reason: typeof skip === 'string' ? skip : 'no reason given' })
  })
  events.on('test:fail', ({ details }) => {
    if (details.type !== 'suite') failed += 1
  })
  await new Promise<void>((resolve, reject) => {
    const report = events.compose(new spec())
    report.on('end', resolve)
    report.on('error', reject)
    report.pipe(process.stdout, { end: false })
  })
  return { passed, failed, skipped }
}
