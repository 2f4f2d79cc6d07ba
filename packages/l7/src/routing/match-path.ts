import { invalidOption, shown } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import { pathOption, prefixOption } from './path-pattern.ts'
import type { Matcher } from './route.ts'
import {
  compileTextTest,
  endsWith,
  matches,
  type TextTest,
  type TextTestInit,
  type TextTestOptions,
  textTestOption,
} from './text-test.ts'

/**
 * Requests for one of these paths: `/a` is exactly this one; `/a/*` is `/a` and everything below it by whole segments,
 * so `/a`, `/a/` and `/a/b`, but not `/ab`; `/*` is every path. Case matters. Paths are compared in their one form: escapes of
 * unreserved characters decoded, dot segments resolved.
 *
 * @throws `invalid-option` for a star elsewhere, a query, and paths that no request can have.
 */
export function path(...patterns: readonly string[]): Matcher {
  if (patterns.length === 0) throw invalidOption('path', 'needs at least one path')
  const exact: string[] = []
  const prefixes: string[] = []
  patterns.forEach((pattern, index) => {
    const at = `path[${index}]`
    const isPrefix = typeof pattern === 'string' && pattern.endsWith('/*')
    const written = isPrefix ? pattern.slice(0, -1) : pattern
    const value = isPrefix ? prefixOption(written, at) : pathOption(written, at)
    if (value.includes('*')) {
      throw invalidOption(
        at,
        `${shown(pattern)} has a star elsewhere than at the end as /*: use pathSuffix, pathRegex or pathText`,
      )
    }
    ;(isPrefix ? prefixes : exact).push(value)
  })
  if (prefixes.length === 0) return ofForm('exact', exact)
  if (exact.length === 0) return ofForm('prefix', prefixes)
  return Object.freeze({
    kind: 'any',
    of: Object.freeze([ofForm('exact', exact), ofForm('prefix', prefixes)]),
  })
}

/** Requests for one of these paths and everything below it, by whole segments: `/a` is `/a`, `/a/` and `/a/b`, but not `/ab`. */
export function pathPrefix(...prefixes: readonly string[]): Matcher {
  if (prefixes.length === 0) throw invalidOption('pathPrefix', 'needs at least one path')
  return ofForm(
    'prefix',
    prefixes.map((prefix, index) => prefixOption(prefix, `pathPrefix[${index}]`)),
  )
}

/** Requests whose path ends with one of these texts, such as `.php` or `/edit`. Case matters. */
export function pathSuffix(...suffixes: readonly string[]): Matcher {
  return pathText(endsWith(suffixes))
}

/** Requests whose path a pattern matches somewhere; see {@link linearRegex} for the syntax. */
export function pathRegex(pattern: string | RegExp, options?: TextTestOptions): Matcher {
  return pathText(matches(pattern, options))
}

/**
 * Requests for a file of one of these types: what is behind the last dot of the last segment, without the dot. Case
 * does not matter. With a test instead of names, the type in lower case has to pass it.
 */
export function fileType(...types: readonly string[] | readonly [TextTest | RegExp]): Matcher {
  const [first] = types
  const test =
    typeof first === 'object' && first !== null
      ? textTestOption(first, 'fileType')
      : textTestOption(
          { kind: 'equals', values: types.map((type) => bareType(type)), ignoreCase: true },
          'fileType',
        )
  const { test: passes, wants } = compileTextTest(test)
  const typeOf = ({ path }: HttpRequest): string | undefined => {
    const dot = path.lastIndexOf('.')
    return dot < 0 || path.indexOf('/', dot) >= 0 ? undefined : path.slice(dot + 1).toLowerCase()
  }
  return Object.freeze({
    kind: 'test',
    subject: 'file type',
    wants,
    weight: 'path',
    test: (request: HttpRequest) => {
      const type = typeOf(request)
      return type !== undefined && passes(type)
    },
    actual: typeOf,
  })
}

/** People write it either way. */
function bareType(type: unknown): string {
  const bare = typeof type === 'string' && type.startsWith('.') ? type.slice(1) : type
  if (typeof bare === 'string' && bare !== '' && !/[./\s]/.test(bare)) return bare
  throw invalidOption('fileType', `${shown(type)} is no file type: write jpg`)
}

/**
 * Requests whose path passes a test. `equals`, and `startsWith` where case matters, cost as little as {@link path}; `startsWith`
 * compares characters, not segments.
 */
export function pathText(test: TextTestInit): Matcher {
  const given = textTestOption(test, 'pathText')
  if ('values' in given && !given.ignoreCase) {
    if (given.kind === 'equals') return ofForm('exact', canonical(given.values, given.kind))
    if (given.kind === 'startsWith') return ofForm('start', given.values)
  }
  const { test: passes, wants } = compileTextTest(given)
  return Object.freeze({
    kind: 'test',
    subject: 'path',
    wants,
    weight: 'path',
    test: ({ path }: HttpRequest) => passes(path),
    actual: ({ path }: HttpRequest) => path,
  })
}

function canonical(values: readonly string[], path: string): string[] {
  return values.map((value, index) =>
    value === '*' ? value : pathOption(value, `${path}[${index}]`),
  )
}

function ofForm(form: 'exact' | 'prefix' | 'start', values: readonly string[]): Matcher {
  return Object.freeze({ kind: 'path', form, values: Object.freeze([...new Set(values)]) })
}
