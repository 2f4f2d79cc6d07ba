import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { manualClock } from '@steelyard/testing'
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { claimOf, claimsOf } from '../../src/filters/auth/claims.ts'
import { type JwtAuthOptions, jwtAuth } from '../../src/filters/jwt-auth.ts'
import { ask, asked, fakeExchange, headerOf, send, settled, statusOf } from './fake-exchange.ts'

const startedAt = 1_700_000_000_000
const at = startedAt / 1000
const secret = 'a secret of thirty-two bytes, or more'
const es = await generateKeyPair('ES256', { extractable: true })
const other = await generateKeyPair('ES256', { extractable: true })
const jwk = { ...(await exportJWK(es.publicKey)), kid: 'one', alg: 'ES256' }
const otherJwk = { ...(await exportJWK(other.publicKey)), kid: 'two', alg: 'ES256' }

function signed(
  payload: JWTPayload = {},
  header: { alg?: string; kid?: string; typ?: string } = {},
  key = es.privateKey,
): Promise<string> {
  return new SignJWT({ sub: 'ann', exp: at + 60, ...payload })
    .setProtectedHeader({ alg: 'ES256', ...header })
    .sign(key)
}

function hs(payload: JWTPayload): Promise<string> {
  return new SignJWT({ exp: at + 60, ...payload })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret))
}

function guard(options: Partial<JwtAuthOptions> = {}) {
  const clock = manualClock(startedAt)
  const keys = ['jwksUrl', 'publicKeys', 'secret'].some((name) => name in options)
    ? {}
    : { jwks: { keys: [jwk] } }
  const filter = jwtAuth({ algorithms: ['ES256'], clock, ...keys, ...options })
  const verdict = (token: string) =>
    asked(filter, fakeExchange({ headers: { authorization: `Bearer ${token}` } }))
  return { clock, filter, verdict, status: async (token: string) => statusOf(await verdict(token)) }
}

describe('jwtAuth', () => {
  it('lets a good token pass, and tells its claims', async () => {
    const { filter } = guard()
    const x = fakeExchange({ headers: { authorization: `bearer ${await signed({ n: 7 })}` } })
    expect(await asked(filter, x)).toBeUndefined()
    expect(claimsOf(x)).toMatchObject({ sub: 'ann', n: 7 })
    expect([claimOf(x, 'n'), claimOf(x, 'toString'), claimOf(fakeExchange(), 'n')]).toEqual([
      7,
      undefined,
      undefined,
    ])
  })

  it('asks for a token where there is none, unless it is optional', async () => {
    const refused = ask(guard({ realm: 'api' }).filter, fakeExchange())
    expect(refused).toMatchObject({ status: 401, reason: 'auth-required' })
    expect(headerOf(refused, 'www-authenticate')).toBe('Bearer realm="api"')
    const { filter, status } = guard({ optional: true })
    expect(ask(filter, fakeExchange())).toBeUndefined()
    expect(await status('rubbish')).toBe(401)
    const two = fakeExchange({ headers: { authorization: ['Bearer a', 'Bearer b'] } })
    expect(statusOf(ask(guard().filter, two))).toBe(401)
  })

  it('refuses two tokens in one place, of which the backend may believe the other', async () => {
    const good = await signed()
    const forged = `${good.slice(0, -8)}AAAAAAAA`
    for (const optional of [false, true]) {
      const from = [{ header: 'Authorization' }, { cookie: 'token' }, { query: 'token' }]
      const { filter } = guard({ from, optional })
      for (const init of [
        { headers: { authorization: [`Bearer ${good}`, `Bearer ${forged}`] } },
        {
          headers: {
            authorization: [`Bearer ${forged}`, `Bearer ${good}`],
            cookie: `token=${good}`,
          },
        },
        { headers: { cookie: `token=${good}; a=b; token=${forged}` } },
        { headers: { cookie: [`token=${good}`, `token = ${forged}`] } },
        { query: `token=${good}&t%6Fken=${forged}` },
      ]) {
        const refused = await asked(filter, fakeExchange(init))
        expect(refused).toMatchObject({ status: 401, reason: 'token-invalid' })
      }
      // Another scheme is no second token.
      const two = fakeExchange({ headers: { authorization: ['Basic eA==', `Bearer ${good}`] } })
      expect(await asked(filter, two)).toBeUndefined()
    }
  })

  it('refuses what is not good, and says why in general', async () => {
    const none = (alg: string): string =>
      `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${Buffer.from(
        JSON.stringify({ sub: 'ann', exp: at + 60 }),
      ).toString('base64url')}.`
    const good = await signed()
    const [head, , signature] = good.split('.')
    const forged = `${head}.${Buffer.from('{"sub":"root","exp":9999999999}').toString('base64url')}.${signature}`
    const { status, verdict } = guard()
    const bad = [
      '',
      'a.b.c',
      none('none'),
      none('NONE'),
      forged,
      await signed({}, {}, other.privateKey),
      await signed({ exp: at - 6 }),
      await signed({ nbf: at + 6 }),
      await hs({}),
      'x'.repeat(9000),
    ]
    for (const token of bad) expect(await status(token)).toBe(401)
    expect(headerOf(await verdict(await signed({ exp: at - 6 })), 'www-authenticate')).toBe(
      'Bearer realm="restricted", error="invalid_token", error_description="the token has expired"',
    )
  })

  it('never takes a public key for a secret', async () => {
    const pem = await exportSPKI(es.publicKey)
    const head = Buffer.from('{"alg":"HS256"}').toString('base64url')
    const body = Buffer.from(JSON.stringify({ exp: at + 60 })).toString('base64url')
    const mac = createHmac('sha256', pem).update(`${head}.${body}`).digest('base64url')
    expect(await guard({ publicKeys: [pem] }).status(`${head}.${body}.${mac}`)).toBe(401)
    expect(() => guard({ algorithms: ['HS256'] })).toThrow('jwtAuth.algorithms[0]')
    expect(() => guard({ algorithms: ['none'] })).toThrow('jwtAuth.algorithms[0]')
    expect(() => guard({ secret, algorithms: ['ES256'] })).toThrow('jwtAuth.algorithms[0]')
    expect(() => guard({ algorithms: [] })).toThrow('jwtAuth.algorithms')
  })

  it('checks issuer, audience, type, age and required claims', async () => {
    const { status } = guard({
      issuer: 'https://issuer.example',
      audience: ['a', 'b'],
      type: 'at+jwt',
      maxAge: '30s',
      requiredClaims: ['exp', 'jti'],
    })
    const good = { iss: 'https://issuer.example', aud: 'b', iat: at - 30, jti: '1' }
    const typ = { typ: 'at+jwt' }
    expect(await status(await signed(good, typ))).toBe(0)
    for (const change of [
      { iss: 'https://evil.example' },
      { aud: 'c' },
      { iat: at - 40 },
      { jti: undefined },
      { exp: undefined },
    ]) {
      expect(await status(await signed({ ...good, ...change } as JWTPayload, typ))).toBe(401)
    }
    expect(await status(await signed(good))).toBe(401)
  })

  it('says 403 to good tokens whose claims do not suffice', async () => {
    const { verdict, status } = guard({
      claims: {
        scope: ['orders', 'admin'],
        level: (value) => typeof value === 'number' && value > 2,
        roles: 'staff',
      },
    })
    const good = { scope: 'mail orders', level: 3, roles: ['guest', 'staff'] }
    expect(await status(await signed(good))).toBe(0)
    for (const change of [
      { scope: 'orders2 mail' },
      { level: 2 },
      { roles: [] },
      { roles: undefined },
    ]) {
      const refused = await verdict(await signed({ ...good, ...change }))
      expect(refused).toMatchObject({ status: 403, reason: 'claim-refused' })
      expect(headerOf(refused, 'www-authenticate')).toContain('insufficient_scope')
    }
  })

  it('takes secrets, and several public keys', async () => {
    expect(await guard({ secret, algorithms: ['HS256'] }).status(await hs({}))).toBe(0)
    const rsa = await generateKeyPair('RS256', { extractable: true })
    const pems = [
      await exportSPKI(rsa.publicKey),
      await exportSPKI(other.publicKey),
      await exportSPKI(es.publicKey),
    ]
    const { status } = guard({ publicKeys: pems })
    expect(await status(await signed({}, { kid: 'whatever' }))).toBe(0)
    const third = await generateKeyPair('ES256')
    expect(await status(await signed({}, {}, third.privateKey))).toBe(401)
    const set = guard({ jwks: { keys: [otherJwk, jwk] } })
    expect(await set.status(await signed())).toBe(0)
    expect(await set.status(await signed({}, {}, third.privateKey))).toBe(401)
  })

  it('remembers good tokens, without a promise, but not beyond their end', async () => {
    const { clock, filter, status } = guard({ cacheFor: '1h' })
    const token = await signed({ exp: at + 10 })
    const again = () =>
      filter.request?.(fakeExchange({ headers: { authorization: `Bearer ${token}` } }))
    expect(await status(token)).toBe(0)
    expect(again()).toBeUndefined()
    clock.advance(14_999)
    expect(again()).toBeUndefined()
    clock.advance(1)
    expect(again()).toBeInstanceOf(Promise)
    expect(await status(token)).toBe(401)
    const forgetful = guard({ cacheSize: 0 })
    await forgetful.status(token)
    expect(
      forgetful.filter.request?.(fakeExchange({ headers: { authorization: `Bearer ${token}` } })),
    ).toBeInstanceOf(Promise)
  })

  it('finds tokens in headers, cookies and the query, and takes them away', async () => {
    const token = await signed()
    const from = [{ header: 'X-Token' }, { cookie: 'token' }, { query: 'token' }]
    const { filter } = guard({ from, strip: true })
    const status = async (init: Parameters<typeof fakeExchange>[0]) =>
      statusOf(await asked(filter, fakeExchange(init)))
    expect(await status({ headers: { 'x-token': token } })).toBe(0)
    expect(await status({ headers: { cookie: `a=b; token=${token}` } })).toBe(0)
    expect(await status({ query: `a=b&token=${token}` })).toBe(0)
    expect(await status({ headers: { authorization: `Bearer ${token}` } })).toBe(401)
    const head = send(
      filter,
      fakeExchange(),
      { 'X-Token': 'a', cookie: ['a=b; token=x', 'c=d'] },
      'to%6ben=1&b=2',
    )
    expect(head.told).toEqual({ cookie: 'a=b; c=d' })
    expect(head.query).toBe('b=2')
    expect(send(filter, fakeExchange(), { cookie: 'token=x' }, 'token=1')).toMatchObject({
      told: {},
      query: undefined,
    })
  })

  it('tells the backend claims, and nothing that the client says in their place', async () => {
    const { filter } = guard({
      optional: true,
      claimHeaders: {
        'X-User': 'sub',
        'X-Roles': 'roles',
        'X-Address': 'address',
        'X-Bad': 'bad',
        'X-Age': 'age',
      },
    })
    const x = fakeExchange({
      headers: {
        authorization: `Bearer ${await signed({
          sub: 'jörg',
          roles: ['a', 'b'],
          address: { city: 'B' },
          bad: 'a\r\nx: y',
          age: 7,
        })}`,
      },
    })
    expect(await asked(filter, x)).toBeUndefined()
    const spoofed = { 'x-user': 'root', 'x-bad': 'root' }
    expect(send(filter, x, spoofed).told).toEqual({
      'x-user': Buffer.from('jörg').toString('latin1'),
      'x-roles': 'a,b',
      'x-address': '{"city":"B"}',
      'x-age': '7',
    })
    expect(send(filter, fakeExchange(), spoofed).told).toEqual({})
  })

  it('refuses wrong options with their path', () => {
    const wrong = (options: object) => () => jwtAuth({ algorithms: ['ES256'], ...options }, 'j')
    const keys = { jwks: { keys: [jwk] } }
    expect(wrong({})).toThrow('j: needs exactly one')
    expect(wrong({ ...keys, secret })).toThrow('j: needs exactly one')
    expect(wrong({ jwks: { keys: 'x' } })).toThrow('j.jwks')
    expect(wrong({ jwksUrl: 'ftp://x' })).toThrow('j.jwksUrl')
    expect(wrong({ jwksUrl: 'https://user:pw@x/' })).toThrow('j.jwksUrl')
    expect(wrong({ secret: 'short', algorithms: ['HS256'] })).toThrow('j.secret')
    expect(wrong({ publicKeys: ['rubbish'] })).toThrow('j.publicKeys[0]')
    expect(wrong({ ...keys, from: [] })).toThrow('j.from')
    expect(wrong({ ...keys, from: [{ body: 'x' }] })).toThrow('j.from[0]')
    expect(wrong({ ...keys, claims: { a: {} } })).toThrow('j.claims.a')
    expect(wrong({ ...keys, claimHeaders: { 'a b': 'sub' } })).toThrow('j.claimHeaders')
  })
})

describe("jwtAuth with an issuer's keys", () => {
  function remote(options: Partial<JwtAuthOptions> = {}) {
    const calls: { answer: (set: unknown) => void; fail: (error: unknown) => void }[] = []
    const made = guard({
      jwksUrl: 'https://issuer.example/keys',
      fetchKeys: () =>
        new Promise((resolve, reject) => {
          calls.push({ answer: resolve, fail: reject })
        }),
      cacheSize: 0,
      ...options,
    })
    return { ...made, calls }
  }
  const set = { keys: [jwk] }

  it('fetches them once for all who wait, and again in the background when they are old', async () => {
    const { calls, clock, status } = remote({ keysFreshFor: '10m' })
    const token = await signed({ exp: at + 9999 }, { kid: 'one' })
    const two = [status(token), status(token)]
    await settled()
    expect(calls).toHaveLength(1)
    calls[0]!.answer(set)
    expect(await Promise.all(two)).toEqual([0, 0])
    clock.advance(600_000)
    expect(await status(token)).toBe(0)
    expect(calls).toHaveLength(2)
    calls[1]!.fail(new Error('down'))
    await settled()
    expect(await status(token)).toBe(0)
    expect(calls).toHaveLength(2)
    clock.advance(1000)
    expect(await status(token)).toBe(0)
    expect(calls).toHaveLength(3)
  })

  it('fetches them for a key that it does not know, but not for each forged token', async () => {
    const { calls, clock, status } = remote({ keysCooldown: '30s' })
    const first = status(await signed({}, { kid: 'one' }))
    await settled()
    calls[0]!.answer(set)
    expect(await first).toBe(0)
    const rotated = await signed({}, { kid: 'two' }, other.privateKey)
    expect(await status(rotated)).toBe(401)
    expect(calls).toHaveLength(1)
    clock.advance(30_000)
    const second = status(rotated)
    await settled()
    expect(calls).toHaveLength(2)
    calls[1]!.answer({ keys: [jwk, otherJwk] })
    expect(await second).toBe(0)
    expect(await status(await signed({}, { kid: 'three' }))).toBe(401)
    expect(calls).toHaveLength(2)
  })

  it('says 503 while there are none, and does not ask more and more', async () => {
    const { calls, clock, verdict } = remote()
    const token = await signed({}, { kid: 'one' })
    const ended = async () => {
      const verdicts = verdict(token)
      for (let i = 0; i < 5; i++) await settled()
      calls.at(-1)?.fail(new Error('down'))
      return verdicts
    }
    expect(await ended()).toMatchObject({ status: 503, reason: 'auth-service-failed' })
    expect(await ended()).toMatchObject({ status: 503 })
    expect(calls).toHaveLength(1)
    clock.advance(1000)
    await ended()
    expect(calls).toHaveLength(2)
    clock.advance(1000)
    await ended()
    expect(calls).toHaveLength(2)
  })

  it('gets them by fetch, in bounds', async () => {
    let body = JSON.stringify(set)
    const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    try {
      const token = await signed({}, { kid: 'one' })
      expect(await guard({ jwksUrl }).status(token)).toBe(0)
      body = ' '.repeat(300_000) + body
      expect(await guard({ jwksUrl }).status(token)).toBe(503)
      body = 'no JSON'
      expect(await guard({ jwksUrl }).status(token)).toBe(503)
      body = '{"keys":7}'
      expect(await guard({ jwksUrl }).status(token)).toBe(503)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
