import { invalidOption } from '@steelyard/core'
import { matchOption } from './match-option.ts'
import type { Match, Matcher } from './route.ts'

/** Every request. */
export const always: Matcher = Object.freeze({ kind: 'always' })

/** Requests that meet each of these conditions. */
export function all(...conditions: readonly Match[]): Matcher {
  return Object.freeze({ kind: 'all', of: several(conditions, 'all') })
}

/** Requests that meet at least one of these conditions. */
export function any(...conditions: readonly Match[]): Matcher {
  return Object.freeze({ kind: 'any', of: several(conditions, 'any') })
}

/** Requests that do not meet the condition. */
export function not(condition: Match): Matcher {
  return Object.freeze({ kind: 'not', of: matchOption(condition, 'not') })
}

function several(conditions: readonly Match[], path: string): readonly Match[] {
  if (conditions.length === 0) throw invalidOption(path, 'needs at least one condition')
  return Object.freeze(
    conditions.map((condition, index) => matchOption(condition, `${path}[${index}]`)),
  )
}
