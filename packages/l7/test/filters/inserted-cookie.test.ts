import { createHash } from 'node:crypto'
import { type Pool, pool } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import {
  type InsertedCookieOptions,
  insertedCookie,
} from '../../src/filters/persistence/inserted-cookie.ts'
import { type BodyExchangeInit, bodyExchange, requestHead, responseHead } from './body-rig.ts'

const secret = 'sixteen bytes at least'

function twoMembers(): Pool {
  return pool({ backends: ['10.0.0.1:80', { id: 'b', address: '10.0.0.2:80' }] })
}

/** Plays clients of one filter: what they are told, and whom they get. */
function lab(options?: InsertedCookieOptions, members: Pool = twoMembers()) {
  const filter = insertedCookie(options)
  const clock = manualClock()
  return {
    filter,
    members,
    clock,
    /** A request with these cookies that ends on a member; the lines it is sent. */
    visit(
      backendId: string,
      cookies?: string,
      init: BodyExchangeInit & { lines?: Record<string, string | string[]> } = {},
    ) {
      const x = bodyExchange({
        ...init,
        clock,
        pool: members,
        headers: { ...init.headers, ...(cookies === undefined ? {} : { cookie: cookies }) },
      })
      const preferred = filter.prefer?.(x, members)
      x.backend = members.members().find(({ backend }) => backend.id === backendId)!.backend
      const upstream = requestHead(cookies === undefined ? {} : { cookie: cookies })
      void filter.upstreamHead?.(upstream, x)
      const head = responseHead(init.lines)
      void filter.responseHead?.(head, x)
      return {
        preferred,
        upstream: upstream.all('cookie'),
        head,
        set: head.all('set-cookie'),
        value: head.get('set-cookie')?.match(/^[^=]+=([^;]*)/)?.[1],
      }
    },
  }
}

describe('an inserted cookie', () => {
  it('names the member by a hash, and brings the client back to it', () => {
    const { visit } = lab()
    const first = visit('b')
    expect(first.preferred).toBeUndefined()
    const hash = createHash('sha256').update('b').digest().subarray(0, 16).toString('base64url')
    expect(first.set).toEqual([`SRV=${hash}; Path=/; HttpOnly; SameSite=Lax`])
    expect(first.head.get('cache-control')).toBe('private')
    const again = visit('b', `x=1; SRV=${first.value}; y=2`)
    expect(again.preferred).toBe('b')
    expect(again.set).toEqual([])
    expect(again.head.has('cache-control')).toBe(false)
    expect(again.upstream).toEqual(['x=1; y=2'])
  })

  it('follows the client to another member, and replaces what names nobody', () => {
    const { visit } = lab()
    const { value } = visit('b')
    const moved = visit('10.0.0.1:80', `SRV=${value}`)
    expect(moved.preferred).toBe('b')
    expect(moved.value).toBe(visit('10.0.0.1:80').value)
    const odd = visit('b', 'SRV=nonsense')
    expect(odd.preferred).toBeUndefined()
    expect(odd.value).toBe(value)
  })

  it('has the attributes that are asked for', () => {
    const options = {
      name: 'sticky',
      path: '/app',
      domain: 'example.com',
      httpOnly: false,
      sameSite: 'None',
      maxAge: '1h',
      value: 'address-hash',
    } as const
    const hash = createHash('sha256').update('10.0.0.2:80').digest('base64url').slice(0, 21)
    const [line] = lab(options).visit('b', undefined, { scheme: 'https' }).set
    expect(line).toMatch(
      new RegExp(
        `^sticky=${hash}.; Path=/app; Domain=example.com; Max-Age=3600; SameSite=None; Secure$`,
      ),
    )
    expect(lab({ secure: true }).visit('b').set[0]).toMatch(/; Secure$/)
    expect(lab({ secure: false }).visit('b', undefined, { scheme: 'https' }).set[0]).not.toMatch(
      /Secure/,
    )
  })

  it('follows the pool: members that come are known, those that left are not', () => {
    const { visit, members } = lab()
    const { value } = visit('b')
    members.set(['10.0.0.1:80', '10.0.0.3:80'])
    expect(visit('10.0.0.3:80', `SRV=${value}`).preferred).toBeUndefined()
    const third = visit('10.0.0.3:80').value
    expect(visit('10.0.0.3:80', `SRV=${third}`).preferred).toBe('10.0.0.3:80')
  })

  it('keeps clients of a draining member, or moves them', () => {
    const members = twoMembers()
    const keep = lab({}, members)
    const move = lab({ whenDraining: 'move' }, members)
    const { value } = keep.visit('b')
    expect(move.visit('b', `SRV=${value}`).preferred).toBe('b')
    members.edit('b', { state: 'draining' })
    expect(keep.visit('b', `SRV=${value}`).preferred).toBe('b')
    expect(move.visit('b', `SRV=${value}`).preferred).toBeUndefined()
  })

  it('says nothing with answers of our own', () => {
    const { filter, members } = lab()
    const head = responseHead()
    void filter.responseHead?.(head, bodyExchange({ pool: members }))
    expect([...head]).toEqual([])
  })

  it('takes the place of a cookie that the member sets, unless it may stay', () => {
    const lines = { 'set-cookie': ['SRV=theirs; Path=/x', 'other=1'] }
    const { value } = lab().visit('b')
    expect(lab().visit('b', `SRV=${value}`, { lines }).set).toEqual([
      'other=1',
      `SRV=${value}; Path=/; HttpOnly; SameSite=Lax`,
    ])
    expect(lab({ preserve: true }).visit('b', undefined, { lines }).set).toEqual(
      lines['set-cookie'],
    )
  })

  it('can be seen by the member, sent after POST only, and sent each time', () => {
    const { value } = lab().visit('b')
    expect(lab({ indirect: false }).visit('b', `SRV=${value}`).upstream).toEqual([`SRV=${value}`])
    const posts = lab({ postOnly: true })
    expect(posts.visit('b').set).toEqual([])
    expect(posts.visit('b', undefined, { method: 'POST' }).set).toHaveLength(1)
    expect(lab({ renew: true }).visit('b', `SRV=${value}`).set).toHaveLength(1)
  })

  it.each([
    ['public, max-age=60, s-maxage=9', 'max-age=60, private'],
    ['no-store', 'no-store'],
    ['Private', 'Private'],
    ['private="x"', 'private="x", private'],
  ])('keeps shared caches out: %s', (before, after) => {
    const { head } = lab().visit('b', undefined, { lines: { 'cache-control': before } })
    expect(head.get('cache-control')).toBe(after)
  })

  it('leaves Cache-Control alone when told to', () => {
    const { head } = lab({ nocache: false }).visit('b', undefined, {
      lines: { 'cache-control': 'public' },
    })
    expect(head.get('cache-control')).toBe('public')
  })
})

describe('a signed cookie', () => {
  const options = { value: 'signed', secret } as const

  it('is believed when it is ours, and not when a byte of it is changed', () => {
    const { visit } = lab(options)
    const { value = '' } = visit('b')
    expect(visit('b', `SRV=${value}`)).toMatchObject({ preferred: 'b', set: [] })
    for (let i = 0; i < value.length; i++) {
      const char = value[i] === 'A' ? 'B' : 'A'
      const forged = value.slice(0, i) + char + value.slice(i + 1)
      // The last character of the signature has bits that stand for nothing.
      if (i < value.length - 1) expect(visit('b', `SRV=${forged}`).preferred).toBeUndefined()
    }
    expect(lab({ ...options, name: 'OTHER' }).visit('b', `OTHER=${value}`).preferred).toBe(
      undefined,
    )
  })

  it('is believed by an older secret, and then written anew', () => {
    const { value } = lab({ ...options, secret: 'the secret of yesterday' }).visit('b')
    const rotated = lab({ ...options, secret: [secret, 'the secret of yesterday'] })
    const seen = rotated.visit('b', `SRV=${value}`)
    expect(seen.preferred).toBe('b')
    expect(seen.set).toHaveLength(1)
    expect(lab(options).visit('b', `SRV=${seen.value}`).preferred).toBe('b')
    expect(lab(options).visit('b', `SRV=${value}`).preferred).toBeUndefined()
  })

  it('gets old by idleness, unless it is used, and by life, though it is', () => {
    const play = lab({ ...options, maxIdle: '10m', maxLife: '1h' })
    let { value } = play.visit('b')
    play.clock.advance(60_000)
    expect(play.visit('b', `SRV=${value}`).set).toEqual([])
    for (let minutes = 6; minutes < 60; minutes += 5) {
      play.clock.advance(5 * 60_000)
      const seen = play.visit('b', `SRV=${value}`)
      expect(seen.preferred).toBe('b')
      value = seen.value
    }
    play.clock.advance(5 * 60_000)
    expect(play.visit('b', `SRV=${value}`).preferred).toBeUndefined()
    const idle = play.visit('b').value
    play.clock.advance(10 * 60_000 + 1000)
    expect(play.visit('b', `SRV=${idle}`).preferred).toBeUndefined()
  })

  it('by a hash with a secret: cannot be guessed, and rotates too', () => {
    const keyed = lab({ secret }).visit('b').value
    expect(keyed).not.toBe(lab().visit('b').value)
    const seen = lab({ secret: ['another secret of today', secret] }).visit('b', `SRV=${keyed}`)
    expect(seen.preferred).toBe('b')
    expect(seen.value).not.toBe(keyed)
  })
})

describe('a cookie of the application', () => {
  it('gets the member in front, which the member never sees', () => {
    const { visit } = lab({ name: 'JSESSIONID', mode: 'prefix', value: 'id' })
    expect(visit('b').set).toEqual([])
    const lines = { 'set-cookie': ['JSESSIONID=abc; Path=/app; HttpOnly', 'x=1'] }
    expect(visit('b', undefined, { lines }).set).toEqual([
      'JSESSIONID=b~abc; Path=/app; HttpOnly',
      'x=1',
    ])
    const again = visit('b', 'a=1; JSESSIONID=b~abc~d')
    expect(again.preferred).toBe('b')
    expect(again.upstream).toEqual(['a=1; JSESSIONID=abc~d'])
    expect(visit('b', 'JSESSIONID=abc')).toMatchObject({
      preferred: undefined,
      upstream: ['JSESSIONID=abc'],
    })
    const gone = { 'set-cookie': ['JSESSIONID=; Max-Age=0', 'JSESSIONID=x; max-age=0'] }
    expect(visit('b', undefined, { lines: gone }).set).toEqual(gone['set-cookie'])
  })

  it('has its value replaced', () => {
    const { visit } = lab({ name: 'node', mode: 'rewrite', value: 'id' })
    const lines = { 'set-cookie': 'node=whatever; Path=/' }
    expect(visit('b', undefined, { lines }).set).toEqual(['node=b; Path=/'])
    expect(visit('b', 'node=b')).toMatchObject({ preferred: 'b', upstream: ['node=b'], set: [] })
  })

  it('writes odd ids so that a cookie can carry them', () => {
    const id = 'ä~;b "1"\ud800'
    const members = pool({ backends: [{ id, address: '10.0.0.1:80' }] })
    const { visit } = lab({ value: 'id' }, members)
    const { value } = visit(id)
    expect(value).toMatch(/^[!#-+\--:<-[\]-~]+$/)
    expect(visit(id, `SRV=${value}`).preferred).toBe(id)
  })
})

it.each([
  [{ name: 'a b' }, 'name'],
  [{ value: 'signed' }, 'secret'],
  [{ value: 'signed', secret: 'short' }, 'secret'],
  [{ value: 'signed', secret: [secret, 'short'] }, String.raw`secret\[1\]`],
  [{ maxIdle: '1m' }, 'maxIdle'],
  [{ path: 'x' }, 'path'],
  [{ path: '/;x' }, 'path'],
  [{ domain: 'a;b' }, 'domain'],
  [{ sameSite: 'None', secure: false }, 'secure'],
  [{ name: '__Host-x', path: '/a' }, 'name'],
  [{ name: '__Secure-x', secure: false }, 'secure'],
] as const)('refuses %j', (options, at) => {
  expect(() => insertedCookie(options)).toThrow(new RegExp(`insertedCookie\\.${at}:`))
})
