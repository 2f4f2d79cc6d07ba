import { flagOption, invalidOption, objectOption, textOption } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import { tokenOption } from '../filters/field-option.ts'
import type { Matcher } from './route.ts'
import { compileTextTest, present, type TextTestInit, textTestOption } from './text-test.ts'
import { trimBlanks } from './trim-blanks.ts'

/** Requests with one of these methods, in upper case as in RFC 9110; case matters. */
export function method(...names: readonly string[]): Matcher {
  if (names.length === 0) throw invalidOption('method', 'needs at least one method')
  const set: ReadonlySet<string> = new Set(
    names.map((name, index) => {
      const token = tokenOption(name, `method[${index}]`)
      if (token === token.toUpperCase()) return token
      throw invalidOption(
        `method[${index}]`,
        `methods are in upper case: write ${token.toUpperCase()}`,
      )
    }),
  )
  return Object.freeze({
    kind: 'test',
    subject: 'method',
    wants: [...set].join(' or '),
    weight: 'method',
    test: ({ method }: HttpRequest) => set.has(method),
    actual: ({ method }: HttpRequest) => method,
  })
}

/** How {@link header} reads a field. */
export interface HeaderMatchOptions {
  /**
   * Looks at each element of a comma-separated list, without white space around, as HAProxy and Octavia do. Commas in
   * quoted strings separate nothing. Default `false`: at whole lines.
   */
  readonly elements?: boolean
}

/**
 * Requests with a header field of that name, in any case, of which one line passes the test. Values are compared with
 * regard to case unless the test says otherwise.
 *
 * @param test - Default: it is there.
 */
export function header(
  name: string,
  test: TextTestInit = present(),
  options: HeaderMatchOptions = {},
): Matcher {
  const field = tokenOption(name, 'header').toLowerCase()
  const elements = flagOption(objectOption(options, 'header').elements ?? false, 'header.elements')
  const { test: passes, wants } = compileTextTest(textTestOption(test, `header.${field}`))
  const lineFits = elements ? (line: string) => someElement(line, passes) : passes
  return Object.freeze({
    kind: 'test',
    subject: `header ${field}`,
    wants,
    weight: 'header',
    test: (request: HttpRequest) => {
      for (const line of request.headerAll(field)) if (lineFits(line)) return true
      return false
    },
    actual: (request: HttpRequest) => joined(request.headerAll(field)),
  })
}

/** Does one element of a list (RFC 9110 section 5.6.1) pass? Empty elements are none. */
function someElement(line: string, passes: (element: string) => boolean): boolean {
  let from = 0
  let quoted = false
  for (let at = 0; at <= line.length; at++) {
    const code = at < line.length ? line.charCodeAt(at) : comma
    if (code === quote) quoted = !quoted
    else if (quoted && code === backslash) at += 1
    if (at >= line.length || (code === comma && !quoted)) {
      const element = trimBlanks(line.slice(from, at))
      if (element !== '' && passes(element)) return true
      from = at + 1
    }
  }
  return false
}

const comma = 0x2c
const quote = 0x22
const backslash = 0x5c

/** Requests with a query parameter of that name, percent-decoded, of which one value passes the test. Names and values are compared with regard to case. */
export function query(name: string, test: TextTestInit = present()): Matcher {
  if (textOption(name, 'query') === '') throw invalidOption('query', 'a parameter needs a name')
  const { test: passes, wants } = compileTextTest(textTestOption(test, `query.${name}`))
  return Object.freeze({
    kind: 'test',
    subject: `query parameter ${name}`,
    wants,
    weight: 'query',
    test: (request: HttpRequest) => {
      for (const value of request.queryParameterAll(name)) if (passes(value)) return true
      return false
    },
    actual: (request: HttpRequest) => joined(request.queryParameterAll(name)),
  })
}

/** Requests with a cookie of that name; the first one's value, as it was sent, passes the test. Name and value are compared with regard to case. */
export function cookie(name: string, test: TextTestInit = present()): Matcher {
  tokenOption(name, 'cookie')
  const { test: passes, wants } = compileTextTest(textTestOption(test, `cookie.${name}`))
  return Object.freeze({
    kind: 'test',
    subject: `cookie ${name}`,
    wants,
    weight: 'header',
    test: (request: HttpRequest) => {
      const value = request.cookie(name)
      return value !== undefined && passes(value)
    },
    actual: (request: HttpRequest) => request.cookie(name),
  })
}

function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(', ')
}
