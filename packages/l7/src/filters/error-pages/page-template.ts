import { STATUS_CODES } from 'node:http'
import { invalidOption, shown } from '@steelyard/core'
import type { Exchange } from '../../exchange/exchange.ts'

/** A page's text with its variables filled in. */
export type PageTemplate = (status: number, x: Exchange) => string

/** In whose text a variable stands: it is escaped for it. */
export type PageKind = 'html' | 'json' | 'text'

type Variable = (status: number, x: Exchange) => string

const variables: Readonly<Record<string, Variable>> = {
  status: (status) => String(status),
  reason: (status) => reasonOf(status),
  id: (_, x) => x.id,
  host: (_, x) => x.request.host,
  method: (_, x) => x.request.method,
  path: (_, x) => x.request.path,
  client: (_, x) => x.request.client,
  route: (_, x) => x.route ?? '',
  listener: (_, x) => x.listener,
}

const longest = 1_048_576

/** The phrase that belongs to a status (RFC 9110 section 15). */
export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? 'Error'
}

/**
 * Compiles a page. Its variables are `%{status}`, `%{reason}`, `%{id}`, `%{host}`, `%{method}`, `%{path}`,
 * `%{client}`, `%{route}` and `%{listener}`; `%%` is a percent sign, and one before anything else stands for itself.
 * Their values are escaped: what a client sent cannot become markup.
 *
 * @throws `invalid-option` for a variable that there is not, and for more than a mebibyte.
 */
export function pageTemplate(text: string, kind: PageKind, path: string): PageTemplate {
  if (typeof text !== 'string') throw invalidOption(path, `${shown(text)} is not a text`)
  if (text.length > longest)
    throw invalidOption(path, `a page of ${text.length} characters is too long`)
  const escape = escapes[kind]
  const parts: (string | Variable)[] = []
  let at = 0
  for (const match of text.matchAll(/%%|%\{([^{}]*)\}/g)) {
    parts.push(text.slice(at, match.index))
    at = match.index + match[0].length
    const [, name] = match
    if (name === undefined) {
      parts.push('%')
      continue
    }
    if (!Object.hasOwn(variables, name)) {
      throw invalidOption(
        path,
        `%{${shown(name).slice(1, -1)}} is no variable of a page: use ${Object.keys(variables).join(', ')}`,
      )
    }
    const variable = variables[name]!
    parts.push((status, x) => escape(variable(status, x)))
  }
  parts.push(text.slice(at))
  return (status, x) => {
    let page = ''
    for (const part of parts) page += typeof part === 'string' ? part : part(status, x)
    return page
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

const escapes: Readonly<Record<PageKind, (value: string) => string>> = {
  html: (value) => value.replaceAll(/[&<>"'`]/g, (char) => entities[char]!),
  // `<` as well: a page of JSON may be looked at as something else.
  json: (value) => JSON.stringify(value).slice(1, -1).replaceAll('<', String.raw`\u003c`),
  text: (value) => value.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?'),
}
