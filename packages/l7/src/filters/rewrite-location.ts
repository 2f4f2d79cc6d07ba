import { flagOption, invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { RequestEditor, ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { type CookieRewriteOptions, cookieRules } from './rewrite-location/cookie-rules.ts'
import {
  type LocationContext,
  type LocationMap,
  type LocationRules,
  locationRules,
} from './rewrite-location/location-rules.ts'
import { plainAuthority } from './rewrite-location/url-text.ts'

/** What {@link rewriteLocation} changes. */
export interface RewriteLocationOptions {
  /**
   * URLs and paths, and what stands instead; the longest that fits wins. A path in `from` is held against references to
   * the member itself: undo here what the route's `rewrite` does.
   */
  readonly map?: readonly LocationMap[]
  /**
   * References to the member itself go to where the client came from: scheme, host and port. These are its address and
   * the Host that it was told. With the client's own host, http becomes https where the client came by https; https
   * stays for clients that came by http, since a step up is meant. Default `true`.
   */
  readonly backend?: boolean
  /** More authorities of the members, such as `internal.example:8080`. Default: none. */
  readonly authorities?: readonly string[]
  /** Domain, path and flags of cookies. Default: as they are. */
  readonly cookies?: CookieRewriteOptions
}

/**
 * Makes what members say about where things are true for the client: Location and Content-Location (RFC 9110 sections
 * 10.2.2 and 8.7), Refresh, and the attributes of cookies, as `ProxyPassReverse` and `proxy_redirect` do. Relative
 * references and foreign URLs stay.
 *
 * @example
 * ```ts
 * import { rewriteLocation } from '@steelyard/l7'
 *
 * const outside = rewriteLocation({
 *   map: [{ from: '/', to: '/shop/' }],
 *   cookies: { path: [{ from: '/', to: '/shop/' }], secure: 'auto' },
 * })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function rewriteLocation(
  options: RewriteLocationOptions = {},
  path = 'rewriteLocation',
): HttpFilter {
  objectOption(options, path)
  const rules = locationRules(options.map ?? [], `${path}.map`)
  const ownToo = flagOption(options.backend ?? true, `${path}.backend`)
  const authorities = listOption(options.authorities ?? [], `${path}.authorities`).map(
    (text, index) => {
      const plain = typeof text === 'string' ? plainAuthority(text, 'http') : undefined
      if (plain !== undefined) return plain
      throw invalidOption(`${path}.authorities[${index}]`, `${shown(text)} is no host or host:port`)
    },
  )
  const cookies =
    options.cookies === undefined ? undefined : cookieRules(options.cookies, `${path}.cookies`)
  const key = {}

  const responseHead = (head: ResponseEditor, x: Exchange): void => {
    if (x.backend === undefined) return
    if (cookies !== undefined && head.has('set-cookie')) {
      const lines = head.all('set-cookie')
      const https = x.request.scheme === 'https'
      const edited = lines.map((line) => cookies.rewrite(line, https))
      if (edited.some((line, index) => line !== lines[index])) {
        head.remove('set-cookie')
        for (const line of edited) head.add('set-cookie', line)
      }
    }
    const location = head.get('location')
    const contentLocation = head.get('content-location')
    const refresh = head.get('refresh')
    if ((location ?? contentLocation ?? refresh) === undefined) return
    const context = contextOf(x, ownToo)
    if (location !== undefined) change(head, 'location', location, rules, context)
    if (contentLocation !== undefined) {
      change(head, 'content-location', contentLocation, rules, context)
    }
    if (refresh !== undefined) changeRefresh(head, refresh, rules, context)
  }

  function contextOf(x: Exchange, withBackend: boolean): LocationContext {
    const { scheme, host, port } = x.request
    const client = port === 0 ? host : `${host}:${port}`
    const plain = host === '' ? '' : (plainAuthority(client, scheme) ?? client)
    const origin = host === '' ? '' : `${scheme}://${plain}`
    if (!withBackend) return { own: authorities, shared: [], origin }
    const own = [...authorities]
    const shared: string[] = host === '' ? [] : [plain]
    // A member that does not know of TLS leaves out a port that it does not know either.
    if (scheme === 'https' && host !== '') shared.push(host)
    const { address, port: backendPort } = x.backend!
    const told = x.recall(key)
    // By either scheme, since nobody knows how the member thinks that it was reached.
    for (const by of ['http', 'https']) {
      if (backendPort > 0) own.push(plainAuthority(address, by) ?? address)
      if (typeof told === 'string') own.push(plainAuthority(told, by) ?? told)
    }
    return { own, shared, origin }
  }

  return {
    name: 'rewrite-location',
    responseHead,
    ...(ownToo
      ? {
          upstreamHead(head: RequestEditor, x: Exchange): void {
            if (head.host !== x.request.host) x.remember(key, head.host)
          },
        }
      : {}),
  }
}

function change(
  head: ResponseEditor,
  name: string,
  value: string,
  rules: LocationRules,
  context: LocationContext,
): void {
  const rewritten = rules.rewrite(value, context)
  if (rewritten !== value) head.set(name, rewritten)
}

/** `5; url=https://…`, as browsers read it. */
function changeRefresh(
  head: ResponseEditor,
  value: string,
  rules: LocationRules,
  context: LocationContext,
): void {
  const match =
    /^([\d.]{1,20}\s{0,8}[;,]\s{0,8}(?:url\s{0,8}=\s{0,8})?)(["']?)(.*?)(\2\s*)$/is.exec(value)
  if (match === null) return
  const [, delay = '', quote = '', url = '', end = ''] = match
  const rewritten = rules.rewrite(url, context)
  if (rewritten !== url) head.set('refresh', `${delay}${quote}${rewritten}${end}`)
}
