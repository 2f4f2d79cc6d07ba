import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type NameRoutes, nameRouter } from '../src/route-by-name.ts'

interface Ask {
  readonly alpn?: readonly string[]
  readonly encrypted?: boolean
}

const asker =
  (routes: NameRoutes<string>) =>
  (
    serverName: string | undefined,
    { alpn = [], encrypted = false }: Ask = {},
  ): string | undefined =>
    nameRouter(routes).route({ serverName, alpn, encrypted })?.target

describe('name router', () => {
  const ask = asker({
    rules: [
      { sni: 'www.example.com', target: 'www' },
      { sni: '*.example.com', target: 'any' },
      { sni: ['*.eu.example.com', 'Other.Test.'], target: 'eu' },
      { sni: '*.com', target: 'com' },
    ],
    default: 'default',
  })

  it('takes the exact name, then the longest wildcard, then the default', () => {
    expect(ask('www.example.com')).toBe('www')
    expect(ask('api.example.com')).toBe('any')
    expect(ask('a.b.example.com')).toBe('any')
    expect(ask('a.b.eu.example.com')).toBe('eu')
    expect(ask('eu.example.com')).toBe('any')
    expect(ask('example.com')).toBe('com')
    expect(ask('other.test')).toBe('eu')
    expect(ask('com')).toBe('default')
    expect(ask('notexample.org')).toBe('default')
  })

  it('says by which rule', () => {
    const router = nameRouter({ rules: [{ sni: '*.b.c', target: 1 }], default: 2 })
    const named = { alpn: [], encrypted: false }
    expect(router.route({ ...named, serverName: 'a.b.c' })).toEqual({
      target: 1,
      by: 'wildcard',
      name: '*.b.c',
    })
    expect(router.route({ ...named, serverName: 'x' })).toEqual({
      target: 2,
      by: 'default',
      name: '',
    })
    expect(router.targets).toEqual([1, 2])
  })

  it('asks for the application protocol, and goes on to shorter names without a match', () => {
    const routed = asker({
      rules: [
        { sni: 'a.example', alpn: ['h2', 'http/1.1'], target: 'web' },
        { sni: 'a.example', alpn: 'acme-tls/1', target: 'acme' },
        { sni: '*.example', target: 'rest' },
      ],
    })
    expect(routed('a.example', { alpn: ['acme-tls/1'] })).toBe('acme')
    expect(routed('a.example', { alpn: ['x', 'http/1.1'] })).toBe('web')
    expect(routed('a.example', { alpn: ['x'] })).toBe('rest')
    expect(routed('a.example')).toBe('rest')
    expect(routed('example')).toBeUndefined()
  })

  it('has rules of their own for absent and encrypted names', () => {
    const rules = [{ sni: 'public.example', target: 'ech' }]
    const all = asker({ rules, default: 'default', absent: 'absent', encrypted: 'encrypted' })
    expect(all(undefined)).toBe('absent')
    expect(all('x.example', { encrypted: true })).toBe('encrypted')
    expect(all(undefined, { encrypted: true })).toBe('encrypted')
    expect(all('public.example', { encrypted: true })).toBe('ech')
    const plain = asker({ rules, default: 'default' })
    expect([plain(undefined), plain('x', { encrypted: true })]).toEqual(['default', 'default'])
    const strict = asker({ rules, default: 'default', absent: null, encrypted: null })
    expect([strict(undefined), strict('x', { encrypted: true })]).toEqual([undefined, undefined])
    expect(strict('y')).toBe('default')
    expect(asker({ rules })('y')).toBeUndefined()
  })

  it('refuses rules that are none or could never win', () => {
    const rule = (sni: string, alpn?: string[]): object => ({
      sni,
      target: 0,
      ...(alpn === undefined ? {} : { alpn }),
    })
    const make = (...rules: object[]): unknown => nameRouter({ rules: rules as never })
    for (const sni of [
      '',
      '*',
      '*.',
      'a.*.b',
      '*a.example',
      '10.0.0.1',
      'a..b',
      'bücher.example',
    ]) {
      expect(() => make(rule(sni)), sni).toThrow('routes.rules[0].sni')
    }
    expect(() => make(rule('a.b'), rule('A.B.'))).toThrow('routes.rules[1].sni')
    expect(() => make(rule('a.b'), rule('a.b', ['h2']))).toThrow('earlier rule')
    expect(() => make(rule('a.b', ['h2', 'x']), rule('a.b', ['h2']))).toThrow('earlier rule')
    expect(() => make(rule('a.b', ['']))).toThrow('alpn')
    make(rule('a.b', ['h2']), rule('a.b', ['h2', 'x']), rule('a.b'), rule('*.a.b'))
  })

  it('agrees with a search through all the rules', () => {
    const label = fc.constantFrom('a', 'b', 'c')
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
    const pattern = fc.tuple(fc.boolean(), name).map(([star, n]) => (star ? `*.${n}` : n))
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), name, (patterns, asked) => {
        const best = patterns
          .filter((p) => (p.startsWith('*.') ? asked.endsWith(p.slice(1)) : p === asked))
          .sort(
            (x, y) => Number(x.startsWith('*')) - Number(y.startsWith('*')) || y.length - x.length,
          )
        const routed = asker({ rules: patterns.map((sni) => ({ sni, target: sni })) })
        expect(routed(asked)).toBe(best[0])
      }),
      { numRuns: 500 },
    )
  })

  it('is not impressed by names of object members', () => {
    const routed = asker({ rules: [{ sni: 'a', target: 'a' }] })
    for (const odd of ['__proto__', 'constructor', 'x.__proto__'])
      expect(routed(odd)).toBeUndefined()
  })
})
