import type { MemoryEnd } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { type Rig, type RigOptions, rig, text } from './rig.ts'

// Each row of bad input over HTTP/1.1: what the client is told, and that nothing of it reaches a backend; or, where it
// may pass, what exactly the backend gets. A request behind a refused one is never read.

const behind = 'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n'

function post(lines: readonly string[], body = ''): string {
  return ['POST /x HTTP/1.1', 'Host: a.example', ...lines, '', body].join('\r\n')
}

function head(line: string, ...lines: readonly string[]): string {
  return [line, ...lines, '', ''].join('\r\n')
}

const host = 'Host: a.example'
const get = 'GET / HTTP/1.1'

/** What is sent, and the status that answers it. */
const refused: readonly (readonly [what: string, raw: string, status: number])[] = [
  [
    'a length and chunks',
    post(['Content-Length: 3', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    400,
  ],
  [
    'chunks and a length',
    post(['Transfer-Encoding: chunked', 'Content-Length: 3'], '0\r\n\r\n'),
    400,
  ],
  ['two lengths that differ', post(['Content-Length: 3', 'Content-Length: 4'], 'abcd'), 400],
  ['two lengths that agree', post(['Content-Length: 3', 'Content-Length: 3'], 'abc'), 400],
  ['a list of lengths', post(['Content-Length: 3, 3'], 'abc'), 400],
  ...[
    '',
    '+3',
    '-3',
    '0x3',
    '1_0',
    '1 0',
    '3a',
    '９',
    '9007199254740993',
    '99999999999999999999',
  ].map((value) => [`length "${value}"`, post([`Content-Length: ${value}`], 'abc'), 400] as const),
  ...[
    ',chunked',
    'chunked,',
    'chunked, chunked',
    'identity',
    'xchunked',
    '\x0bchunked',
    'chunked\x0c',
    'chunked\x00',
    '"chunked"',
    'chunked;q=1',
    ' chunked,identity',
  ].map(
    (value) =>
      [
        `transfer coding ${JSON.stringify(value)}`,
        post([`Transfer-Encoding: ${value}`], '0\r\n\r\n'),
        [400, 501],
      ] as unknown as readonly [string, string, number],
  ),
  ['gzip, chunked', post(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'), 501],
  [
    'a transfer coding in HTTP/1.0',
    head('POST / HTTP/1.0', host, 'Transfer-Encoding: chunked'),
    400,
  ],
  ['two transfer codings', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']), 400],
  ['Transfer_Encoding', post(['Transfer_Encoding: chunked', 'Content-Length: 3'], 'abc'), 400],
  ['Content_Length', post(['Content_Length: 7', 'Content-Length: 3'], 'abc'), 400],
  ['Transfer--Encoding', post(['Transfer--Encoding: chunked', 'Content-Length: 3'], 'abc'), 400],
  ['a space before the colon', head(get, host, 'X-A : b'), 400],
  ['a tab before the colon', head(get, host, 'X-A\t: b'), 400],
  ['a space before the first line', head(get, ' Host: a.example'), 400],
  ['no colon', head(get, host, 'X-A'), 400],
  ['an empty name', head(get, host, ': b'), 400],
  ['folded lines', head(get, host, 'X-A: b', ' c'), 400],
  ['bare line feeds', `${get}\nHost: a.example\n\n`, 400],
  ['one bare line feed', `${get}\r\nHost: a.example\nX-A: b\r\n\r\n`, 400],
  ['a bare carriage return', head(get, host, 'X-A: b\rc'), 400],
  ['NUL in a value', head(get, host, 'X-A: b\0c'), 400],
  ['a control byte in a value', head(get, host, 'X-A: b\x01c'), 400],
  ['a byte of 8 bits in the target', head('GET /\xe4 HTTP/1.1', host), 400],
  ['no Host', head(get), 400],
  ['two Hosts', head(get, host, 'Host: b.example'), 400],
  ['an empty Host', head(get, 'Host: '), 400],
  ...[
    'user@a.example',
    'a.example/x',
    'a example',
    'a.example, b.example',
    'a.example:x',
    'a.example:99999',
    '[::1',
  ].map((value) => [`Host "${value}"`, head(get, `Host: ${value}`), 400] as const),
  ['another authority in the target', head('GET http://b.example/ HTTP/1.1', host), 400],
  ['GET *', head('GET * HTTP/1.1', host), 400],
  ['OPTIONS */x', head('OPTIONS */x HTTP/1.1', host), 400],
  ['an authority as target of GET', head('GET a.example:80 HTTP/1.1', host), 400],
  ['CONNECT', head('CONNECT a.example:443 HTTP/1.1', 'Host: a.example:443'), 405],
  ['TRACE', head('TRACE / HTTP/1.1', host), 405],
  ['a fragment', head('GET /#x HTTP/1.1', host), 400],
  ['a path above the root', head('GET /a/../../b HTTP/1.1', host), 400],
  ['an escaped path above the root', head('GET /%2e%2e/b HTTP/1.1', host), 400],
  ['a backslash', head('GET /a\\..\\b HTTP/1.1', host), 400],
  ['an escaped backslash', head('GET /a%5Cb HTTP/1.1', host), 400],
  ['an escaped NUL', head('GET /a%00b HTTP/1.1', host), 400],
  ['an escaped slash', head('GET /a%2Fb HTTP/1.1', host), 400],
  ['a broken escape', head('GET /a%zz HTTP/1.1', host), 400],
  ['%u escapes', head('GET /a%u002e HTTP/1.1', host), 400],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400],
  ['HTTP/1.2', head('GET / HTTP/1.2', host), 505],
  ['HTTP/2.0 in a line of HTTP/1', head('GET / HTTP/2.0', host), 505],
  ['http/1.1', head('GET / http/1.1', host), 400],
  ['a method in lower case', head('get / HTTP/1.1', host), 400],
  ['an unknown method', head('FROB / HTTP/1.1', host), 501],
  ['two spaces', head('GET  / HTTP/1.1', host), 400],
  [
    'an upgrade with a body',
    post(['Connection: upgrade', 'Upgrade: websocket', 'Content-Length: 1'], 'x'),
    400,
  ],
  [
    'a WebSocket without a key',
    head(get, host, 'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'),
    400,
  ],
  ['an unknown expectation', post(['Expect: the-unexpected', 'Content-Length: 0']), 417],
  ['a line that is too long', head(get, host, `X-A: ${'b'.repeat(9000)}`), 431],
  ['a target that is too long', head(`GET /${'b'.repeat(9000)} HTTP/1.1`, host), 414],
  ['too many lines', head(get, host, ...Array.from({ length: 101 }, (_, i) => `X-${i}: b`)), 431],
  [
    'a head that is too large',
    head(get, host, ...Array.from({ length: 20 }, (_, i) => `X-${i}: ${'b'.repeat(1000)}`)),
    431,
  ],
]

/** Bodies in chunks that are none: the head has passed, so the backend may have seen it, but never an end. */
const badChunks: readonly (readonly [what: string, body: string])[] = [
  ['0x', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['an underscore', '1_0\r\nabc\r\n0\r\n\r\n'],
  ['a space', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a space behind', '3 \r\nabc\r\n0\r\n\r\n'],
  ['17 digits', '00000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['a bare line feed', '3\nabc\r\n0\r\n\r\n'],
  ['no line end behind the data', '3\r\nabc0\r\n\r\n'],
  ['data that is longer', '3\r\nabcd\r\n0\r\n\r\n'],
  ['an extension that is none', '3;=\r\nabc\r\n0\r\n\r\n'],
  ['extensions without end', `3;a=${'b'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`],
  ['a trailer with a space before its colon', '3\r\nabc\r\n0\r\nX-A : b\r\n\r\n'],
]

/** What may pass, and what the backend gets of it. */
const passed: readonly (
  | readonly [what: string, raw: string, expected: RegExp]
  | readonly [what: string, raw: string, expected: RegExp, options: RigOptions]
)[] = [
  [
    'leading zeros of a length',
    post(['Content-Length: 003'], 'abc'),
    /\r\nContent-Length: 3\r\n\r\nabc$/,
  ],
  [
    'a GET with a length',
    head(get, host, 'Content-Length: 3') + 'abc',
    /\r\nContent-Length: 3\r\n\r\nabc$/,
  ],
  [
    'a GET with chunks',
    `${head(get, host, 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`,
    /\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/,
  ],
  [
    'a name with an underscore is dropped',
    head(get, host, 'X_Real_IP: 1.2.3.4', 'X-Odd_Name: 1'),
    /^GET \/ HTTP\/1.1\r\nHost: a.example\r\n\r\n$/,
  ],
  [
    'an absolute target',
    head('GET http://a.example/x HTTP/1.1', host),
    /^GET \/x HTTP\/1.1\r\nHost: a.example\r\n/,
  ],
  ['dot segments', head('GET /a/./b/../c HTTP/1.1', host), /^GET \/a\/c HTTP/],
  ['escaped dots', head('GET /a/%2e/b/%2E%2e/c HTTP/1.1', host), /^GET \/a\/c HTTP/],
  [
    'two slashes stay a path',
    head('GET //evil.example/x HTTP/1.1', host),
    /^GET \/\/evil.example\/x HTTP\/1.1\r\nHost: a.example\r\n/,
  ],
  [
    'what Connection names goes, and what is ours stays',
    head(get, host, 'Connection: close, X-Forwarded-For, X-Gone', 'X-Gone: 1', 'X-Kept: 2'),
    /^GET \/ HTTP\/1.1\r\nHost: a.example\r\nX-Kept: 2\r\nX-Forwarded-For: [^\r]+\r\n/,
    { forwarding: { forwarded: 'x', fields: ['for'], via: 'none', pseudonym: 'edge' } },
  ],
  [
    'hop-by-hop fields',
    head(
      get,
      host,
      'Keep-Alive: 5',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: x',
      'TE: gzip',
    ),
    /^GET \/ HTTP\/1.1\r\nHost: a.example\r\n\r\n$/,
  ],
  [
    'claims of an untrusted client',
    head(
      get,
      host,
      'X-Forwarded-For: 1.2.3.4',
      'x_forwarded_for: 1.2.3.4',
      'X-FORWARDED-PROTO: https',
      'Forwarded: for=1.2.3.4',
      'X-Real-IP: 1.2.3.4',
      'X-Forwarded-Prefix: /evil',
    ),
    /^GET \/ HTTP\/1.1\r\nHost: a.example\r\n\r\n$/,
  ],
  [
    'an upgrade to h2c is not heard',
    head(
      get,
      host,
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABk',
    ),
    /^GET \/ HTTP\/1.1\r\nHost: a.example\r\n\r\n$/,
  ],
  [
    'trailers that would be headers',
    post(
      ['Transfer-Encoding: chunked'],
      '0\r\nHost: evil\r\nContent-Length: 9\r\nAuthorization: x\r\nX-Forwarded-For: 1\r\nX-Sum: 1\r\n\r\n',
    ),
    /0\r\nX-Sum: 1\r\n\r\n$/,
  ],
  [
    'a chunk extension',
    post(['Transfer-Encoding: chunked'], '3;evil="a\\"b"\r\nabc\r\n0\r\n\r\n'),
    /\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/,
  ],
]

/** Answers of a backend that are none; the client gets 502 or sees the cut, and the connection is not used again. */
const badAnswers: readonly (readonly [what: string, raw: string])[] = [
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc'],
  ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc'],
  ['a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['a short body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'],
  ['no end of chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ['garbage', 'no such thing\r\n\r\n'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
  [
    'a 101 that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
  [
    'more than it announced',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
  ],
]

async function sent(raw: string, options?: RigOptions): Promise<{ r: Rig; client: MemoryEnd }> {
  const r = await rig(options)
  const client = r.client()
  client.send(Buffer.from(raw, 'latin1'))
  await r.network.settle()
  return { r, client }
}

describe('bad input over HTTP/1.1', () => {
  it.each(refused)('refuses %s', async (_, raw, status) => {
    const { r, client } = await sent(raw + behind)
    await using _rig = r
    const statuses = [status].flat().map(String)
    expect(statuses).toContain(text(client).slice(9, 12))
    expect(text(client)).toMatch(/\r\nConnection: close\r\n/i)
    expect(text(client).match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(client.ended).toBe(true)
    expect(r.network.asked).toEqual([])
    expect(r.records).toHaveLength(1)
    expect(r.records[0]!.status).toBe(Number(text(client).slice(9, 12)))
  })

  it.each(badChunks)('never ends a body with a bad chunk: %s', async (_, body) => {
    const { r, client } = await sent(post(['Transfer-Encoding: chunked'], body) + behind)
    await using _rig = r
    const call = r.network.calls.find(({ over }) => !over)
    const backend = call?.accept()
    await r.network.settle()
    const got = backend === undefined ? '' : text(backend)
    expect(got).not.toMatch(/0\r\n\r\n$/)
    expect(got).not.toContain('smuggled')
    expect(text(client)).toMatch(/^HTTP\/1.1 400 /)
    expect(client.ended || client.over !== undefined).toBe(true)
    // One to which nothing was sent may serve somebody else.
    if (backend !== undefined && got !== '') expect(backend.over).toBeDefined()
  })

  it.each(passed)('passes on %s', async (...[, raw, expected, options]) => {
    const { r } = await sent(raw, options)
    await using _rig = r
    const backend = await r.accept()
    expect(text(backend)).toMatch(expected)
    expect(text(backend).match(/ HTTP\/1\.1\r\n/g)).toHaveLength(1)
  })

  it.each(badAnswers)('does not believe an answer with %s', async (_, raw) => {
    const { r, client } = await sent(head('POST / HTTP/1.1', host, 'Content-Length: 0'))
    await using _rig = r
    const backend = await r.accept()
    backend.send(Buffer.from(raw, 'latin1'))
    await r.network.settle()
    backend.end()
    await r.network.settle()
    const got = text(client)
    if (got.startsWith('HTTP/1.1 502')) expect(got).not.toContain('poison')
    else expect(client.over).toBe('reset')
    expect(got).not.toContain('poison')
    expect(backend.over).toBeDefined()
    expect(r.edge.stats().upstream.open).toBe(0)
  })

  it('closes a port of HTTP/1.1 to the preface of HTTP/2', async () => {
    const { r, client } = await sent('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { http2: 'off' })
    await using _rig = r
    expect(client.ended || client.over !== undefined).toBe(true)
    expect(r.network.asked).toEqual([])
  })
})
