import type { Target } from './target.ts'

/** What {@link outgoingPath} goes by. */
export interface PathSettings {
  readonly prependPath: boolean
  readonly ignorePath: boolean
  readonly toProxy: boolean
}

/**
 * The request target that the target is asked for: its own path and the request's, with one slash between them and
 * their queries joined. Nothing else is changed, slashes within the path neither: who has matched the path upstream of
 * us has matched what is sent.
 *
 * @param url - of the request, whatever middleware has made of it.
 */
export function outgoingPath(url: string, target: Target, settings: PathSettings): string {
  const asked = settings.ignorePath ? '' : settings.toProxy ? url : originForm(url)
  const { pathname, search } = settings.prependPath ? target : nowhere
  if (asked === '') return `${pathname === '' ? '/' : pathname}${search}`
  const base = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
  // An absolute URL for a proxy, or `*`.
  if (base === '' && search === '' && (!settings.prependPath || asked === '*')) {
    return /^(?:[/*]|https?:)/i.test(asked) ? asked : `/${asked}`
  }
  const joined = `${base}${asked.startsWith('/') ? '' : '/'}${asked}`
  if (search === '' || search === '?') return joined
  const question = joined.indexOf('?')
  if (question < 0) return joined + search
  return `${joined.slice(0, question)}${search}&${joined.slice(question + 1)}`
}

const nowhere = { pathname: '', search: '' } as const

/** A URL without scheme and authority, beginning with `/`; `*` stays. */
export function originForm(url: string): string {
  if (url.startsWith('/') || url === '*') return url
  const absolute = /^https?:\/\/[^/?#]*/i.exec(url)
  const rest = absolute === null ? url : url.slice(absolute[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}
