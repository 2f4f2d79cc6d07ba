import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'vitest'

/** Where daemons live, also when the `PATH` of an ordinary user does not say so. */
const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']

/** The whole path of a command, or `undefined` when this machine does not have it. */
export function find(command: string): string | undefined {
  return folders.map((folder) => join(folder, command)).find(isExecutable)
}

/** The whole path of a command that {@link suiteWith} has found. */
export function path(command: string): string {
  const found = find(command)
  if (found === undefined) throw new Error(`${command} is not installed`)
  return found
}

/** What keeps a suite from running here: `root`, or the commands that are not installed; `undefined` when nothing does. */
export function lacking(needs: readonly string[]): string | undefined {
  const missing = needs.filter((need) =>
    need === 'root' ? process.getuid?.() !== 0 : find(need) === undefined,
  )
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`
}

/** A suite that says aloud what it lacks, and is skipped then. Where nothing is lacking it runs as any other. */
export function suiteWith(
  title: string,
  needs: readonly string[],
  body: () => void,
  also?: string,
): void {
  const reason = lacking(needs) ?? also
  const aloud = reason === undefined ? '' : ` (skipped: ${reason})`
  const suite = reason === undefined ? describe : describe.skip
  suite(`${title}${aloud}`, () => body())
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
