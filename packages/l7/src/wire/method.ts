import { latin1 } from './latin1.ts'

/**
 * Methods that may pass: those of IANA's registry and of widespread practice that llhttp knows, so that what we let
 * through every peer can frame.
 */
export const methods: readonly string[] = Object.freeze([
  'ACL',
  'BIND',
  'CHECKOUT',
  'CONNECT',
  'COPY',
  'DELETE',
  'GET',
  'HEAD',
  'LINK',
  'LOCK',
  'M-SEARCH',
  'MERGE',
  'MKACTIVITY',
  'MKCALENDAR',
  'MKCOL',
  'MOVE',
  'NOTIFY',
  'OPTIONS',
  'PATCH',
  'POST',
  'PROPFIND',
  'PROPPATCH',
  'PURGE',
  'PUT',
  'QUERY',
  'REBIND',
  'REPORT',
  'SEARCH',
  'SOURCE',
  'SUBSCRIBE',
  'TRACE',
  'UNBIND',
  'UNLINK',
  'UNLOCK',
  'UNSUBSCRIBE',
])

const longest = Math.max(...methods.map((method) => method.length))

const known: ReadonlyMap<string, string> = new Map(methods.map((method) => [method, method]))

/** One of {@link methods}, as the same string each time; empty for every other token. */
export function methodAt(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start
  // The few that make up nearly all traffic, without making a string first.
  const first = bytes[start]!
  if (length === 3) {
    if (first === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54) return 'GET'
    if (first === 0x50 && bytes[start + 1] === 0x55 && bytes[start + 2] === 0x54) return 'PUT'
  } else if (
    length === 4 &&
    first === 0x50 &&
    bytes[start + 1] === 0x4f &&
    bytes[start + 2] === 0x53 &&
    bytes[start + 3] === 0x54
  ) {
    return 'POST'
  }
  return length > longest ? '' : (known.get(latin1(bytes, start, end)) ?? '')
}

/** Is it one of {@link methods}? */
export function isMethod(text: string): boolean {
  return known.has(text)
}

/** A request without a body says so by `Content-Length: 0`: these methods give a body a meaning (RFC 9110 section 8.6). */
export function expectsBody(method: string): boolean {
  switch (method) {
    case 'POST':
    case 'PUT':
    case 'PATCH':
    case 'QUERY':
    case 'PROPFIND':
    case 'PROPPATCH':
    case 'REPORT':
    case 'SEARCH':
      return true
    default:
      return false
  }
}
