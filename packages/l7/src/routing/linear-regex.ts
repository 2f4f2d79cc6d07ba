import { types } from 'node:util'
import { flagOption, invalidOption, objectOption, shown, textOption } from '@steelyard/core'
import { RE2JS } from 're2js'
import { capturesRepeatedly, isCheap } from './regex-cost.ts'
import { nativeSource, parseRegex } from './regex-tree.ts'

/** A regular expression that answers in time proportional to the text, whatever the pattern and the text are. */
export interface LinearRegex {
  /** As it was written. */
  readonly pattern: string
  readonly ignoreCase: boolean
  /** Which engine runs it: JavaScript's own where it provably cannot backtrack for long, else an automaton. */
  readonly engine: 'native' | 'automaton'
  /** Capturing groups, the whole match not counted. */
  readonly groups: number
  readonly groupNames: readonly string[]
  /** Does it match somewhere in the text? Throws `RangeError` for a text longer than 65536 characters. */
  test(text: string): boolean
  /**
   * The text with each match replaced. `groups[0]` is the match.
   *
   * @throws `RangeError` for a text longer than 65536 characters.
   */
  replace(text: string, replacement: (groups: readonly (string | undefined)[]) => string): string
}

/** How {@link linearRegex} reads a pattern. */
export interface LinearRegexOptions {
  /** Letters match in either case. Default `false`. */
  readonly ignoreCase?: boolean
  /** Where the pattern stands, for messages. Default `regex`. */
  readonly path?: string
}

/** Longer than any head that is let in. */
const longestText = 65_536
const longestPattern = 1000
/** Instructions of the automaton: with the text's length they bound the work of one match. */
const longestProgram = 500

/**
 * Compiles a pattern in RE2's syntax, or a `RegExp` (flags `i` and those without meaning for a test). It is not bound
 * to the ends of the text: write `^` and `$`. `.` is any character but a line feed; `\d`, `\w` and `\s` are ASCII.
 *
 * There is no look-around and no back-reference, because these cannot be matched in linear time. Patterns that RE2
 * (an automaton, linear by construction) takes are run by JavaScript's own engine where an analysis proves that it
 * cannot backtrack for long, as it is many times faster; the outcome is the same.
 *
 * @throws `invalid-option` for what is no such pattern, and for one that is too long.
 */
export function linearRegex(
  pattern: string | RegExp,
  options: LinearRegexOptions = {},
): LinearRegex {
  const { path = 'regex' } = objectOption(options, 'regex')
  textOption(path, 'regex.path')
  const { source, ignoreCase } = read(pattern, flagOption(options.ignoreCase ?? false, path), path)
  const automaton = compileAutomaton(source, ignoreCase, path)
  const names = automaton.namedGroups()
  const native = compileNative(source, ignoreCase)
  return Object.freeze({
    pattern: source,
    ignoreCase,
    engine: native === undefined ? 'automaton' : 'native',
    groups: automaton.groupCount(),
    groupNames: Object.freeze(
      Object.entries(names).reduce<string[]>((list, [name, index]) => {
        list[index] = name
        return list
      }, []),
    ),
    test:
      native === undefined
        ? (text: string) => automaton.test(bounded(text))
        : (text: string) => native.test(bounded(text)),
    replace: replacer(automaton, native === undefined ? undefined : globally(native)),
  })
}

function read(
  pattern: string | RegExp,
  ignoreCase: boolean,
  path: string,
): { readonly source: string; readonly ignoreCase: boolean } {
  if (types.isRegExp(pattern)) {
    const { source, flags } = pattern
    if (/[^dgiuvy]/.test(flags)) {
      throw invalidOption(path, `the flags ${shown(flags)}: only i has a meaning here`)
    }
    return { source: RE2JS.translateRegExp(source), ignoreCase: ignoreCase || flags.includes('i') }
  }
  if (typeof pattern !== 'string') {
    throw invalidOption(path, `${shown(pattern)} is no regular expression`)
  }
  return { source: pattern, ignoreCase }
}

function compileAutomaton(source: string, ignoreCase: boolean, path: string): RE2JS {
  if (source.length > longestPattern) {
    throw invalidOption(path, `the pattern is longer than ${longestPattern} characters`)
  }
  let automaton: RE2JS
  try {
    automaton = RE2JS.compile(source, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (cause) {
    throw invalidOption(path, `${shown(source)} ${problem(source, cause)}`)
  }
  if (automaton.programSize() > longestProgram) {
    throw invalidOption(
      path,
      `${shown(source)} repeats too much: write it with fewer or smaller counted repetitions`,
    )
  }
  return automaton
}

function problem(source: string, cause: unknown): string {
  if (/\(\?<?[=!]/.test(source)) {
    return 'looks around, which cannot be matched in linear time: use all, any and not instead'
  }
  if (/\\(?:[1-9]|k<)/.test(source)) {
    return 'refers back to a group, which cannot be matched in linear time'
  }
  return `is no regular expression: ${cause instanceof Error ? cause.message : 'it cannot be read'}`
}

function compileNative(source: string, ignoreCase: boolean): RegExp | undefined {
  const node = parseRegex(source, ignoreCase)
  if (node === undefined || capturesRepeatedly(node) || !isCheap(node)) return undefined
  return new RegExp(nativeSource(node), ignoreCase ? 'iu' : 'u')
}

function globally(regex: RegExp): RegExp {
  return new RegExp(regex.source, `g${regex.flags}`)
}

function replacer(automaton: RE2JS, native: RegExp | undefined): LinearRegex['replace'] {
  const count = automaton.groupCount() + 1
  return (text, replacement) => {
    const expand = (...args: unknown[]): string =>
      replacement(args.slice(0, count) as (string | undefined)[])
    return native === undefined
      ? automaton.matcher(bounded(text)).replaceAll(expand)
      : bounded(text).replace(native, expand)
  }
}

function bounded(text: string): string {
  if (text.length <= longestText) return text
  throw new RangeError(`a text of ${text.length} characters is too long for a regular expression`)
}
