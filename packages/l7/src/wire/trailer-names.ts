import type { Head } from './head.ts'

/**
 * Fields that mean something else, or something dangerous, when they come behind the body (RFC 9110 section 6.5.1):
 * framing, routing, conditions and other modifiers of the request, authentication, control data of the response, how
 * the content is to be read, the connection's own, and what says who the client is.
 */
const forbidden: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'age',
  'authentication-info',
  'authorization',
  'cache-control',
  'cf-connecting-ip',
  'clear-site-data',
  'client-cert',
  'client-cert-chain',
  'connection',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-security-policy',
  'content-type',
  'cookie',
  'cookie2',
  'date',
  'expect',
  'expires',
  'fastly-client-ip',
  'forwarded',
  'from',
  'front-end-https',
  'host',
  'http2-settings',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'proxy-status',
  'range',
  'referer',
  'retry-after',
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'true-client-ip',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-http-method-override',
  'x-real-ip',
  'x-rewrite-url',
  'x-scheme',
  'x-url-scheme',
])

/**
 * May a field of this name not come as a trailer? Names with `_`, dots or several hyphens are what they would be with
 * one: some peers take them for the same.
 */
export function isForbiddenTrailer(name: string): boolean {
  const lower = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9:]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  return (
    forbidden.has(lower) ||
    lower.startsWith('x-forwarded') ||
    lower.startsWith('x-original-') ||
    lower.startsWith('x-ssl-') ||
    lower.startsWith('access-control-') ||
    lower.startsWith('sec-') ||
    lower.startsWith(':')
  )
}

/** Drops the lines of forbidden names; returns how many are left. */
export function dropForbiddenTrailers(trailers: Head): number {
  let left = 0
  for (let i = 0; i < trailers.count; i++) {
    if (trailers.ids[i] === -1) continue
    if (isForbiddenTrailer(trailers.nameAt(i))) trailers.drop(i)
    else left += 1
  }
  return left
}
