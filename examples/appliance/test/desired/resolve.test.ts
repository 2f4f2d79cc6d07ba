import { describe, expect, it } from 'vitest'
import type { Desired } from '../../src/desired/desired.ts'
import { load, type Resolution, type ResolveOptions } from '../../src/desired/resolve.ts'
import { issueDocument } from './issue-document.ts'

/** A document of these parts. */
function document(parts: {
  readonly addressPools?: string
  readonly loadBalancers?: string
  readonly pools?: string
}): string {
  const {
    addressPools = '[]',
    loadBalancers = '[]',
    pools = '[{ name: web, members: ["h:1"] }]',
  } = parts
  return `version: 1\nnode: { name: a }\naddressPools: ${addressPools}\nloadBalancers: ${loadBalancers}\npools: ${pools}\n`
}

const listener = (name: string, port: number, more = ''): string =>
  `{ name: ${name}, protocol: tcp, port: ${port}, pool: web${more} }`

const brief = ({ findings }: Resolution): string[] =>
  findings.map(({ code, path, message }) => `${code} ${path}: ${message}`)

const leftOut = ({ quarantined }: Resolution): string[] =>
  quarantined.map(({ kind, name, kept }) => `${kind} ${name}${kept ? ' kept' : ''}`)

function resolved(
  text: string,
  options?: ResolveOptions,
): Resolution & { readonly desired: Desired } {
  const resolution = load(text, 'lb.yaml', options)
  expect(resolution.desired, JSON.stringify(resolution.findings)).toBeDefined()
  return resolution as Resolution & { readonly desired: Desired }
}

describe('a document without conflicts', () => {
  it('becomes frozen plain data by name', () => {
    const { desired } = resolved(issueDocument)
    expect(Object.keys(desired.listeners)).toEqual(['cache/redis'])
    expect(desired.listeners['cache/redis']).toMatchObject({
      id: 'cache/redis',
      loadBalancer: 'cache',
      protocol: 'tcp',
      binding: { kind: 'address', host: '127.0.0.10', port: 6379, ipv6Only: false },
      pool: 'redis',
    })
    expect(desired.pools['redis']?.algorithm).toEqual({
      type: 'source-hash',
      port: false,
      consistent: false,
    })
    expect(Object.keys(desired.pools['redis']!.members)).toEqual([
      '127.0.0.1:7001',
      '127.0.0.1:7002',
      '127.0.0.1:7003',
    ])
    expect(Object.isFrozen(desired.pools['redis']!.members['127.0.0.1:7001']!.labels)).toBe(true)
    expect(JSON.parse(JSON.stringify(desired))).toEqual(desired)
  })

  it('takes the timeout of a check from a short interval, if it names none', () => {
    const pools = '[{ name: web, members: ["h:1"], health: { type: tcp, interval: 300ms } }]'
    const { desired } = resolved(document({ pools }))
    expect(desired.pools['web']?.health?.timeout).toBe(300)
  })

  it('leaves out what is not enabled, and lets others have its port', () => {
    const loadBalancers = `[
      { name: a, vip: 127.0.0.1, listeners: [${listener('x', 80, ', enabled: false')}, ${listener('y', 80)}] },
      { name: b, vip: 127.0.0.1, enabled: false, listeners: [${listener('z', 80)}] }]`
    const { desired, findings } = resolved(document({ loadBalancers }))
    expect(findings).toEqual([])
    expect(Object.keys(desired.listeners)).toEqual(['a/y'])
    expect(desired.loadBalancers['b']?.enabled).toBe(false)
  })
})

describe('ports', () => {
  const conflict = (first: string, second: string): string[] => {
    const resolution = resolved(document({ loadBalancers: `[${first}, ${second}]` }))
    return resolution.findings.map(({ message }) => message)
  }
  const on = (name: string, vip: string, inner: string): string =>
    `{ name: ${name}, vip: "${vip}", listeners: [${inner}] }`
  const udp = '{ name: x, protocol: udp, port: 80, pool: web }'
  const tls = '{ name: x, protocol: tls, port: 80, pool: web, tls: { mode: passthrough } }'

  it.each([
    [
      'the same address',
      on('a', '10.0.0.1', listener('x', 80)),
      on('b', '10.0.0.1', listener('x', 80)),
      1,
    ],
    [
      'another port',
      on('a', '10.0.0.1', listener('x', 80)),
      on('b', '10.0.0.1', listener('x', 81)),
      0,
    ],
    [
      'another address',
      on('a', '10.0.0.1', listener('x', 80)),
      on('b', '10.0.0.2', listener('x', 80)),
      0,
    ],
    ['TCP and UDP', on('a', '10.0.0.1', listener('x', 80)), on('b', '10.0.0.1', udp), 0],
    ['TCP and TLS', on('a', '10.0.0.1', listener('x', 80)), on('b', '10.0.0.1', tls), 1],
    ['UDP and UDP', on('a', '10.0.0.1', udp), on('b', '10.0.0.1', udp), 1],
    [
      'the IPv4 wildcard before',
      on('a', '0.0.0.0', listener('x', 80)),
      on('b', '10.0.0.1', listener('x', 80)),
      1,
    ],
    [
      'the IPv4 wildcard after',
      on('a', '10.0.0.1', listener('x', 80)),
      on('b', '0.0.0.0', listener('x', 80)),
      1,
    ],
    [
      'the IPv4 wildcard and IPv6',
      on('a', '0.0.0.0', listener('x', 80)),
      on('b', '::1', listener('x', 80)),
      0,
    ],
    [
      'the dual-stack wildcard and IPv4',
      on('a', '::', listener('x', 80)),
      on('b', '10.0.0.1', listener('x', 80)),
      1,
    ],
    [
      'the dual-stack wildcard and IPv6',
      on('a', '::', listener('x', 80)),
      on('b', '2001:db8::1', listener('x', 80)),
      1,
    ],
    ['both wildcards', on('a', '::', listener('x', 80)), on('b', '0.0.0.0', listener('x', 80)), 1],
    [
      'the IPv6-only wildcard and IPv4',
      on('a', '::', listener('x', 80, ', ipv6Only: true')),
      on('b', '10.0.0.1', listener('x', 80)),
      0,
    ],
    [
      'the IPv6-only wildcard and the IPv4 one',
      on('a', '0.0.0.0', listener('x', 80)),
      on('b', '::', listener('x', 80, ', ipv6Only: true')),
      0,
    ],
    [
      'the IPv6-only wildcard and IPv6',
      on('a', '::', listener('x', 80, ', ipv6Only: true')),
      on('b', '::1', listener('x', 80)),
      1,
    ],
    [
      'an IPv4-mapped address',
      on('a', '::ffff:10.0.0.1', listener('x', 80)),
      on('b', '10.0.0.1', listener('x', 80)),
      1,
    ],
    [
      'one unix socket',
      on('a', '::1', '{ name: x, protocol: tcp, listen: "unix:/x", pool: web }'),
      on('b', '::1', '{ name: x, protocol: tcp, listen: "unix:/x", pool: web }'),
      1,
    ],
    [
      'two descriptors',
      on('a', '::1', '{ name: x, protocol: tcp, listen: "fd:3", pool: web }'),
      on('b', '::1', '{ name: x, protocol: tcp, listen: "fd:4", pool: web }'),
      0,
    ],
  ])('%s', (_, first, second, count) => {
    expect(conflict(first, second)).toHaveLength(count)
  })

  it('leaves out only the second, and says who has the place', () => {
    const loadBalancers = `[${on('a', '0.0.0.0', listener('x', 80))}, ${on('b', '10.0.0.1', `${listener('x', 80)}, ${listener('y', 81)}`)}]`
    const resolution = resolved(document({ loadBalancers }))
    expect(brief(resolution)).toEqual([
      'port-conflict loadBalancers[1].listeners[0].port: TCP 10.0.0.1:80 is taken by the listener "a/x" on line 4, which has 0.0.0.0:80',
    ])
    expect(leftOut(resolution)).toEqual(['listener b/x'])
    expect(Object.keys(resolution.desired.listeners)).toEqual(['a/x', 'b/y'])
  })

  it('keeps the port of the admin endpoint', () => {
    const loadBalancers = `[${on('a', '0.0.0.0', listener('x', 9901))}]`
    const resolution = resolved(document({ loadBalancers }))
    expect(brief(resolution)[0]).toContain('TCP 0.0.0.0:9901 is taken by the admin endpoint')
  })

  it('finds a listener that would forward to itself', () => {
    const pools = '[{ name: web, members: ["127.0.0.1:80"] }]'
    const direct = load(
      document({ pools, loadBalancers: `[${on('a', '127.0.0.1', listener('x', 80))}]` }),
      'f',
    )
    expect(direct.findings.map(({ code }) => code)).toEqual(['forwarding-loop'])
    const wild = load(
      document({ pools, loadBalancers: `[${on('a', '::', listener('x', 80))}]` }),
      'f',
    )
    expect(wild.findings.map(({ code }) => code)).toEqual(['forwarding-loop'])
    const six = listener('x', 80).replace(/}$/, ', ipv6Only: true }')
    const sixOnly = load(document({ pools, loadBalancers: `[${on('a', '::', six)}]` }), 'f')
    expect(sixOnly.findings).toEqual([])
    const other = load(
      document({ pools, loadBalancers: `[${on('a', '127.0.0.1', listener('x', 81))}]` }),
      'f',
    )
    expect(other.findings).toEqual([])
  })
})

describe('names and references', () => {
  it('finds names that are taken, and leaves out the second', () => {
    const resolution = resolved(
      document({
        addressPools: '[{ name: a, addresses: [10.0.0.1] }, { name: a, addresses: [10.0.0.2] }]',
        loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${listener('x', 1)}, ${listener('x', 2)}] }, { name: l, vip: 127.0.0.1, listeners: [${listener('y', 3)}] }]`,
        pools: '[{ name: web, members: ["h:1"] }, { name: web, members: ["h:2"] }]',
      }),
    )
    expect(leftOut(resolution)).toEqual([
      'address-pool a',
      'pool web',
      'load-balancer l',
      'listener l/x',
    ])
    expect(Object.keys(resolution.desired.listeners)).toEqual(['l/x'])
    expect(Object.keys(resolution.desired.pools['web']!.members)).toEqual(['h:1'])
    expect(resolution.findings[0]?.message).toBe(
      'two address pools are named "a"; the first is on line 3',
    )
  })

  it('finds unknown pools in routes and rules too', () => {
    const tls = `{ name: x, protocol: tls, port: 443, tls: { mode: passthrough, absentName: { pool: nope } }, routes: [{ sni: [a.example], pool: wbe }] }`
    const resolution = resolved(
      document({ loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${tls}] }]` }),
    )
    expect(brief(resolution)).toEqual([
      'unknown-pool loadBalancers[0].listeners[0].tls.absentName.pool: there is no pool "nope"',
      'unknown-pool loadBalancers[0].listeners[0].routes[0].pool: there is no pool "wbe"',
    ])
    expect(resolution.findings.map(({ hint }) => hint)).toEqual([
      'define it, or use one of the pools web',
      'did you mean "web"?',
    ])
    expect(leftOut(resolution)).toEqual(['listener l/x'])
  })

  it('does not miss a pool whose name could not be read', () => {
    const { findings } = load(
      document({
        loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${listener('x', 1)}] }]`,
        pools: '[{ name: "w b", members: [] }]',
      }),
      'f',
    )
    expect(findings.map(({ code }) => code)).toEqual(['invalid-value'])
  })

  it('leaves out who depends on what is left out, without a finding of its own', () => {
    const pools =
      '[{ name: web, members: ["h:1"], health: { type: tcp, interval: 1s, timeout: 2s } }]'
    const resolution = resolved(
      document({
        pools,
        loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${listener('x', 1)}] }]`,
      }),
    )
    expect(brief(resolution)).toEqual([
      'timeout-exceeds-interval pools[0].health.timeout: a check may take 2000ms, but the next one begins after 1000ms',
    ])
    expect(leftOut(resolution)).toEqual(['pool web', 'listener l/x'])
    expect(resolution.quarantined[1]?.reason).toBe(
      'its pool "web" is left out: a check may take 2000ms, but the next one begins after 1000ms',
    )
  })

  it('leaves out a member that is there twice, and keeps the pool', () => {
    const pools =
      '[{ name: web, members: ["h:1", { address: "H:1", weight: 2 }, { address: "h:2", id: "h:1" }, "h:3"] }]'
    const resolution = resolved(
      document({
        pools,
        loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${listener('x', 1)}] }]`,
      }),
    )
    expect(resolution.findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'duplicate-member pools[0].members[1].address',
      'duplicate-member pools[0].members[2].address',
    ])
    expect(Object.keys(resolution.desired.pools['web']!.members)).toEqual(['h:1', 'h:3'])
  })

  it('judges the options of an algorithm as the algorithm does', () => {
    const pools = '[{ name: web, members: ["h:1"], algorithm: { type: maglev, tableSize: 1000 } }]'
    const { findings } = load(document({ pools }), 'f')
    expect(findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'algorithm-invalid pools[0].algorithm.tableSize',
    ])
    expect(findings[0]?.message).toContain('prime')
  })

  it('finds what TLS and UDP cannot do', () => {
    const tls = (more: string): string => `{ name: x, protocol: tls, port: 1, pool: web, ${more} }`
    const codes = (inner: string, pools?: string): string[] =>
      load(
        document({
          loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${inner}] }]`,
          ...(pools === undefined ? {} : { pools }),
        }),
        'f',
      ).findings.map(({ code }) => code)
    expect(codes(tls('tls: { mode: terminate }'))).toEqual(['certificate-missing'])
    const encrypting = '[{ name: web, members: ["h:1"], tls: {} }]'
    expect(codes(tls('tls: { mode: passthrough }'), encrypting)).toEqual(['tls-twice'])
    expect(codes('{ name: x, protocol: udp, port: 1, pool: web }', encrypting)).toEqual([
      'pool-not-for-udp',
    ])
    expect(
      codes(
        tls(
          'tls: { mode: passthrough }, routes: [{ sni: [a.b, c.d], pool: web }, { sni: [A.B.], alpn: [h2], pool: web }]',
        ),
      ),
    ).toEqual(['route-shadowed'])
    expect(
      codes(
        tls(
          'tls: { mode: passthrough }, routes: [{ sni: [a.b], alpn: [h2], pool: web }, { sni: [a.b], pool: web }]',
        ),
      ),
    ).toEqual([])
  })

  it('refuses the whole document when it is asked to be strict', () => {
    const text = issueDocument.replace('pool: redis', 'pool: nope')
    expect(load(text, 'f').desired).toBeDefined()
    expect(load(text, 'f', { strict: true }).desired).toBeUndefined()
    expect(load(issueDocument, 'f', { strict: true }).desired).toBeDefined()
  })

  it('judges references although the form has errors', () => {
    const text = issueDocument
      .replace('pool: redis', 'pool: nope')
      .replace('weight: 2', 'weight: -1')
    const { desired, findings } = load(text, 'f')
    expect(desired).toBeUndefined()
    expect(findings.map(({ code }) => code)).toEqual(['unknown-pool', 'out-of-range'])
  })

  it('gives advice only when there is nothing worse', () => {
    const unused = document({ pools: '[{ name: web }]' })
    expect(load(unused, 'f').findings.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
      'warning unused-pool',
    ])
    const empty = document({
      pools: '[{ name: web }]',
      loadBalancers: `[{ name: l, vip: 127.0.0.1, listeners: [${listener('x', 1)}] }]`,
    }).replace('node:', 'admin: { listen: ":9901" }\nnode:')
    expect(load(empty, 'f').findings.map(({ code }) => code)).toEqual([
      'admin-exposed',
      'pool-without-members',
    ])
  })
})

describe('addresses', () => {
  const lb = (name: string, vip: string, inner = ''): string =>
    `{ name: ${name}, vip: ${vip}, listeners: [${inner}] }`
  const two = '[{ name: p, addresses: [10.0.0.1-10.0.0.2] }]'
  const addressesOf = ({ desired }: Resolution): Record<string, string | undefined> =>
    Object.fromEntries(
      Object.values(desired!.loadBalancers).map(({ name, address }) => [name, address]),
    )

  it('are the first free ones, fixed ones aside, in document order', () => {
    const loadBalancers = `[${lb('a', '{ pool: p }')}, ${lb('b', '{ pool: p, address: 10.0.0.1 }')}]`
    expect(addressesOf(resolved(document({ addressPools: two, loadBalancers })))).toEqual({
      a: '10.0.0.2',
      b: '10.0.0.1',
    })
  })

  it('are not given out when a plain one is in use', () => {
    const loadBalancers = `[${lb('a', '{ pool: p }')}, ${lb('b', '10.0.0.1')}]`
    expect(addressesOf(resolved(document({ addressPools: two, loadBalancers })))).toEqual({
      a: '10.0.0.2',
      b: '10.0.0.1',
    })
  })

  it('stay where they are while the load balancer lives', () => {
    const before = resolved(
      document({ addressPools: two, loadBalancers: `[${lb('b', '{ pool: p }')}]` }),
    )
    const loadBalancers = `[${lb('a', '{ pool: p }')}, ${lb('b', '{ pool: p }')}]`
    const text = document({ addressPools: two, loadBalancers })
    expect(addressesOf(resolved(text))).toEqual({ a: '10.0.0.1', b: '10.0.0.2' })
    expect(addressesOf(resolved(text, { running: before.desired }))).toEqual({
      a: '10.0.0.2',
      b: '10.0.0.1',
    })
  })

  it('move when the pool no longer holds them', () => {
    const before = resolved(
      document({ addressPools: two, loadBalancers: `[${lb('b', '{ pool: p }')}]` }),
    )
    const moved = document({
      addressPools: '[{ name: p, addresses: [10.0.0.9] }]',
      loadBalancers: `[${lb('b', '{ pool: p }')}]`,
    })
    expect(addressesOf(resolved(moved, { running: before.desired }))).toEqual({ b: '10.0.0.9' })
  })

  it('can be shared by a word, on different ports', () => {
    const shared = (name: string, port: number): string =>
      lb(name, '{ pool: p, share: w }', listener('x', port))
    const loadBalancers = `[${shared('a', 80)}, ${lb('x', '{ pool: p }')}, ${shared('b', 81)}]`
    expect(addressesOf(resolved(document({ addressPools: two, loadBalancers })))).toEqual({
      a: '10.0.0.1',
      b: '10.0.0.1',
      x: '10.0.0.2',
    })
  })

  it.each([
    [
      '{ pool: p, address: 10.0.0.9 }',
      'vip-not-in-pool',
      'the address pool "p" holds 10.0.0.1-10.0.0.2, not 10.0.0.9',
    ],
    [
      '{ pool: p, address: "2001:db8::1" }',
      'vip-not-in-pool',
      'the address pool "p" holds IPv4 addresses, not IPv6',
    ],
    [
      '{ pool: q, address: 10.0.0.1 }',
      'vip-not-in-pool',
      '10.0.0.1 belongs to the address pool "p", not to "q"',
    ],
    ['{ pool: q, address: 10.1.0.2 }', 'vip-excluded', 'the address pool "q" excludes 10.1.0.2'],
    ['{ pool: off }', 'address-pool-disabled', 'the address pool "off" is disabled'],
    ['{ pool: nope }', 'unknown-address-pool', 'there is no address pool "nope"'],
  ])('%s cannot be had', (vip, code, message) => {
    const addressPools =
      '[{ name: p, addresses: [10.0.0.1-10.0.0.2] }, { name: q, addresses: [10.1.0.0/30], exclude: [10.1.0.2] }, { name: off, addresses: [10.2.0.1], disable: true }]'
    const loadBalancers = `[${lb('a', vip, listener('x', 1))}]`
    const resolution = resolved(document({ addressPools, loadBalancers }))
    expect(resolution.findings.map((finding) => [finding.code, finding.message])).toEqual([
      [code, message],
    ])
    expect(leftOut(resolution)).toEqual(['load-balancer a'])
    expect(resolution.desired.listeners).toEqual({})
  })

  it('run out, and only who comes too late goes without', () => {
    const loadBalancers = `[${['a', 'b', 'c'].map((name) => lb(name, '{ pool: p }')).join(', ')}]`
    const resolution = resolved(document({ addressPools: two, loadBalancers }))
    expect(resolution.findings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'address-pool-exhausted: the address pool "p" is exhausted: all 2 addresses are in use',
    ])
    expect(Object.keys(resolution.desired.loadBalancers)).toEqual(['a', 'b'])
  })

  it('of a disabled pool may be fixed', () => {
    const addressPools = '[{ name: p, addresses: [10.0.0.1], disable: true }]'
    const loadBalancers = `[${lb('a', '{ pool: p, address: 10.0.0.1 }')}]`
    const { findings } = resolved(document({ addressPools, loadBalancers }))
    expect(findings.map(({ code }) => code)).toEqual(['unused-pool'])
  })

  it('that another has by chance can be fixed only when they are free', () => {
    const before = resolved(
      document({ addressPools: two, loadBalancers: `[${lb('b', '{ pool: p }')}]` }),
    )
    const loadBalancers = `[${lb('a', '{ pool: p, address: 10.0.0.1 }')}, ${lb('b', '{ pool: p }')}]`
    const resolution = resolved(document({ addressPools: two, loadBalancers }), {
      running: before.desired,
    })
    expect(resolution.findings.map(({ code }) => code)).toEqual(['vip-taken'])
    expect(addressesOf(resolution)).toEqual({ b: '10.0.0.1' })
  })

  it('are needed by listeners with a port', () => {
    const loadBalancers = `[{ name: a, listeners: [${listener('x', 80)}, { name: y, protocol: tcp, listen: "unix:/y", pool: web }] }]`
    const resolution = resolved(document({ loadBalancers }))
    expect(resolution.findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'vip-missing loadBalancers[0].listeners[0].port',
    ])
    expect(Object.keys(resolution.desired.listeners)).toEqual(['a/y'])
  })

  it('of pools that overlap belong to the first, excluded ones aside', () => {
    const pools = (exclude: string): string =>
      `[{ name: p, addresses: [10.0.0.0/24] }, { name: q, addresses: [10.0.1.1, 10.0.0.128/25], exclude: [${exclude}] }]`
    expect(
      load(document({ addressPools: pools('10.0.0.128/25') }), 'f').findings.map(
        ({ code }) => code,
      ),
    ).toEqual(['unused-pool'])
    const resolution = resolved(document({ addressPools: pools('') }))
    expect(
      resolution.findings.map(({ code, path, message }) => `${code} ${path}: ${message}`),
    ).toEqual([
      'address-pool-overlap addressPools[1].addresses[1]: the address pool "q" and "p", defined on line 3, both hold 10.0.0.128-10.0.0.255',
    ])
    expect(Object.keys(resolution.desired.addressPools)).toEqual(['p'])
  })

  it('of one pool are of one family, and some are left', () => {
    const bad =
      '[{ name: p, addresses: [10.0.0.1, "2001:db8::1"] }, { name: q, addresses: [10.0.0.2], exclude: [10.0.0.0/24] }]'
    const { findings } = load(document({ addressPools: bad }), 'f')
    expect(findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'address-pool-invalid addressPools[0].addresses[1]',
      'address-pool-invalid addressPools[1].exclude',
    ])
  })
})

describe('what runs while a mistake is made', () => {
  const start = (): Desired => resolved(issueDocument).desired

  it('goes on as it is, and is named', () => {
    const running = start()
    const text = issueDocument
      .replace('pool: redis', 'pool: nope')
      .replace('weight: 2', 'weight: 3')
    const { desired, quarantined } = resolved(text, { running })
    expect(desired.listeners['cache/redis']).toEqual(running.listeners['cache/redis'])
    // The pool is not at fault, so its change applies.
    expect(desired.pools['redis']?.members['127.0.0.1:7001']?.weight).toBe(3)
    expect(quarantined).toMatchObject([
      { kind: 'listener', name: 'cache/redis', kept: true, line: 10 },
    ])
  })

  it('keeps its pool and its address too', () => {
    const running = start()
    const text = issueDocument
      .replace('{ pool: local }', '{ pool: loacl }')
      .replace('timeout: 500ms', 'timeout: 9s')
      .replace(
        'loadBalancers:',
        'loadBalancers:\n  - { name: new, vip: { pool: local }, listeners: [] }',
      )
    const resolution = resolved(text, { running })
    expect(leftOut(resolution)).toEqual([
      'pool redis kept',
      'load-balancer cache kept',
      'listener cache/redis kept',
    ])
    expect(resolution.desired.loadBalancers['cache']?.address).toBe('127.0.0.10')
    expect(resolution.desired.loadBalancers['new']?.address).toBe('127.0.0.11')
    expect(resolution.desired.pools['redis']).toEqual(running.pools['redis'])
  })

  it('makes way for who comes first in the document', () => {
    const running = start()
    const text = issueDocument.replace(
      '      - name: redis\n',
      '      - { name: first, protocol: tcp, port: 6379, pool: redis }\n      - name: redis\n',
    )
    const resolution = resolved(text, { running })
    expect(leftOut(resolution)).toEqual(['listener cache/redis'])
    expect(Object.keys(resolution.desired.listeners)).toEqual(['cache/first'])
  })

  it('ends when it is removed from the document', () => {
    const running = start()
    const text = document({})
    expect(Object.keys(resolved(text, { running }).desired.listeners)).toEqual([])
  })
})
