import { isSteelyardError } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import type { Reply } from '../../src/exchange/reply.ts'
import type { Action } from '../../src/routing/action.ts'
import { type OctaviaPolicy, octaviaPolicies } from '../../src/routing/octavia-policy.ts'
import type { OctaviaRule } from '../../src/routing/octavia-rule.ts'
import { router } from '../../src/routing/router.ts'
import { type FakeRequest, fakeExchange, fakePool, fakeRequest, fakeTls } from './fakes.ts'

const api = fakePool('api')
const pools = new Map([
  ['pool-1', api],
  ['pool-off', null],
])

const rule = (
  type: OctaviaRule['type'],
  compare_type: OctaviaRule['compare_type'],
  value: string,
  more: Partial<OctaviaRule> = {},
): OctaviaRule => ({ type, compare_type, value, ...more })

const toPool = (
  rules: readonly OctaviaRule[],
  more: Partial<OctaviaPolicy> = {},
): OctaviaPolicy => ({
  action: 'REDIRECT_TO_POOL',
  redirect_pool_id: 'pool-1',
  rules,
  ...more,
})

/** What becomes of a request. */
function found(policies: readonly OctaviaPolicy[], request: FakeRequest): string | undefined {
  const { find } = router(octaviaPolicies(policies, pools), {
    order: 'octavia',
    compile: ({ action }: { action: Action }, name) => `${name}: ${action.kind}`,
  })
  return find(fakeRequest(request))?.target
}

const meets = (given: OctaviaRule, request: FakeRequest): boolean =>
  found([toPool([given])], request) !== undefined

describe('octaviaPolicies', () => {
  const tls = fakeTls('CN=client, O=Org')
  const headers = [
    ['X-List', 'a, b'],
    ['Cookie', 'k=value'],
  ] as const

  it.each<[OctaviaRule, FakeRequest, boolean]>([
    [rule('HOST_NAME', 'EQUAL_TO', 'WWW.example.com'), { host: 'www.example.com' }, true],
    [rule('HOST_NAME', 'EQUAL_TO', 'www.example.com'), { host: 'www.example.com', port: 81 }, true],
    [
      rule('HOST_NAME', 'EQUAL_TO', 'www.example.com:81'),
      { host: 'www.example.com', port: 81 },
      true,
    ],
    [
      rule('HOST_NAME', 'EQUAL_TO', 'www.example.com:82'),
      { host: 'www.example.com', port: 81 },
      false,
    ],
    [rule('HOST_NAME', 'ENDS_WITH', '.Example.com'), { host: 'a.example.com', port: 81 }, true],
    [rule('HOST_NAME', 'ENDS_WITH', '.com:81'), { host: 'a.example.com', port: 81 }, true],
    [rule('HOST_NAME', 'STARTS_WITH', 'a.'), { host: 'a.example.com' }, true],
    [rule('HOST_NAME', 'REGEX', '^A\\.'), { host: 'a.example.com' }, true],
    [rule('HOST_NAME', 'CONTAINS', 'example'), { host: 'example.com' }, true],
    [rule('PATH', 'EQUAL_TO', '/a'), { target: '/a?b' }, true],
    [rule('PATH', 'STARTS_WITH', '/a'), { target: '/ab' }, true],
    [rule('PATH', 'STARTS_WITH', '/A'), { target: '/ab' }, false],
    [rule('PATH', 'ENDS_WITH', '/'), { target: '/a/' }, true],
    [rule('PATH', 'CONTAINS', 'b'), { target: '/abc' }, true],
    [rule('PATH', 'REGEX', '^/v\\d+/'), { target: '/v12/x' }, true],
    [rule('FILE_TYPE', 'EQUAL_TO', 'jpg'), { target: '/a.jpg' }, true],
    [rule('FILE_TYPE', 'EQUAL_TO', 'jpg'), { target: '/xjpg' }, false],
    [rule('FILE_TYPE', 'REGEX', '^jpe?g$'), { target: '/a.jpeg' }, true],
    [rule('HEADER', 'EQUAL_TO', 'b', { key: 'x-list' }), { headers }, true],
    [rule('HEADER', 'EQUAL_TO', 'a, b', { key: 'x-list' }), { headers }, false],
    [rule('COOKIE', 'STARTS_WITH', 'val', { key: 'k' }), { headers }, true],
    [rule('COOKIE', 'EQUAL_TO', 'other', { key: 'k' }), { headers }, false],
    [rule('COOKIE', 'EQUAL_TO', 'other', { key: 'k', invert: true }), { headers }, true],
    [rule('SSL_CONN_HAS_CERT', 'EQUAL_TO', 'True'), { tls }, true],
    [rule('SSL_CONN_HAS_CERT', 'EQUAL_TO', 'True'), { tls: fakeTls() }, false],
    [rule('SSL_VERIFY_RESULT', 'EQUAL_TO', '0'), { tls }, true],
    [rule('SSL_VERIFY_RESULT', 'EQUAL_TO', '0', { invert: true }), { tls }, false],
    [rule('SSL_DN_FIELD', 'EQUAL_TO', 'Org', { key: 'O' }), { tls }, true],
    [rule('SSL_DN_FIELD', 'REGEX', '^cl', { key: 'CN' }), { tls }, true],
  ])('rule %#: %j', (given, request, expected) => {
    expect(meets(given, request)).toBe(expected)
  })

  it('joins rules by AND, and leaves out what is disabled', () => {
    const rules = [
      rule('PATH', 'STARTS_WITH', '/a'),
      rule('HOST_NAME', 'EQUAL_TO', 'other.example', { admin_state_up: false }),
      rule('HOST_NAME', 'EQUAL_TO', 'example.com'),
    ]
    expect(found([toPool(rules, { name: 'p' })], { target: '/a' })).toBe('p: forward')
    expect(found([toPool(rules)], { target: '/b' })).toBeUndefined()
    const off = { admin_state_up: false }
    const left = octaviaPolicies(
      [
        toPool([]),
        toPool([rule('PATH', 'EQUAL_TO', '/', off)]),
        toPool(rules, off),
        toPool(rules, { redirect_pool_id: 'pool-off' }),
      ],
      pools,
    )
    expect(left).toEqual([])
  })

  it('orders by action, then by position', () => {
    const rules = [rule('PATH', 'STARTS_WITH', '/')]
    const reject: OctaviaPolicy = {
      name: 'reject',
      action: 'REJECT',
      position: 9,
      rules: [rule('PATH', 'STARTS_WITH', '/no')],
    }
    const url: OctaviaPolicy = {
      name: 'url',
      action: 'REDIRECT_TO_URL',
      redirect_url: 'https://example.org/x%20y?z',
      redirect_http_code: 301,
      position: 5,
      rules: [rule('PATH', 'STARTS_WITH', '/go')],
    }
    const policies = [
      toPool(rules, { name: 'last' }),
      toPool(rules, { name: 'second', position: 2 }),
      toPool(rules, { name: 'first', position: 1 }),
      url,
      reject,
    ]
    expect(found(policies, { target: '/x' })).toBe('first: forward')
    expect(found(policies, { target: '/go' })).toBe('url: answer')
    expect(found(policies, { target: '/no' })).toBe('reject: answer')
  })

  it('redirects as it is told', () => {
    const location = (more: Partial<OctaviaPolicy>): unknown => {
      const [one] = octaviaPolicies(
        [{ action: 'REJECT', rules: [rule('PATH', 'STARTS_WITH', '/a/')], ...more }],
        pools,
      )
      if (one?.action.kind !== 'answer') return undefined
      const { status, headers } = one.action.answer(fakeExchange({ target: '/a/b?c' })) as Reply
      return [status, headers?.['location']]
    }
    expect(location({})).toEqual([403, undefined])
    expect(
      location({ action: 'REDIRECT_TO_URL', redirect_url: 'https://example.org/x%20y/' }),
    ).toEqual([302, 'https://example.org/x%20y/'])
    expect(
      location({
        action: 'REDIRECT_PREFIX',
        redirect_prefix: 'https://example.org',
        redirect_http_code: 308,
      }),
    ).toEqual([308, 'https://example.org/a/b?c'])
  })

  const path = (rules: readonly unknown[], more: object = {}): string | undefined => {
    try {
      octaviaPolicies([{ ...toPool([]), rules, ...more } as OctaviaPolicy], pools, { path: 'l7' })
    } catch (error) {
      if (isSteelyardError(error, 'invalid-option')) return error.path
      throw error
    }
    return undefined
  }

  it.each([
    ['type', { ...rule('PATH', 'EQUAL_TO', '/'), type: 'METHOD' }],
    ['compare_type', { ...rule('PATH', 'EQUAL_TO', '/'), compare_type: 'LIKE' }],
    ['compare_type', rule('FILE_TYPE', 'STARTS_WITH', 'j')],
    ['compare_type', rule('SSL_CONN_HAS_CERT', 'REGEX', 'True')],
    ['compare_type', rule('SSL_VERIFY_RESULT', 'CONTAINS', '0')],
    ['value', rule('SSL_CONN_HAS_CERT', 'EQUAL_TO', 'False')],
    ['value', rule('SSL_VERIFY_RESULT', 'EQUAL_TO', '-1')],
    ['value', rule('PATH', 'REGEX', '(?=a)')],
    ['value', rule('PATH', 'CONTAINS', 'a\nb')],
    ['value', rule('PATH', 'STARTS_WITH', 'a')],
    ['value', rule('HOST_NAME', 'EQUAL_TO', '*.example.com')],
    ['value', rule('HEADER', 'EQUAL_TO', 'x\r\ny', { key: 'a' })],
    ['value', rule('HEADER', 'EQUAL_TO', '', { key: 'a' })],
    ['value', rule('HEADER', 'EQUAL_TO', 'x'.repeat(256), { key: 'a' })],
    ['key', rule('HEADER', 'EQUAL_TO', 'x')],
    ['key', rule('COOKIE', 'EQUAL_TO', 'x', { key: 'a b' })],
    ['key', rule('SSL_DN_FIELD', 'EQUAL_TO', 'x', { key: '1' })],
    ['key', rule('PATH', 'EQUAL_TO', '/', { key: 'a' })],
    ['invert', rule('PATH', 'EQUAL_TO', '/', { invert: 'yes' as never })],
    ['admin_state_up', rule('PATH', 'EQUAL_TO', '/', { admin_state_up: 1 as never })],
  ])('names the offending field of a rule: %s in %j', (field, given) => {
    expect(path([rule('PATH', 'EQUAL_TO', '/'), given])).toBe(`l7[0].rules[1].${field}`)
  })

  it.each([
    ['action', { action: 'ACCEPT' }],
    ['position', { position: 0 }],
    ['redirect_pool_id', { redirect_pool_id: 'nowhere' }],
    ['redirect_pool_id', { redirect_pool_id: null }],
    ['redirect_pool_id', { action: 'REJECT' }],
    ['redirect_url', { redirect_url: 'https://example.org/' }],
    [
      'redirect_url',
      { action: 'REDIRECT_TO_URL', redirect_pool_id: null, redirect_url: 'ftp://a/' },
    ],
    [
      'redirect_url',
      { action: 'REDIRECT_TO_URL', redirect_pool_id: null, redirect_url: 'https:///a' },
    ],
    [
      'redirect_url',
      { action: 'REDIRECT_TO_URL', redirect_pool_id: null, redirect_url: 'https://a/\r\nb' },
    ],
    ['redirect_url', { action: 'REDIRECT_TO_URL', redirect_pool_id: null }],
    [
      'redirect_prefix',
      { action: 'REDIRECT_PREFIX', redirect_pool_id: null, redirect_prefix: 'https://a/?b' },
    ],
    ['redirect_http_code', { redirect_http_code: 304 }],
    ['admin_state_up', { admin_state_up: 'no' }],
    ['name', { name: 'a\nb' }],
  ])('names the offending field of a policy: %s in %j', (field, more) => {
    expect(path([rule('PATH', 'EQUAL_TO', '/')], more)).toBe(`l7[0].${field}`)
  })

  it('takes 50 rules and no more', () => {
    const rules = Array.from({ length: 51 }, () => rule('PATH', 'EQUAL_TO', '/'))
    expect(path(rules)).toBe('l7[0].rules')
    expect(path(rules.slice(1))).toBeUndefined()
  })
})
