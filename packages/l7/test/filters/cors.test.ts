import { describe, expect, it } from 'vitest'
import { type CorsOptions, cors } from '../../src/filters/cors.ts'
import { ask, fakeExchange, respond } from './fake-exchange.ts'

const app = 'https://app.example.com'

function preflight(options: CorsOptions, headers: Record<string, string> = {}) {
  const filter = cors(options)
  const x = fakeExchange({
    method: 'OPTIONS',
    headers: { origin: app, 'access-control-request-method': 'PUT', ...headers },
  })
  const reply = ask(filter, x)
  if (reply === undefined || 'drop' in reply) throw new Error('it was not answered')
  return { reply, after: respond(filter, x, { ...(reply.headers as Record<string, string>) }).told }
}

function response(options: CorsOptions, origin?: string, headers: Record<string, string> = {}) {
  const filter = cors(options)
  const x = fakeExchange(origin === undefined ? {} : { headers: { origin } })
  expect(ask(filter, x)).toBeUndefined()
  return respond(filter, x, headers).told
}

describe('cors', () => {
  it('answers preflights here, and leaves its own answer alone', () => {
    const { reply, after } = preflight({
      origins: [app],
      methods: ['GET', 'PUT'],
      headers: ['X-One', 'X-Two'],
      maxAge: '1h',
      credentials: true,
    })
    expect(reply).toEqual({
      status: 204,
      reason: 'cors-preflight',
      headers: {
        vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
        'access-control-allow-origin': app,
        'access-control-allow-methods': 'GET, PUT',
        'access-control-max-age': '3600',
        'access-control-allow-headers': 'X-One, X-Two',
        'access-control-allow-credentials': 'true',
      },
    })
    expect(after).toEqual(reply.headers)
  })

  it('tells a foreign origin nothing, but that the answer varies', () => {
    expect(preflight({ origins: ['https://other.example'] }).reply.headers).toEqual({
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    })
  })

  it('repeats only names of headers that were asked for', () => {
    const asked = { 'access-control-request-headers': 'x-a, x b, X-C,,"quoted"' }
    expect(preflight({ origins: '*' }, asked).reply.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'x-a, X-C',
    })
  })

  it('lets private networks be reached only when it is told to, and asked', () => {
    const asked = { 'access-control-request-private-network': 'true' }
    const field = 'access-control-allow-private-network'
    const of = (options: CorsOptions, headers = {}) =>
      (preflight(options, headers).reply.headers as Record<string, string>)[field]
    expect(of({ origins: [app], privateNetwork: true }, asked)).toBe('true')
    expect(of({ origins: [app], privateNetwork: true })).toBeUndefined()
    expect(of({ origins: [app] }, asked)).toBeUndefined()
  })

  it('passes other OPTIONS requests on', () => {
    const x = fakeExchange({ method: 'OPTIONS', headers: { origin: app } })
    expect(ask(cors({ origins: '*' }), x)).toBeUndefined()
  })

  it('tells admitted origins that they may, and caches that it depends on the origin', () => {
    const options: CorsOptions = { origins: [app], credentials: true, exposeHeaders: ['X-Total'] }
    expect(response(options, app)).toEqual({
      vary: 'Origin',
      'access-control-allow-origin': app,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-Total',
    })
    expect(response(options, 'https://evil.example')).toEqual({ vary: 'Origin' })
    expect(response(options)).toEqual({ vary: 'Origin' })
    expect(response(options, app, { vary: 'accept-encoding, origin' })['vary']).toBe(
      'accept-encoding, origin',
    )
    expect(response({ origins: '*' }, app)).toEqual({ 'access-control-allow-origin': '*' })
  })

  it("replaces the backend's opinion, also where there is none of ours", () => {
    const theirs = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Credentials': 'true',
    }
    expect(response({ origins: [app] }, 'https://evil.example', theirs)).toEqual({ vary: 'Origin' })
    expect(response({ origins: '*' }, app, theirs)).toEqual({ 'access-control-allow-origin': '*' })
  })

  it.each([
    ['https://a.example.com', true],
    ['https://a.b.example.com', true],
    ['https://example.com', false],
    ['https://evil-example.com', false],
    ['http://a.example.com', false],
    ['https://a.example.com:8443', false],
    ['https://evil.com/.example.com', false],
    ['https://evil.com#.example.com', false],
    ['https://user@a.example.com', false],
    ['https://.example.com', false],
    ['null', false],
  ])('wildcards stand for names below: %s is %s', (origin, admitted) => {
    const told = response({ origins: ['https://*.example.com'] }, origin)
    expect(told['access-control-allow-origin']).toBe(admitted ? origin : undefined)
  })

  it('takes expressions, which no origin can keep busy, and functions', () => {
    const busy = { origins: [/^https:\/\/(a+)+\.example$/] }
    expect(response(busy, 'https://aaa.example')['access-control-allow-origin']).toBeDefined()
    expect(
      response(busy, `https://${'a'.repeat(480)}!`)['access-control-allow-origin'],
    ).toBeUndefined()
    expect(
      response({ origins: [/^HTTPS:\/\/x$/i] }, 'https://x')['access-control-allow-origin'],
    ).toBe('https://x')
    const own: CorsOptions = { origins: (origin, x) => origin === 'null' && x.request.path === '/' }
    expect(response(own, 'null')['access-control-allow-origin']).toBe('null')
    expect(response(own, app)['access-control-allow-origin']).toBeUndefined()
  })

  it('refuses wrong options with their path', () => {
    const wrong = (options: object) => () => cors({ origins: [app], ...options }, 'c')
    expect(wrong({ origins: '*', credentials: true })).toThrow('c.origins')
    expect(wrong({ origins: ['https://a.example/'] })).toThrow('c.origins[0]')
    expect(wrong({ origins: ['*'] })).toThrow('c.origins[0]')
    expect(wrong({ origins: [/(?<=a)b/] })).toThrow('c.origins[0]')
    expect(wrong({ methods: ['GET PUT'] })).toThrow('c.methods[0]')
    expect(wrong({ headers: ['a b'] })).toThrow('c.headers[0]')
    expect(wrong({ maxAge: 1 })).toThrow('c.maxAge')
  })
})
