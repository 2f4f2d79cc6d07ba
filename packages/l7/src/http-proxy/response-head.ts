import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  attributeOf,
  readSetCookie,
  withAttribute,
  writeSetCookie,
} from '../filters/cookie-text.ts'
import { plainAuthority, readUrl } from '../filters/rewrite-location/url-text.ts'
import { endsHere, listedAway } from './outgoing-headers.ts'
import type { ProxySettings } from './settings.ts'
import type { Target } from './target.ts'

/**
 * Makes the target's status and fields the client's. Listeners of `proxyRes` may have changed `answer.headers`, which
 * goes before what came.
 */
export function copyHead(
  req: IncomingMessage,
  res: ServerResponse,
  answer: IncomingMessage,
  target: Target,
  settings: ProxySettings,
): void {
  const { headers, rawHeaders, statusCode = 502 } = answer
  const listed = listedAway(headers)
  const names = settings.preserveHeaderKeyCase ? writtenNames(rawHeaders) : undefined
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    const lower = name.toLowerCase()
    if (value === undefined || listed?.has(lower) === true) continue
    if (lower === 'content-length') {
      // Such a response has no body whatever it says (RFC 9110 section 8.6).
      if (statusCode !== 204) res.setHeader(names?.get(lower) ?? name, value)
      continue
    }
    if (endsHere(lower, settings.toProxy)) continue
    res.setHeader(
      names?.get(lower) ?? name,
      edited(lower, value, req, statusCode, target, settings),
    )
  }
  res.statusCode = statusCode
  if (req.httpVersionMajor === 1 && answer.statusMessage) res.statusMessage = answer.statusMessage
}

function writtenNames(raw: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (let i = 0; i < raw.length; i += 2) names.set(raw[i]!.toLowerCase(), raw[i]!)
  return names
}

function edited(
  lower: string,
  value: string | string[],
  req: IncomingMessage,
  status: number,
  target: Target,
  settings: ProxySettings,
): string | string[] {
  if (lower === 'set-cookie') {
    const { cookieDomainRewrite: domains, cookiePathRewrite: paths } = settings
    if (domains === undefined && paths === undefined) return value
    return (typeof value === 'string' ? [value] : value).map((line) =>
      editedCookie(line, domains, paths),
    )
  }
  if (lower === 'location' && typeof value === 'string' && rewritten.has(status)) {
    return editedLocation(value, req, target, settings)
  }
  return value
}

const rewritten: ReadonlySet<number> = new Set([201, 301, 302, 307, 308])

function editedLocation(
  location: string,
  req: IncomingMessage,
  target: Target,
  { hostRewrite, autoRewrite, protocolRewrite }: ProxySettings,
): string {
  if (hostRewrite === undefined && !autoRewrite && protocolRewrite === undefined) return location
  const url = readUrl(location)
  if (url === undefined) return location
  const scheme = url.scheme === '' ? (target.secure ? 'https' : 'http') : url.scheme
  // Another host's URL is meant as it is.
  if (plainAuthority(url.authority, scheme) !== plainAuthority(target.authority, scheme)) {
    return location
  }
  const host = hostRewrite ?? (autoRewrite ? req.headers.host : undefined) ?? url.authority
  const by = protocolRewrite ?? url.scheme
  return `${by === '' ? '' : `${by}:`}//${host}${url.rest}`
}

function editedCookie(
  line: string,
  domains: ReadonlyMap<string, string> | undefined,
  paths: ReadonlyMap<string, string> | undefined,
): string {
  const read = readSetCookie(line)
  if (read === undefined) return line
  let cookie = read
  for (const [name, map] of [
    ['Domain', domains],
    ['Path', paths],
  ] as const) {
    const before = attributeOf(cookie, name.toLowerCase())?.value
    if (map === undefined || before === undefined) continue
    const instead = map.get(before) ?? map.get('*')
    if (instead === undefined || instead === before) continue
    cookie = withAttribute(cookie, name, instead === '' ? null : instead)
  }
  return cookie === read ? line : writeSetCookie(cookie)
}
