import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { type SkippedTest, writeTally } from './tally.ts'

/** Where the reporter leaves its {@link Tally}. */
export const tallyVariable = 'STEELYARD_VITEST_TALLY'

/** A vitest reporter that counts and names what was skipped; the default reporter does the talking. */
// oxlint-disable-next-line import/no-default-export -- vitest loads a reporter by its default export.
export default class VitestTally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const file = process.env[tallyVariable]
    if (file === undefined) return
    let passed = 0
    let failed = unhandled.length
    const skipped: SkippedTest[] = []
    for (const module of modules) {
      // A module or suite that breaks outside of its tests fails the run as well.
      failed += module.errors().length
      for (const suite of module.children.allSuites()) failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') passed += 1
        else if (result.state === 'failed') failed += 1
        else skipped.push({ name: nameOf(module, test), reason: reasonOf(test) })
      }
    }
    writeTally(file, { passed, failed, skipped })
  }
}

function nameOf(module: TestModule, test: TestCase): string {
  return `${module.relativeModuleId} > ${test.fullName.replace(/ \(skipped: .*?\)/, '')}`
}

/** A note given with `ctx.skip(note)`, or what a title says in the form `(skipped: …)`. */
function reasonOf(test: TestCase): string {
  const result = test.result()
  if (result.state === 'skipped' && result.note !== undefined) return result.note
  const [, said] = /\(skipped: (.*?)\)/.exec(test.fullName) ?? []
  return said ?? (test.options.mode === 'todo' ? 'to do' : 'no reason given')
}
