import { type PathForm, pathFits } from './path-pattern.ts'
import type { Match } from './route.ts'

/** A path that a route matches, and that may be replaced. */
export interface ReplaceablePath {
  readonly form: PathForm
  readonly value: string
}

/** The whole paths and the prefixes that a condition names, the longest first; those under a `not` are none. */
export function replaceablePaths(match: Match): readonly ReplaceablePath[] {
  const found: ReplaceablePath[] = []
  collect(match, found)
  return found.sort((a, b) => b.value.length - a.value.length)
}

function collect(match: Match, into: ReplaceablePath[]): void {
  if (typeof match === 'function') return
  if (match.kind === 'all' || match.kind === 'any') {
    for (const part of match.of) collect(part, into)
  } else if (match.kind === 'path' && match.form !== 'start') {
    const { form, values } = match
    into.push(...values.map((value) => ({ form, value })))
  }
}

/** How much of the path the longest that fits it takes; -1 when none does. */
export function replaceableLength(paths: readonly ReplaceablePath[], path: string): number {
  for (const { form, value } of paths) if (pathFits(form, value, path)) return value.length
  return -1
}
