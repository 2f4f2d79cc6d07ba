import { backend } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Rewrite } from '../../src/routing/action.ts'
import { always } from '../../src/routing/combine.ts'
import { fieldChanges } from '../../src/routing/field-changes.ts'
import { path, pathPrefix } from '../../src/routing/match-path.ts'
import { rewriteOf } from '../../src/routing/rewrite.ts'
import type { Match } from '../../src/routing/route.ts'
import { template } from '../../src/routing/template.ts'
import { type FakeRequest, fakeEditor, fakeExchange, fakePool, fakeTls } from './fakes.ts'

/** Signed by itself, for localhost. */
const certificate = Buffer.from(
  'MIIBfTCCASOgAwIBAgIUOddaLD0STqcEvleYGuWaLZLwX/kwCgYIKoZIzj0EAwIwFDESMBAGA1UE' +
    'AwwJbG9jYWxob3N0MB4XDTI2MTEyMTA5MTkxOFoXDTI2MTEyMzA5MTkxOFowFDESMBAGA1UEAwwJ' +
    'bG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEY2Zp6KfcyV0tMONesGQC5KP6BTc4' +
    'BrbttECZHYZyLze3pg3s+IG+gxINfxKS3E1UP3J/YMD2WIgo5YCSuctzi6NTMFEwHQYDVR0OBBYE' +
    'FPFJbSc+mc94GaP0Lh8buJtfqymcMB8GA1UdIwQYMBaAFPFJbSc+mc94GaP0Lh8buJtfqymcMA8G' +
    'A1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAO+665BceifaScrifoUSepDZW6xWfKUI' +
    'DHktJlJT+zK9AiBVIRCuqt5kXLB+4pS2q0XNDC4xRJJ4/0jFNqKAz2sMiQ==',
  'base64',
)

describe('template', () => {
  const x = fakeExchange(
    {
      method: 'POST',
      scheme: 'https',
      port: 8443,
      target: '/a/b?c=d&e=%C4%8A',
      tls: fakeTls('CN=one, O=Org'),
      headers: [
        ['X-A', 'b'],
        ['Cookie', 'k=v'],
      ],
    },
    {
      route: 'api',
      pool: fakePool('site'),
      backend: backend({ id: 'm1', address: '192.0.2.10:8080' }),
      attempts: 2,
      status: 200,
    },
  )

  it.each([
    ['', ''],
    ['plain 100%', 'plain 100%'],
    ['100%% %%{host}', '100% %{host}'],
    [
      '%{method} %{scheme}://%{authority}%{target} %{version}',
      'POST https://example.com:8443/a/b?c=d&e=%C4%8A HTTP/1.1',
    ],
    ['%{host}|%{port}|%{path}|%{query}', 'example.com|8443|/a/b|c=d&e=%C4%8A'],
    ['%{header:x-a}|%{header:none}|%{cookie:k}|%{query:c}', 'b||v|d'],
    [
      '%{client}:%{client.port} %{peer} %{local}:%{local.port}',
      '192.0.2.1:40000 192.0.2.1 192.0.2.254:80',
    ],
    [
      '%{id} %{listener} %{route} %{pool} %{backend} %{backend.address} %{attempts} %{status}',
      'exchange-1 web api site m1 192.0.2.10:8080 2 200',
    ],
    [
      '%{tls.version} %{tls.cipher} %{tls.serverName} %{tls.alpn} %{tls.resumed}',
      'TLSv1.3 TLS_AES_256_GCM_SHA384 example.com http/1.1 0',
    ],
    [
      '%{tls.hasCertificate} %{tls.verifyResult} %{tls.subject} %{tls.subject:O} %{tls.commonName} %{tls.issuer:CN}',
      '1 0 CN=one, O=Org Org one Test CA',
    ],
  ])('%j', (text, expected) => {
    expect(template(text)(x)).toBe(expected)
  })

  it('reads a certificate when it is asked', () => {
    const given = fakeTls('CN=localhost')
    const { peerCertificate } = given
    if (peerCertificate === undefined) throw new Error('it has none')
    const tls = { ...given, peerCertificate: { ...peerCertificate, der: certificate } }
    const text = '%{tls.sha1} %{tls.notBefore} %{tls.notAfter}'
    expect(template(text)(fakeExchange({ tls }))).toBe(
      'e66bfc9b4b484745931d93bac3971272b334d19c 2026-11-21T09:19:18.000Z 2026-11-23T09:19:18.000Z',
    )
  })

  it('is empty where there is nothing', () => {
    expect(template('%{tls.subject}%{route}%{backend}')(fakeExchange())).toBe('')
  })

  it('lets no value end a line', () => {
    expect(template('%{query:e}')(x)).toBe('\xc4\x8a')
    const value = template('<%{header:x}>')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const result = value(fakeExchange({ headers: [['x', text]] }))
        expect(result).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/)
      }),
    )
    expect(template('%{header:x}')(fakeExchange({ headers: [['x', ' \ta\t ']] }))).toBe('a')
    // The bytes of `à`: the second one alone is a no-break space.
    expect(template('%{header:x}')(fakeExchange({ headers: [['x', '\xc3\xa0']] }))).toBe('\xc3\xa0')
  })

  it('says what is wrong', () => {
    expect(() => template('%{hots}', 'set.x')).toThrow(
      'set.x: there is no variable "hots": did you mean host?',
    )
    expect(() => template('%{header:a b}')).toThrow(/token/)
    expect(() => template('%{host')).toThrow(/without \}/)
    expect(() => template('a\nb')).toThrow(/control character/)
    expect(() => template('%{constructor}')).toThrow(/no variable/)
  })
})

describe('rewrite', () => {
  const rewritten = (rewrite: Rewrite, match: Match, request: FakeRequest) => {
    const editor = fakeEditor()
    const { apply } = rewriteOf(rewrite, match)
    const x = fakeExchange(request, { backend: backend('192.0.2.10:8080') })
    editor.path = x.request.path
    editor.query = x.request.query
    apply(editor, x)
    return editor
  }
  const pathOf = (rewrite: Rewrite, match: Match, target: string): string =>
    rewritten(rewrite, match, { target }).path

  it.each([
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/foobar', '/foo', '/x', '/foobar'],
  ])('%s with prefix %s replaced by %j is %s', (target, from, to, expected) => {
    expect(pathOf({ prefix: to }, pathPrefix(from), target)).toBe(expected)
    expect(pathOf({ prefix: { from, to } }, always, target)).toBe(expected)
  })

  it('replaces path, host and query', () => {
    const match = path('/a/*')
    expect(pathOf({ path: '/x%{path}' }, match, '/a/b')).toBe('/x/a/b')
    expect(
      pathOf({ regex: { pattern: '^/(\\w+)/(\\d+)', replace: '/$2/\\1$$' } }, match, '/a/12/c'),
    ).toBe('/12/a$/c')
    expect(pathOf({ regex: { pattern: 'a', replace: 'b' } }, match, '/a/a')).toBe('/b/b')
    expect(pathOf({ regex: { pattern: '.', replace: '/' } }, match, '*')).toBe('*')
    expect(rewritten({ host: 'x.%{host}' }, match, {}).host).toBe('x.example.com')
    expect(rewritten({ host: 'backend' }, match, {}).host).toBe('192.0.2.10:8080')
    expect(rewritten({ query: '' }, match, { target: '/a?b' }).query).toBeUndefined()
    expect(rewritten({ query: 'from=%{path}&%{query}' }, match, { target: '/a?b=c' }).query).toBe(
      'from=%2Fa&b=c',
    )
  })

  it('keeps variables in their place', () => {
    const headers = [['x', '../b?c#d e\r\n']] as const
    const to = rewritten({ path: '/x/%{header:x}/y' }, always, { headers })
    expect(to.path).toBe('/x/..%2Fb%3Fc%23d%20e%0D%0A/y')
    expect(rewritten({ query: 'a=%{header:x}' }, always, { headers: [['x', 'b&c=d']] }).query).toBe(
      'a=b%26c%3Dd',
    )
  })

  it('lets no client lead out of the chosen place', () => {
    const to = (name: string, rewrite: Rewrite, target = '/') =>
      rewritten(rewrite, always, { target, headers: [['x', name]] }).path
    const byHeader = { path: '/tenants/%{header:x}/files' }
    expect(to('a.b', byHeader)).toBe('/tenants/a.b/files')
    expect(() => to('..', byHeader)).toThrow(/dot segment/)
    expect(() => to('.', byHeader)).toThrow(/dot segment/)
    const byRegex = { regex: { pattern: '^/a(.*)$', replace: '/x/$1' } }
    expect(to('', byRegex, '/a.../b')).toBe('/x/.../b')
    expect(() => to('', byRegex, '/a../b')).toThrow(/dot segment/)
  })

  it('refuses what cannot be', () => {
    expect(() => rewriteOf({ prefix: '/x' }, always)).toThrow(/^rewrite\.prefix: .*from, to/)
    expect(() => rewriteOf({ prefix: 'x' }, path('/a/*'))).toThrow(/slash/)
    expect(() => rewriteOf({ prefix: '/x', path: '/y' }, path('/a/*'))).toThrow(/several/)
    expect(() => rewriteOf({ path: 'x' }, always)).toThrow(/begin with a slash/)
    expect(() => rewriteOf({ path: '%{header:x}' }, always)).toThrow(/begin with a slash/)
    expect(() => rewriteOf({ regex: { pattern: '(a)', replace: '$2' } }, always)).toThrow(
      /names group 2/,
    )
    expect(() => rewriteOf({ regex: { pattern: 'a', replace: '$x' } }, always)).toThrow(/dollar/)
    expect(() => rewriteOf({ regex: { pattern: 'a', replace: '?b' } }, always)).toThrow(
      /no path can have/,
    )
    expect(() => rewriteOf({ host: '%{nobody}' }, always)).toThrow(/^rewrite\.host/)
  })
})

describe('fieldChanges', () => {
  it('removes, sets, adds', () => {
    const editor = fakeEditor()
    editor.add('x-a', '1')
    editor.add('x-b', '2')
    fieldChanges({
      add: { 'x-c': ['3', '%{method}'], 'x-b': '5' },
      set: { 'x-b': '4' },
      remove: ['x-a'],
    })(editor, fakeExchange())
    expect(editor.lines).toEqual([
      ['x-b', '4'],
      ['x-c', '3'],
      ['x-c', 'GET'],
      ['x-b', '5'],
    ])
  })

  it.each([
    'content-length',
    'Transfer-Encoding',
    'connection',
    'upgrade',
    'te',
    'trailer',
    'keep-alive',
    'HTTP2-Settings',
    'host',
    'a b',
    '',
  ])('leaves %j to the proxy', (name) => {
    expect(() => fieldChanges({ set: { [name]: 'x' } }, 'at')).toThrow(/^at\.set/)
    expect(() => fieldChanges({ add: { [name]: 'x' } }, 'at')).toThrow(/^at\.add/)
    expect(() => fieldChanges({ remove: [name] }, 'at')).toThrow(/^at\.remove\[0\]/)
  })
})
