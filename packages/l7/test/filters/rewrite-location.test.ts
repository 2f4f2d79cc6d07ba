import { pool } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RewriteLocationOptions, rewriteLocation } from '../../src/filters/rewrite-location.ts'
import { type BodyExchangeInit, bodyExchange, requestHead, responseHead } from './body-rig.ts'

const backend = pool({ backends: ['10.0.0.1:8080'] }).members()[0]!.backend

function rewritten(
  lines: Record<string, string | string[]>,
  options?: RewriteLocationOptions,
  init: BodyExchangeInit & { told?: string } = {},
) {
  const filter = rewriteLocation(options)
  const x = bodyExchange(init)
  x.backend = backend
  void filter.upstreamHead?.(requestHead({}, { host: init.told ?? 'www.example.com' }), x)
  const head = responseHead(lines)
  void filter.responseHead?.(head, x)
  return head
}

const location = (value: string, ...rest: [RewriteLocationOptions?, BodyExchangeInit?]) =>
  rewritten({ location: value }, ...rest).get('location')

describe('Location', () => {
  it.each([
    ['http://10.0.0.1:8080/a?b#c', 'http://www.example.com/a?b#c'],
    ['https://10.0.0.1:8080/a', 'http://www.example.com/a'],
    ['//10.0.0.1:8080/a', 'http://www.example.com/a'],
    ['HTTP://10.0.0.1:8080', 'http://www.example.com'],
    ['http://10.0.0.1/a', 'http://10.0.0.1/a'],
    ['http://10.0.0.1:80801/a', 'http://10.0.0.1:80801/a'],
    ['http://10.0.0.1:8080.evil.example/', 'http://10.0.0.1:8080.evil.example/'],
    ['http://10.0.0.1:8080@evil.example/', 'http://10.0.0.1:8080@evil.example/'],
    ['http://user@10.0.0.1:8080/', 'http://user@10.0.0.1:8080/'],
    ['http://elsewhere.example/', 'http://elsewhere.example/'],
    ['ftp://10.0.0.1:8080/', 'ftp://10.0.0.1:8080/'],
    ['/a', '/a'],
    ['a/b', 'a/b'],
    ['?x', '?x'],
    ['', ''],
  ])('of the member: %s → %s', (value, expected) => {
    expect(location(value)).toBe(expected)
  })

  it.each([
    ['https', 0, 'http://www.example.com/a', 'https://www.example.com/a'],
    ['https', 8443, 'http://www.example.com/a', 'https://www.example.com:8443/a'],
    ['https', 443, 'http://WWW.example.com./a', 'https://www.example.com/a'],
    ['https', 0, 'https://www.example.com/a', 'https://www.example.com/a'],
    // A step up is meant: taken back, it would go round for ever.
    ['http', 0, 'https://www.example.com/a', 'https://www.example.com/a'],
    ['http', 8080, 'http://www.example.com/a', 'http://www.example.com/a'],
    ['http', 8080, 'http://www.example.com:8080/a', 'http://www.example.com:8080/a'],
  ] as const)(
    'with the client’s own host, by %s (%i): %s → %s',
    (scheme, port, value, expected) => {
      expect(location(value, {}, { scheme, port })).toBe(expected)
    },
  )

  it('with the Host that the member was told', () => {
    const head = rewritten({ location: 'http://app.internal/x' }, {}, { told: 'app.internal' })
    expect(head.get('location')).toBe('http://www.example.com/x')
  })

  it('with further authorities of the members', () => {
    const options = { authorities: ['App.internal:8080'] }
    expect(location('http://app.internal:8080/x', options)).toBe('http://www.example.com/x')
    expect(location('http://app.internal/x', options)).toBe('http://app.internal/x')
  })

  it('undoes a rewritten path, the longest prefix first', () => {
    const map = [
      { from: '/', to: '/shop/' },
      { from: '/static', to: '/cdn' },
    ]
    expect(location('/cart?x', { map })).toBe('/shop/cart?x')
    expect(location('/static/a.css', { map })).toBe('/cdn/a.css')
    expect(location('/statics', { map })).toBe('/shop/statics')
    expect(location('http://10.0.0.1:8080/cart', { map })).toBe('http://www.example.com/shop/cart')
    expect(location('https://www.example.com/cart', { map })).toBe(
      'https://www.example.com/shop/cart',
    )
    expect(location('http://elsewhere.example/cart', { map })).toBe('http://elsewhere.example/cart')
    expect(location('cart', { map })).toBe('cart')
  })

  it('exchanges whole URLs', () => {
    const map = [
      { from: 'http://old.example', to: 'https://new.example' },
      { from: 'http://old.example/app/', to: '/' },
      { from: '//any.example/x', to: 'https://y.example/z' },
    ]
    expect(location('http://old.example/a', { map })).toBe('https://new.example/a')
    expect(location('http://old.example', { map })).toBe('https://new.example/')
    expect(location('http://old.example:80/app/b', { map })).toBe('http://www.example.com/b')
    expect(location('https://old.example/a', { map })).toBe('https://old.example/a')
    expect(location('https://any.example/x?q', { map })).toBe('https://y.example/z?q')
    expect(location('https://any.example/xy', { map })).toBe('https://any.example/xy')
  })

  it('becomes a path when the client named no host, and never another host', () => {
    const map = [{ from: '/app', to: '/' }]
    const value = location('http://10.0.0.1:8080//evil.example/', {}, { host: '' })
    expect(value).toBe('/evil.example/')
    expect(location('http://10.0.0.1:8080', {}, { host: '' })).toBe('/')
    expect(location('/app//evil.example', { map })).toBe('/evil.example')
  })

  it('leaves alone what no member said, and the member when told to', () => {
    const filter = rewriteLocation()
    const head = responseHead({ location: 'http://10.0.0.1:8080/' })
    void filter.responseHead?.(head, bodyExchange())
    expect(head.get('location')).toBe('http://10.0.0.1:8080/')
    expect(location('http://10.0.0.1:8080/', { backend: false })).toBe('http://10.0.0.1:8080/')
  })

  it('reads any text, and what it writes can be sent', () => {
    const map = [
      { from: '/', to: '/x/' },
      { from: 'http://a', to: 'https://b/' },
    ]
    const text = fc.string({ unit: fc.constantFrom(...'htp:s/\\@?#.a10 8%') })
    fc.assert(
      fc.property(text, (value) => {
        const plain = value.trim()
        expect(typeof location(plain, { map })).toBe('string')
      }),
    )
  })
})

describe('the other fields', () => {
  it('are rewritten too', () => {
    const head = rewritten({
      'content-location': 'http://10.0.0.1:8080/v1',
      refresh: '5; URL="http://10.0.0.1:8080/next"',
    })
    expect(head.get('content-location')).toBe('http://www.example.com/v1')
    expect(head.get('refresh')).toBe('5; URL="http://www.example.com/next"')
  })

  it.each([
    ['0;url=http://10.0.0.1:8080/', '0;url=http://www.example.com/'],
    ["0, url = 'http://10.0.0.1:8080/'", "0, url = 'http://www.example.com/'"],
    ['5', '5'],
    ['5; url=x', '5; url=x'],
    ['; url=http://10.0.0.1:8080/', '; url=http://10.0.0.1:8080/'],
  ])('Refresh: %s', (value, expected) => {
    expect(rewritten({ refresh: value }).get('refresh')).toBe(expected)
  })
})

describe('cookies', () => {
  const cookie = (
    line: string,
    cookies: NonNullable<RewriteLocationOptions['cookies']>,
    init?: BodyExchangeInit,
  ) => rewritten({ 'set-cookie': line }, { cookies }, init).get('set-cookie')

  it('get another domain and path', () => {
    const cookies = {
      domain: { 'app.internal': 'example.com', '*': '' },
      path: [
        { from: '/', to: '/shop/' },
        { from: '/app', to: '/' },
      ],
    }
    expect(cookie('a=1; Domain=.APP.internal; Path=/', cookies)).toBe(
      'a=1; Domain=example.com; Path=/shop/',
    )
    expect(cookie('a=1; domain=other; path=/app/x; HttpOnly', cookies)).toBe(
      'a=1; HttpOnly; Path=/x',
    )
    expect(cookie('a=1; Path=/app', cookies)).toBe('a=1; Path=/')
    expect(cookie('a=1;Secure', cookies)).toBe('a=1;Secure')
  })

  it('get flags', () => {
    expect(cookie('a=1', { secure: true, httpOnly: true, sameSite: 'Lax' })).toBe(
      'a=1; Secure; HttpOnly; SameSite=Lax',
    )
    expect(cookie('a=1; SECURE; httponly', { secure: false, httpOnly: false })).toBe('a=1')
    expect(cookie('a=1', { secure: 'auto' })).toBe('a=1')
    expect(cookie('a=1', { secure: 'auto' }, { scheme: 'https' })).toBe('a=1; Secure')
    expect(cookie('a=1; SameSite=None', { sameSite: 'Lax' })).toBe('a=1; SameSite=None')
    expect(cookie('a=1; SameSite=None', { sameSite: 'Lax', forceSameSite: true })).toBe(
      'a=1; SameSite=Lax',
    )
  })

  it('are meant by name, and keep their order', () => {
    const lines = ['a=1', 'b=2', 'c=3']
    const head = rewritten({ 'set-cookie': lines }, { cookies: { secure: true, names: ['b'] } })
    expect(head.all('set-cookie')).toEqual(['a=1', 'b=2; Secure', 'c=3'])
  })
})

it.each([
  [{ map: [{ from: 'x', to: '/' }] }, String.raw`map\[0\]\.from`],
  [{ map: [{ from: '/', to: '//evil' }] }, String.raw`map\[0\]\.to`],
  [{ map: [{ from: 'http://u@h/', to: '/' }] }, String.raw`map\[0\]\.from`],
  [{ authorities: ['a b@c'] }, String.raw`authorities\[0\]`],
  [{ cookies: { domain: { 'a;b': 'c' } } }, String.raw`cookies\.domain`],
  [{ cookies: { path: [{ from: 'x', to: '/' }] } }, String.raw`cookies\.path\[0\]\.from`],
  [{ cookies: { sameSite: 'x' as 'Lax' } }, String.raw`cookies\.sameSite`],
])('refuses %j', (options, at) => {
  expect(() => rewriteLocation(options)).toThrow(new RegExp(`rewriteLocation\\.${at}:`))
})
