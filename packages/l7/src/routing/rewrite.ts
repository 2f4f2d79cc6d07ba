import {
  type Backend,
  invalidOption,
  objectOption,
  SteelyardError,
  shown,
  textOption,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { RequestEditor } from '../exchange/field-editor.ts'
import type { Rewrite } from './action.ts'
import { linearRegex } from './linear-regex.ts'
import { pathOption, prefixOption } from './path-pattern.ts'
import { type ReplaceablePath, replaceableLength, replaceablePaths } from './path-prefix.ts'
import type { Match } from './route.ts'
import { type CompiledTemplate, rendered, template, templateParts } from './template.ts'
import { urlComponent, urlText } from './url-text.ts'

/** A {@link Rewrite}, compiled. */
export interface CompiledRewrite {
  /**
   * Changes target and host of the request that goes to the backend. The path is made of the one that was matched,
   * whatever the editor's is. Throws `invalid-field`, as the editor does, when a client's words make a path or a host that
   * cannot be.
   */
  readonly apply: (head: RequestEditor, x: Exchange) => void
}

/**
 * Compiles a rewrite. A prefix is replaced by whole segments: `/foo` by `/bar` makes `/foo/a` `/bar/a`, and by `/` makes it
 * `/a`. A regular expression replaces every match in the path. Variables in a path or a query that are not parts of
 * the request's URL are escaped, so that they stay within their place.
 *
 * @param match - the route's, for the prefix that matched.
 * @throws `invalid-option` with the path of the field.
 */
export function rewriteOf(rewrite: Rewrite, match: Match, path = 'rewrite'): CompiledRewrite {
  const { host, query } = objectOption(rewrite, path)
  const changePath = pathChange(rewrite, match, path)
  const hostText =
    host === undefined || host === 'backend' ? undefined : template(host, `${path}.host`)
  const queryText = query === undefined ? undefined : urlTemplate(query, `${path}.query`, 'query')
  const ownHost = host === 'backend'
  return Object.freeze({
    apply(head: RequestEditor, x: Exchange): void {
      if (changePath !== undefined) head.path = changePath(x)
      if (queryText !== undefined) {
        const text = queryText(x)
        head.query = text === '' ? undefined : text
      }
      if (hostText !== undefined) head.host = hostText(x)
      else if (ownHost && x.backend !== undefined) head.host = hostOf(x.backend)
    },
  })
}

function pathChange(rewrite: Rewrite, match: Match, path: string): CompiledTemplate | undefined {
  const { prefix, path: whole, regex } = rewrite
  const given = [prefix, whole, regex].filter((form) => form !== undefined).length
  if (given > 1) {
    throw invalidOption(path, 'has several of prefix, path and regex: a path can be rewritten once')
  }
  if (prefix !== undefined) return prefixChange(prefix, match, `${path}.prefix`)
  if (regex !== undefined) return regexChange(regex, `${path}.regex`)
  if (whole === undefined) return undefined
  const [first] = templateParts(whole, `${path}.path`)
  const rooted =
    typeof first === 'string' ? first.startsWith('/') : first !== undefined && first.name === 'path'
  if (!rooted) throw invalidOption(`${path}.path`, `${shown(whole)} does not begin with a slash`)
  const render = urlTemplate(whole, `${path}.path`, 'path')
  return (x) => withoutDots(render(x))
}

function prefixChange(
  prefix: NonNullable<Rewrite['prefix']>,
  match: Match,
  path: string,
): CompiledTemplate {
  const isText = typeof prefix === 'string'
  const to = isText ? prefix : objectOption(prefix, path).to
  const paths: readonly ReplaceablePath[] = isText
    ? replaceablePaths(match)
    : [{ form: 'prefix', value: prefixOption(prefix.from, `${path}.from`) }]
  if (paths.length === 0) {
    throw invalidOption(
      path,
      'the route matches no path whose prefix could be replaced: write { from, to }',
    )
  }
  const alone = to === '' ? '/' : pathOption(to, isText ? path : `${path}.to`)
  const base = alone.endsWith('/') ? alone.slice(0, -1) : alone
  return ({ request: { path } }) => {
    const taken = replaceableLength(paths, path)
    if (taken < 0) return path
    const rest = path.slice(taken)
    return rest === '' ? alone : `${base}${rest}`
  }
}

function regexChange(given: NonNullable<Rewrite['regex']>, path: string): CompiledTemplate {
  const { pattern, replace } = objectOption(given, path)
  const regex = linearRegex(pattern, { path: `${path}.pattern` })
  const parts = replacementParts(replace, regex.groups, `${path}.replace`)
  const replacement = (groups: readonly (string | undefined)[]): string => {
    let text = ''
    for (const part of parts) text += typeof part === 'string' ? part : (groups[part] ?? '')
    return text
  }
  return ({ request: { path } }) => {
    // `OPTIONS *` has no path.
    if (!path.startsWith('/')) return path
    const changed = regex.replace(path, replacement)
    return withoutDots(changed.startsWith('/') ? changed : `/${changed}`)
  }
}

/** Texts, and numbers of groups: `$1`, `\1`, `$&` for the whole match, `$$` for a dollar sign. */
function replacementParts(
  replace: string,
  groups: number,
  path: string,
): readonly (string | number)[] {
  textOption(replace, path)
  if (/[?#\0-\x20\x7f]/.test(replace)) {
    throw invalidOption(path, `${shown(replace)} has a character that no path can have`)
  }
  const parts: (string | number)[] = []
  let end = 0
  for (const found of replace.matchAll(/\$\$|\$&|[$\\](\d{1,2})|[$\\]/g)) {
    const [text, number] = found
    parts.push(replace.slice(end, found.index))
    end = found.index + text.length
    if (text === '$$') parts.push('$')
    else if (text === '$&') parts.push(0)
    else if (number === undefined) {
      throw invalidOption(
        path,
        `${shown(replace)} has ${text} without the number of a group: write $$ for a dollar sign`,
      )
    } else if (Number(number) > groups) {
      throw invalidOption(
        path,
        `${shown(replace)} names group ${number}, but the pattern has ${groups}`,
      )
    } else parts.push(Number(number))
  }
  parts.push(replace.slice(end))
  return parts.filter((part) => part !== '')
}

/**
 * A path that was put together with a client's words. A dot segment in it would lead out of the place that the
 * operator chose, and has no other spelling.
 */
function withoutDots(path: string): string {
  if (!/\/\.\.?(?:\/|$)/.test(path)) return path
  throw new SteelyardError('the path has a dot segment once it is rewritten', {
    code: 'invalid-field',
    source: 'client',
    path: 'path',
  })
}

/** Parts of the request's own path or query go in as they are; everything else is escaped. */
function urlTemplate(text: string, path: string, place: 'path' | 'query'): CompiledTemplate {
  return rendered(templateParts(text, path), (value, part) => {
    if (typeof part !== 'string' && part.kind !== place) return urlComponent(value)
    const safe = urlText(value)
    return place === 'path' ? safe.replaceAll('?', '%3F') : safe
  })
}

/** What a client of that member would write into Host. */
function hostOf({ host, port, address }: Backend): string {
  if (address.startsWith('unix:')) return 'localhost'
  const name = host.includes(':') ? `[${host}]` : host
  return port === 80 || port === 443 ? name : `${name}:${port}`
}
