/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** What one client sends on one connection. */
export interface Attack {
  /** In every identifier of it. */
  readonly tag: string
  /** As latin1. */
  readonly raw: string
  /** Bodies of requests that are as they should be, by identifier. */
  readonly bodies: ReadonlyMap<string, string>
}

/** Credentials of the protected route. */
export const credentials: string = `Basic ${Buffer.from('ann:secret').toString('base64')}`

/** Where no rule lets anybody through. */
export const forbidden = '/admin'
/** Where only {@link credentials} lead. */
export const guarded = '/private'

type Random = () => number

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

const smuggled = (id: string): string =>
  `GET ${forbidden}/smuggled?id=${id} HTTP/1.1\r\nHost: a.example\r\nX-Smuggled: 1\r\n\r\n`

/** Lines that frame, or pretend to, for a body of that many bytes; a chunked one when a coding is named. */
const framings: readonly ((length: number) => readonly string[])[] = [
  (n) => [`Content-Length: ${n}`, 'Transfer-Encoding: chunked'],
  (n) => ['Transfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => [`Content-Length: ${n}`, `Content-Length: ${n}`],
  (n) => [`Content-Length: 0`, `Content-Length: ${n}`],
  (n) => [`Content-Length: ${n}`, `Content-Length: 0`],
  (n) => [`Content-Length: ${n}, ${n}`],
  (n) => [`Content-Length: +${n}`],
  (n) => [`Content-Length: -${n}`],
  (n) => [`Content-Length: 0${n}`],
  (n) => [`Content-Length: ${n} ${n}`],
  (n) => [`Content-Length: 0x${n.toString(16)}`],
  (n) => [`Content-Length : ${n}`],
  (n) => [`Content-Length:\t${n}\t`],
  (n) => [`Content-Length:${n}`],
  (n) => [`Content_Length: ${n}`],
  (n) => [`Content-Length: ${n}\x00`],
  (n) => [`Content-Length: ${n}\x0b`],
  (n) => [`Content-Length:\r\n ${n}`],
  (n) => [`X-A: b\r\n\tContent-Length: ${n}`],
  (n) => [`X-A: b\nContent-Length: ${n}`],
  (n) => [`X-A: b\rContent-Length: ${n}`],
  (n) => [`Content-Length: ${n}.0`],
  (n) => [`Content-Length: ${n - 1}`],
  (n) => [`Content-Length: ${n + 1}`],
  () => ['Content-Length: 18446744073709551615'],
  () => ['Content-Length:'],
  () => ['Transfer-Encoding: chunked'],
  () => ['Transfer-Encoding: xchunked'],
  () => ['Transfer-Encoding : chunked'],
  () => ['Transfer-Encoding:\tchunked'],
  () => ['Transfer-Encoding: \x0bchunked'],
  () => ['Transfer-Encoding: chunked\x00'],
  () => ['Transfer-Encoding: chunked, identity'],
  () => ['Transfer-Encoding: identity, chunked'],
  () => ['Transfer-Encoding: gzip, chunked'],
  () => ['Transfer-Encoding: chunked,'],
  () => ['Transfer-Encoding: ,chunked'],
  () => ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
  () => ['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'],
  () => ['Transfer-Encoding: chunked;a=b'],
  () => ['Transfer-Encoding: "chunked"'],
  () => ['tRaNsFeR-eNcOdInG: CHUNKED'],
  (n) => ['Transfer_Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['Transfer.Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['Transfer-Encoding', `Content-Length: ${n}`],
  (n) => [' Transfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['X-A: b\r\n Transfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['X-A: b\nTransfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['X-A: b\rTransfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['X-A: b\x00Transfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => [': Transfer-Encoding: chunked', `Content-Length: ${n}`],
  (n) => ['TE: chunked', `Content-Length: ${n}`],
  (n) => ['Trailer: Content-Length', `Content-Length: ${n}`],
  (n) => ['Connection: content-length', `Content-Length: ${n}`],
  () => ['Connection: transfer-encoding', 'Transfer-Encoding: chunked'],
  (n) => ['Expect: 100-continue', `Content-Length: ${n}`],
  (n) => ['Expect: 100-continue, x', `Content-Length: ${n}`],
  (n) => ['Expect: 200-ok', `Content-Length: ${n}`],
  (n) => [
    'Connection: upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Content-Length: ${n}`,
  ],
  () => [
    'Connection: upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ],
  (n) => [
    'Connection: upgrade, http2-settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABk',
    `Content-Length: ${n}`,
  ],
  () => [],
]

const chunks: readonly ((data: string, size: string) => string)[] = [
  (data, size) => `${size}\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `${size.toUpperCase()}\r\n${data}\r\n00000000\r\n\r\n`,
  (data, size) => `${size};a=b\r\n${data}\r\n0;c="d"\r\n\r\n`,
  (data, size) => `${size};a="\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `${size}; a\n${data}\r\n0\r\n\r\n`,
  (data, size) => `${size} \r\n${data}\r\n0\r\n\r\n`,
  (data, size) => ` ${size}\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `0x${size}\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `+${size}\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `0_${size}\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `1000000000000000${size}\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `${size}\n${data}\n0\n\n`,
  (data, size) => `${size}\r${data}\r0\r\r`,
  (data, size) => `${size}\r\r\n${data}\r\n0\r\n\r\n`,
  (data, size) => `${size}\r\n${data}0\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\n0\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\n`,
  (data, size) => `${size}\r\n${data}\r\n\r\n0\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\nX-Sum: 1\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\nTransfer-Encoding: chunked\r\nX-Team: blue\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\nX-Sum: 1\r\n folded\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\nX-Sum: 1\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n-0\r\n\r\n`,
  (data, size) => `${size}\r\n${data}\r\n0\r\n\x00\r\n`,
]

/** Ways to say a path under another one, or that some server takes for one. */
const paths: readonly ((to: string) => string)[] = [
  (to) => to,
  (to) => `${to}/`,
  (to) => `/x/..${to}/keys`,
  (to) => `/x/%2e%2e${to}/keys`,
  (to) => `/x/.%2E${to}/keys`,
  (to) => `/x/%2e.${to}`,
  (to) => `/.${to}/keys`,
  (to) => `/%2e${to}`,
  (to) => `/x/../..${to}`,
  (to) => `/x/..;${to}`,
  (to) => `/x/..;a=b${to}`,
  (to) => `/x/..%3b${to}`,
  (to) => `/x/;/..${to}`,
  (to) => `/.;${to}`,
  (to) => `/x/..%2f${to.slice(1)}`,
  (to) => `/x/%2e%2e%2f${to.slice(1)}`,
  (to) => `/x%2f..${to}`,
  (to) => `/x/..%5c${to.slice(1)}`,
  (to) => `/x\\..\\${to.slice(1)}`,
  (to) => `/x/..\\${to.slice(1)}`,
  (to) => `\\${to.slice(1)}`,
  (to) => `/%5c${to}`,
  (to) => `/x/%252e%252e${to}`,
  (to) => `/x/%252e%252e%252f${to.slice(1)}`,
  (to) => `/x/..%252f${to.slice(1)}`,
  (to) => `/x/.%252e${to}`,
  (to) => `/%${to.charCodeAt(1).toString(16)}${to.slice(2)}/keys`,
  (to) => `/${[...to.slice(1)].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')}`,
  (to) => `${to}%2fkeys`,
  (to) => `${to}%00`,
  (to) => `${to}%00.png`,
  (to) => `${to}%20`,
  (to) => `${to}%0d%0aX-Team:%20blue`,
  (to) => `${to}/../x`,
  (to) => `${to}/..;/x`,
  (to) => `/x/%c0%ae%c0%ae${to}`,
  (to) => `/x/%u002e%u002e${to}`,
  (to) => `/x/%e0%80%ae.${to}`,
  (to) => `http://a.example${to}`,
  (to) => `http://A.EXAMPLE:80/x/..${to}`,
  (to) => `http://b.example${to}`,
  (to) => `http://a.example@b.example${to}`,
  (to) => `http:${to}`,
  (to) => `http://a.example\\${to}`,
  (to) => `https://a.example${to}`,
  (to) => `ftp://a.example${to}`,
  (to) => `/x?/..${to}`,
  (to) => `/x#/..${to}`,
  (to) => `/x?a=%2e%2e${to}`,
  (to) => `/x%3f/..${to}`,
  (to) => `/x%23/..${to}`,
  (to) => `${to}#`,
  (to) => `${to}\t`,
  (to) => `${to}\x80`,
  (to) => `${to} x`,
  () => '*',
  () => 'a.example:80',
  () => '',
]

/** The same with slashes too many, which only mean nothing to some. */
const slashes: readonly ((to: string) => string)[] = [
  (to) => `/${to}`,
  (to) => `//${to}`,
  (to) => `/./${to}`,
  (to) => `/x//..${to}`,
  (to) => `/x//../..${to}`,
  (to) => `${to}//keys`,
  (to) => `/b.example/..${to}`,
]

const versions = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/01.1',
  'HTTP/1',
  '',
  'HTTP/1.1\t',
  'HTTP/1.10',
]
const methods = ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'GET']
const oddMethods = [
  'get',
  'FROB',
  'CONNECT',
  'TRACE',
  'PRI',
  'GET\t',
  ' GET',
  'G\x00ET',
  'POST /x?y',
  '',
]
const hosts: readonly (readonly string[])[] = [
  ['Host: a.example', 'Host: a.example'],
  ['Host: a.example', 'Host: b.example'],
  ['Host: a.example:80'],
  ['Host: a.example:'],
  ['Host: a.example:0'],
  ['Host: a.example:99999'],
  ['Host: a.example.'],
  ['Host: a.example..'],
  ['Host: a.example/admin'],
  ['Host: a.example@b.example'],
  ['Host: a.example, b.example'],
  ['Host: a.example b.example'],
  ['Host: '],
  ['Host:'],
  [],
  ['Host : a.example'],
  ['Host: [::1]'],
  ['Host: [::1'],
  ['Host: 0x7f.1'],
  ['Host: a.example\x00'],
  ['Host: a.example\r\n b.example'],
  ['X-A: b', 'Host: A.Example'],
  ['Host: a.example', 'H_ost: b.example', 'HOST_: b.example'],
]
const fields: readonly string[] = [
  'X-Team: blue',
  'X_Team: blue',
  'X-Team : blue',
  'X-Team:blue',
  'X-A: b\r\nX-Team: blue',
  'X-A: b\nX-Team: blue',
  'X-A: b\rX-Team: blue',
  'X-A: b\r\n X-Team: blue',
  'X-A: \x00',
  'X-A: \x7f',
  'X-A: \x80\xff',
  'X-\xc4: b',
  ': b',
  'X-A',
  'X A: b',
  '"X-A": b',
  'X-A\x00: b',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: x-team, host, authorization',
  'Connection: close, close, , x',
  'Proxy-Connection: close',
  'Keep-Alive: timeout=5, max=1000',
  'X-HTTP-Method-Override: DELETE',
  `X-Original-URL: ${forbidden}`,
  `X-Rewrite-URL: ${forbidden}`,
  'X-Forwarded-For: 127.0.0.1',
  'X_Forwarded_For: 127.0.0.1',
  'X-User: root',
  'X_User: root',
  'X.User: root',
  'X--User: root',
  `Authorization: ${credentials.slice(0, -2)}`,
  `Authorization: ${credentials}, ${credentials}`,
  `Authorization_: ${credentials}`,
  'Authorization: Basic',
  'Range: bytes=0-0,-1',
  'TE: trailers, chunked',
  'Expect:',
  'Via: 1.1 edge',
]
const bytes = [
  '\r',
  '\n',
  '\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  '\x0b',
  '\x80',
  '%',
  '/',
  ';',
  '0',
  ',',
  '\r\n\r\n',
]

interface Parts {
  method: string
  target: string
  version: string
  lines: string[]
  body: string
}

/** One to four requests of one client, most of them bent; the last one asks for the end. */
export function attack(random: Random, tag: string, withSlashes: boolean): Attack {
  const count = 1 + Math.floor(random() * 4)
  const bodies = new Map<string, string>()
  let raw = ''
  for (let n = 0; n < count; n++) {
    const id = `${tag}-${n}`
    const parts = plain(random, id)
    if (random() < 0.25) bodies.set(id, bodyOf(parts))
    else bend(random, parts, id, withSlashes)
    const text = written(parts)
    raw += !bodies.has(id) && random() < 0.08 ? flipped(random, text) : text
  }
  const end = `${tag}-${count}`
  bodies.set(end, '')
  raw += `GET /last?id=${end} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`
  return { tag, raw, bodies }
}

function plain(random: Random, id: string): Parts {
  const method = pick(random, methods)
  const where = pick(random, ['/x', '/x/y', `${forbidden}/keys`, `${guarded}/a`, '/early'])
  const lines = ['Host: a.example']
  if (where.startsWith(guarded)) lines.push(`Authorization: ${credentials}`)
  if (random() < 0.2) lines.push('X-Team: blue')
  const parts = { method, target: `${where}?id=${id}`, version: 'HTTP/1.1', lines, body: '' }
  if (method !== 'GET' && method !== 'HEAD' && random() < 0.7) {
    const data = `data of ${id} ${smuggled(`${id}s`)}`
    if (random() < 0.5) {
      lines.push('Transfer-Encoding: chunked')
      parts.body = chunks[0]!(data, data.length.toString(16))
    } else {
      lines.push(`Content-Length: ${data.length}`)
      parts.body = data
    }
  }
  return parts
}

function bodyOf({ body, lines }: Parts): string {
  if (!lines.includes('Transfer-Encoding: chunked')) return body
  const from = body.indexOf('\r\n') + 2
  return body.slice(from, from + Number.parseInt(body, 16))
}

function bend(random: Random, parts: Parts, id: string, withSlashes: boolean): void {
  for (let times = random() < 0.7 ? 1 : 2; times > 0; times--) {
    const kind = random()
    if (kind < 0.35) {
      const inner = pick(random, [
        smuggled(`${id}s`),
        `0\r\n\r\n${smuggled(`${id}s`)}`,
        'hello',
        '',
      ])
      const chunked = random() < 0.5
      parts.body = chunked ? pick(random, chunks)(inner, inner.length.toString(16)) : inner
      parts.lines = [
        ...parts.lines.filter((line) => !/^(?:content-length|transfer-encoding):/i.test(line)),
        ...pick(random, framings)(parts.body.length),
      ]
      parts.method = pick(random, methods)
    } else if (kind < 0.65) {
      const to = pick(random, [forbidden, guarded])
      const bent = pick(random, withSlashes && random() < 0.4 ? slashes : paths)(to)
      parts.target = bent.includes('?') ? `${bent}&id=${id}` : `${bent}?id=${id}`
    } else if (kind < 0.72) parts.version = pick(random, versions)
    else if (kind < 0.8) parts.lines = [...pick(random, hosts), ...parts.lines.slice(1)]
    else if (kind < 0.94) parts.lines.splice(Math.floor(random() * 3), 0, pick(random, fields))
    else parts.method = pick(random, oddMethods)
  }
}

function written({ method, target, version, lines, body }: Parts): string {
  return `${method} ${target} ${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`
}

/** One stray byte; not in the identifier, by which it is known whose everything is. */
function flipped(random: Random, text: string): string {
  const from = text.indexOf('id=')
  const to = text.slice(from).search(/[ &]/) + from
  const at = Math.floor(random() * text.length)
  if (at >= from - 1 && at <= to) return text
  return text.slice(0, at) + pick(random, bytes) + text.slice(at + (random() < 0.5 ? 1 : 0))
}

/** Paths as servers see a target that decode once, or twice, merge slashes or not, resolve dots and take `\` for a slash. */
export function seenAs(target: string, merging: boolean): string[] {
  const path = target.split('?', 1)[0]!
  const once = decoded(path)
  const seen = [resolved(path), resolved(once), resolved(decoded(resolved(path)))]
  seen.push(new URL(`http://a.example${path}`).pathname)
  // Twice, as far as it climbs: what is written with two percent signs is no name to anybody who decodes once.
  if (/%25(?:2e|2f|5c)/i.test(path)) seen.push(resolved(dotsDecoded(path)))
  return merging ? seen.map((one) => resolved(one.replaceAll(/\/{2,}/g, '/'))) : seen
}

function decoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function dotsDecoded(text: string): string {
  return text.replaceAll(/%25(2e|2f|5c)/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function resolved(path: string): string {
  const kept: string[] = []
  for (const segment of path.replaceAll('\\', '/').split('\0', 1)[0]!.split('/').slice(1)) {
    const bare = segment.split(';', 1)[0]!
    if (bare === '..') kept.pop()
    else if (bare !== '.') kept.push(segment)
  }
  return `/${kept.join('/')}`
}
