import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { all, always, any, not } from '../../src/routing/combine.ts'
import { nameFields } from '../../src/routing/distinguished-name.ts'
import { clientIn, peerIn, port, scheme } from '../../src/routing/match-connection.ts'
import { cookie, header, method, query } from '../../src/routing/match-fields.ts'
import { grpc } from '../../src/routing/match-grpc.ts'
import { host, hostText } from '../../src/routing/match-host.ts'
import {
  fileType,
  path,
  pathPrefix,
  pathRegex,
  pathSuffix,
  pathText,
} from '../../src/routing/match-path.ts'
import {
  clientCertificate,
  distinguishedName,
  serverName,
  verifyResult,
} from '../../src/routing/match-tls.ts'
import { predicateCompiler } from '../../src/routing/predicate.ts'
import type { Match } from '../../src/routing/route.ts'
import {
  between,
  contains,
  endsWith,
  equals,
  matches,
  oneOf,
  present,
  startsWith,
} from '../../src/routing/text-test.ts'
import { type FakeRequest, fakeRequest, fakeTls } from './fakes.ts'

function meets(match: Match, request: FakeRequest): boolean {
  const compiler = predicateCompiler((error) => {
    throw error
  })
  return compiler.of(match)(fakeRequest(request))
}

/** Which of these it is met by. */
function met(match: Match, requests: readonly FakeRequest[]): boolean[] {
  return requests.map((request) => meets(match, request))
}

const hosts = (...names: string[]): FakeRequest[] => names.map((host) => ({ host }))
const targets = (...list: string[]): FakeRequest[] => list.map((target) => ({ target }))

describe('host', () => {
  it('is exact, or any depth below a wildcard, and no suffix of a label', () => {
    const names = hosts('example.com', 'a.example.com', 'b.a.example.com', 'xexample.com', '')
    expect(met(host('example.com'), names)).toEqual([true, false, false, false, false])
    expect(met(host('*.example.com'), names)).toEqual([false, true, true, false, false])
    expect(met(host('*'), names)).toEqual([true, true, true, true, true])
    expect(met(host('EXAMPLE.com.', '*.A.example.COM'), names)).toEqual([
      true,
      false,
      true,
      false,
      false,
    ])
  })

  it('reads addresses as the gate does', () => {
    expect(meets(host('[2001:DB8:0::1]'), { host: '[2001:db8::1]' })).toBe(true)
    expect(meets(host('192.0.2.1'), { host: '192.0.2.1' })).toBe(true)
  })

  it('compares a port with the one that was named, or the one that the scheme means', () => {
    const match = host('example.com:443')
    expect(meets(match, { port: 443 })).toBe(true)
    expect(meets(match, { port: 8443 })).toBe(false)
    expect(meets(match, { scheme: 'https' })).toBe(true)
    expect(meets(match, { scheme: 'http' })).toBe(false)
    expect(meets(host('example.com'), { port: 8443 })).toBe(true)
    expect(met(host('*:8080'), [{ port: 8080 }, { host: '', port: 8080 }, {}])).toEqual([
      true,
      true,
      false,
    ])
  })

  it.each([
    '',
    'a..b',
    'exa mple',
    'münchen.example',
    '*.*.com',
    'a.*',
    '*.1.2.3.4',
    'a:0',
    'a:x',
    'a/b',
    '127.1',
  ])('refuses %j', (name) => {
    expect(() => host('good.example', name)).toThrow(/^host\[1\]: /)
  })

  it('tests names without regard to case', () => {
    expect(meets(hostText(startsWith('API-')), { host: 'api-1.example.com' })).toBe(true)
    expect(meets(hostText(matches('^api-\\d')), { host: 'api-x.example.com' })).toBe(false)
    expect(meets(not(hostText(contains('api'))), { host: '' })).toBe(true)
  })
})

describe('path', () => {
  it('is exact, or a prefix by whole segments', () => {
    const list = targets('/a', '/a/', '/a/b', '/ab', '/', '/A', '*')
    expect(met(path('/a'), list)).toEqual([true, false, false, false, false, false, false])
    expect(met(path('/a/*'), list)).toEqual([true, true, true, false, false, false, false])
    expect(met(pathPrefix('/a/'), list)).toEqual([true, true, true, false, false, false, false])
    expect(met(path('/*'), list)).toEqual([true, true, true, true, true, true, false])
    expect(met(path('/', '/a/b/*'), list)).toEqual([false, false, true, false, true, false, false])
    expect(met(pathText(startsWith('/a')), list)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ])
    expect(met(pathText(equals('/A', { ignoreCase: true })), list)).toEqual([
      true,
      false,
      false,
      false,
      false,
      true,
      false,
    ])
  })

  it('is written in any spelling and compared in the canonical one', () => {
    expect(meets(path('/%7Euser/%c3%a9'), { target: '/~user/%C3%A9' })).toBe(true)
    expect(meets(path('/é/*'), { target: '/%C3%A9/x' })).toBe(true)
  })

  it.each(['', 'a', '*', '/a*', '/*/b', '/a?b', '/a#b', '/../a', '/%zz', '/a\\b', '/a\nb'])(
    'refuses %j',
    (pattern) => {
      expect(() => path(pattern)).toThrow(/^path\[0\]: /)
    },
  )

  it('knows suffixes, file types and patterns', () => {
    const list = targets('/a.jpg', '/b/x.JPG', '/jpg', '/a.jpg/b', '/x.tar.gz', '/.jpg', '/xjpg')
    expect(met(fileType('jpg', '.png'), list)).toEqual([
      true,
      true,
      false,
      false,
      false,
      true,
      false,
    ])
    expect(met(fileType(matches('^(?:gz|zip)$')), list)[4]).toBe(true)
    expect(met(pathSuffix('jpg'), list)).toEqual([true, false, true, false, false, true, true])
    expect(met(pathRegex('^/[ab]'), list)).toEqual([true, true, false, true, false, false, false])
    expect(met(pathRegex(/JPG$/i), list)[0]).toBe(true)
    expect(() => pathRegex('(?=x)')).toThrow(/looks around/)
    expect(() => fileType('a/b')).toThrow(/no file type/)
  })
})

describe('fields', () => {
  const request: FakeRequest = {
    target: '/?a=1&a=2&b&c=%C3%A9',
    headers: [
      ['Accept', 'text/html, "a, b", application/json ;q=1'],
      ['X-Env', 'Prod'],
      ['X-Env', 'eu'],
      ['Content-Length', '42'],
      ['Cookie', 'group=beta; id=7'],
    ],
  }

  it.each<[string, Match, boolean]>([
    ['present', header('x-env'), true],
    ['absent', header('x-other', present()), false],
    ['equal', header('X-ENV', 'Prod'), true],
    ['other case', header('x-env', 'prod'), false],
    ['case ignored', header('x-env', equals('PROD', { ignoreCase: true })), true],
    ['second line', header('x-env', 'eu'), true],
    ['one of', header('x-env', oneOf(['us', 'eu'])), true],
    ['start', header('x-env', startsWith('Pr')), true],
    ['end', header('x-env', endsWith(['x', 'od'])), true],
    ['within', header('x-env', contains('ro')), true],
    ['pattern', header('x-env', /^PROD$/i), true],
    ['whole line is not one element', header('accept', 'text/html'), false],
    ['element', header('accept', 'text/html', { elements: true }), true],
    ['quoted element', header('accept', '"a, b"', { elements: true }), true],
    ['no element', header('accept', 'a', { elements: true }), false],
    ['last element', header('accept', startsWith('application/json'), { elements: true }), true],
    ['in range', header('content-length', between(1, 42)), true],
    ['out of range', header('content-length', between(43, 99)), false],
    ['no number', header('x-env', between(0, 99)), false],
    ['cookie', cookie('group', 'beta'), true],
    ['other cookie', cookie('Group'), false],
    ['query', query('a', '2'), true],
    ['query without value', query('b', ''), true],
    ['query decoded', query('c', 'é'), true],
    ['no query', query('d'), false],
    ['method', method('PUT', 'GET'), true],
    ['other method', method('PUT'), false],
  ])('%s', (_, match, expected) => {
    expect(meets(match, request)).toBe(expected)
  })

  it('refuses what makes no sense', () => {
    expect(() => header('a b')).toThrow(/^header: /)
    expect(() => header('a', contains(''))).toThrow(/use present/)
    expect(() => header('a', equals('a\r\nb'))).toThrow(/control character/)
    expect(() => header('a', { kind: 'like' } as never)).toThrow(/^header\.a: "like" is no test/)
    expect(() => method('get')).toThrow(/write GET/)
    expect(() => between(2, 1)).toThrow(/no range/)
    expect(() => matches('(a)\\1')).toThrow(/^matches: /)
    expect(() => query('')).toThrow(/needs a name/)
  })
})

describe('connection', () => {
  it('asks the client, or the peer', () => {
    const request = { client: '203.0.113.9', peer: '10.1.2.3' }
    expect(meets(clientIn('203.0.113.0/24', '2001:db8::/32'), request)).toBe(true)
    expect(meets(clientIn('10.0.0.0/8'), request)).toBe(false)
    expect(meets(peerIn('10.0.0.0/8'), request)).toBe(true)
    expect(meets(clientIn('2001:db8::/32'), { client: '2001:db8::7' })).toBe(true)
    expect(meets(clientIn('10.0.0.0/8'), { client: '::ffff:10.0.0.1' })).toBe(true)
    expect(meets(clientIn('0.0.0.0/0'), { client: 'unknown' })).toBe(false)
    expect(() => clientIn('10.0.0.0/33')).toThrow(/clientIn/)
    expect(() => clientIn()).toThrow(/at least one/)
  })

  it('asks scheme and port', () => {
    expect(meets(scheme('https'), { scheme: 'https' })).toBe(true)
    expect(meets(port(8080, 80), { localPort: 80 })).toBe(true)
    expect(meets(port(8080), { localPort: 80, port: 8080 })).toBe(false)
    expect(() => scheme('ftp' as never)).toThrow(/neither/)
  })
})

describe('tls', () => {
  const none = { tls: fakeTls() }
  const good = { tls: fakeTls('CN=client one, O=Foo\\, CN=admin, OU=a + emailAddress=a@b.c') }
  const bad = { tls: fakeTls('CN=x', {}, false) }

  it('knows who has a certificate, and how good it is', () => {
    const requests = [{}, none, good, bad]
    expect(met(clientCertificate(), requests)).toEqual([false, false, true, false])
    expect(met(clientCertificate({ verified: false }), requests)).toEqual([
      false,
      false,
      true,
      true,
    ])
    expect(met(verifyResult(0), requests)).toEqual([false, true, true, false])
    expect(met(verifyResult(1), requests)).toEqual([false, false, false, true])
  })

  it('reads names so that no value passes for a field', () => {
    expect(meets(distinguishedName('cn', 'client one'), good)).toBe(true)
    expect(meets(distinguishedName('CN', 'admin'), good)).toBe(false)
    expect(meets(distinguishedName('O', 'Foo, CN=admin'), good)).toBe(true)
    expect(meets(distinguishedName('emailAddress', endsWith('@b.c')), good)).toBe(true)
    expect(meets(distinguishedName('CN', 'Test CA', { of: 'issuer' }), good)).toBe(true)
    expect(meets(distinguishedName('CN', present()), none)).toBe(false)
  })

  it('reads back every name that is written by the rules', () => {
    const escaped = (value: string): string => value.replaceAll(/[,+"\\<>;=]/g, '\\$&')
    const parts = fc.array(
      fc.tuple(
        fc.constantFrom('CN', 'O', 'OU'),
        fc.string({ unit: fc.constantFrom('a', ',', ' ', '+', '\\', '=', '"', 'é') }),
      ),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(parts, fc.constantFrom('CN', 'O', 'OU'), (list, field) => {
        const text = list.map(([name, value]) => `${name}=${escaped(value)}`).join(', ')
        const expected = list.flatMap(([name, value]) => (name === field ? [value] : []))
        expect(nameFields(text, field)).toEqual(expected)
      }),
    )
  })

  it('knows the server name', () => {
    expect(meets(serverName('*.com'), good)).toBe(true)
    expect(meets(serverName('www.example.com'), good)).toBe(false)
    expect(meets(serverName('example.com'), {})).toBe(false)
    expect(() => serverName('example.com:443')).toThrow(/no server name/)
  })
})

describe('grpc', () => {
  const call = (target: string): FakeRequest => ({
    target,
    headers: [['content-type', 'application/grpc+proto']],
  })
  it('knows service and method', () => {
    const both = grpc({ service: 'store.v1.Orders', method: 'List' })
    expect(meets(both, call('/store.v1.Orders/List'))).toBe(true)
    expect(meets(both, call('/store.v1.Orders/ListAll'))).toBe(false)
    expect(meets(both, { target: '/store.v1.Orders/List' })).toBe(false)
    expect(meets(grpc({ service: 'store.v1.Orders' }), call('/store.v1.Orders/Any'))).toBe(true)
    expect(meets(grpc({ service: 'store.v1.Orders' }), call('/store.v1.OrdersX/Any'))).toBe(false)
    expect(meets(grpc({ method: 'List' }), call('/a.B/List'))).toBe(true)
    expect(meets(grpc({ service: /store\..*/, method: /Get|List/ }), call('/store.v2.X/Get'))).toBe(
      true,
    )
    expect(meets(grpc(), call('/a/b/c'))).toBe(false)
    expect(() => grpc({ service: '/a' })).toThrow(/^grpc\.service/)
  })
})

describe('combinations', () => {
  const yes: Match = () => true
  const no: Match = () => false
  it.each<[Match, boolean]>([
    [always, true],
    [all(yes, yes), true],
    [all(yes, no), false],
    [any(no, yes), true],
    [any(no, no), false],
    [not(no), true],
    [not(all(yes, not(no))), false],
  ])('case %#', (match, expected) => {
    expect(meets(match, {})).toBe(expected)
  })

  it('need conditions', () => {
    expect(() => all()).toThrow(/^all: /)
    expect(() => any(always, 'x' as never)).toThrow(/^any\[1\]: /)
    expect(() => not(undefined as never)).toThrow(/^not: /)
  })
})
