import { functionOption, invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import { parseHostPattern } from './host-pattern.ts'
import { pathOption } from './path-pattern.ts'
import type { Match, Matcher } from './route.ts'

/** Nested deeper than anybody writes. */
const deepest = 64

/**
 * A condition, as itself: a function, or data that may have been written by hand.
 *
 * @throws `invalid-option` with the path of the part that is none.
 */
export function matchOption(match: Match, path: string, depth = 0): Match {
  if (typeof match === 'function') return match
  if (depth > deepest) throw invalidOption(path, 'is nested too deeply')
  const matcher: Matcher = objectOption(match, path)
  switch (matcher.kind) {
    case 'always':
      return matcher
    case 'all':
    case 'any':
      listOption(matcher.of, path).forEach((part, index) =>
        matchOption(part, `${path}[${index}]`, depth + 1),
      )
      return matcher
    case 'not':
      matchOption(matcher.of, path, depth + 1)
      return matcher
    case 'host':
      listOption(matcher.names, path).forEach((name, index) =>
        parseHostPattern(name, `${path}[${index}]`),
      )
      return matcher
    case 'path':
      if (matcher.form !== 'exact' && matcher.form !== 'prefix' && matcher.form !== 'start') {
        throw invalidOption(path, `${shown(matcher.form)} is none of exact, prefix, start`)
      }
      listOption(matcher.values, path).forEach((value, index) => {
        if (value !== '') pathOption(value, `${path}[${index}]`)
      })
      return matcher
    case 'test':
      functionOption(matcher.test, path)
      return matcher
    default:
      throw invalidOption(
        path,
        `${shown((matcher as { kind: unknown }).kind)} is no condition: use host, path, method and the others, or a function`,
      )
  }
}
