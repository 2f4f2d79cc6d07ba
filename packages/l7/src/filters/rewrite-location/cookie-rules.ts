import { flagOption, invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import { attributeOf, readSetCookie, withAttribute, writeSetCookie } from '../cookie-text.ts'
import { wordOption } from '../number-option.ts'
import { mapPath, type PathMap } from './url-text.ts'

/** How cookies of members are made to fit what the client sees. */
export interface CookieRewriteOptions {
  /** Domains and what stands instead; `*` for all others, an empty text removes the attribute. Case and a leading dot do not matter. */
  readonly domain?: Readonly<Record<string, string>>
  /** Path prefixes and what stands instead; the longest that fits wins. */
  readonly path?: readonly PathMap[]
  /** Sets or removes Secure; `auto`: sets it when the client came by https. Default: as it is. */
  readonly secure?: boolean | 'auto'
  /** Sets or removes HttpOnly. Default: as it is. */
  readonly httpOnly?: boolean
  /** Sets SameSite where there is none, or replaces it by {@link CookieRewriteOptions.forceSameSite}. Default: as it is. */
  readonly sameSite?: 'Strict' | 'Lax' | 'None'
  /** Replaces a SameSite that is there. Default `false`. */
  readonly forceSameSite?: boolean
  /** Which cookies, by name. Default: all. */
  readonly names?: readonly string[]
}

/** Changes Set-Cookie lines. */
export interface CookieRules {
  /** The same text when there is nothing to change. */
  rewrite(line: string, https: boolean): string
}

/**
 * Reads {@link CookieRewriteOptions}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function cookieRules(options: CookieRewriteOptions, path: string): CookieRules {
  objectOption(options, path)
  const domains = domainsOf(options.domain ?? {}, `${path}.domain`)
  const paths = pathsOf(options.path ?? [], `${path}.path`)
  const { secure, httpOnly, sameSite } = options
  if (secure !== undefined && secure !== 'auto') flagOption(secure, `${path}.secure`)
  if (httpOnly !== undefined) flagOption(httpOnly, `${path}.httpOnly`)
  if (sameSite !== undefined) {
    wordOption(sameSite, ['Strict', 'Lax', 'None'], `${path}.sameSite`)
  }
  const force = flagOption(options.forceSameSite ?? false, `${path}.forceSameSite`)
  const names =
    options.names === undefined ? undefined : new Set(listOption(options.names, `${path}.names`))

  return {
    rewrite(line, https) {
      const read = readSetCookie(line)
      if (read === undefined || names?.has(read.name) === false) return line
      let cookie = read
      const domain = attributeOf(cookie, 'domain')?.value
      if (domain !== undefined && domains.size > 0) {
        const plain = domain.toLowerCase().replace(/^\./, '')
        const instead = domains.get(plain) ?? domains.get('*')
        if (instead !== undefined && instead !== domain) {
          cookie = withAttribute(cookie, 'Domain', instead === '' ? null : instead)
        }
      }
      const cookiePath = attributeOf(cookie, 'path')?.value
      if (cookiePath?.startsWith('/') === true) {
        const mapped = mapPath(cookiePath, paths)
        if (mapped !== undefined && mapped !== cookiePath) {
          cookie = withAttribute(cookie, 'Path', mapped === '' ? '/' : mapped)
        }
      }
      cookie = withFlag(cookie, 'Secure', secure === 'auto' ? https || undefined : secure)
      cookie = withFlag(cookie, 'HttpOnly', httpOnly)
      if (sameSite !== undefined && (force || attributeOf(cookie, 'samesite') === undefined)) {
        cookie = withAttribute(cookie, 'SameSite', sameSite)
      }
      return cookie === read ? line : writeSetCookie(cookie)
    },
  }
}

function withFlag(
  cookie: NonNullable<ReturnType<typeof readSetCookie>>,
  name: string,
  wanted: boolean | undefined,
): NonNullable<ReturnType<typeof readSetCookie>> {
  const there = attributeOf(cookie, name.toLowerCase()) !== undefined
  if (wanted === undefined || wanted === there) return cookie
  return withAttribute(cookie, name, wanted ? undefined : null)
}

function domainsOf(
  given: Readonly<Record<string, string>>,
  path: string,
): ReadonlyMap<string, string> {
  const domains = new Map<string, string>()
  for (const [from, to] of Object.entries(objectOption(given, path))) {
    if (from !== '*' && !/^[0-9a-z.-]{1,255}$/i.test(from)) {
      throw invalidOption(path, `${shown(from)} is no domain`)
    }
    if (typeof to !== 'string' || !/^[0-9a-z.-]{0,255}$/i.test(to)) {
      throw invalidOption(`${path}.${from}`, `${shown(to)} is no domain, nor an empty text`)
    }
    domains.set(from.toLowerCase().replace(/^\./, ''), to)
  }
  return domains
}

function pathsOf(given: readonly PathMap[], path: string): readonly PathMap[] {
  return listOption(given, path)
    .map((entry, index) => {
      const at = `${path}[${index}]`
      const { from, to } = objectOption(entry, at)
      for (const [field, value] of [
        ['from', from],
        ['to', to],
      ] as const) {
        if (typeof value !== 'string' || !/^\/[\x20-\x3a\x3c-\x7e]{0,1023}$/.test(value)) {
          throw invalidOption(`${at}.${field}`, `${shown(value)} is no path of a cookie`)
        }
      }
      return { from, to }
    })
    .sort((a, b) => b.from.length - a.from.length)
}
