import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gateSettings } from '../../src/gate/gate-options.ts'
import { judgeRequest } from '../../src/gate/judge-request.ts'
import { RequestHead } from '../../src/wire/request-head.ts'
import { bytesOf, h2Head, headOf, judged, parsed, refused } from './requests.ts'

const get = 'GET / HTTP/1.1'
const post = 'POST / HTTP/1.1'
const host = 'Host: a.example'

describe('a good request', () => {
  it('is told apart into what is routed on', () => {
    const head = judged(
      undefined,
      'GET /a/b?x=1&y HTTP/1.1',
      'Host: WWW.Example.COM.:8080',
      'TE: trailers',
    )
    expect(head).toMatchObject({
      host: 'www.example.com',
      port: 8080,
      authority: 'www.example.com:8080',
      path: '/a/b',
      query: 'x=1&y',
      bodyLength: 0,
      keepAlive: true,
      upgrade: '',
      expectsContinue: false,
      acceptsTrailers: true,
    })
  })

  it.each([
    [[post, host, 'Content-Length: 5'], { bodyLength: 5 }],
    [[post, host, 'Content-Length: 007'], { bodyLength: 7 }],
    [[post, host], { bodyLength: 0 }],
    [[post, host, 'Transfer-Encoding: Chunked'], { bodyLength: -1 }],
    [['GET / HTTP/1.1', host, 'Content-Length: 3'], { bodyLength: 3 }],
    [['DELETE / HTTP/1.1', host, 'Transfer-Encoding: chunked'], { bodyLength: -1 }],
    [[get, host, 'Connection: close'], { keepAlive: false }],
    [[get, host, 'Connection: keep-alive, CLOSE'], { keepAlive: false }],
    [['GET / HTTP/1.0', host], { keepAlive: false }],
    [['GET / HTTP/1.0', host, 'Connection: Keep-Alive'], { keepAlive: true }],
    [['GET / HTTP/1.0'], { host: '', authority: '' }],
    [['POST / HTTP/1.0', 'Content-Length: 1'], { bodyLength: 1 }],
    [['GET / HTTP/1.0', 'TE: trailers'], { acceptsTrailers: false }],
    [[get, host, 'TE: gzip, trailers;q=0.5'], { acceptsTrailers: false }],
    [[post, host, 'Content-Length: 1', 'Expect: 100-Continue'], { expectsContinue: true }],
    [[get, host, 'Expect: 100-continue'], { expectsContinue: false }],
    [['POST / HTTP/1.0', 'Content-Length: 1', 'Expect: 100-continue'], { expectsContinue: false }],
    [['OPTIONS * HTTP/1.1', host], { path: '*', query: undefined }],
    [
      ['GET http://A.example:80/x?q HTTP/1.1', host],
      { authority: 'a.example:80', path: '/x', query: 'q', targetScheme: 'http' },
    ],
    [['GET HTTPS://a.example HTTP/1.1', host], { path: '/', targetScheme: 'https' }],
    [['GET http://a.example?q HTTP/1.1', host], { path: '/', query: 'q' }],
    [['OPTIONS http://a.example HTTP/1.1', host], { path: '*' }],
    [['GET //evil.example/x HTTP/1.1', host], { host: 'a.example', path: '//evil.example/x' }],
    [['GET /? HTTP/1.1', host], { path: '/', query: '' }],
    [[get, 'Host: [2001:DB8:0::1]:443'], { host: '[2001:db8::1]', port: 443 }],
    [[get, 'Host: [::ffff:192.0.2.1]'], { host: '[::ffff:192.0.2.1]' }],
    [[get, 'Host: 192.0.2.1:80'], { host: '192.0.2.1', port: 80 }],
    [[get, 'Host: a_b-c.example:'], { host: 'a_b-c.example', port: 0, authority: 'a_b-c.example' }],
    [[get, 'Host: a.example:0080'], { authority: 'a.example:80' }],
  ])('%j', (lines, found) => {
    expect(judged(undefined, ...lines)).toMatchObject(found)
  })

  it('is judged by its own Host on a connection that named another before', () => {
    const settings = gateSettings()
    const hosts = ['a.example', 'b.example', 'A.EXAMPLE', 'a.example', 'a.exampl']
    const found = hosts.map((name) => {
      const head = headOf(get, `Host: ${name}`)
      expect(judgeRequest(head, settings)).toBeUndefined()
      return head.host
    })
    expect(found).toEqual(['a.example', 'b.example', 'a.example', 'a.example', 'a.exampl'])
  })

  it('has strings of its own when many hosts and paths share the places of the memory', () => {
    const settings = gateSettings()
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 2000; i++) {
        const head = headOf(`GET /item/${i} HTTP/1.1`, `Host: h${i}.example`)
        expect(judgeRequest(head, settings)).toBeUndefined()
        expect([head.path, head.host]).toEqual([`/item/${i}`, `h${i}.example`])
      }
    }
  })
})

describe('framing', () => {
  it.each([
    ['CL and TE', 400, [post, host, 'Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['TE and CL', 400, [post, host, 'Transfer-Encoding: chunked', 'Content-Length: 0']],
    ['two equal CL', 400, [post, host, 'Content-Length: 5', 'Content-Length: 5']],
    ['two CL in other cases', 400, [post, host, 'Content-Length: 5', 'content-length: 6']],
    ['a list', 400, [post, host, 'Content-Length: 5, 5']],
    ['no number', 400, [post, host, 'Content-Length:']],
    ['+5', 400, [post, host, 'Content-Length: +5']],
    ['-5', 400, [post, host, 'Content-Length: -5']],
    ['0x5', 400, [post, host, 'Content-Length: 0x5']],
    ['1_0', 400, [post, host, 'Content-Length: 1_0']],
    ['inner space', 400, [post, host, 'Content-Length: 1 0']],
    ['2^53', 400, [post, host, 'Content-Length: 9007199254740992']],
    ['a very long number', 400, [post, host, `Content-Length: ${'9'.repeat(400)}`]],
    [',chunked', 400, [post, host, 'Transfer-Encoding: ,chunked']],
    ['chunked,', 400, [post, host, 'Transfer-Encoding: chunked,']],
    ['chunked twice', 400, [post, host, 'Transfer-Encoding: chunked, chunked']],
    [
      'chunked on two lines',
      400,
      [post, host, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ],
    ['identity', 400, [post, host, 'Transfer-Encoding: identity']],
    ['xchunked', 400, [post, host, 'Transfer-Encoding: xchunked']],
    ['empty TE', 400, [post, host, 'Transfer-Encoding:']],
    ['a VT', 400, [post, host, 'Transfer-Encoding: \vchunked']],
    ['a NUL', 400, [post, host, 'Transfer-Encoding: chunked\0']],
    ['gzip, chunked', 501, [post, host, 'Transfer-Encoding: gzip, chunked']],
    ['gzip', 501, [post, host, 'Transfer-Encoding: gzip']],
    ['TE in HTTP/1.0', 400, ['POST / HTTP/1.0', host, 'Transfer-Encoding: chunked']],
    ['a body until the close', 400, ['POST / HTTP/1.0', host]],
    ['Transfer_Encoding', 400, [post, host, 'Transfer_Encoding: chunked']],
    ['Content_Length', 400, [post, host, 'Content_Length: 5']],
    ['Transfer--Encoding', 400, [post, host, 'Transfer--Encoding: chunked']],
    ['Content.Length', 400, [post, host, 'CONTENT.length: 5']],
    ['-Host', 400, [get, host, '-Host: b.example']],
  ])('%s: %d', (_, status, lines) => {
    expect(refused(undefined, ...lines)).toBe(status)
    // Whoever is lenient about the rest is not about this.
    expect(refused({ underscores: 'keep', encodedSlash: 'keep' }, ...lines)).toBe(status)
  })

  it('refuses bodies of methods that need none, when told to', () => {
    const lines = ['GET / HTTP/1.1', host, 'Content-Length: 5']
    expect(refused({ unexpectedBody: 'reject' }, ...lines)).toBe(400)
    expect(refused({ unexpectedBody: 'reject' }, get, host, 'Content-Length: 0')).toBeUndefined()
    expect(refused({ unexpectedBody: 'reject' }, post, host, 'Content-Length: 5')).toBeUndefined()
  })
})

describe('Host and target', () => {
  it.each([
    ['no Host', [get]],
    ['two Hosts', [get, host, host]],
    ['empty', [get, 'Host:']],
    ['empty in HTTP/1.0', ['GET / HTTP/1.0', 'Host:']],
    ['user information', [get, 'Host: me@a.example']],
    ['a path', [get, 'Host: a.example/x']],
    ['a space', [get, 'Host: a.example b']],
    ['a comma', [get, 'Host: a.example,b.example']],
    ['a query', [get, 'Host: a.example?x']],
    ['an escape', [get, 'Host: a%2eexample']],
    ['8-bit bytes', [get, 'Host: b\u00fccher.example']],
    ['an empty label', [get, 'Host: a..example']],
    ['a dot alone', [get, 'Host: .']],
    ['a leading dot', [get, 'Host: .a.example']],
    ['a long label', [get, `Host: ${'a'.repeat(64)}.example`]],
    ['a long name', [get, `Host: ${'a.'.repeat(127)}example`]],
    ['port 0', [get, 'Host: a.example:0']],
    ['port 65536', [get, 'Host: a.example:65536']],
    ['port 080000', [get, 'Host: a.example:080000']],
    ['port x', [get, 'Host: a.example:x']],
    ['port -1', [get, 'Host: a.example:-1']],
    ['two ports', [get, 'Host: a.example:80:80']],
    ['port alone', [get, 'Host: :80']],
    ['IPv6 without brackets', [get, 'Host: 2001:db8::1']],
    ['IPv6 with a zone', [get, 'Host: [fe80::1%25eth0]']],
    ['bad IPv6', [get, 'Host: [2001:db8::1::2]']],
    ['an open bracket', [get, 'Host: [::1']],
    ['IPv4 in brackets', [get, 'Host: [192.0.2.1]']],
    ['text behind the bracket', [get, 'Host: [::1]x']],
    ['a future address', [get, 'Host: [v1.x]']],
    ['a short IPv4', [get, 'Host: 127.1']],
    ['a hexadecimal IPv4', [get, 'Host: 0x7f000001']],
    ['an IPv4 with a large part', [get, 'Host: 192.0.2.256']],
    ['an octal IPv4', [get, 'Host: 0177.0.0.1']],
    ['a decimal IPv4', [get, 'Host: 2130706433']],
    ['GET *', ['GET * HTTP/1.1', host]],
    ['OPTIONS */x', ['OPTIONS */x HTTP/1.1', host]],
    ['authority form', ['GET a.example:80 HTTP/1.1', host]],
    ['no slash', ['GET x HTTP/1.1', host]],
    ['another scheme', ['GET ftp://a.example/ HTTP/1.1', host]],
    ['no authority', ['GET http:///x HTTP/1.1', host]],
    ['a fragment', ['GET /x#y HTTP/1.1', host]],
    ['a fragment in the query', ['GET /x?y#z HTTP/1.1', host]],
    ['a fragment behind the authority', ['GET http://a.example#x HTTP/1.1', host]],
    ['a fragment in an odd path', ['GET /%41#x HTTP/1.1', host]],
    ['user information in the target', ['GET http://me@a.example/ HTTP/1.1', host]],
    ['a target elsewhere', ['GET http://b.example/ HTTP/1.1', host]],
    ['a target at another port', ['GET http://a.example:81/ HTTP/1.1', host]],
    ['https at port 80', ['GET https://a.example/ HTTP/1.1', 'Host: a.example:80']],
    ['an absolute target and no Host', ['GET http://a.example/ HTTP/1.1']],
    ['an absolute target and a bad Host', ['GET http://a.example/ HTTP/1.1', 'Host: a,b']],
    ['8-bit bytes in the target', ['GET /\u00fc HTTP/1.1', host]],
    ['8-bit bytes in the query', ['GET /?\u00fc HTTP/1.1', host]],
  ])('%s: 400', (_, lines) => {
    expect(refused(undefined, ...lines)).toBe(400)
  })

  it('routes and sends on by the target when told to replace Host', () => {
    const options = { authorityMismatch: 'replace' } as const
    const head = judged(options, 'GET http://b.example:81/x HTTP/1.1', host)
    expect(head).toMatchObject({ host: 'b.example', port: 81, authority: 'b.example:81' })
    expect(refused(options, 'GET http://b.example/ HTTP/1.1', host, host)).toBe(400)
    expect(refused(options, 'GET http://b.example/ HTTP/1.1')).toBe(400)
  })

  it('takes default ports for the ports they are', () => {
    expect(judged(undefined, 'GET https://a.example:443/ HTTP/1.1', host).authority).toBe(
      'a.example:443',
    )
  })

  it('answers a path that is too long by 414', () => {
    expect(refused({ maxPathLength: 10 }, 'GET /123456789 HTTP/1.1', host)).toBeUndefined()
    expect(refused({ maxPathLength: 10 }, 'GET /1234567890 HTTP/1.1', host)).toBe(414)
    expect(refused({ maxPathLength: 10 }, 'GET /%41234567890 HTTP/1.1', host)).toBe(414)
    expect(refused({ maxPathLength: 10 }, 'GET /1?34567890123 HTTP/1.1', host)).toBeUndefined()
  })
})

describe('methods and versions', () => {
  it.each([
    ['TRACE', 405, ['TRACE / HTTP/1.1', host]],
    ['CONNECT', 405, ['CONNECT a.example:443 HTTP/1.1', 'Host: a.example:443']],
    ['HTTP/2.0 in a line', 505, ['GET / HTTP/2.0', host]],
    ['HTTP/1.2', 505, ['GET / HTTP/1.2', host]],
    ['a lower-case method', 400, ['get / HTTP/1.1', host]],
    ['an unknown method', 501, ['BREW / HTTP/1.1', host]],
  ])('%s: %d', (_, status, lines) => {
    expect(refused(undefined, ...lines)).toBe(status)
  })

  it('lets TRACE pass when told to, without a body', () => {
    expect(refused({ allowTrace: true }, 'TRACE / HTTP/1.1', host)).toBeUndefined()
    expect(refused({ allowTrace: true }, 'TRACE / HTTP/1.1', host, 'Content-Length: 1')).toBe(400)
  })

  it('lets CONNECT pass when told to, to an authority with a port', () => {
    const options = { allowConnect: true }
    const target = 'CONNECT a.example:443 HTTP/1.1'
    expect(judged(options, target, 'Host: a.example:443')).toMatchObject({
      host: 'a.example',
      port: 443,
      authority: 'a.example:443',
    })
    expect(refused(options, target, 'Host: a.example')).toBeUndefined()
    expect(refused(options, target, 'Host: b.example:443')).toBe(400)
    expect(refused(options, target, 'Host: a.example:80')).toBe(400)
    expect(refused(options, target)).toBe(400)
    expect(refused(options, 'CONNECT a.example HTTP/1.1', host)).toBe(400)
    expect(refused(options, 'CONNECT / HTTP/1.1', host)).toBe(400)
    expect(refused(options, 'CONNECT http://a.example/ HTTP/1.1', host)).toBe(400)
    expect(refused(options, target, 'Host: a.example', 'Content-Length: 1')).toBe(400)
  })
})

describe('expectations and options of the connection', () => {
  it.each([
    ['another expectation', 417, ['Expect: 200-ok']],
    ['one beside it', 417, ['Expect: 100-continue, x']],
    ['an empty one', 417, ['Expect:']],
    ['two lines, one bad', 417, ['Expect: 100-continue', 'Expect: x']],
    ['very many options', 400, [`Connection: ${'a,'.repeat(40)}`]],
    ['options over many lines', 400, Array.from({ length: 40 }, () => 'Connection: a')],
  ])('%s: %d', (_, status, lines) => {
    expect(refused(undefined, post, host, 'Content-Length: 1', ...lines)).toBe(status)
  })
})

describe('Upgrade', () => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: WebSocket']
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  const version = 'Sec-WebSocket-Version: 13'

  it('of a WebSocket passes', () => {
    expect(judged(undefined, get, host, ...upgrade, key, version).upgrade).toBe('websocket')
    const among = ['Connection: keep-alive, upgrade', 'Upgrade: h2c, websocket', 'Upgrade: x']
    expect(judged(undefined, get, host, ...among, key, version).upgrade).toBe('websocket')
  })

  it.each([
    ['h2c', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMA']],
    ['what is not allowed', ['Connection: upgrade', 'Upgrade: tls/1.0']],
    ['what is not an option of Connection', ['Upgrade: websocket']],
    ['an empty wish', ['Connection: upgrade', 'Upgrade:']],
    ['a wish with a version', ['Connection: upgrade', 'Upgrade: websocket/13']],
  ])('ignores %s', (_, lines) => {
    expect(judged(undefined, get, host, ...lines)).toMatchObject({ upgrade: '', keepAlive: true })
  })

  it('is nothing in HTTP/1.0', () => {
    expect(judged(undefined, 'GET / HTTP/1.0', host, ...upgrade).upgrade).toBe('')
  })

  it.each([
    ['no key', [...upgrade, version]],
    ['two keys', [...upgrade, key, key, version]],
    ['a short key', [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZQ==', version]],
    ['a key of 17 bytes', [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=', version]],
    ['a key with spare bits', [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==', version]],
    [
      'a key of other letters',
      [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==', version],
    ],
    ['no version', [...upgrade, key]],
    ['version 8', [...upgrade, key, 'Sec-WebSocket-Version: 8']],
    ['two versions', [...upgrade, key, version, version]],
    ['a body by length', [...upgrade, key, version, 'Content-Length: 1']],
    ['a chunked body', [...upgrade, key, version, 'Transfer-Encoding: chunked']],
  ])('with %s: 400', (_, lines) => {
    expect(refused(undefined, get, host, ...lines)).toBe(400)
  })

  it('by POST: 400', () => {
    expect(refused(undefined, post, host, ...upgrade, key, version)).toBe(400)
  })

  it('passes for other protocols that are allowed', () => {
    const options = { upgrades: ['tcp-tunnel'] }
    const lines = ['Connection: upgrade', 'Upgrade: websocket, TCP-Tunnel']
    expect(judged(options, get, host, ...lines).upgrade).toBe('tcp-tunnel')
    expect(judged({ upgrades: [] }, get, host, ...upgrade, key, version).upgrade).toBe('')
  })
})

describe('names with underscores', () => {
  const lines = [
    get,
    host,
    'X_Api_Key: 1',
    'X_Forwarded_For: 192.0.2.1',
    'x-forwarded_proto: https',
    'X--Real--IP: 192.0.2.1',
    'X.SSL.Client-Verify: 0',
    'AUTHORIZATION_: Basic x',
    'X-Fine: 1',
  ]
  const names = (options: Parameters<typeof judged>[0]): string[] =>
    [...judged(options, ...lines)].map(([name]) => name)

  it('are dropped', () => {
    expect(names(undefined)).toEqual(['Host', 'X-Fine'])
  })

  it('are kept when told to, but for those that would pass for a proxy’s', () => {
    expect(names({ underscores: 'keep' })).toEqual(['Host', 'X_Api_Key', 'X-Fine'])
  })

  it('are refused when told to', () => {
    expect(refused({ underscores: 'reject' }, ...lines)).toBe(400)
    expect(refused({ underscores: 'reject' }, get, host, 'X--Odd: 1')).toBeUndefined()
  })
})

describe('HTTP/2', () => {
  const judge = (head: RequestHead): number | undefined =>
    judgeRequest(head, gateSettings())?.status

  it('is judged as HTTP/1.1 is', () => {
    const head = h2Head(
      { path: '/a/../b?c', authority: 'A.example:443', length: -1, method: 'POST' },
      ['te', 'trailers'],
      ['expect', '100-continue'],
    )
    expect(judge(head)).toBeUndefined()
    expect(head).toMatchObject({
      host: 'a.example',
      authority: 'a.example:443',
      path: '/b',
      query: 'c',
      bodyLength: -1,
      keepAlive: true,
      acceptsTrailers: true,
      expectsContinue: true,
    })
  })

  const authority = 'a.example'
  it.each([
    ['no authority', h2Head({})],
    ['a bad authority', h2Head({ authority: 'me@a.example' })],
    ['two authorities', h2Head({ authority }, ['host', authority])],
    [':path without a slash', h2Head({ authority, path: 'x' })],
    ['an absolute :path', h2Head({ authority, path: 'http://a.example/' })],
    ['an empty :path', h2Head({ authority, path: '' })],
    [':path * of GET', h2Head({ authority, path: '*' })],
    ['a fragment', h2Head({ authority, path: '/#x' })],
    ['a space in :path', h2Head({ authority, path: '/a b' })],
    ['Connection', h2Head({ authority }, ['connection', 'close'])],
    ['Keep-Alive', h2Head({ authority }, ['keep-alive', '5'])],
    ['Proxy-Connection', h2Head({ authority }, ['proxy-connection', 'close'])],
    ['Upgrade', h2Head({ authority }, ['upgrade', 'websocket'])],
    ['Transfer-Encoding', h2Head({ authority }, ['transfer-encoding', 'chunked'])],
    ['a bad Content-Length', h2Head({ authority }, ['content-length', '+1'])],
    ['Content_Length', h2Head({ authority }, ['content_length', '1'])],
  ])('with %s: 400', (_, head) => {
    expect(judge(head)).toBe(400)
  })

  it('upgrades by extended CONNECT, which its leg has rewritten, to what is allowed', () => {
    const fields = [
      ['upgrade', 'websocket'],
      ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ] as [string, string][]
    const version = ['sec-websocket-version', '13'] as [string, string]
    const upgrade = 'websocket'
    const good = h2Head({ authority, upgrade }, ...fields, version)
    expect(judge(good)).toBeUndefined()
    expect(good.upgrade).toBe('websocket')
    expect(judge(h2Head({ authority, upgrade }, ...fields))).toBe(400)
    expect(judge(h2Head({ authority, upgrade: 'x' }, ['upgrade', 'x']))).toBe(501)
  })
})

describe('anything', () => {
  const target = fc
    .array(
      fc.constantFrom(
        ...['/', '/', 'a', '..', '.', '%2e', '%2F', '%c3', '*', '//', 'http://a.example', '?', '#'],
        ...['b.example', ':80', ';x', '%', '\\', '{', '\u00ff'],
      ),
      { maxLength: 8 },
    )
    .map((pieces) => pieces.join(''))
  const line = fc.constantFrom(
    ...['Host: a.example', 'Host: [::1]:80', 'Host: a,b', 'Content-Length: 5', 'Content-Length: x'],
    ...[
      'Content-Length: 0',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: gzip',
      'TE: trailers',
    ],
    ...['Connection: close', 'Connection: upgrade', 'Upgrade: websocket', 'Upgrade: h2c', 'X_Y: 1'],
    ...[
      'Expect: 100-continue',
      'Content_Length: 1',
      'X-Forwarded_For: 1',
      'Te\u00ff: 1',
      'A: \u00ff',
    ],
  )
  const request = fc
    .tuple(
      fc.constantFrom('GET', 'POST', 'OPTIONS', 'CONNECT'),
      fc.oneof(
        fc.constant('/'),
        target.map((text) => `/${text}`),
        target,
      ),
      fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
      fc.array(line, { maxLength: 4 }),
    )
    .map(([method, path, version, lines]) =>
      bytesOf([`${method} ${path} ${version}`, host, ...lines, '', ''].join('\r\n')),
    )
  const mutated = fc
    .tuple(request, fc.nat(), fc.nat(255))
    .map(([bytes, at, byte]) => bytes.with(at % bytes.length, byte))
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 300 }), request, mutated)

  it('comes to a problem or to a head with one path and one length', () => {
    const settings = gateSettings({ encodedSlash: 'keep' })
    let passed = 0
    fc.assert(
      fc.property(bytes, (input) => {
        const head = parsed(input)
        if (!(head instanceof RequestHead)) return
        const problem = judgeRequest(head, settings)
        if (problem !== undefined) {
          expect(problem.status).toBeGreaterThanOrEqual(400)
          return
        }
        passed += 1
        expect(head.path).toMatch(/^(?:\/|\*$)/)
        expect(head.path).not.toMatch(/[\s#?\\]|(?:^|\/)\.\.?(?:\/|$)/)
        const text = Buffer.from(input).toString('latin1')
        const counts = text.match(/\nContent-Length:/gi)?.length ?? 0
        const codings = text.match(/\nTransfer-Encoding:/gi)?.length ?? 0
        // Two ways to find the body's end are one too many.
        expect(counts + codings).toBeLessThanOrEqual(1)
        expect(head.bodyLength).toBeGreaterThanOrEqual(-1)
        expect(head.authority).toMatch(/^[\w.\-[\]:]*$/)
      }),
      { numRuns: 3000 },
    )
    expect(passed).toBeGreaterThan(100)
  })

  it('of random lines in an HTTP/2 head comes to a problem or a head', () => {
    const settings = gateSettings()
    const octets = fc
      .array(
        fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f),
        { maxLength: 20 },
      )
      .map((codes) => String.fromCharCode(...codes))
    fc.assert(
      fc.property(octets, octets, octets, (path, authority, value) => {
        const head = h2Head({ path, authority }, ['te', value], ['expect', value])
        const problem = judgeRequest(head, settings)
        expect(problem?.status ?? 400).toBeGreaterThanOrEqual(400)
      }),
    )
  })
})
