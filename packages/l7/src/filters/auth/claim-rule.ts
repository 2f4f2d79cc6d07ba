import { invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import type { Claims } from './claims.ts'

/** What a claim must be: this value, one of these, or whatever a function says. */
export type ClaimRule =
  | string
  | number
  | boolean
  | readonly (string | number | boolean)[]
  | ((value: unknown) => boolean)

/** The first claim that is not as it must be; undefined when all are. */
export type ClaimTest = (claims: Claims) => string | undefined

/**
 * Makes a {@link ClaimTest}. A claim that is a list needs one element that fits; `scope` and `scp` as a text are lists
 * of words (RFC 8693 section 4.2).
 *
 * @throws `invalid-option` with the path of the rule.
 */
export function claimTest(rules: Readonly<Record<string, ClaimRule>>, path: string): ClaimTest {
  const tests = Object.entries(objectOption(rules, path)).map(
    ([name, rule]) => [name, testOf(rule, `${path}.${name}`)] as const,
  )
  return (claims) => {
    for (const [name, fits] of tests) {
      const value = Object.hasOwn(claims, name) ? claims[name] : undefined
      const words =
        (name === 'scope' || name === 'scp') && typeof value === 'string' ? value.split(' ') : value
      if (!fits(words)) return name
    }
    return undefined
  }
}

function testOf(rule: ClaimRule, path: string): (value: unknown) => boolean {
  if (typeof rule === 'function') return rule
  const wanted: readonly unknown[] =
    typeof rule === 'object' ? listOption<unknown>(rule, path) : [rule]
  for (const one of wanted) {
    if (typeof one !== 'string' && typeof one !== 'number' && typeof one !== 'boolean') {
      throw invalidOption(path, `${shown(one)} is nothing to compare a claim with`)
    }
  }
  return (value) =>
    Array.isArray(value) ? value.some((one) => wanted.includes(one)) : wanted.includes(value)
}
