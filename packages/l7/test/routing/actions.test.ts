import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { Reply } from '../../src/exchange/reply.ts'
import type { AnswerAction } from '../../src/routing/action.ts'
import { all, any, not } from '../../src/routing/combine.ts'
import { forward } from '../../src/routing/forward.ts'
import { method } from '../../src/routing/match-fields.ts'
import { host } from '../../src/routing/match-host.ts'
import { path } from '../../src/routing/match-path.ts'
import { redirect, redirectPrefix, redirectScheme } from '../../src/routing/redirect.ts'
import { drop, handle, maintenance, reject, respond, tarpit } from '../../src/routing/respond.ts'
import { type Match, route } from '../../src/routing/route.ts'
import { type FakeRequest, fakeExchange, fakePool } from './fakes.ts'

function reply(action: AnswerAction, x: Exchange = fakeExchange()): Reply {
  return action.answer(x) as Reply
}

/** Where a route's redirect leads. */
function location(match: Match, action: AnswerAction, request: FakeRequest): unknown {
  const bound = route(match, action).action as AnswerAction
  return reply(bound, fakeExchange(request)).headers?.['location']
}

const old = path('/old/*')

describe('redirect', () => {
  it('replaces the prefix that matched, and keeps rest and query', () => {
    const action = redirect('/new/', 308)
    expect(location(old, action, { target: '/old/a/b?c=d' })).toBe('/new/a/b?c=d')
    expect(location(old, action, { target: '/old' })).toBe('/new/')
    expect(location(old, action, { target: '/old/' })).toBe('/new/')
    expect(location(old, action, { target: '/old?' })).toBe('/new/?')
    expect(reply(action).status).toBe(308)
    const both = all(method('GET'), any(path('/a/*'), path('/a/b/*')))
    expect(location(both, action, { target: '/a/b/c' })).toBe('/new/c')
    expect(location(both, action, { target: '/a/c' })).toBe('/new/c')
    expect(location(all(old, not(path('/old/x/*'))), action, { target: '/old/x' })).toBe('/new/x')
    expect(location(path('/old'), action, { target: '/old' })).toBe('/new/')
    expect(location(host('*'), action, { target: '/old/x' })).toBe('/new/')
    expect(location(old, redirect('https://example.org/'), { target: '/old/x?y' })).toBe(
      'https://example.org/x?y',
    )
  })

  it('goes to one place otherwise', () => {
    const request = { target: '/old/x?y=1' }
    expect(location(old, redirect('/login'), request)).toBe('/login?y=1')
    expect(location(old, redirect('/login?from=old'), request)).toBe('/login?from=old')
    expect(location(old, redirect('/new/', 302, { keepPath: false }), request)).toBe('/new/?y=1')
    expect(location(old, redirect('/new/', 302, { keepQuery: false }), request)).toBe('/new/x')
    expect(location(old, redirect('/page#top'), request)).toBe('/page?y=1#top')
    expect(location(old, redirect('https://%{host}:8443%{target}'), request)).toBe(
      'https://example.com:8443/old/x?y=1',
    )
    expect(location(old, redirect('https://sso.example/?next=%{target}'), request)).toBe(
      'https://sso.example/?next=%2Fold%2Fx%3Fy%3D1',
    )
    expect(reply(redirect('/')).status).toBe(302)
  })

  it('never leads to a host of somebody else’s choice', () => {
    expect(location(old, redirect('/'), { target: '/old//evil.example/x' })).toBe('/evil.example/x')
    expect(location(old, redirect('/%{path}'), { target: '//evil.example' })).toBe('/evil.example')
    expect(location(old, redirect('%{path}'), { target: '//evil.example' })).toBe('/evil.example')
    const byHeader = redirect('/%{header:x-to}')
    const to = (value: string): unknown =>
      location(old, byHeader, { target: '/old', headers: [['x-to', value]] })
    expect(to('/evil.example')).toBe('/%2Fevil.example')
    expect(to('\\evil.example')).toBe('/%5Cevil.example')
    expect(to('a?b#c')).toBe('/a%3Fb%23c')
    expect(() => redirect('%{header:x-to}')).toThrow(/begin with/)
    expect(() => redirect('https://%{header:x-to}/')).toThrow(/somebody else/)
    expect(() => redirect('https://example.com%{header:x-to}')).toThrow(/somebody else/)
    expect(() => redirect('//example.com')).toThrow(/begin with/)
    expect(() => redirect('/\\example.com')).toThrow(/begin with/)
    expect(() => redirect('https://')).toThrow(/no host/)
    expect(() => redirect('https://user@example.com/')).toThrow(/no host/)
    expect(() => redirect('javascript:alert(1)')).toThrow(/begin with/)
    expect(() => redirect('')).toThrow(/begin with/)
  })

  it('never splits the response', () => {
    const split = { target: '/old', headers: [['x-a', 'b\r\nSet-Cookie: c=d']] as const }
    expect(location(old, redirect('/%{header:x-a}'), split)).toBe('/b%0D%0ASet-Cookie%3A%20c%3Dd')
    // `Ċ` is a line feed to whoever takes its low byte.
    expect(location(old, redirect('/x?q=%{query:q}'), { target: '/old?q=%C4%8A' })).toBe(
      '/x?q=%C4%8A',
    )
    expect(() => redirect('/a\r\nb')).toThrow(/control character/)
  })

  it('takes statuses that redirect only', () => {
    for (const status of [200, 300, 304, 305, 400, '302', undefined]) {
      if (status === undefined) continue
      expect(() => redirect('/', status as never)).toThrow(/does not redirect/)
    }
  })

  it('by prefix', () => {
    const request = { target: '/a/b?c' }
    expect(location(old, redirectPrefix('https://b.example/'), request)).toBe(
      'https://b.example/a/b?c',
    )
    expect(location(old, redirectPrefix('/base', 301), request)).toBe('/base/a/b?c')
    expect(location(old, redirectPrefix('https://b.example'), { target: '*' })).toBe(
      'https://b.example/',
    )
    expect(() => redirectPrefix('/')).toThrow(/no prefix/)
    expect(() => redirectPrefix('https://b.example/?x')).toThrow(/no prefix/)
  })

  it('by scheme', () => {
    const request = { target: '/a?b', port: 8080 }
    expect(location(old, redirectScheme('https'), request)).toBe('https://example.com/a?b')
    expect(location(old, redirectScheme('https', 443), request)).toBe('https://example.com/a?b')
    expect(location(old, redirectScheme('https', 8443), request)).toBe(
      'https://example.com:8443/a?b',
    )
    expect(location(old, redirectScheme('https'), { host: '[2001:db8::1]' })).toBe(
      'https://[2001:db8::1]/',
    )
    expect(location(old, redirectScheme('https'), { host: '' })).toBe('https://192.0.2.254/')
    expect(() => redirectScheme('ftp' as never)).toThrow(/scheme/)
    expect(() => redirectScheme('https', 0)).toThrow(/port/)
  })
})

describe('respond', () => {
  it('answers, with variables in fields alone', () => {
    const action = respond(200, {
      headers: { 'x-client': '%{client}', 'x-two': ['1', '%{method}'] },
      body: 'hello %{client}',
      contentType: 'text/x-greeting',
    })
    expect(reply(action)).toEqual({
      status: 200,
      reason: 'replied',
      body: 'hello %{client}',
      headers: {
        'x-client': '192.0.2.1',
        'x-two': ['1', 'GET'],
        'content-type': 'text/x-greeting',
      },
    })
    expect(action).toMatchObject({ kind: 'answer', summary: 'respond 200', rank: 'respond' })
  })

  it('makes a constant answer once', () => {
    const action = respond(403, { headers: { allow: 'GET' } })
    expect(reply(action)).toBe(reply(action))
  })

  it('refuses what no response may be', () => {
    expect(() => respond(199)).toThrow(/^respond\.status/)
    expect(() => respond(204, { body: 'x' })).toThrow(/no body/)
    expect(() => respond(200, { headers: { 'content-length': '1' } })).toThrow(/frames/)
    expect(() => respond(200, { headers: { 'x-a': '%{nope}' } })).toThrow(/no variable "nope"/)
    expect(() => respond(200, { body: 5 as never })).toThrow(/neither a text/)
    expect(() => reject(302)).toThrow(/no refusal/)
  })

  it('rejects, drops and holds up', () => {
    expect(reply(reject())).toMatchObject({ status: 403, reason: 'rejected' })
    expect(reject().rank).toBe('reject')
    expect(drop().answer(fakeExchange())).toEqual({ drop: true, reason: 'dropped' })
    expect(reply(tarpit('10s'))).toEqual({
      status: 500,
      after: '10s',
      close: true,
      reason: 'tarpitted',
    })
    expect(() => tarpit('soon')).toThrow(/^tarpit\.delay/)
  })

  it('says that it is under maintenance', () => {
    expect(reply(maintenance({ retryAfter: '90500ms' }))).toMatchObject({
      status: 503,
      reason: 'maintenance',
      headers: {
        'retry-after': '91',
        'cache-control': 'no-store',
        'content-type': 'text/html; charset=utf-8',
      },
    })
    expect(reply(maintenance({ body: 'later' })).headers).toEqual({ 'cache-control': 'no-store' })
  })

  it('hands over to a function', async () => {
    const x = fakeExchange()
    expect(handle(() => ({ status: 200, body: 'hi' })).answer(x)).toMatchObject({ status: 200 })
    expect(handle(() => undefined).answer(x)).toMatchObject({ status: 404 })
    expect(await handle(async () => undefined).answer(x)).toMatchObject({ status: 404 })
    expect(handle(function acme() {}).summary).toBe('handle by acme')
  })
})

describe('forward', () => {
  it('takes a pool, or several with weights', () => {
    const [a, b] = [fakePool('a'), fakePool('b')]
    expect(forward(a).pools).toEqual([{ pool: a, weight: 1 }])
    const split = forward([{ pool: a, weight: 9 }, { pool: b }], { sticky: 'split', retries: 2 })
    expect(split.pools.map(({ weight }) => weight)).toEqual([9, 1])
    expect(split).toMatchObject({ kind: 'forward', sticky: 'split', options: { retries: 2 } })
  })

  it('refuses what cannot work', () => {
    const a = fakePool('a')
    expect(() => forward([])).toThrow(/at least one/)
    expect(() => forward({} as never)).toThrow(/^forward\.pool/)
    expect(() => forward([{ pool: a, weight: -1 }])).toThrow(/^forward\[0\]\.weight/)
    expect(() => forward([{ pool: a, weight: 0 }])).toThrow(/weight 0/)
    expect(() => forward([{ pool: a }, { pool: fakePool('a') }], { sticky: 's' })).toThrow(/"a"/)
    expect(() => forward(a, { sticky: 'a b' })).toThrow(/^forward\.sticky/)
  })
})
