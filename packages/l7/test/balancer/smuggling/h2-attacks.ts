import type { Fields } from '../../client/h2/raw-h2.ts'
import { credentials, forbidden, guarded } from './attacks.ts'

type Field = readonly [name: string, value: string]

/** A request over HTTP/2 as frames say it, whatever that may mean in HTTP/1.1. */
export interface H2Attack {
  readonly id: string
  readonly fields: Fields
  /** In DATA frames; undefined ends the stream with the head. */
  readonly body: string | undefined
  readonly trailers: Fields | undefined
}

const smuggled = (id: string): string =>
  `GET ${forbidden}/smuggled?id=${id}s HTTP/1.1\r\nHost: a.example\r\n\r\n`

/** Fields that are more than they seem where lines end with CRLF. */
const fields: readonly ((id: string) => Field)[] = [
  (id) => ['x-a', `b\r\n\r\n${smuggled(id)}`],
  () => ['x-a', 'b\r\ntransfer-encoding: chunked'],
  () => ['x-a', 'b\ntransfer-encoding: chunked'],
  () => ['x-a', 'b\rtransfer-encoding: chunked'],
  () => ['x-a', 'b\0'],
  () => ['x-a', '\x01'],
  () => ['x-a', '\x7f'],
  () => ['x-a', ' b'],
  () => ['x-a', 'b\t'],
  () => ['x-a', '\x80\xff'],
  () => ['x-a: b\r\ntransfer-encoding', 'chunked'],
  () => ['x-a\r\ncontent-length', '3'],
  () => ['content-length: 3\r\nx', 'b'],
  () => ['x a', 'b'],
  () => ['x-a:', 'b'],
  () => ['x:a', 'b'],
  () => ['', 'b'],
  () => ['X-A', 'b'],
  () => ['Content-Length', '3'],
  () => ['x-\xe4', 'b'],
  () => ['x\0', 'b'],
  () => ['transfer-encoding', 'chunked'],
  () => ['transfer_encoding', 'chunked'],
  () => ['transfer.encoding', 'chunked'],
  () => ['connection', 'close'],
  () => ['connection', 'x-team, content-length'],
  () => ['keep-alive', '5'],
  () => ['proxy-connection', 'close'],
  () => ['upgrade', 'websocket'],
  () => ['http2-settings', 'AAMAAABk'],
  () => ['te', 'chunked'],
  () => ['te', 'trailers'],
  () => ['content-length', '0'],
  () => ['content-length', '3'],
  () => ['content-length', '5, 5'],
  () => ['content-length', '+5'],
  () => ['content-length', '05'],
  () => ['content-length', '99999999999999999999'],
  () => ['content-length', ''],
  () => ['content_length', '5'],
  () => ['host', 'a.example'],
  () => ['host', 'b.example'],
  () => ['host', 'a.example\r\nx-team: blue'],
  () => ['h_ost', 'b.example'],
  () => ['expect', '100-continue'],
  () => ['expect', 'x'],
  () => ['x_team', 'blue'],
  () => ['x-team', 'blue'],
  () => ['x-user', 'root'],
  () => ['x_user', 'root'],
  () => ['x.user', 'root'],
  () => ['x-forwarded-for', '1.2.3.4'],
  () => ['x_forwarded_for', '1.2.3.4'],
  () => ['x-original-url', forbidden],
  () => ['cookie', 'a=b'],
  () => ['cookie', 'a=b\r\nx-team: blue'],
  () => ['cookie', ''],
  () => ['cookie', 'c=d; e'],
  () => ['cookie', '\0'],
  () => ['trailer', 'content-length'],
  () => ['authorization', credentials],
  () => ['authorization', `${credentials}\r\nx-user: root`],
  () => [':path', forbidden],
  () => [':authority', 'b.example'],
  () => [':status', '200'],
  () => [':odd', 'x'],
  () => [':', 'x'],
]

const pseudo: Readonly<Record<string, readonly ((id: string) => string)[]>> = {
  ':method': [
    'GET',
    'POST',
    'HEAD',
    'DELETE',
    'CONNECT',
    'TRACE',
    'get',
    'GET /admin HTTP/1.1\r\nX: y',
    'GET ',
    ' GET',
    'GE T',
    'GET\0',
    '',
    'FROB',
    'GET\t/admin',
    'PRI',
  ].map((value) => () => value),
  ':scheme': [
    'https',
    'HTTP',
    'ftp',
    '',
    'http://a.example/admin?',
    'http\r\nx: y',
    'http ',
    'http:',
  ].map((value) => () => value),
  ':authority': [
    'a.example',
    'b.example',
    'A.Example:80',
    'a.example.',
    '',
    'a.example/admin',
    'a.example@b',
    'a.example\r\nx-team: blue',
    'a.example b',
    'a.example, b',
    '[::1',
    'a.example:0',
    '0x7f.1',
  ].map((value) => () => value),
  ':path': [
    ...[
      '/admin',
      '/x/../admin',
      '/x/%2e%2e/admin',
      '/%61dmin',
      '/x/..;/admin',
      '/x/..%2fadmin',
      '/x/%252e%252e/admin',
      '/x\\..\\admin',
      '/./private',
      '/x/../private/a',
      '/x y',
      '/x#y',
      'admin',
      '',
      '*',
      '/x\r\nx-team: blue',
      '/x HTTP/1.1\r\nx-team: blue\r\nx: y',
      '/x\0',
      '/x\x80',
      '/x\t',
      'http://a.example/admin',
      '//a.example/x',
      '?x',
      '/x?y#z',
      '/x?y z',
      '/%',
      '/%00',
      ' /x',
      '/x/%c0%ae%c0%ae/admin',
    ].map(
      (value) => (id: string) => (value.includes('?') ? `${value}&id=${id}` : `${value}?id=${id}`),
    ),
    (id) => `/x?id=${id} HTTP/1.1\r\n\r\n${smuggled(id)}`,
    () => '/early',
  ],
}

const trailers: readonly Fields[] = [
  [['x-sum', '1']],
  [['x-sum', 'b\r\nx: y']],
  [['X-Sum', '1']],
  [['content-length', '3']],
  [['transfer-encoding', 'chunked']],
  [['host', 'evil']],
  [
    ['authorization', credentials],
    ['x-sum', '1'],
  ],
  [[':path', forbidden]],
  [['x sum', '1']],
  [['x-forwarded-for', '1.2.3.4']],
  [['connection', 'close']],
]

/** One bent request for a stream of its own. */
export function h2Attack(random: () => number, id: string): H2Attack {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const head = new Map<string, string>([
    [':method', pick(['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS'])],
    [':scheme', 'http'],
    [':path', `${pick(['/x', '/x/y', `${guarded}/a`, `${forbidden}/keys`])}?id=${id}`],
    [':authority', 'a.example'],
  ])
  const lines: Field[] = []
  if (random() < 0.3) lines.push(['authorization', credentials])
  const bends = 1 + Math.floor(random() * 2)
  let late = false
  for (let n = 0; n < bends; n++) {
    const kind = random()
    if (kind < 0.55) lines.push(pick(fields)(id))
    else if (kind < 0.95) {
      const name = pick([':method', ':scheme', ':authority', ':path', ':path', ':path'])
      head.set(name, pick(pseudo[name]!)(id))
    } else if (random() < 0.5) head.delete(pick([...head.keys()]))
    else late = true
  }
  const pseudoFields = [...head]
  const all = late
    ? [...lines, ['x-a', 'b'] as const, ...pseudoFields]
    : [...pseudoFields, ...lines]
  const body =
    random() < 0.4 ? pick(['hello', smuggled(id), `0\r\n\r\n${smuggled(id)}`, '']) : undefined
  return {
    id,
    fields: all,
    body,
    trailers: body !== undefined && random() < 0.4 ? pick(trailers) : undefined,
  }
}
