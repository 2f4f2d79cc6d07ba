import { ascii } from './ascii.ts'

/**
 * Header fields that the proxy itself looks at, as numbers, so that a parsed line is recognised once. Names that
 * differ only by `_` for `-` are not these fields.
 */
export const Field = {
  unknown: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  te: 6,
  trailer: 7,
  expect: 8,
  keepAlive: 9,
  proxyConnection: 10,
  proxyAuthorization: 11,
  proxyAuthenticate: 12,
  http2Settings: 13,
  via: 14,
  forwarded: 15,
  xForwardedFor: 16,
  xForwardedProto: 17,
  xForwardedHost: 18,
  xForwardedPort: 19,
  xRealIp: 20,
  cookie: 21,
  setCookie: 22,
  authorization: 23,
  contentType: 24,
  contentEncoding: 25,
  acceptEncoding: 26,
  date: 27,
  server: 28,
  location: 29,
  etag: 30,
  vary: 31,
  cacheControl: 32,
  contentRange: 33,
  maxForwards: 34,
  proxyStatus: 35,
  traceparent: 36,
  secWebSocketKey: 37,
  secWebSocketAccept: 38,
  grpcStatus: 39,
  origin: 40,
  xForwardedPrefix: 41,
  xRequestId: 42,
  // Of these the proxy asks nothing: that nearly every message has them is reason enough to know them at once.
  accept: 43,
  acceptLanguage: 44,
  acceptRanges: 45,
  age: 46,
  expires: 47,
  ifModifiedSince: 48,
  ifNoneMatch: 49,
  lastModified: 50,
  pragma: 51,
  priority: 52,
  range: 53,
  referer: 54,
  secFetchDest: 55,
  secFetchMode: 56,
  secFetchSite: 57,
  secFetchUser: 58,
  strictTransportSecurity: 59,
  upgradeInsecureRequests: 60,
  userAgent: 61,
} as const

/** The names in lower case, by number. */
export const fieldNames: readonly string[] = Object.freeze([
  '',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'http2-settings',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'cookie',
  'set-cookie',
  'authorization',
  'content-type',
  'content-encoding',
  'accept-encoding',
  'date',
  'server',
  'location',
  'etag',
  'vary',
  'cache-control',
  'content-range',
  'max-forwards',
  'proxy-status',
  'traceparent',
  'sec-websocket-key',
  'sec-websocket-accept',
  'grpc-status',
  'origin',
  'x-forwarded-prefix',
  'x-request-id',
  'accept',
  'accept-language',
  'accept-ranges',
  'age',
  'expires',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'pragma',
  'priority',
  'range',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'strict-transport-security',
  'upgrade-insecure-requests',
  'user-agent',
])

const longest = Math.max(...fieldNames.map((name) => name.length))

// Flat tables: names of one length that begin with the same letter are a chain.
/** The names' bytes, four to a number, eight numbers a name. */
const words: Int32Array = new Int32Array(fieldNames.length * 8)
/** By length and first letter, `length * 32 + (letter & 31)`: the first field of the chain, or 0. */
const chains: Uint8Array = new Uint8Array((longest + 1) * 32)
/** The next field of the chain, or 0. */
const nextInChain: Uint8Array = new Uint8Array(fieldNames.length)

for (let id = fieldNames.length - 1; id > 0; id--) {
  const code = ascii(fieldNames[id]!)
  for (let at = 0; at < code.length; at += 4) words[id * 8 + at / 4] = wordAt(code, at, code.length)
  const chain = code.length * 32 + (code[0]! & 31)
  nextInChain[id] = chains[chain]!
  chains[chain] = id
}

/**
 * Four bytes of a token, or those before its end, with letters in lower case. One bit makes them so: of the bytes that
 * a token may hold, only letters differ by it, and `^` from `~`, which no name of {@link fieldNames} has.
 */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      bytes[at]! |
      (bytes[at + 1]! << 8) |
      (bytes[at + 2]! << 16) |
      (bytes[at + 3]! << 24) |
      0x20202020
    )
  }
  let word = 0
  for (let i = end - 1; i >= at; i--) word = (word << 8) | bytes[i]! | 0x20
  return word
}

/** Which field a name in `bytes`, which is a token, is, whatever its case; 0 when none of {@link Field}. */
export function fieldIdAt(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 1 || length > longest) return 0
  let id = chains[length * 32 + (bytes[start]! & 31)]!
  while (id !== 0) {
    let at = start
    let word = id * 8
    while (at < end && wordAt(bytes, at, end) === words[word]) {
      at += 4
      word += 1
    }
    if (at >= end) break
    id = nextInChain[id]!
  }
  return id
}

/**
 * {@link fieldIdAt} for bytes that need not be a token, as long as none is below SP: then whatever is found to be one of
 * {@link Field} was a token, for no other bytes become such a name by the bit of {@link wordAt}.
 */
export function fieldIdIn(view: DataView, start: number, end: number): number {
  const length = end - start
  if (length < 1 || length > longest) return 0
  let id = chains[length * 32 + (view.getUint8(start) & 31)]!
  while (id !== 0) {
    let at = start
    let word = id * 8
    while (at + 4 <= end && (view.getInt32(at, true) | 0x20202020) === words[word]) {
      at += 4
      word += 1
    }
    if (at === end || (end - at < 4 && lastWord(view, at, end) === words[word])) break
    id = nextInChain[id]!
  }
  return id
}

/** The one to three bytes before the end, as by {@link wordAt}. */
function lastWord(view: DataView, at: number, end: number): number {
  let word = view.getUint8(at)
  if (end - at > 1) word |= view.getUint8(at + 1) << 8
  if (end - at > 2) word |= view.getUint8(at + 2) << 16
  return (word | 0x20202020) & (0xffffff >>> ((3 - (end - at)) * 8))
}

/** Which field a name is; 0 when none of {@link Field}. The name is in lower case. */
export function fieldIdOf(lowerName: string): number {
  return idsByName.get(lowerName) ?? 0
}

const idsByName: ReadonlyMap<string, number> = new Map(
  fieldNames.map((name, id) => [name, id] as const).slice(1),
)
