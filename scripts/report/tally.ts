import { readFileSync, writeFileSync } from 'node:fs'

/** What a run of tests came to. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly SkippedTest[]
}

/** A test that did not run, and why. */
export interface SkippedTest {
  readonly name: string
  readonly reason: string
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: [] }

export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((total, { passed }) => total + passed, 0),
    failed: tallies.reduce((total, { failed }) => total + failed, 0),
    skipped: tallies.flatMap(({ skipped }) => skipped),
  }
}

/** The lines at the end of a run: what was skipped, said aloud, then the numbers. */
export function tallyLines({ passed, failed, skipped }: Tally): string[] {
  const named = skipped.map(({ name, reason }) => `  skipped: ${name}: ${reason}`)
  const heading = skipped.length === 0 ? [] : [`${skipped.length} skipped:`]
  return [...heading, ...named, `${passed} passed, ${failed} failed`]
}

export function writeTally(file: string, tally: Tally): void {
  writeFileSync(file, JSON.stringify(tally))
}

/** The tally that a child wrote, or `undefined` when it did not come so far. */
export function readTally(file: string): Tally | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Tally
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
