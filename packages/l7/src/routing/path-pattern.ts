import { invalidOption, shown } from '@steelyard/core'
import { canonicalPathOf } from '../gate/canonical-path.ts'

/**
 * How the path of a matcher compares. `exact`: the whole path. `prefix`: whole segments from the start, so that `/a`
 * means `/a`, `/a/` and `/a/b`, not `/ab`; empty for every path. `start`: the first characters.
 */
export type PathForm = 'exact' | 'prefix' | 'start'

const policy = { encodedSlash: 'keep', mergeSlashes: false } as const

/**
 * A path as an operator writes it, in the form that requests have when they are matched.
 *
 * @throws `invalid-option` for what no request's path can be.
 */
export function pathOption(text: string, path: string): string {
  if (typeof text !== 'string') throw invalidOption(path, `${shown(text)} is not a path`)
  if (!text.startsWith('/')) {
    throw invalidOption(
      path,
      `${shown(text)} does not begin with a slash${text === '*' ? ': write /* for every path' : ''}`,
    )
  }
  if (text.includes('?') || text.includes('#')) {
    throw invalidOption(path, `${shown(text)} has more than a path: use query() for parameters`)
  }
  const canonical = canonicalPathOf(text, policy)
  if (typeof canonical === 'string') return canonical
  throw invalidOption(path, `${shown(text)} can never be met: ${canonical.message}`)
}

/** A prefix of whole segments, without its last slash. */
export function prefixOption(text: string, path: string): string {
  const canonical = pathOption(text, path)
  return canonical.endsWith('/') ? canonical.slice(0, -1) : canonical
}

/** Is the path meant? */
export function pathFits(form: PathForm, value: string, path: string): boolean {
  switch (form) {
    case 'exact':
      return path === value
    case 'prefix':
      return (
        path.startsWith(value) &&
        (value.length === path.length || path.charCodeAt(value.length) === slash) &&
        // The path of `OPTIONS *` is below nothing.
        path.charCodeAt(0) === slash
      )
    case 'start':
      return path.startsWith(value)
    default:
      return form satisfies never
  }
}

const slash = 0x2f
