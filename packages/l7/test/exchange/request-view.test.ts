import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readQuery } from '../../src/exchange/query-parameters.ts'
import { RequestView } from '../../src/exchange/request-view.ts'
import { trustSettings } from '../../src/gate/trusted-client.ts'
import { connectionOf, h2Head, judged } from '../gate/requests.ts'

const settings = { trust: trustSettings({ trustedProxies: ['203.0.113.0/24'] }) }

function view(lines: string[], target = '/', connection = connectionOf()): RequestView {
  const head = judged(undefined, `GET ${target} HTTP/1.1`, 'Host: A.example:81', ...lines)
  return new RequestView(head, connection, settings)
}

describe('a request as others see it', () => {
  it('says what was judged and what the connection is', () => {
    const request = view(['X-A: 1', 'x-a: 2'], '/a/./b?c=d')
    expect(request).toMatchObject({
      method: 'GET',
      version: 'HTTP/1.1',
      scheme: 'http',
      host: 'a.example',
      port: 81,
      path: '/a/b',
      query: 'c=d',
      target: '/a/b?c=d',
      client: '203.0.113.9',
      bodyLength: 0,
      tls: undefined,
      peer: { address: '203.0.113.9' },
      local: { port: 8080 },
    })
    expect(request.header('X-A')).toBe('1')
    expect(request.headerAll('x-A')).toEqual(['1', '2'])
    expect(request.header('x-b')).toBeUndefined()
    expect([...request.headers()]).toEqual([
      ['Host', 'A.example:81'],
      ['X-A', '1'],
      ['x-a', '2'],
    ])
  })

  it('tells the versions', () => {
    const ten = judged(undefined, 'GET / HTTP/1.0')
    expect(new RequestView(ten, connectionOf(), settings).version).toBe('HTTP/1.0')
    expect(new RequestView(h2Head({}), connectionOf(), settings).version).toBe('HTTP/2')
  })

  it('believes trusted peers about client and scheme, and nobody else', () => {
    const lines = ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https']
    expect(view(lines)).toMatchObject({ client: '203.0.113.9', scheme: 'http' })
    expect(view(lines, '/', connectionOf({ trusted: true }))).toMatchObject({
      client: '192.0.2.1',
      scheme: 'https',
    })
  })
})

describe('cookies', () => {
  it('are read leniently, the first of a name', () => {
    const request = view(['Cookie: a=1; b="x y";c ; =d; e=f=g;  h = i ;;a=2', 'Cookie: a=3; j='])
    expect(['a', 'b', 'c', '', 'e', 'h', 'j', 'A'].map((name) => request.cookie(name))).toEqual([
      '1',
      '"x y"',
      undefined,
      undefined,
      'f=g',
      'i',
      '',
      undefined,
    ])
  })

  it('may be called anything', () => {
    const request = view(['Cookie: __proto__=1; constructor=2'])
    expect(request.cookie('__proto__')).toBe('1')
    expect(request.cookie('constructor')).toBe('2')
    expect(request.cookie('toString')).toBeUndefined()
    expect(view([]).cookie('hasOwnProperty')).toBeUndefined()
  })

  it('are counted', () => {
    const many = Array.from({ length: 600 }, (_, i) => `c${i}=${i}`).join(';')
    const request = view([`Cookie: ${many}`])
    expect(request.cookie('c511')).toBe('511')
    expect(request.cookie('c512')).toBeUndefined()
  })
})

describe('query parameters', () => {
  it('are decoded', () => {
    const request = view([], '/?a=1&b=x+y%2B&a=%C3%BC&c&=d&%61=3&e=%zz%4&f==&&g=%FF')
    expect(request.queryParameter('a')).toBe('1')
    expect(request.queryParameterAll('a')).toEqual(['1', 'ü', '3'])
    expect(request.queryParameter('b')).toBe('x y+')
    expect(request.queryParameter('c')).toBe('')
    expect(request.queryParameter('')).toBe('d')
    expect(request.queryParameter('e')).toBe('%zz%4')
    expect(request.queryParameter('f')).toBe('=')
    expect(request.queryParameter('g')).toBe('\ufffd')
    expect(request.queryParameter('h')).toBeUndefined()
    expect(request.queryParameterAll('h')).toEqual([])
    expect(view([]).queryParameter('a')).toBeUndefined()
    expect(view([], '/?__proto__=1').queryParameter('__proto__')).toBe('1')
  })

  it('are counted', () => {
    const query = `a=0&${'b&'.repeat(2000)}z=1`
    const parameters = readQuery(query)
    expect(parameters.get('b')).toHaveLength(999)
    expect(parameters.get('z')).toBeUndefined()
  })

  it('are what URLSearchParams reads', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '=',
      '&',
      '+',
      '%',
      '%41',
      '%c3',
      '%bc',
      '%e2%82',
      '?',
      ';',
      '%00',
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        // URLSearchParams takes a question mark at the beginning for none.
        const query = `x${pieces.join('')}`
        const parameters = readQuery(query)
        const theirs = new URLSearchParams(query)
        expect([...parameters.keys()]).toEqual([...new Set(theirs.keys())])
        for (const [name, values] of parameters) expect(values).toEqual(theirs.getAll(name))
      }),
      { numRuns: 1000 },
    )
  })
})
