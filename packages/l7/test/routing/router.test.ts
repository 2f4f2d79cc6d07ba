import { isSteelyardError } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../src/exchange/http-request.ts'
import { all, always, any, not } from '../../src/routing/combine.ts'
import { forward } from '../../src/routing/forward.ts'
import { clientIn } from '../../src/routing/match-connection.ts'
import { header, method, query } from '../../src/routing/match-fields.ts'
import { host } from '../../src/routing/match-host.ts'
import { fileType, path, pathRegex, pathText } from '../../src/routing/match-path.ts'
import { redirect } from '../../src/routing/redirect.ts'
import { reject, respond } from '../../src/routing/respond.ts'
import { type Match, type Route, type RouteOrder, route } from '../../src/routing/route.ts'
import { router } from '../../src/routing/router.ts'
import { startsWith } from '../../src/routing/text-test.ts'
import { fakeExchange, fakePool, fakeRequest } from './fakes.ts'

const site = fakePool('site')
const named = (name: string, match: Match, position?: number): Route =>
  route(match, forward(site), { name, ...(position === undefined ? {} : { position }) })

const found = (
  routes: readonly Route[],
  order: RouteOrder,
  request: HttpRequest,
): string | undefined => router(routes, { order, compile: (_, name) => name }).find(request)?.target

describe('router', () => {
  it('takes the first that matches, as listed', () => {
    const routes = [
      named('admin', all(path('/admin/*'), not(host('office.example')))),
      named('api', host('api.example.com')),
      named('trace', ({ method }) => method === 'TRACE'),
      named('rest', always),
    ]
    const where = (request: Parameters<typeof fakeRequest>[0]): string | undefined =>
      found(routes, 'listed', fakeRequest(request))
    expect(where({ target: '/admin' })).toBe('admin')
    expect(where({ target: '/admin/x', host: 'api.example.com' })).toBe('admin')
    expect(where({ target: '/admin/x', host: 'office.example' })).toBe('rest')
    expect(where({ target: '/administrator', host: 'api.example.com' })).toBe('api')
    expect(where({ method: 'TRACE' })).toBe('trace')
    expect(where({})).toBe('rest')
  })

  it('takes no filters in the wrong place, where they would guard nothing', () => {
    const options = { name: 'a', use: [] }
    expect(() => route(always, forward(site), options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'route.use' }),
    )
  })

  it('routes as the guide shows', () => {
    const api = fakePool('api')
    const office = clientIn('10.0.0.0/8', '2001:db8:feed::/48')
    const { find } = router([
      route(all(path('/admin/*'), not(office)), respond(403)),
      route(all(host('api.example.com'), method('GET', 'HEAD')), forward(api, { retries: 2 })),
      route(host('api.example.com'), forward(api)),
      route(path('/old/*'), redirect('/new/', 308)),
      route(({ method }) => method === 'TRACE', respond(405)),
      route(always, forward(site, { setHeaders: { 'x-served-by': 'edge-1' } })),
    ])
    const where = (request: Parameters<typeof fakeRequest>[0]): string | undefined =>
      find(fakeRequest(request))?.name
    expect(where({ target: '/admin', client: '192.0.2.1' })).toBe('route 1')
    expect(where({ target: '/admin/x', client: '2001:db8:feed::1' })).toBe('route 6')
    expect(where({ host: 'api.example.com' })).toBe('route 2')
    expect(where({ host: 'api.example.com', method: 'POST' })).toBe('route 3')
    expect(where({ target: '/old/x' })).toBe('route 4')
    expect(where({ method: 'TRACE' })).toBe('route 5')
    const { target } = find(fakeRequest({ target: '/old' })) ?? {}
    expect(
      target?.kind === 'answer' && target.answer(fakeExchange({ target: '/old/a?b' })),
    ).toEqual({
      status: 308,
      headers: { location: '/new/a?b' },
      reason: 'redirected',
    })
  })

  it('has no answer when nothing matches', () => {
    expect(found([named('a', host('a.example'))], 'listed', fakeRequest())).toBeUndefined()
    expect(found([], 'listed', fakeRequest())).toBeUndefined()
  })

  it('puts explicit positions in front, ascending, equals as listed', () => {
    const routes = [
      named('unplaced', always),
      named('second', always, 2),
      named('also second', always, 2),
      named('first', path('/only'), 1),
    ]
    expect(found(routes, 'listed', fakeRequest({ target: '/only' }))).toBe('first')
    expect(found(routes, 'listed', fakeRequest())).toBe('second')
  })

  it('tries the most specific first, as Gateway API has it', () => {
    const routes = [
      named('any', always),
      named('header', header('x-a')),
      named('two headers', all(header('x-a'), header('x-b'))),
      named('method', method('GET')),
      named('short', path('/a/*')),
      named('long', path('/a/b/*')),
      named('regex', pathRegex('^/a/b/c')),
      named('exact', path('/a/b/c')),
      named('wild', host('*.example.com')),
      named('wilder', host('*.www.example.com')),
      named('host', all(host('x.www.example.com'), path('/elsewhere'))),
      named('host with query', all(host('x.www.example.com'), query('q'))),
    ]
    const where = (request: Parameters<typeof fakeRequest>[0]): string | undefined =>
      found(routes, 'specific', fakeRequest(request))
    expect(where({ method: 'PUT' })).toBe('any')
    expect(where({ method: 'PUT', headers: [['x-a', '1']] })).toBe('header')
    expect(
      where({
        method: 'PUT',
        headers: [
          ['x-a', '1'],
          ['x-b', ''],
        ],
      }),
    ).toBe('two headers')
    expect(
      where({
        headers: [
          ['x-a', '1'],
          ['x-b', ''],
        ],
      }),
    ).toBe('method')
    expect(where({ target: '/a' })).toBe('short')
    expect(where({ target: '/a/bc' })).toBe('short')
    expect(where({ target: '/a/b/x' })).toBe('long')
    expect(where({ target: '/a/b/cc' })).toBe('regex')
    expect(where({ target: '/a/b/c' })).toBe('exact')
    expect(where({ target: '/a/b/c', host: 'y.example.com' })).toBe('wild')
    expect(where({ host: 'x.www.example.com' })).toBe('wilder')
    expect(where({ host: 'x.www.example.com', target: '/?q' })).toBe('host with query')
    expect(where({ host: 'x.www.example.com', target: '/elsewhere?q' })).toBe('host')
  })

  it('gives each alternative of a route its own place', () => {
    const routes = [
      named('both', any(host('www.example.com'), path('/a/*'))),
      named('prefix', path('/a/b/*')),
    ]
    expect(found(routes, 'specific', fakeRequest({ target: '/a/b' }))).toBe('prefix')
    expect(
      found(routes, 'specific', fakeRequest({ target: '/a/b', host: 'www.example.com' })),
    ).toBe('both')
  })

  it('tries rejects, then redirects, then the rest, as Octavia does', () => {
    const routes = [
      route(always, forward(site), { name: 'pool', position: 1 }),
      route(header('x-moved'), redirect('https://example.org/'), { name: 'redirect', position: 2 }),
      route(path('/secret/*'), reject(), { name: 'reject', position: 3 }),
      route(path('/secret/*'), respond(404), { name: 'respond' }),
    ]
    expect(found(routes, 'octavia', fakeRequest())).toBe('pool')
    expect(found(routes, 'octavia', fakeRequest({ headers: [['x-moved', '']] }))).toBe('redirect')
    expect(
      found(routes, 'octavia', fakeRequest({ headers: [['x-moved', '']], target: '/secret' })),
    ).toBe('reject')
  })

  it('counts what a condition throws as no match, and tells it once', () => {
    const told: string[] = []
    const boom = (): boolean => {
      throw new Error('boom')
    }
    const late = (async () => true) as unknown as (request: HttpRequest) => boolean
    const rejected = (async () => {
      throw new Error('late')
    }) as unknown as (request: HttpRequest) => boolean
    const routes = router(
      [named('a', boom), named('b', late), named('c', rejected), named('d', not(boom))],
      {
        compile: (_, name) => name,
        onError: (error, { name }) => told.push(`${name}: ${(error as Error).message}`),
      },
    )
    for (let i = 0; i < 3; i++) expect(routes.find(fakeRequest())?.name).toBe('d')
    expect(routes.explain(fakeRequest()).map(({ matched }) => matched)).toEqual([
      false,
      false,
      false,
      true,
    ])
    const promised = 'a condition answered with a promise: it has to answer at once'
    expect(told).toEqual(['a: boom', `b: ${promised}`, `c: ${promised}`, 'd: boom'])
  })

  it('names what it compiled', () => {
    const made: string[] = []
    const { entries } = router([route(always, respond(200)), named('mine', always)], {
      compile: (given, name) => {
        made.push(name)
        return given.action.kind
      },
    })
    expect(made).toEqual(['route 1', 'mine'])
    expect(entries.map(({ name, target }) => [name, target])).toEqual([
      ['route 1', 'answer'],
      ['mine', 'forward'],
    ])
    expect(router([route(always, respond(200))]).find(fakeRequest())?.target).toMatchObject({
      summary: 'respond 200',
    })
  })

  it('takes routes that were written by hand, and says what is wrong with them', () => {
    const byHand: Route = {
      match: { kind: 'path', form: 'prefix', values: ['/old'] },
      action: redirect('/new/'),
      name: undefined,
      position: undefined,
    }
    expect(router([byHand]).find(fakeRequest({ target: '/old/x' }))).toBeDefined()
    const wrong = (given: unknown): string => {
      try {
        router([given as Route])
      } catch (error) {
        if (isSteelyardError(error, 'invalid-option')) return error.message
      }
      return 'taken'
    }
    expect(wrong({ ...byHand, match: { kind: 'hosts' } })).toMatch(
      /^routes\[0\]\.match: "hosts" is no condition/,
    )
    expect(wrong({ ...byHand, action: { kind: 'go' } })).toMatch(/^routes\[0\]\.action: "go"/)
    expect(wrong({ ...byHand, match: { kind: 'any', of: [always, 5] } })).toMatch(
      /^routes\[0\]\.match\[1\]: 5/,
    )
    expect(wrong({ ...byHand, position: 1.5 })).toMatch(/^routes\[0\]\.position/)
    expect(() => router([], { order: 'first' as RouteOrder, compile: () => 1 })).toThrow(/order/)
  })

  it('explains', () => {
    const routes = router(
      [
        named('api', all(host('api.example.com', '*.api.example.com'), method('GET', 'HEAD'))),
        named('v2', all(path('/v2/*'), header('x-version', startsWith('v2')))),
        named('own', function isTeapot() {
          return false
        }),
        named('neither', any(path('/a', '/b/*'), fileType('jpg', 'png'))),
        named('closed', not(any(host('example.com'), path('/open')))),
        named('rest', always),
        named('never', always),
      ],
      { compile: (_, name) => name },
    )
    const request = fakeRequest({ target: '/v2/x.gif', headers: [['X-Version', 'v1']] })
    expect(routes.explain(request)).toEqual([
      {
        name: 'api',
        matched: false,
        because: 'host is "example.com", wanted: api.example.com or *.api.example.com',
      },
      {
        name: 'v2',
        matched: false,
        because: 'header x-version is "v1", wanted: starts with "v2"',
      },
      { name: 'own', matched: false, because: 'the condition isTeapot says no' },
      {
        name: 'neither',
        matched: false,
        because:
          'path is "/v2/x.gif", wanted: /a; and path is "/v2/x.gif", wanted: /b/*; and file type is "gif", wanted: "jpg" or "png" in any case',
      },
      {
        name: 'closed',
        matched: false,
        because: 'excluded: host is example.com or path is /open',
      },
      { name: 'rest', matched: true, because: 'every request' },
    ])
  })

  const routesAndRequests = fc.tuple(
    fc.array(
      fc.record({
        match: matches(3),
        position: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
        kind: fc.constantFrom(
          'forward' as const,
          'redirect' as const,
          'reject' as const,
          'respond' as const,
        ),
      }),
      { maxLength: 12 },
    ),
    fc.array(requests, { minLength: 1, maxLength: 10 }),
  )

  it.each(['listed', 'octavia', 'specific'] as const)(
    'agrees with trying one route after the other, in order %s; so does explain',
    (order) => {
      fc.assert(
        fc.property(routesAndRequests, ([given, asked]) => {
          const actions = {
            forward: forward(site),
            redirect: redirect('/x'),
            reject: reject(),
            respond: respond(200),
          }
          const routes = given.map(({ match, position, kind }, index) =>
            route(match, actions[kind], {
              name: `${index}`,
              ...(position === undefined ? {} : { position }),
            }),
          )
          const compiled = router(routes, { order, compile: (_, name) => name })
          for (const request of asked) {
            const expected = naive(routes, order, request)
            expect(compiled.find(request)?.name).toBe(expected)
            const trials = compiled.explain(request)
            const last = trials.at(-1)
            expect(last?.matched === true ? last.name : undefined).toBe(expected)
            expect(trials.slice(0, -1).every(({ matched }) => !matched)).toBe(true)
          }
        }),
        { numRuns: 1000 },
      )
    },
  )

  it('finds among ten thousand routes what it finds among few', () => {
    const many = Array.from({ length: 10_000 }, (_, index) =>
      named(`${index}`, all(host(`h${index % 100}.example`), path(`/p${index}/*`))),
    )
    const compiled = router([...many, named('rest', always)], { compile: (_, name) => name })
    for (const index of [0, 1, 4999, 9999]) {
      const target = `/p${index}/x`
      expect(compiled.find(fakeRequest({ host: `h${index % 100}.example`, target }))?.name).toBe(
        `${index}`,
      )
      expect(compiled.find(fakeRequest({ host: 'h100.example', target }))?.name).toBe('rest')
    }
  })
})

/** Conditions of every kind, from few words, so that they meet. */
function matches(depth: number): fc.Arbitrary<Match> {
  const word = fc.constantFrom('a', 'b', 'ab', '')
  const paths = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`)
  const leaf: fc.Arbitrary<Match> = fc.oneof(
    fc.constant(always),
    fc
      .array(
        fc.constantFrom(
          'a.example',
          'b.a.example',
          '*.example',
          '*.a.example',
          '*',
          'a.example:81',
          '*.example:80',
          '*:81',
        ),
        { minLength: 1, maxLength: 3 },
      )
      .map((names) => host(...names)),
    fc.array(paths, { minLength: 1, maxLength: 2 }).map((values) => path(...values)),
    fc
      .array(paths, { minLength: 1, maxLength: 2 })
      .map((values) => path(...values.map((value) => `${value}/*`))),
    paths.map((value) => pathText(startsWith(value))),
    fc.constantFrom('^/a', 'b$').map((pattern) => pathRegex(pattern)),
    fc.constantFrom('GET', 'PUT').map((name) => method(name)),
    fc.constantFrom('x-a', 'x-b').map((name) => header(name)),
    fc.constantFrom('p', 'q').map((name) => query(name)),
    fc.constantFrom(
      (request: HttpRequest) => request.path.length % 2 === 0,
      (request: HttpRequest) => request.host.startsWith('a'),
    ),
  )
  const { node } = fc.letrec<{ node: Match }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', maxDepth: depth, withCrossShrink: true },
      leaf,
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((of) => all(...of)),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((of) => any(...of)),
      tie('node').map((of) => not(of)),
    ),
  }))
  return node
}

const requests: fc.Arbitrary<HttpRequest> = fc
  .record({
    host: fc.constantFrom('', 'a.example', 'b.a.example', 'c.b.a.example', 'example', 'xa.example'),
    port: fc.constantFrom(0, 80, 81),
    target: fc.constantFrom(
      '/',
      '/a',
      '/a/',
      '/a/b',
      '/a/b/',
      '/ab',
      '/a//b',
      '/b?q',
      '/a/b/a?p&q=1',
      '//a',
      '*',
      '/ab/a?p',
    ),
    method: fc.constantFrom('GET', 'PUT'),
    headers: fc.subarray([
      ['x-a', '1'],
      ['X-B', ''],
    ] as [string, string][]),
  })
  .map(fakeRequest)

/** What the order means, said once more and as simply as can be. */
function naive(
  routes: readonly Route[],
  order: RouteOrder,
  request: HttpRequest,
): string | undefined {
  const positioned = routes.toSorted((a, b) => {
    const [x, y] = [a.position ?? 1e9, b.position ?? 1e9]
    return x - y
  })
  if (order === 'specific') {
    let best: { readonly rank: readonly number[]; readonly name: string } | undefined
    for (const { match, name = '' } of positioned) {
      for (const clause of alternatives(match)) {
        if (!clause.every((part) => holds(part, request))) continue
        const rank = rankOf(clause)
        if (best === undefined || compare(rank, best.rank) > 0) best = { rank, name }
      }
    }
    return best?.name
  }
  const classOf = ({ action }: Route): number => {
    if (order === 'listed') return 0
    if (action.kind === 'forward' || action.rank === 'respond') return 2
    return action.rank === 'reject' ? 0 : 1
  }
  return positioned
    .toSorted((a, b) => classOf(a) - classOf(b))
    .find(({ match }) => holds(match, request))?.name
}

function holds(match: Match, request: HttpRequest): boolean {
  if (typeof match === 'function') return match(request)
  switch (match.kind) {
    case 'always':
      return true
    case 'all':
      return match.of.every((part) => holds(part, request))
    case 'any':
      return match.of.some((part) => holds(part, request))
    case 'not':
      return !holds(match.of, request)
    case 'host':
      return match.names.some((name) => {
        const [host = '', port] = name.split(':')
        const effective = request.port || 80
        if (port !== undefined && effective !== Number(port)) return false
        return (
          host === '*' ||
          (host.startsWith('*') ? request.host.endsWith(host.slice(1)) : request.host === host)
        )
      })
    case 'path':
      return match.values.some((value) => {
        if (match.form === 'exact') return request.path === value
        if (match.form === 'start') return request.path.startsWith(value)
        return `${request.path}/`.startsWith(`${value}/`)
      })
    default:
      return match.test(request)
  }
}

/** Every way to meet the condition, as lists of which all have to hold. */
function alternatives(match: Match): readonly (readonly Match[])[] {
  if (typeof match === 'function') return [[match]]
  switch (match.kind) {
    case 'all':
      return match.of.reduce<readonly (readonly Match[])[]>(
        (ways, part) => ways.flatMap((way) => alternatives(part).map((more) => [...way, ...more])),
        [[]],
      )
    case 'any':
      return match.of.flatMap(alternatives)
    case 'host':
      return match.names.map((name) => [{ ...match, names: [name] }])
    case 'path':
      return match.values.map((value) => [{ ...match, values: [value] }])
    default:
      return [[match]]
  }
}

function rankOf(clause: readonly Match[]): readonly number[] {
  const parts = clause.filter((part) => typeof part === 'object')
  const hosts = parts.flatMap((part) => {
    if (part.kind !== 'host') return []
    const [name = ''] = (part.names[0] ?? '').split(':')
    if (name === '*') return [0]
    return [name.startsWith('*') ? name.length - 2 : 1000 + name.length]
  })
  const exact = parts.flatMap((part) =>
    part.kind === 'path' && part.form === 'exact' ? [1000 + (part.values[0] ?? '').length] : [],
  )
  const prefixes = parts.flatMap((part) =>
    part.kind === 'path' && part.form !== 'exact' ? [1 + (part.values[0] ?? '').length] : [],
  )
  const weights = (weight: string): number =>
    parts.filter((part) => part.kind === 'test' && part.weight === weight).length
  return [
    Math.max(0, ...hosts),
    exact.length > 0 ? 3 : weights('path') > 0 ? 2 : prefixes.length > 0 ? 1 : 0,
    Math.max(0, ...exact, ...prefixes),
    Math.min(1, weights('method')),
    weights('header'),
    weights('query'),
  ]
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
