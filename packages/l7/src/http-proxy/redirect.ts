import type { ClientRequest, IncomingMessage } from 'node:http'
import { plainAuthority } from '../filters/rewrite-location/url-text.ts'
import type { OutgoingHeaders } from './outgoing-headers.ts'
import type { ProxySettings, RedirectSettings } from './settings.ts'
import { type Target, targetOption } from './target.ts'
import { headersOf } from './upstream-request.ts'

/** Where a redirect leads. */
export interface Redirect {
  readonly target: Target
  readonly method: string
  readonly path: string
  readonly headers: OutgoingHeaders
  readonly settings: ProxySettings
  /** The body has to be sent again. */
  readonly keepsBody: boolean
}

/** Most of a body that is kept in case it must be sent again. */
export const longestReplay = 1_048_576

/**
 * Where to go on; undefined when the redirect is the client's to follow: another host than allowed, a step from https
 * to http, or no URL at all (RFC 9110 section 15.4). Credentials are for the host that they were meant for.
 */
export function redirectOf(
  answer: IncomingMessage,
  request: ClientRequest,
  target: Target,
  settings: ProxySettings,
  { hosts }: RedirectSettings,
): Redirect | undefined {
  const { statusCode = 0, headers } = answer
  const { location } = headers
  if (location === undefined || !redirects.has(statusCode)) return undefined
  const scheme = target.secure ? 'https' : 'http'
  const base = `${scheme}://${target.authority}${request.path.startsWith('/') ? request.path : '/'}`
  if (!URL.canParse(location, base)) return undefined
  const url = new URL(location, base)
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    return undefined
  if (target.secure && url.protocol === 'http:') return undefined
  const sameOrigin = url.origin === new URL(base).origin
  const host = plainAuthority(url.host, url.protocol.slice(0, -1))
  if (!sameOrigin && (host === undefined || !hosts.has(host))) return undefined

  const becomesGet =
    (statusCode === 303 && request.method !== 'HEAD') ||
    ((statusCode === 301 || statusCode === 302) && request.method === 'POST')
  const next = Object.create(null) as OutgoingHeaders
  for (const [name, value] of Object.entries(headersOf(request))) {
    if (becomesGet && ofBody.has(name)) continue
    if (!sameOrigin && ofOrigin.has(name)) continue
    next[name] = value
  }
  if (!sameOrigin) next['host'] = url.host
  return {
    target: sameOrigin ? target : targetOption(url, 'location'),
    method: becomesGet ? 'GET' : request.method,
    path: url.pathname + url.search,
    headers: next,
    settings: sameOrigin ? settings : { ...settings, auth: undefined },
    keepsBody: !becomesGet,
  }
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const ofBody: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-type',
  'transfer-encoding',
])
const ofOrigin: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'host',
  'proxy-authorization',
])
