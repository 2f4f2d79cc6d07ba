import { describe, expect, it } from 'vitest'
import { hsts } from '../../src/filters/hsts.ts'
import { httpsRedirect } from '../../src/filters/https-redirect.ts'
import { type IpAccessOptions, ipAccess } from '../../src/filters/ip-access.ts'
import { requestId } from '../../src/filters/request-id.ts'
import { ask, fakeExchange, headerOf, respond, send, statusOf } from './fake-exchange.ts'

describe('ipAccess', () => {
  const statuses = (options: IpAccessOptions, ...clients: string[]): number[] =>
    clients.map((client) => statusOf(ask(ipAccess(options), fakeExchange({ client }))))
  const both = { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.1.0.0/16'] }
  const clients = ['10.0.0.1', '10.1.0.1', '192.0.2.1', '2001:db8::1', '::ffff:10.1.2.3']

  it('has three orders of its lists', () => {
    expect(statuses(both, ...clients)).toEqual([0, 403, 403, 0, 403])
    expect(statuses({ ...both, order: 'allow-only' }, ...clients)).toEqual([0, 0, 403, 0, 0])
    expect(statuses({ ...both, order: 'allow-first' }, ...clients)).toEqual([0, 0, 0, 0, 0])
  })

  it.each(['deny-first', 'allow-only', 'allow-first'] as const)(
    '%s works with one list',
    (order) => {
      expect(statuses({ allow: both.allow, order }, ...clients)).toEqual([0, 0, 403, 0, 0])
      expect(statuses({ deny: both.deny, order }, ...clients)).toEqual([0, 403, 0, 0, 403])
      expect(statuses({ allow: [], order }, '192.0.2.1')).toEqual([403])
    },
  )

  it('goes by the client, the connection, the peer, or both', () => {
    const x = () => fakeExchange({ client: '10.0.0.1', peer: '192.0.2.9' })
    const status = (by: IpAccessOptions['by']) =>
      statusOf(ask(ipAccess({ deny: ['192.0.2.9'], by: by! }), x()))
    expect(['client', 'connection', 'peer', 'both'].map((by) => status(by as 'peer'))).toEqual([
      0, 403, 403, 403,
    ])
    expect(statusOf(ask(ipAccess({ deny: ['10.0.0.1'], by: 'both' }), x()))).toBe(403)
  })

  it('keeps clients without an address out of every list', () => {
    expect(statuses({ deny: ['0.0.0.0/0', '::/0'] }, '/run/web.sock', '')).toEqual([0, 0])
    expect(statuses({ allow: ['0.0.0.0/0', '::/0'] }, '/run/web.sock')).toEqual([403])
  })

  it('answers as it is told, or not at all', () => {
    const deny = ['0.0.0.0/0']
    expect(ask(ipAccess({ deny, status: 404, body: 'no' }), fakeExchange())).toMatchObject({
      status: 404,
      body: 'no',
      reason: 'ip-denied',
    })
    expect(ask(ipAccess({ deny, drop: true }), fakeExchange())).toEqual({
      drop: true,
      reason: 'ip-denied',
    })
  })

  it('refuses wrong options with their path', () => {
    expect(() => ipAccess({}, 'a')).toThrow('a: keeps nobody out')
    expect(() => ipAccess({ allow: ['10.0.0.0/33'] }, 'a')).toThrow('a.allow[0]')
    expect(() => ipAccess({ allow: [], deny: ['x'], order: 'allow-only' }, 'a')).toThrow(
      'a.deny[0]',
    )
    expect(() => ipAccess({ deny: [], by: 'name' as 'peer' }, 'a')).toThrow('a.by')
  })
})

describe('hsts', () => {
  const told = (options: Parameters<typeof hsts>[0], scheme: 'http' | 'https', headers = {}) =>
    respond(hsts(options), fakeExchange({ scheme }), headers).told['strict-transport-security']

  it('speaks on https alone', () => {
    expect(told({}, 'https')).toBe('max-age=31536000')
    expect(told({}, 'http')).toBeUndefined()
    expect(told({ includeSubDomains: true, preload: true }, 'https')).toBe(
      'max-age=31536000; includeSubDomains; preload',
    )
    expect(told({ maxAge: 0 }, 'https')).toBe('max-age=0')
  })

  it('replaces what the backend says, unless it is told not to', () => {
    const headers = { 'Strict-Transport-Security': 'max-age=5' }
    expect(told({}, 'https', headers)).toBe('max-age=31536000')
    expect(told({ override: false }, 'https', headers)).toBe('max-age=5')
  })

  it('refuses what browsers would not take', () => {
    expect(() => hsts({ preload: true })).toThrow('hsts.preload')
    expect(() => hsts({ preload: true, includeSubDomains: true, maxAge: '30d' })).toThrow('preload')
    expect(() => hsts({ maxAge: '1500ms' })).toThrow('hsts.maxAge')
  })
})

describe('httpsRedirect', () => {
  const location = (options: Parameters<typeof httpsRedirect>[0], init: object) =>
    headerOf(ask(httpsRedirect(options), fakeExchange(init)), 'location')

  it('sends plain requests to the same place by https', () => {
    expect(ask(httpsRedirect(), fakeExchange({ path: '/a', query: 'b=c', port: 8080 }))).toEqual({
      status: 308,
      headers: { location: 'https://www.example.com/a?b=c' },
      reason: 'https-redirect',
    })
    expect(location({ port: 8443 }, {})).toBe('https://www.example.com:8443/')
    expect(location({}, { host: '2001:db8::1' })).toBe('https://[2001:db8::1]/')
    expect(location({}, { method: 'OPTIONS', path: '*' })).toBe('https://www.example.com/')
    expect(ask(httpsRedirect(), fakeExchange({ scheme: 'https' }))).toBeUndefined()
  })

  it('leaves some paths alone, by whole segments', () => {
    const options = { except: ['/.well-known/acme-challenge/'] }
    expect(location(options, { path: '/.well-known/acme-challenge/x' })).toBeUndefined()
    expect(location(options, { path: '/.well-known/acme-challenges' })).toBeDefined()
  })

  it('has nowhere to send what names no host', () => {
    expect(statusOf(ask(httpsRedirect(), fakeExchange({ host: '' })))).toBe(400)
  })

  it('refuses wrong options with their path', () => {
    expect(() => httpsRedirect({ status: 303 as 301 })).toThrow('httpsRedirect.status')
    expect(() => httpsRedirect({ except: ['x'] })).toThrow('httpsRedirect.except[0]')
  })
})

describe('requestId', () => {
  const sent = (
    options: Parameters<typeof requestId>[0],
    trusted: boolean,
    ...ids: string[]
  ): string | undefined => {
    const x = fakeExchange({ id: 'ours', trusted, headers: { 'x-request-id': ids } })
    const filter = requestId(options)
    const headers = { 'x-request-id': ids }
    const answer = respond(filter, x, { 'X-Request-Id': 'backend' }).told['x-request-id']
    const upstream = send(filter, x, headers).told['x-request-id']
    expect(answer).toBe(upstream)
    return upstream
  }

  it('keeps the id of who is trusted, and gives its own to all others', () => {
    expect(sent({}, true, 'abc-123')).toBe('abc-123')
    expect(sent({}, false, 'abc-123')).toBe('ours')
    expect(sent({ keep: 'always' }, false, 'abc-123')).toBe('abc-123')
    expect(sent({ keep: 'never' }, true, 'abc-123')).toBe('ours')
  })

  it('takes no id that could harm a log, nor one of two', () => {
    for (const ids of [['a b'], ['a"b'], ['x'.repeat(129)], [''], ['a', 'b'], []]) {
      expect(sent({}, true, ...ids)).toBe('ours')
    }
  })

  it('goes under another name, and need not tell the client', () => {
    const filter = requestId({ header: 'X-Trace', respond: false })
    expect(filter.responseHead).toBeUndefined()
    expect(send(filter, fakeExchange({ id: 'ours' })).told).toEqual({ 'x-trace': 'ours' })
  })
})
