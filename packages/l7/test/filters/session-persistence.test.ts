import { pool } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyFrom } from '../../src/filters/persistence/hash-key.ts'
import { headerPersistence } from '../../src/filters/persistence/header-persistence.ts'
import { learnedCookie } from '../../src/filters/persistence/learned-cookie.ts'
import type { SessionPersistence } from '../../src/filters/persistence/session-persistence.ts'
import { sessionTable } from '../../src/filters/persistence/session-table.ts'
import { type BodyExchangeInit, bodyExchange, responseHead } from './body-rig.ts'

const members = () => pool({ name: 'app', backends: ['10.0.0.1:80', '10.0.0.2:80'] })

function lab(filter: SessionPersistence, of = members()) {
  const on = (init: BodyExchangeInit, backendId: string) => {
    const x = bodyExchange({ ...init, pool: of })
    x.backend = of.members().find(({ backend }) => backend.id === backendId)!.backend
    return x
  }
  return {
    pool: of,
    preferred: (init: BodyExchangeInit) => filter.prefer?.(bodyExchange(init), of),
    request: (backendId: string, init: BodyExchangeInit) => {
      expect(filter.attempt?.(on(init, backendId))).toBeUndefined()
    },
    response: (backendId: string, lines: Record<string, string | string[]>) => {
      void filter.responseHead?.(responseHead(lines), on({}, backendId))
    },
  }
}

describe('a learned cookie', () => {
  it('brings the session back to the member that began it', () => {
    const filter = learnedCookie({ name: 'SID' })
    const { preferred, response } = lab(filter)
    expect(preferred({ headers: { cookie: 'SID=abc' } })).toBeUndefined()
    response('10.0.0.2:80', { 'set-cookie': ['x=1', 'SID=abc; Path=/; HttpOnly'] })
    expect(preferred({ headers: { cookie: 'y=2; SID=abc' } })).toBe('10.0.0.2:80')
    expect(preferred({ headers: { cookie: 'SID=abd' } })).toBeUndefined()
    expect(preferred({})).toBeUndefined()
    expect(filter.size).toBe(1)
  })

  it('learns nothing from a cookie that is empty or ended, and nothing from own answers', () => {
    const filter = learnedCookie({ name: 'SID' })
    const { response, pool: of } = lab(filter)
    response('10.0.0.2:80', { 'set-cookie': ['SID=; Path=/', 'SID=x; Max-Age=0', 'sid=y'] })
    const own = bodyExchange({ pool: of })
    void filter.responseHead?.(responseHead({ 'set-cookie': 'SID=abc' }), own)
    expect(filter.size).toBe(0)
  })

  it('looks at as many characters as it is told', () => {
    const { preferred, response } = lab(learnedCookie({ name: 'SID', length: 4 }))
    response('10.0.0.2:80', { 'set-cookie': 'SID=abcdEFG' })
    expect(preferred({ headers: { cookie: 'SID=abcdXYZ' } })).toBe('10.0.0.2:80')
  })

  it('finds the session in a parameter of the query or the path', () => {
    const { preferred, response } = lab(learnedCookie({ name: 'SID', parameter: 'sid' }))
    response('10.0.0.2:80', { 'set-cookie': 'SID=abc' })
    expect(preferred({ query: 'a=1&sid=abc' })).toBe('10.0.0.2:80')
    expect(preferred({ path: '/a;SID=abc/b' })).toBe('10.0.0.2:80')
    expect(preferred({ path: '/a;sid=abcd' })).toBeUndefined()
    expect(preferred({ query: 'sid=' })).toBeUndefined()
  })

  it('knows cookies by how their name begins', () => {
    const { preferred, response } = lab(learnedCookie({ name: 'ASP', prefixMode: true }))
    response('10.0.0.2:80', { 'set-cookie': 'ASPXYZ=abc' })
    expect(preferred({ headers: { cookie: 'q=1; ASPXYZ=abc' } })).toBe('10.0.0.2:80')
    expect(preferred({ headers: { cookie: 'ASPABC=abc' } })).toBeUndefined()
  })

  it('forgets after the timeout, and the oldest when there is no room', () => {
    const clock = manualClock()
    const filter = learnedCookie({ name: 'SID', timeout: '1m', maxEntries: 2, clock })
    const { preferred, response } = lab(filter)
    const ask = (id: string) => preferred({ headers: { cookie: `SID=${id}` } })
    for (const id of ['a', 'b']) response('10.0.0.1:80', { 'set-cookie': `SID=${id}` })
    ask('a')
    response('10.0.0.1:80', { 'set-cookie': 'SID=c' })
    expect([ask('a'), ask('b'), ask('c')]).toEqual(['10.0.0.1:80', undefined, '10.0.0.1:80'])
    clock.advance(59_000)
    expect(ask('a')).toBe('10.0.0.1:80')
    clock.advance(59_000)
    expect([ask('a'), ask('c')]).toEqual(['10.0.0.1:80', undefined])
  })

  it('forgets the sessions of a member that leaves', () => {
    const filter = learnedCookie({ name: 'SID' })
    const { response, pool: of } = lab(filter)
    response('10.0.0.1:80', { 'set-cookie': 'SID=a' })
    response('10.0.0.2:80', { 'set-cookie': 'SID=b' })
    of.set(['10.0.0.2:80'])
    expect(filter.export().map(({ key }) => key)).toEqual(['b'])
  })

  it('hands over what it knows', () => {
    const clock = manualClock()
    const old = learnedCookie({ name: 'SID', timeout: '1m', clock })
    lab(old).response('10.0.0.2:80', { 'set-cookie': 'SID=abc' })
    clock.advance(20_000)
    const entries = old.export()
    expect(entries).toEqual([
      { pool: 'app', key: 'abc', backendId: '10.0.0.2:80', remainingMs: 40_000 },
    ])
    const next = learnedCookie({ name: 'SID', timeout: '1m', clock })
    next.import(structuredClone(entries))
    expect(lab(next).preferred({ headers: { cookie: 'SID=abc' } })).toBe('10.0.0.2:80')
    expect(() => next.import([{} as never])).toThrow(/entries\[0\]/)
  })

  it('keeps pools apart, whatever they and their sessions are called', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (a, b, key, other) => {
        fc.pre(a !== b)
        const table = sessionTable({}, 't', { timeout: '1m', maxEntries: 10 })
        const [one, two] = [pool({ name: a }), pool({ name: b })]
        table.assign(one, key, 'm1')
        table.assign(two, other, 'm2')
        expect(table.lookup(one, key)).toBe('m1')
        expect(table.lookup(two, other)).toBe('m2')
        if (key !== other) expect(table.lookup(one, other)).toBeUndefined()
        expect(table.export().map((entry) => [entry.pool, entry.key, entry.backendId])).toEqual([
          [a, key, 'm1'],
          [b, other, 'm2'],
        ])
      }),
    )
  })

  it('listens once to a pool, however many sessions it has', () => {
    const of = members()
    let listeners = 0
    const counted: typeof of = Object.create(of, {
      on: {
        value: (name: 'member', listener: never) => {
          listeners += 1
          const subscription = of.on(name, listener)
          return {
            [Symbol.dispose]() {
              listeners -= 1
              subscription[Symbol.dispose]()
            },
          }
        },
      },
    })
    const table = sessionTable({}, 't', { timeout: '1m', maxEntries: 10 })
    table.assign(counted, 'a', 'm1')
    table.assign(counted, 'b', 'm1')
    expect(listeners).toBe(1)
  })
})

describe('persistence by a header', () => {
  it('gives a value the member of its first request', () => {
    const { preferred, request } = lab(headerPersistence({ name: 'X-Tenant' }))
    const headers = { 'x-tenant': 'acme' }
    expect(preferred({ headers })).toBeUndefined()
    request('10.0.0.2:80', { headers })
    expect(preferred({ headers })).toBe('10.0.0.2:80')
    // Its member failed, and it was tried with another one.
    request('10.0.0.1:80', { headers })
    expect(preferred({ headers })).toBe('10.0.0.1:80')
    expect(preferred({})).toBeUndefined()
  })

  it('learns from responses when told to', () => {
    const filter = headerPersistence({ name: 'mcp-session-id', learn: 'response' })
    const { preferred, request, response } = lab(filter)
    const headers = { 'mcp-session-id': 's1' }
    request('10.0.0.1:80', { headers })
    expect(filter.size).toBe(0)
    response('10.0.0.2:80', { 'Mcp-Session-Id': 's1' })
    expect(preferred({ headers })).toBe('10.0.0.2:80')
  })

  it('remembers long values by their hash', () => {
    const filter = headerPersistence({ name: 'x' })
    const { preferred, request } = lab(filter)
    const long = 'v'.repeat(8000)
    request('10.0.0.2:80', { headers: { x: long } })
    expect(preferred({ headers: { x: long } })).toBe('10.0.0.2:80')
    expect(preferred({ headers: { x: `${long}!` } })).toBeUndefined()
    expect(filter.export()[0]?.key).toHaveLength(43)
  })
})

describe('keys for hashing', () => {
  const x = bodyExchange({
    path: '/a/b/c',
    query: 'q=1',
    client: '192.0.2.9',
    headers: { 'x-user': 'u', cookie: 'c=v' },
  })

  it.each([
    ['header', keyFrom.header('X-User'), 'u'],
    ['cookie', keyFrom.cookie('c'), 'v'],
    ['query', keyFrom.query('q'), '1'],
    ['client', keyFrom.client(), '192.0.2.9'],
    ['host', keyFrom.host(), 'www.example.com'],
    ['path', keyFrom.path(), '/a/b/c'],
    ['target', keyFrom.target(), '/a/b/c?q=1'],
    ['segments', keyFrom.segments(2), '/a/b'],
    ['segments, all', keyFrom.segments(9), '/a/b/c'],
    ['firstOf', keyFrom.firstOf(keyFrom.header('none'), keyFrom.query('q')), '1'],
    ['joined', keyFrom.joined(keyFrom.header('x-user'), keyFrom.query('q')), '1:u1:1'],
    ['none', keyFrom.firstOf(keyFrom.header('none')), undefined],
    ['none joined', keyFrom.joined(keyFrom.header('none'), keyFrom.cookie('none')), undefined],
  ])('%s', (_, key, expected) => {
    expect(key(x)).toBe(expected)
  })

  it('refuses what is no name', () => {
    expect(() => keyFrom.header('a b')).toThrow(/keyFrom\.header/)
    expect(() => keyFrom.segments(0)).toThrow(/keyFrom\.segments/)
    expect(() => keyFrom.joined()).toThrow(/keyFrom\.joined/)
  })
})
