import { flagOption, invalidOption, objectOption, shown } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import { wholeOption, wordOption } from '../filters/number-option.ts'
import type { AnswerAction, Template } from './action.ts'
import { type LocationTemplate, locationTemplate } from './location.ts'
import { type ReplaceablePath, replaceableLength, replaceablePaths } from './path-prefix.ts'
import type { Match } from './route.ts'
import { urlText } from './url-text.ts'

/** Statuses that redirect (RFC 9110 section 15.4); 307 and 308 keep method and body. */
export type RedirectStatus = 301 | 302 | 303 | 307 | 308

/** What {@link redirect} keeps. */
export interface RedirectOptions {
  /** A target that ends with `/` gets what follows the prefix that the route matched. Default `true`. */
  readonly keepPath?: boolean
  /** A target without a query of its own gets the request's. Default `true`. */
  readonly keepQuery?: boolean
}

const statuses: readonly number[] = [301, 302, 303, 307, 308]

/**
 * Redirects to a path or a URL, which may have variables (see `template`). Under a route for `path('/old/*')`,
 * `redirect('/new/')` replaces the prefix and keeps the rest: `/old/a?b` becomes `/new/a?b`.
 *
 * @throws `invalid-option` for another status, another scheme than http and https, and targets whose host a client could choose.
 */
export function redirect(
  to: Template,
  status: RedirectStatus = 302,
  options: RedirectOptions = {},
): AnswerAction {
  const { keepPath = true, keepQuery = true } = objectOption(options, 'redirect')
  const location = locationTemplate(to, 'redirect.to')
  flagOption(keepQuery, 'redirect.keepQuery')
  const summary = `redirect ${statusOption(status)} to ${to}`
  const unbound = redirecting(summary, status, locator(location, [], keepQuery))
  if (!flagOption(keepPath, 'redirect.keepPath') || !location.isOpen) return unbound
  return Object.freeze({
    ...unbound,
    boundTo: (match: Match) =>
      redirecting(summary, status, locator(location, replaceablePaths(match), keepQuery)),
  })
}

/**
 * Redirects to the same path and query behind another prefix: `https://www.example.com` or `/base`. Octavia's
 * `REDIRECT_PREFIX`.
 *
 * @throws `invalid-option` as {@link redirect}, and for a prefix with a query.
 */
export function redirectPrefix(prefix: Template, status: RedirectStatus = 302): AnswerAction {
  const given = locationTemplate(prefix, 'redirectPrefix.prefix')
  if (given.hasQuery || prefix === '/' || /[?#]/.test(prefix)) {
    throw invalidOption(
      'redirectPrefix.prefix',
      `${shown(prefix)} is no prefix: write https://www.example.com or /base`,
    )
  }
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  const { render } = locationTemplate(`${bare}%{target}`, 'redirectPrefix.prefix')
  return redirecting(`redirect ${statusOption(status)} to ${bare}/…`, status, render)
}

/**
 * Redirects to the same host, path and query by another scheme.
 *
 * @param port - Default: the scheme's own.
 */
export function redirectScheme(
  scheme: 'http' | 'https',
  port?: number,
  status: RedirectStatus = 302,
): AnswerAction {
  wordOption(scheme, ['http', 'https'], 'redirectScheme.scheme')
  if (port !== undefined) wholeOption(port, 'redirectScheme.port', 1, 65_535, 'port')
  const own = port === undefined || port === (scheme === 'https' ? 443 : 80)
  const origin = `${scheme}://%{host}${own ? '' : `:${port}`}`
  const { render } = locationTemplate(`${origin}%{target}`, 'redirectScheme')
  return redirecting(`redirect ${statusOption(status)} to ${scheme}`, status, render)
}

function statusOption(status: RedirectStatus): RedirectStatus {
  if (statuses.includes(status)) return status
  throw invalidOption(
    'redirect.status',
    `${shown(status)} does not redirect: use ${statuses.join(', ')}`,
  )
}

function redirecting(
  summary: string,
  status: RedirectStatus,
  location: (x: Exchange) => string,
): AnswerAction {
  return Object.freeze({
    kind: 'answer',
    summary,
    rank: 'redirect',
    answer: (x: Exchange) => ({ status, headers: { location: location(x) }, reason: 'redirected' }),
  })
}

function locator(
  { render, hasQuery }: LocationTemplate,
  paths: readonly ReplaceablePath[],
  keepQuery: boolean,
): (x: Exchange) => string {
  return (x) => {
    const { path, query } = x.request
    const taken = replaceableLength(paths, path)
    const target = render(x)
    // The template ends with the slash that the rest begins with.
    const rest = taken < 0 ? '' : path.slice(taken + 1)
    const whole = `${target}${urlText(rest)}`
    const safe = whole.startsWith('//') ? whole.replace(/^\/+/, '/') : whole
    if (!keepQuery || hasQuery || query === undefined) return safe
    const [before = '', ...fragment] = safe.split('#')
    return [`${before}?${urlText(query)}`, ...fragment].join('#')
  }
}
