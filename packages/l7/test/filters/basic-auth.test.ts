import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { hashPassword } from '../../src/filters/auth/password.ts'
import { type BasicAuthOptions, basicAuth, userOf } from '../../src/filters/basic-auth.ts'
import { ask, asked, fakeExchange, headerOf, send, statusOf } from './fake-exchange.ts'

const users = { ann: { plain: 'pär:le' }, bob: { plain: 'b' } }

function login(name: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` }
}

function guard(options: Partial<BasicAuthOptions> = {}) {
  const clock = manualClock()
  return { clock, filter: basicAuth({ users, clock, ...options }) }
}

describe('basicAuth', () => {
  it('asks who does not say who it is', () => {
    const refused = ask(guard({ realm: 'the "house"' }).filter, fakeExchange())
    expect(refused).toMatchObject({ status: 401, reason: 'auth-required' })
    expect(headerOf(refused, 'www-authenticate')).toBe(
      'Basic realm="the \\"house\\"", charset="UTF-8"',
    )
  })

  it('lets users in with their passwords, without a promise when there is nothing to hash', () => {
    const { filter } = guard()
    const status = (headers: Record<string, string>) =>
      statusOf(ask(filter, fakeExchange({ headers })))
    expect(status(login('ann', 'pär:le'))).toBe(0)
    expect(status(login('ann', 'pär:le'))).toBe(0)
    expect(
      status({ Authorization: login('bob', 'b')['authorization']!.replace('Basic', 'bASIC') }),
    ).toBe(0)
    expect(status(login('ann', 'b'))).toBe(401)
    expect(status(login('eve', 'b'))).toBe(401)
    expect(status(login('__proto__', ''))).toBe(401)
  })

  it.each([
    ['another scheme', 'Bearer abc'],
    ['no base64', 'Basic ***'],
    ['no colon', `Basic ${Buffer.from('ann').toString('base64')}`],
    ['no name', `Basic ${Buffer.from(':b').toString('base64')}`],
    ['control characters', `Basic ${Buffer.from('bob:b\n').toString('base64')}`],
    ['broken UTF-8', `Basic ${Buffer.from([0x62, 0x3a, 0xff]).toString('base64')}`],
    ['nothing', 'Basic '],
    ['too much', `Basic ${'QQ'.repeat(2000)}`],
  ])('does not take %s', (_, authorization) => {
    expect(statusOf(ask(guard().filter, fakeExchange({ headers: { authorization } })))).toBe(401)
  })

  it('lets nobody speak for it under a name that looks like its own', () => {
    const { filter } = guard({ userHeader: 'X-User' })
    const x = fakeExchange({ headers: login('bob', 'b') })
    expect(ask(filter, x)).toBeUndefined()
    const lies = { 'X-User': 'ann', X_User: 'ann', 'x.user': 'ann', 'X--User-': 'ann' }
    const sent = send(filter, x, { ...lies, 'X-Users': 'b', XUser: 'c' })
    expect([...sent]).toEqual([
      ['X-Users', 'b'],
      ['XUser', 'c'],
      ['X-User', 'bob'],
    ])
  })

  it('does not take one of two lines', () => {
    const line = login('bob', 'b')['authorization']!
    const x = fakeExchange({ headers: { authorization: [line, line] } })
    expect(statusOf(ask(guard().filter, x))).toBe(401)
  })

  it('verifies hashes, remembers what was good for a while, and in bounds', async () => {
    const hash = await hashPassword('secret', { logN: 10 })
    expect(hash).toMatch(/^\$scrypt\$ln=10,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    const { clock, filter } = guard({
      users: { ann: hash, bob: hash },
      cacheSize: 1,
      cacheFor: '1m',
    })
    const first = filter.request?.(fakeExchange({ headers: login('ann', 'secret') }))
    expect(first).toBeInstanceOf(Promise)
    expect(await first).toBeUndefined()
    const x = fakeExchange({ headers: login('ann', 'secret') })
    expect(ask(filter, x)).toBeUndefined()
    expect(userOf(x)).toBe('ann')
    expect(statusOf(await asked(filter, fakeExchange({ headers: login('ann', 'wrong') })))).toBe(
      401,
    )
    expect(statusOf(await asked(filter, fakeExchange({ headers: login('eve', 'secret') })))).toBe(
      401,
    )
    await asked(filter, fakeExchange({ headers: login('bob', 'secret') }))
    expect(filter.request?.(fakeExchange({ headers: login('ann', 'secret') }))).toBeInstanceOf(
      Promise,
    )
    clock.advance(60_000)
    expect(filter.request?.(fakeExchange({ headers: login('bob', 'secret') }))).toBeInstanceOf(
      Promise,
    )
  })

  it('verifies the same credentials once at a time, and no more than so many', async () => {
    const pending: ((good: boolean) => void)[] = []
    const { filter } = guard({
      maxPending: 1,
      verify: () =>
        new Promise((resolve) => {
          pending.push(resolve)
        }),
    })
    const two = ['x', 'x'].map((name) => asked(filter, fakeExchange({ headers: login(name, 'p') })))
    expect(pending).toHaveLength(1)
    const third = ask(filter, fakeExchange({ headers: login('y', 'p') }))
    expect(third).toMatchObject({ status: 503, reason: 'auth-busy' })
    pending[0]!(true)
    expect((await Promise.all(two)).map(statusOf)).toEqual([0, 0])
    const fourth = asked(filter, fakeExchange({ headers: login('y', 'p') }))
    pending[1]!('yes' as never)
    expect(statusOf(await fourth)).toBe(401)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
  ])('is closed when a verifier %s', async (_, verify) => {
    const { filter } = guard({ verify })
    const verdict = await asked(filter, fakeExchange({ headers: login('eve', 'p') }))
    expect(verdict).toMatchObject({ status: 503, reason: 'auth-service-failed' })
  })

  it('tells the backend who it is, and keeps the password from it', () => {
    const { filter } = guard({ userHeader: 'X-User', users: { müller: { plain: 'p' } } })
    const x = fakeExchange({ headers: login('müller', 'p') })
    ask(filter, x)
    expect(
      send(filter, x, { ...login('müller', 'p'), 'x-user': 'root', 'x-other': '1' }).told,
    ).toEqual({
      'x-user': Buffer.from('müller').toString('latin1'),
      'x-other': '1',
    })
    const keeping = guard({ strip: false }).filter
    expect(keeping.upstreamHead).toBeUndefined()
  })

  it('refuses wrong options with their path, and shows no password', () => {
    const wrong = (options: object) => () => basicAuth(options, 'b')
    expect(wrong({})).toThrow('b: lets nobody in')
    expect(wrong({ users: { 'a:b': { plain: 'x' } } })).toThrow('b.users.a:b')
    expect(wrong({ users: { a: { plain: '' } } })).toThrow('b.users.a.plain')
    expect(wrong({ users: { a: 'hunter2' } })).toThrow(
      /b\.users\.a: is no scrypt hash(?!.*hunter2)/,
    )
    expect(
      wrong({ users: { a: `$scrypt$ln=30,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}` } }),
    ).toThrow('out of bounds')
    expect(wrong({ users, realm: 'a\nb' })).toThrow('b.realm')
    expect(wrong({ users, userHeader: 'a b' })).toThrow('b.userHeader')
  })
})
