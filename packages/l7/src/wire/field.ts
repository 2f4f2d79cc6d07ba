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
} as const

/** A number of {@link Field}. */
export type FieldId = (typeof Field)[keyof typeof Field]

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
])

const codes: readonly Uint8Array[] = fieldNames.map((name) =>
  Uint8Array.from(name, (char) => char.charCodeAt(0)),
)

/** Candidates by length and first letter: `length * 32 + (first letter & 31)`. */
const buckets: readonly (readonly number[])[] = makeBuckets()

function makeBuckets(): number[][] {
  const result: number[][] = Array.from({ length: 32 * 32 }, () => [])
  codes.forEach((code, id) => {
    if (id > 0) result[code.length * 32 + (code[0]! & 31)]!.push(id)
  })
  return result
}

/** Which field a name in `bytes` is, whatever its case; 0 when none of {@link Field}. */
export function fieldIdAt(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 1 || length > 31) return 0
  const bucket = buckets[length * 32 + (bytes[start]! & 31)]!
  next: for (let i = 0; i < bucket.length; i++) {
    const id = bucket[i]!
    const code = codes[id]!
    for (let j = 0; j < length; j++) {
      const byte = bytes[start + j]!
      // Letters in lower case; everything else as it is.
      const lower = byte >= 65 && byte <= 90 ? byte | 32 : byte
      if (lower !== code[j]) continue next
    }
    return id
  }
  return 0
}

/** Which field a name is; 0 when none of {@link Field}. The name is in lower case. */
export function fieldIdOf(lowerName: string): number {
  return idsByName.get(lowerName) ?? 0
}

const idsByName: ReadonlyMap<string, number> = new Map(
  fieldNames.map((name, id) => [name, id] as const).slice(1),
)
