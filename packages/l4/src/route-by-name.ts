import { invalidOption, listOption, objectOption, oneOrMore, shown } from '@steelyard/core'
import { parseNamePattern } from './tls/server-name.ts'

/** Where connections for some server names go. */
export interface NameRule<T> {
  /**
   * Server names: exact ones, or `*.example.com` for every name below `example.com` at any depth (not
   * `example.com` itself).
   */
  readonly sni: string | readonly string[]
  /** Only clients that offer one of these application protocols. Default: any, also none. */
  readonly alpn?: string | readonly string[]
  readonly target: T
}

/** A routing table by what a ClientHello says. For each of the last three, `null` refuses. */
export interface NameRoutes<T> {
  readonly rules: readonly NameRule<T>[]
  /** For names that no rule has. Default `null`. */
  readonly default?: T | null
  /** For clients that send no server name, or none that is a host name. Default: as `default`. */
  readonly absent?: T | null
  /**
   * For clients with Encrypted Client Hello whose outer name no rule has. With a rule the outer name
   * decides: most clients that say ECH only pretend it (GREASE), and mean the name. Default: as `default`.
   */
  readonly encrypted?: T | null
}

/** What was decided for one client, and why. */
export interface NameRoute<T> {
  readonly target: T
  readonly by: 'exact' | 'wildcard' | 'default' | 'absent' | 'encrypted'
  /** The name or pattern of the rule; empty without rule. */
  readonly name: string
}

/** What of a ClientHello is asked. */
export interface NamedHello {
  readonly serverName: string | undefined
  readonly alpn: readonly string[]
  readonly encrypted: boolean
}

/** A compiled {@link NameRoutes}. */
export interface NameRouter<T> {
  /** Each target once. */
  readonly targets: readonly T[]
  /** Where this client goes, or `undefined` when it is refused. Allocates nothing. */
  route(hello: NamedHello): NameRoute<T> | undefined
}

interface Entry<T> {
  readonly route: NameRoute<T>
  /** Empty: any. */
  readonly alpn: readonly string[]
}

/**
 * Compiles a routing table: the exact name first, then the longest wildcard, then the default. Among the
 * rules of one name or wildcard the first whose protocol the client offers wins; when none does, the
 * search goes on with the next shorter wildcard.
 *
 * @throws `invalid-option` for what is no name, and for rules that could never win.
 */
export function nameRouter<T>(routes: NameRoutes<T>, path = 'routes'): NameRouter<T> {
  const exact = new Map<string, Entry<T>[]>()
  const wildcard = new Map<string, Entry<T>[]>()
  listOption(objectOption(routes, path).rules, `${path}.rules`).forEach((item, index) => {
    const at = `${path}.rules[${index}]`
    const rule = objectOption(item, at)
    const alpn = rule.alpn === undefined ? [] : oneOrMore(rule.alpn)
    for (const protocol of alpn) {
      if (typeof protocol === 'string' && protocol !== '') continue
      throw invalidOption(`${at}.alpn`, `${shown(protocol)} is no name of a protocol`)
    }
    for (const pattern of oneOrMore(rule.sni)) {
      const { name, isWildcard } = parseNamePattern(pattern, `${at}.sni`)
      const entries = isWildcard ? wildcard : exact
      const before = entries.get(name) ?? []
      if (before.some((entry) => covers(entry.alpn, alpn))) {
        throw invalidOption(`${at}.sni`, `${shown(pattern)} was routed by an earlier rule`)
      }
      const by = isWildcard ? 'wildcard' : 'exact'
      const route: NameRoute<T> = Object.freeze({
        target: rule.target,
        by,
        name: isWildcard ? `*.${name}` : name,
      })
      entries.set(name, [...before, { route, alpn }])
    }
  })
  const otherwise = fallback(routes.default, 'default')
  const absent = routes.absent === undefined ? otherwise : fallback(routes.absent, 'absent')
  const encrypted =
    routes.encrypted === undefined ? otherwise : fallback(routes.encrypted, 'encrypted')
  const all = [...routes.rules.map(({ target }) => target)]
  for (const route of [otherwise, absent, encrypted])
    if (route !== undefined) all.push(route.target)
  return Object.freeze({
    targets: [...new Set(all)],
    route(hello: NamedHello): NameRoute<T> | undefined {
      const { serverName, alpn } = hello
      if (serverName !== undefined) {
        let found = choose(exact.get(serverName), alpn)
        for (let dot = 0; found === undefined && wildcard.size > 0; ) {
          dot = serverName.indexOf('.', dot) + 1
          if (dot === 0) break
          found = choose(wildcard.get(serverName.slice(dot)), alpn)
        }
        if (found !== undefined) return found
      }
      if (hello.encrypted) return encrypted
      return serverName === undefined ? absent : otherwise
    },
  })
}

function choose<T>(
  entries: readonly Entry<T>[] | undefined,
  offered: readonly string[],
): NameRoute<T> | undefined {
  if (entries === undefined) return undefined
  for (const { route, alpn } of entries) {
    if (alpn.length === 0) return route
    for (const protocol of alpn) if (offered.includes(protocol)) return route
  }
  return undefined
}

/** Does the earlier rule take every client that the later one could? */
function covers(earlier: readonly string[], later: readonly string[]): boolean {
  if (earlier.length === 0) return true
  return later.length > 0 && later.every((protocol) => earlier.includes(protocol))
}

function fallback<T>(
  target: T | null | undefined,
  by: 'default' | 'absent' | 'encrypted',
): NameRoute<T> | undefined {
  return target === null || target === undefined
    ? undefined
    : Object.freeze({ target, by, name: '' })
}
