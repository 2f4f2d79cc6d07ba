import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { claimNames, claimPrefixes } from '../gate/claimed-fields.ts'
import { dropListed } from '../gate/connection-options.ts'
import { Alias, aliasKind } from '../gate/field-alias.ts'
import { ascii } from '../wire/ascii.ts'
import { isToken } from '../wire/checked-field.ts'
import { Head } from '../wire/head.ts'
import type { RequestHead } from '../wire/request-head.ts'
import type { ProxySettings } from './settings.ts'
import type { Target } from './target.ts'

/** Fields of a request as `http.request()` takes them. */
export type OutgoingHeaders = Record<string, string | string[]>

/** What is between two neighbours alone (RFC 9110 section 7.6.1), and what frames a message: both are written anew. */
const between: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const credentials: ReadonlySet<string> = new Set(['proxy-authenticate', 'proxy-authorization'])
const claims: ReadonlySet<string> = new Set(claimNames)

/** Does the field end here, in either direction? Proxies' credentials go on `toProxy`. */
export function endsHere(lowerName: string, toProxy: boolean): boolean {
  return between.has(lowerName) || (!toProxy && credentials.has(lowerName))
}

/** How a body is framed towards the target. */
export interface Framing {
  /** There is a body to send. */
  readonly hasBody: boolean
  /** What must be set; both undefined for a request that by its method has no body. */
  readonly contentLength: string | undefined
  readonly chunked: boolean
}

/**
 * Framing is said always, for Node leaves it out for methods that rarely have a body, and what is sent then becomes the
 * next request.
 *
 * @param buffer - the body comes from elsewhere.
 */
export function framingOf(head: RequestHead, method: string, buffer: boolean): Framing {
  const { bodyLength } = head
  if (bodyLength > 0) {
    return { hasBody: true, contentLength: String(bodyLength), chunked: false }
  }
  if (bodyLength < 0 || buffer) return { hasBody: true, contentLength: undefined, chunked: true }
  const silent = method === 'GET' || method === 'HEAD'
  return { hasBody: false, contentLength: silent ? undefined : '0', chunked: false }
}

/**
 * The fields of the request to the target: those of `req.headers`, which middleware may have changed, without what ends
 * here, without names that pretend to be others, and with what the options add.
 */
export function outgoingHeaders(
  req: IncomingMessage,
  head: RequestHead,
  target: Target,
  settings: ProxySettings,
  framing: Framing,
): OutgoingHeaders {
  const { toProxy, xfwd } = settings
  const incoming = req.headers
  const headers: OutgoingHeaders = Object.create(null) as OutgoingHeaders
  const listed = listedAway(incoming)
  for (const name of Object.keys(incoming)) {
    const value = incoming[name]
    if (value === undefined || name.startsWith(':')) continue
    const lower = name.toLowerCase()
    if (endsHere(lower, toProxy) || listed?.has(lower) === true || isDisguised(lower)) continue
    if (xfwd === 'replace' && isClaim(lower)) continue
    headers[lower] = value
  }
  if (head.version === 20 && headers['host'] === undefined && head.authority !== '') {
    headers['host'] = head.authority
  }
  if (xfwd !== 'off') tellOfClient(headers, req, head, xfwd === 'append')
  if (settings.changeOrigin) headers['host'] = target.authority
  if (head.acceptsTrailers) headers['te'] = 'trailers'
  if (framing.contentLength !== undefined) headers['content-length'] = framing.contentLength
  else if (framing.chunked) headers['transfer-encoding'] = 'chunked'
  if (head.upgrade !== '') {
    headers['connection'] = 'Upgrade'
    headers['upgrade'] = head.upgrade
  }
  for (const [name, value] of settings.headers) headers[name] = value
  return headers
}

/** Names in Connection that are meant for us alone; undefined for none, as nearly always. */
export function listedAway(headers: IncomingHttpHeaders): ReadonlySet<string> | undefined {
  const { connection } = headers
  if (typeof connection !== 'string') return undefined
  if (/^(?:keep-alive|close|upgrade|keep-alive, upgrade)$/i.test(connection)) return undefined
  const tokens = connection
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter(isToken)
  const head = new Head(256, 8)
  head.add('connection', tokens.join(', '))
  for (const token of tokens) if (token !== 'connection') head.add(token, '1')
  dropListed(head)
  return new Set(tokens.filter((token) => token !== 'connection' && !head.has(token)))
}

/** `x_forwarded_for`, `Transfer__Encoding`: read as another field by whoever takes separators for one. */
function isDisguised(lower: string): boolean {
  if (/^[a-z\d]+(?:-[a-z\d]+)*$/.test(lower)) return false
  if (!isToken(lower)) return true
  const kind = aliasKind(ascii(lower), 0, lower.length)
  return kind === Alias.framing || kind === Alias.trusted
}

function isClaim(lower: string): boolean {
  return claims.has(lower) || claimPrefixes.some((prefix) => lower.startsWith(prefix))
}

function tellOfClient(
  headers: OutgoingHeaders,
  req: IncomingMessage,
  head: RequestHead,
  append: boolean,
): void {
  const encrypted = (req.socket as Partial<TLSSocket>).encrypted === true
  const upgrade = head.upgrade !== ''
  const scheme = `${upgrade ? 'ws' : 'http'}${encrypted ? 's' : ''}`
  const port = /:(\d+)$/.exec(req.headers.host ?? head.authority)?.[1] ?? (encrypted ? '443' : '80')
  const host = req.headers.host ?? head.authority
  for (const [name, value] of [
    ['x-forwarded-for', clientAddress(req)],
    ['x-forwarded-port', port],
    ['x-forwarded-proto', scheme],
  ] as const) {
    const before = append ? headers[name] : undefined
    if (value === '') continue
    headers[name] = before === undefined ? value : `${String(before)},${value}`
  }
  if (host !== '' && !(append && headers['x-forwarded-host'] !== undefined)) {
    headers['x-forwarded-host'] = host
  }
}

/** IPv4 as itself also where the listener has both families; without the interface of a link-local address. */
function clientAddress(req: IncomingMessage): string {
  const address = req.socket.remoteAddress ?? ''
  return address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*$/, '')
}
