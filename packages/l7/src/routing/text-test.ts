import { types } from 'node:util'
import { invalidOption, objectOption, shown } from '@steelyard/core'
import { type LinearRegex, linearRegex } from './linear-regex.ts'
import { oneOrMore } from './one-or-more.ts'

/** What a text must be, as data. Made by {@link equals}, {@link startsWith} and the others. */
export type TextTest =
  | {
      readonly kind: 'equals' | 'startsWith' | 'endsWith' | 'contains'
      /** One of these. */
      readonly values: readonly string[]
      readonly ignoreCase: boolean
    }
  | { readonly kind: 'matches'; readonly pattern: string; readonly ignoreCase: boolean }
  | { readonly kind: 'present' }
  | { readonly kind: 'between'; readonly from: number; readonly to: number }

/** How texts are compared. */
export interface TextTestOptions {
  /** Letters are the same in either case. Default `false`. */
  readonly ignoreCase?: boolean
}

/** What matchers take: a test, a text for {@link equals} or a `RegExp` for {@link matches}. */
export type TextTestInit = TextTest | string | RegExp

/** A {@link TextTest}, compiled. */
export interface CompiledTextTest {
  readonly test: (text: string) => boolean
  /** For `explain`: `"v2"`, `starts with "v2"`. */
  readonly wants: string
}

/** The text is this one, or one of these. */
export function equals(value: string | readonly string[], options?: TextTestOptions): TextTest {
  return ofValues('equals', value, options)
}

/** The text is one of these. */
export function oneOf(values: readonly string[], options?: TextTestOptions): TextTest {
  return ofValues('equals', values, options)
}

/** The text begins with this, or with one of these. */
export function startsWith(value: string | readonly string[], options?: TextTestOptions): TextTest {
  return ofValues('startsWith', value, options)
}

/** The text ends with this, or with one of these. */
export function endsWith(value: string | readonly string[], options?: TextTestOptions): TextTest {
  return ofValues('endsWith', value, options)
}

/** This, or one of these, is somewhere in the text. */
export function contains(value: string | readonly string[], options?: TextTestOptions): TextTest {
  return ofValues('contains', value, options)
}

/**
 * The pattern matches somewhere in the text, in linear time; see {@link linearRegex} for the syntax.
 *
 * @throws `invalid-option` for what is no such pattern.
 */
export function matches(pattern: string | RegExp, options?: TextTestOptions): TextTest {
  return matching(pattern, caseOf(options, 'matches').ignoreCase, 'matches')
}

/** Their patterns, compiled: that costs some hundred microseconds, so it is done once. */
const regexes = new WeakMap<TextTest, LinearRegex>()

function matching(pattern: string | RegExp, ignoreCase: boolean, path: string): TextTest {
  const regex = linearRegex(pattern, { ignoreCase, path })
  const test: TextTest = Object.freeze({
    kind: 'matches',
    pattern: regex.pattern,
    ignoreCase: regex.ignoreCase,
  })
  regexes.set(test, regex)
  return test
}

/** There is such a thing, whatever it is, also when it is empty. */
export function present(): TextTest {
  return Object.freeze({ kind: 'present' })
}

/** The text is a whole number in decimal, not below `from` and not above `to`. */
export function between(from: number, to: number): TextTest {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from > to) {
    throw invalidOption(
      'between',
      `${shown(from)} to ${shown(to)} is no range of whole numbers, the smaller one first`,
    )
  }
  return Object.freeze({ kind: 'between', from, to })
}

function ofValues(
  kind: 'equals' | 'startsWith' | 'endsWith' | 'contains',
  value: string | readonly string[],
  options: TextTestOptions | undefined,
): TextTest {
  return checked({ kind, values: listOf(value, kind), ...caseOf(options, kind) }, kind)
}

function listOf(value: string | readonly string[], path: string): readonly string[] {
  if (typeof value === 'string') return [value]
  const list = oneOrMore(value)
  if (list === value) return list
  throw invalidOption(path, `${shown(value)} is neither a text nor a list of texts`)
}

function caseOf(
  options: TextTestOptions | undefined,
  path: string,
): { readonly ignoreCase: boolean } {
  if (options === undefined) return { ignoreCase: false }
  const { ignoreCase = false } = objectOption(options, path)
  if (typeof ignoreCase === 'boolean') return { ignoreCase }
  throw invalidOption(`${path}.ignoreCase`, `${shown(ignoreCase)} is neither true nor false`)
}

/**
 * Reads what a matcher was given.
 *
 * @throws `invalid-option` with the path.
 */
export function textTestOption(value: TextTestInit, path: string): TextTest {
  if (typeof value === 'string') {
    return checked({ kind: 'equals', values: [value], ignoreCase: false }, path)
  }
  if (types.isRegExp(value)) return matching(value, false, path)
  return checked(objectOption(value, path), path)
}

/** Frozen, and what its type says, whoever made it. */
function checked(test: TextTest, path: string): TextTest {
  switch (test.kind) {
    case 'equals':
    case 'startsWith':
    case 'endsWith':
    case 'contains': {
      const { kind, ignoreCase } = test
      const values = listOf(test.values, path)
      if (values.length === 0) throw invalidOption(path, 'needs at least one text')
      for (const value of values) {
        if (typeof value !== 'string') throw invalidOption(path, `${shown(value)} is not a text`)
        if (value === '' && kind !== 'equals') {
          throw invalidOption(path, 'the empty text is in every text: use present()')
        }
        if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) {
          throw invalidOption(path, `${shown(value)} has a control character`)
        }
      }
      caseOf({ ignoreCase }, path)
      return Object.freeze({ kind, values: Object.freeze([...values]), ignoreCase })
    }
    case 'matches':
      if (regexes.has(test)) return test
      return matching(test.pattern, caseOf({ ignoreCase: test.ignoreCase }, path).ignoreCase, path)
    case 'present':
      return test
    case 'between':
      return between(test.from, test.to)
    default:
      throw invalidOption(
        path,
        `${shown((test as { kind: unknown }).kind)} is no test: use equals, oneOf, startsWith, endsWith, contains, matches, present or between`,
      )
  }
}

/** Compiles a test. */
export function compileTextTest(test: TextTest): CompiledTextTest {
  switch (test.kind) {
    case 'present':
      return { test: () => true, wants: 'any' }
    case 'between': {
      const { from, to } = test
      return {
        wants: `a number from ${from} to ${to}`,
        test: (text) => {
          if (!/^-?\d{1,16}$/.test(text)) return false
          const number = Number(text)
          return number >= from && number <= to
        },
      }
    }
    case 'matches': {
      const { pattern, ignoreCase } = test
      const regex = regexes.get(test) ?? linearRegex(pattern, { ignoreCase })
      return {
        wants: `a match of ${shown(pattern)}${ignoreCase ? ' in any case' : ''}`,
        test: (text) => regex.test(text),
      }
    }
    default:
      return compileValues(test)
  }
}

function compileValues(test: Extract<TextTest, { values: unknown }>): CompiledTextTest {
  const { kind, ignoreCase } = test
  const values = ignoreCase ? test.values.map((value) => value.toLowerCase()) : test.values
  const compare = comparison(kind, values)
  const shownValues = values.slice(0, 5).map((value) => shown(value))
  if (values.length > 5) shownValues.push(`${values.length - 5} more`)
  return {
    wants: `${verbs[kind]}${shownValues.join(' or ')}${ignoreCase ? ' in any case' : ''}`,
    test: ignoreCase ? (text) => compare(text.toLowerCase()) : compare,
  }
}

const verbs = {
  equals: '',
  startsWith: 'starts with ',
  endsWith: 'ends with ',
  contains: 'contains ',
} as const

function comparison(
  kind: keyof typeof verbs,
  values: readonly string[],
): (text: string) => boolean {
  const [only = ''] = values
  if (kind === 'equals') {
    if (values.length === 1) return (text) => text === only
    const set: ReadonlySet<string> = new Set(values)
    return (text) => set.has(text)
  }
  const holds = {
    startsWith: (text: string, value: string) => text.startsWith(value),
    endsWith: (text: string, value: string) => text.endsWith(value),
    contains: (text: string, value: string) => text.includes(value),
  }[kind]
  if (values.length === 1) return (text) => holds(text, only)
  return (text) => {
    for (const value of values) if (holds(text, value)) return true
    return false
  }
}
