import { type Clock, type Duration, flagOption, objectOption } from '@steelyard/core'
import type { Exchange } from '../../exchange/exchange.ts'
import { cookiePairs, isRemoval, readSetCookie } from '../cookie-text.ts'
import { tokenOption } from '../field-option.ts'
import { wholeOption } from '../number-option.ts'
import type { SessionPersistence } from './session-persistence.ts'
import { sessionTable } from './session-table.ts'

/** How {@link learnedCookie} learns. */
export interface LearnedCookieOptions {
  /** The application's cookie. */
  readonly name: string
  /** The name is only how it begins, and what follows belongs to the session: `ASPSESSIONID` and the like. Default `false`. */
  readonly prefixMode?: boolean
  /** For clients without cookies: the session is also looked for in this query parameter, and in a path parameter such as `;jsessionid=`. Default: nowhere else. */
  readonly parameter?: string
  /** Characters of the value that tell sessions apart; what follows is not looked at. Default 64. */
  readonly length?: number
  /** How long a session is remembered after it was last seen. Default `1h`. */
  readonly timeout?: Duration
  /** Sessions there is room for; beyond it the one not seen for the longest time is forgotten. Default 10000. */
  readonly maxEntries?: number
  readonly clock?: Clock
}

/**
 * Keeps each session of the application with the member that began it: learns the value of a cookie from the
 * responses that set it, and looks requests up by it (Octavia's APP_COOKIE, nginx's `sticky learn`). Nothing is added
 * to messages.
 *
 * @example
 * ```ts
 * import { learnedCookie } from '@steelyard/l7'
 *
 * const sessions = learnedCookie({ name: 'JSESSIONID', parameter: 'jsessionid', timeout: '30m' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function learnedCookie(
  options: LearnedCookieOptions,
  path = 'learnedCookie',
): SessionPersistence {
  objectOption(options, path)
  const name = tokenOption(options.name, `${path}.name`)
  const prefixMode = flagOption(options.prefixMode ?? false, `${path}.prefixMode`)
  const parameter =
    options.parameter === undefined
      ? undefined
      : tokenOption(options.parameter, `${path}.parameter`)
  const length = wholeOption(options.length ?? 64, `${path}.length`, 1, 4096, 'length')
  const table = sessionTable(options, path, { timeout: '1h', maxEntries: 10_000 })

  function keyOf(cookie: string, value: string): string | undefined {
    if (value === '') return undefined
    if (!prefixMode) return cookie === name ? value.slice(0, length) : undefined
    if (!cookie.startsWith(name)) return undefined
    return `${cookie.slice(name.length)}=${value}`.slice(0, length)
  }

  function keyOfRequest({ request }: Exchange): string | undefined {
    if (prefixMode) {
      for (const line of request.headerAll('cookie')) {
        for (const [cookie, value] of cookiePairs(line)) {
          const key = keyOf(cookie, value)
          if (key !== undefined) return key
        }
      }
    } else {
      const key = keyOf(name, request.cookie(name) ?? '')
      if (key !== undefined) return key
    }
    if (parameter === undefined) return undefined
    const value = request.queryParameter(parameter) ?? pathParameter(request.path, parameter)
    return value === undefined || value === '' ? undefined : value.slice(0, length)
  }

  return {
    name: 'learned-cookie',
    get size() {
      return table.size
    },
    export: table.export,
    import: table.import,

    prefer(x, pool) {
      const key = keyOfRequest(x)
      return key === undefined ? undefined : table.lookup(pool, key)
    },

    responseHead(head, x) {
      const { backend, pool } = x
      if (backend === undefined || pool === undefined || !head.has('set-cookie')) return
      for (const line of head.all('set-cookie')) {
        const cookie = readSetCookie(line)
        if (cookie === undefined || isRemoval(cookie)) continue
        const key = keyOf(cookie.name, cookie.value)
        if (key !== undefined) table.assign(pool, key, backend.id)
      }
    },
  }
}

/** The value behind `;name=` in a path. */
function pathParameter(path: string, name: string): string | undefined {
  const start = path.toLowerCase().lastIndexOf(`;${name.toLowerCase()}=`)
  if (start < 0) return undefined
  const rest = path.slice(start + name.length + 2)
  return /^[^;/]*/.exec(rest)?.[0]
}
