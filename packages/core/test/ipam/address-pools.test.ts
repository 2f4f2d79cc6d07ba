import { describe, expect, it } from 'vitest'
import {
  AddressPoolInUseError,
  type AddressPoolOptions,
  AddressPoolOverlapError,
  type AddressRequest,
  AddressUnavailableError,
  addressPools,
  type PortClaim,
} from '../../src/index.ts'

const tcp = (...ports: number[]): PortClaim[] => ports.map((port) => ({ protocol: 'tcp', port }))
const pool = (
  name: string,
  addresses: string | string[],
  rest: Partial<AddressPoolOptions> = {},
): AddressPoolOptions => ({ name, addresses: [addresses].flat(), ...rest })

/** The error that a call throws. */
function refusal<T extends Error>(kind: new (...args: never[]) => T, call: () => unknown): T {
  let caught: unknown
  try {
    call()
  } catch (error) {
    caught = error
  }
  expect(caught).toBeInstanceOf(kind)
  return caught as T
}

describe('allocation', () => {
  it('gives the lowest free address, and gives a released one again', () => {
    const pools = addressPools({ pools: [pool('a', ['192.0.2.4', '192.0.2.0/31'])] })
    const given = ['x', 'y', 'z'].map((owner) => pools.assign({ owner }).address)
    expect(given).toEqual(['192.0.2.0', '192.0.2.1', '192.0.2.4'])
    expect(pools.release('y')?.address).toBe('192.0.2.1')
    expect(pools.release('y')).toBeUndefined()
    expect(pools.assign({ owner: 'w' })).toEqual({
      owner: 'w',
      address: '192.0.2.1',
      family: 4,
      pool: 'a',
      shared: false,
    })
  })

  it('never gives what is excluded, and skips network and broadcast when told to', () => {
    const pools = addressPools({
      pools: [
        pool('a', '192.0.2.0/29', {
          exclude: ['192.0.2.1-192.0.2.3', '192.0.2.5', '2001:db8::/32', '10.0.0.0/8'],
          skipNetworkAndBroadcast: true,
        }),
      ],
    })
    expect(pools.status()[0]).toMatchObject({
      ranges: ['192.0.2.4', '192.0.2.6'],
      size: 2n,
      first: '192.0.2.4',
      last: '192.0.2.6',
    })
    expect(pools.assign({ owner: 'x' }).address).toBe('192.0.2.4')
    expect(pools.assign({ owner: 'y' }).address).toBe('192.0.2.6')
  })

  it('gives addresses of a /64 without counting through it', () => {
    const pools = addressPools({
      pools: [pool('six', '2001:db8::/64', { exclude: ['2001:db8::'] })],
    })
    expect(pools.assign({ owner: 'x' }).address).toBe('2001:db8::1')
    expect(pools.assign({ owner: 'y', address: '2001:DB8::FFFF:0:0' }).address).toBe(
      '2001:db8::ffff:0:0',
    )
    expect(pools.status()[0]).toMatchObject({
      family: 6,
      size: (1n << 64n) - 1n,
      used: 2n,
      free: (1n << 64n) - 3n,
      exhausted: false,
      last: '2001:db8::ffff:ffff:ffff:ffff',
    })
  })

  it('asks the named pool, else the pool of the address, else the default one, else by priority', () => {
    const pools = addressPools({
      pools: [
        pool('late', '10.0.3.0/30', { priority: 200 }),
        pool('own', '10.0.4.0/30', { automatic: false, priority: 1 }),
        pool('first', '10.0.1.0', { default: true, priority: 999 }),
        pool('soon', '10.0.2.0'),
        pool('six', '2001:db8::/64', { priority: 0 }),
      ],
    })
    expect(pools.assign({ owner: '1', pool: 'own' }).pool).toBe('own')
    expect(pools.assign({ owner: '2', address: '10.0.4.3' }).pool).toBe('own')
    expect(pools.assign({ owner: '3' }).pool).toBe('first')
    expect(pools.assign({ owner: '4' }).pool).toBe('six')
    expect(pools.assign({ owner: '5', family: 4 }).pool).toBe('soon')
    expect(pools.assign({ owner: '6', family: 4 }).pool).toBe('late')
  })
})

describe('keeping and moving', () => {
  const twoPools = () =>
    addressPools({ pools: [pool('a', '10.0.1.0/30'), pool('b', '10.0.2.0/30')] })

  it('gives the same owner with the same wish the same address', () => {
    const pools = twoPools()
    const request: AddressRequest = { owner: 'x', ports: tcp(80), shared: 'k' }
    const first = pools.assign(request)
    pools.assign({ owner: 'y' })
    expect(pools.assign(request)).toEqual(first)
    expect(pools.assignment('x')).toEqual(first)
    expect(pools.status()[0]?.used).toBe(2n)
  })

  it('keeps the address as long as it answers a changed wish', () => {
    const pools = twoPools()
    const { address } = pools.assign({ owner: 'x' })
    for (const wish of [{ pool: 'a' }, { address }, { family: 4 }, { ports: tcp(1) }] as const) {
      const kept = pools.assign({ owner: 'x', ...wish })
      expect([kept.address, kept.previous]).toEqual([address, undefined])
    }
  })

  it('moves to what is asked for, and tells which address it left', () => {
    const pools = twoPools()
    pools.assign({ owner: 'x' })
    expect(pools.assign({ owner: 'x', pool: 'b' })).toMatchObject({
      address: '10.0.2.0',
      previous: '10.0.1.0',
    })
    expect(pools.assignment('x')?.previous).toBeUndefined()
    expect(pools.status().map(({ used }) => used)).toEqual([0n, 1n])
  })

  it('keeps the old address when the new wish cannot be met', () => {
    const pools = twoPools()
    pools.assign({ owner: 'x' })
    expect(() => pools.assign({ owner: 'x', pool: 'none' })).toThrow('pool "none" is not defined')
    expect(pools.assignment('x')?.address).toBe('10.0.1.0')
    expect(pools.assign({ owner: 'x' }).address).toBe('10.0.1.0')
  })

  it('keeps what a disabled pool gave, also with other ports, and gives nothing new', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.1.0/30')] })
    const request: AddressRequest = { owner: 'x', shared: true, ports: tcp(80) }
    pools.assign(request)
    pools.define(pool('a', '10.0.1.0/30', { disabled: true }))
    expect(pools.assign(request).address).toBe('10.0.1.0')
    expect(pools.assign({ ...request, ports: tcp(81) }).address).toBe('10.0.1.0')
    const beside: AddressRequest = { ...request, owner: 'y', ports: tcp(90), address: '10.0.1.0' }
    expect(() => pools.assign(beside)).toThrow('pool "a" is disabled')
  })
})

describe('sharing', () => {
  const one = () => addressPools({ pools: [pool('a', '10.0.0.1')] })
  const request = (owner: string, rest: Partial<AddressRequest> = {}): AddressRequest => ({
    owner,
    address: '10.0.0.1',
    shared: true,
    ...rest,
  })

  it('lets several have one address on different ports, TCP and UDP apart', () => {
    const pools = one()
    pools.assign(request('web', { ports: tcp(80, 443) }))
    pools.assign(request('dns', { ports: [{ protocol: 'udp', port: 443 }] }))
    pools.assign(request('idle', { ports: [] }))
    expect(pools.status()[0]).toMatchObject({ used: 1n, free: 0n, exhausted: true })
    expect(pools.status()[0]?.assignments).toEqual({
      '10.0.0.1': [
        { owner: 'dns', ports: [{ protocol: 'udp', port: 443 }], shared: true },
        { owner: 'idle', ports: [], shared: true },
        { owner: 'web', ports: tcp(80, 443), shared: true },
      ],
    })
    pools.release('web')
    pools.release('dns')
    expect(pools.status()[0]?.free).toBe(0n)
    pools.release('idle')
    expect(pools.status()[0]).toMatchObject({ used: 0n, free: 1n, assignments: {} })
  })

  it.each([
    [{ ports: tcp(443, 8080) }, 'port-taken', 'tcp/443 is taken by web'],
    [{}, 'port-taken', 'all its ports are taken by web'],
    [{ ports: tcp(81), shared: false }, 'address-taken', 'and the request does not share'],
    [
      { ports: tcp(81), shared: 'k' },
      'address-taken',
      'without a key, the request shares under "k"',
    ],
  ] as const)('refuses %j beside another, naming it', (rest, reason, problem) => {
    const pools = one()
    pools.assign(request('web', { ports: tcp(443) }))
    const error = refusal(AddressUnavailableError, () => pools.assign(request('x', rest)))
    expect(error.code).toBe('address-unavailable')
    expect(error.rejections).toEqual([
      { pool: 'a', reason, owners: ['web'], detail: expect.stringContaining(problem) },
    ])
    expect(error.message).toContain(problem)
  })

  it('refuses beside one that does not share', () => {
    const pools = one()
    pools.assign(request('web', { shared: false, ports: tcp(443) }))
    expect(() => pools.assign(request('x', { ports: tcp(1) }))).toThrow(
      'cannot give 10.0.0.1: it is taken by web, not shared',
    )
  })

  it('brings those of one key together, and others only when nothing else is left', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/31'), pool('b', '10.0.1.0')] })
    const assign = (owner: string, shared: boolean | string, port: number) =>
      pools.assign({ owner, shared, ports: tcp(port) }).address
    expect(assign('k1', 'k', 80)).toBe('10.0.0.0')
    expect(assign('k2', 'k', 81)).toBe('10.0.0.0')
    expect(assign('k3', 'k', 80)).toBe('10.0.0.1')
    expect(assign('t1', true, 80)).toBe('10.0.1.0')
    expect(assign('t2', true, 81)).toBe('10.0.1.0')
    expect(assign('k4', 'k', 82)).toBe('10.0.0.0')
    expect(() => assign('t3', true, 80)).toThrow(
      'pool "b" is exhausted: its one address is in use, and of one that it could share tcp/80 is taken by t1',
    )
    expect(() => assign('m', 'mine', 80)).toThrow('none is shared under the key "mine"')
  })

  it('follows an owner that changes its ports or ceases to share', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/31')] })
    const ask = (owner: string, rest: Partial<AddressRequest>) => pools.assign({ owner, ...rest })
    ask('x', { shared: 'k', ports: tcp(80) })
    ask('y', { shared: 'k', ports: tcp(81) })
    expect(ask('y', { shared: 'k', ports: tcp(80) })).toMatchObject({
      address: '10.0.0.1',
      previous: '10.0.0.0',
    })
    expect(ask('x', { ports: tcp(80) })).toMatchObject({ address: '10.0.0.0', shared: false })
    expect(() => ask('z', { shared: 'k', ports: tcp(80) })).toThrow('tcp/80 is taken by y')
    expect(ask('z', { shared: 'k', ports: tcp(9) }).address).toBe('10.0.0.1')
  })
})

describe('refusals', () => {
  it('say why each pool was rejected', () => {
    const pools = addressPools({
      pools: [
        pool('off', '10.0.1.0', { disabled: true }),
        pool('six', '2001:db8::/64'),
        pool('named', '10.0.2.0', { automatic: false }),
        pool('full', '10.0.3.0/31'),
      ],
    })
    pools.assign({ owner: 'x', pool: 'full' })
    pools.assign({ owner: 'y', pool: 'full' })
    const error = refusal(AddressUnavailableError, () => pools.assign({ owner: 'z', family: 4 }))
    expect(error.rejections.map(({ pool: name, reason }) => [name, reason])).toEqual([
      ['off', 'disabled'],
      ['six', 'wrong-family'],
      ['named', 'not-automatic'],
      ['full', 'exhausted'],
    ])
    expect(error.message).toBe(
      'no address for "z": pool "off" is disabled; pool "six" holds IPv6 addresses, not IPv4; ' +
        'pool "named" serves only those who name it; pool "full" is exhausted: all 2 addresses are in use',
    )
  })

  it('tell an address outside from an excluded one, and speak of the named pool only', () => {
    const pools = addressPools({
      pools: [pool('a', '10.0.1.0/30', { exclude: ['10.0.1.2'] }), pool('b', '10.0.2.0/30')],
    })
    const error = refusal(AddressUnavailableError, () =>
      pools.assign({ owner: 'x', address: '10.0.1.2' }),
    )
    expect(error.message).toBe(
      'no address for "x": pool "a" excludes 10.0.1.2; pool "b" holds 10.0.2.0-10.0.2.3, not 10.0.1.2',
    )
    const named = refusal(AddressUnavailableError, () =>
      pools.assign({ owner: 'x', address: '10.0.1.1', pool: 'b' }),
    )
    expect(named.message).toBe('no address for "x": pool "b" holds 10.0.2.0-10.0.2.3, not 10.0.1.1')
    expect(named.rejections.map(({ reason }) => reason)).toEqual(['not-asked', 'not-its-address'])
  })

  it('do not grow without bound with the pools', () => {
    const pools = addressPools({
      pools: Array.from({ length: 50 }, (_, i) => pool(`p${i}`, `10.0.${i}.0`, { disabled: true })),
    })
    const error = refusal(AddressUnavailableError, () => pools.assign({ owner: 'x' }))
    expect(error.message.endsWith('; and 40 more pools')).toBe(true)
    expect(error.rejections).toHaveLength(50)
  })

  it('say so when there is no pool at all', () => {
    expect(() => addressPools().assign({ owner: 'x' })).toThrow('no address pool is defined')
  })

  it.each([
    [{ owner: '' }, 'request.owner'],
    [{ owner: 'x', address: '10.0.0' }, 'request.address'],
    [{ owner: 'x', address: '10.0.0.1', family: 6 }, 'request.family'],
    [{ owner: 'x', family: 5 }, 'request.family'],
    [{ owner: 'x', shared: '' }, 'request.shared'],
    [{ owner: 'x', pool: '' }, 'request.pool'],
    [{ owner: 'x', ports: [{ protocol: 'tcp', port: 0 }] }, 'request.ports[0].port'],
    [{ owner: 'x', ports: [{ protocol: 'icmp', port: 1 }] }, 'request.ports[0].protocol'],
    [{ owner: 'x', ports: 80 }, 'request.ports'],
    [null, 'request'],
  ])('refuse the request %j by its path', (request, path) => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/30')] })
    expect(() => pools.assign(request as AddressRequest)).toThrow(
      expect.objectContaining({ code: 'invalid-option', path }),
    )
  })
})

describe('definition', () => {
  it('refuses pools that overlap, naming both and the addresses', () => {
    const error = refusal(AddressPoolOverlapError, () =>
      addressPools({
        pools: [
          pool('a', '10.0.0.0/24'),
          pool('c', '10.0.9.0'),
          pool('b', ['10.0.0.250-10.0.1.5', '10.0.0.7']),
        ],
      }),
    )
    expect(error.pools).toEqual(['a', 'b'])
    expect(error.addresses).toEqual(['10.0.0.7', '10.0.0.250-10.0.0.255'])
    expect(error.code).toBe('address-pool-overlap')
    expect(error.message).toBe(
      'addressPools[2].addresses: pools "a" and "b" both hold 10.0.0.7, 10.0.0.250-10.0.0.255: ' +
        'an address belongs to one pool',
    )
  })

  it('lets a pool have what another one excludes', () => {
    const pools = addressPools({
      pools: [pool('a', '10.0.0.0/24', { exclude: ['10.0.0.128/25'] }), pool('b', '10.0.0.128/25')],
    })
    expect(pools.assign({ owner: 'x', address: '10.0.0.200' }).pool).toBe('b')
  })

  it.each([
    [[pool('', '10.0.0.1')], 'addressPools[0].name'],
    [[pool('a', [])], 'addressPools[0].addresses'],
    [[{ name: 'a', addresses: '10.0.0.1' }], 'addressPools[0].addresses'],
    [[pool('a', ['10.0.0.1', '2001:db8::1'])], 'addressPools[0].addresses[1]'],
    [[pool('a', '10.0.0.1', { exclude: ['10.0.0.0/24'] })], 'addressPools[0].exclude'],
    [[pool('a', '10.0.0.1', { exclude: ['x'] })], 'addressPools[0].exclude[0]'],
    [[pool('a', '10.0.0.1', { priority: 1.5 })], 'addressPools[0].priority'],
    [[pool('a', '10.0.0.1'), pool('a', '10.0.0.2')], 'addressPools[1].name'],
    [
      [pool('a', '10.0.0.1', { default: true }), pool('b', '10.0.0.2', { default: true })],
      'addressPools[1].default',
    ],
  ])('refuses %j by its path', (pools, path) => {
    expect(() => addressPools({ pools: pools as AddressPoolOptions[] })).toThrow(
      expect.objectContaining({ code: 'invalid-option', path }),
    )
  })

  it('grows, and shrinks as far as nobody is cut off', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/30')] })
    pools.assign({ owner: 'x', address: '10.0.0.1' })
    pools.assign({ owner: 'y', address: '10.0.0.3' })
    pools.define(pool('a', '10.0.0.0/24'))
    expect(pools.status()[0]).toMatchObject({ size: 256n, used: 2n })
    const error = refusal(AddressPoolInUseError, () =>
      pools.define(pool('a', '10.0.0.0/24', { exclude: ['10.0.0.2-10.0.0.9'] })),
    )
    expect(error.message).toContain('10.0.0.3 of "a" by y')
    expect(error.assignments.map(({ owner }) => owner)).toEqual(['y'])
    expect(pools.status()[0]?.size).toBe(256n)
    pools.define(pool('a', '10.0.0.1-10.0.0.3'))
    expect(pools.status()[0]).toMatchObject({ size: 3n, used: 2n, free: 1n })
  })

  it('removes a used pool only by force, and tells what was lost', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/30')] })
    pools.assign({ owner: 'x' })
    const { code } = refusal(AddressPoolInUseError, () => pools.remove('a'))
    expect(code).toBe('address-pool-in-use')
    expect(pools.remove('a', { force: true }).map(({ owner }) => owner)).toEqual(['x'])
    expect(pools.assignment('x')).toBeUndefined()
    expect(pools.release('x')).toBeUndefined()
    expect(pools.remove('a')).toEqual([])
    pools.define(pool('a', '10.0.0.0/30'))
    expect(pools.status()[0]?.used).toBe(0n)
  })

  it('replaces all pools at once: ranges pass over, pools are renamed, nobody is renumbered', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/24')] })
    const request: AddressRequest = { owner: 'x', pool: 'a' }
    pools.assign({ owner: 'low' })
    pools.assign({ ...request, address: '10.0.0.200' })
    expect(pools.assign(request).address).toBe('10.0.0.200')
    pools.replace([pool('low', '10.0.0.0/25'), pool('high', '10.0.0.128/25')])
    expect(pools.assignment('low')?.pool).toBe('low')
    expect(pools.assign(request)).toMatchObject({ address: '10.0.0.200', pool: 'high' })
    expect(pools.assign({ owner: 'x', pool: 'high' }).address).toBe('10.0.0.200')
  })

  it('changes nothing when a replacement is refused', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/30')] })
    pools.assign({ owner: 'x' })
    const before = pools.status()
    expect(() => pools.replace([pool('b', '10.1.0.0/30')])).toThrow(AddressPoolInUseError)
    expect(() => pools.replace([pool('a', '10.0.0.0/30'), pool('b', '10.0.0.0')])).toThrow(
      AddressPoolOverlapError,
    )
    expect(() => pools.define(pool('b', 'nonsense'))).toThrow('addressPool.addresses[0]')
    expect(pools.status()).toEqual(before)
  })
})

describe('restart', () => {
  it('keeps every assignment and wish, also of a disabled pool', () => {
    const options = [pool('a', '10.0.0.0/30'), pool('six', '2001:db8::/64')]
    const before = addressPools({ pools: options })
    const requests: AddressRequest[] = [
      { owner: 'x', shared: 'k', ports: tcp(443, 80, 80) },
      { owner: 'y', shared: 'k', ports: tcp(81) },
      { owner: 'z', family: 6 },
      { owner: 'w', address: '10.0.0.3' },
    ]
    for (const request of requests) before.assign(request)
    const records = JSON.parse(JSON.stringify(before.export()))
    const after = addressPools({ pools: options.map((one) => ({ ...one, disabled: true })) })
    expect(after.restore(records)).toEqual([])
    expect(after.export()).toEqual(before.export())
    for (const request of requests) {
      expect(after.assign(request).address).toBe(before.assignment(request.owner)?.address)
    }
    expect(after.restore(records)).toEqual([])
  })

  it('leaves out what cannot be had any more, and says why', () => {
    const pools = addressPools({ pools: [pool('a', '10.0.0.0/30')] })
    pools.assign({ owner: 'here', address: '10.0.0.0' })
    const failures = pools.restore([
      { address: '10.0.0.1', request: { owner: 'good' } },
      { address: '10.0.0.1', request: { owner: 'second' } },
      { address: '10.9.0.1', request: { owner: 'outside' } },
      { address: '10.0.0.2', request: { owner: 'here' } },
      { address: 'x', request: { owner: 'text' } },
      { address: '10.0.0.2' } as never,
      null as never,
    ])
    expect(failures.map(({ error: { code, message } }) => [code, message])).toEqual([
      ['address-unavailable', expect.stringContaining('cannot give 10.0.0.1: it is taken by good')],
      ['address-unavailable', expect.stringContaining('holds 10.0.0.0-10.0.0.3, not 10.9.0.1')],
      ['already-assigned', expect.stringContaining('"here" has 10.0.0.0 now')],
      ['invalid-option', expect.stringContaining('records[4].address')],
      ['invalid-option', expect.stringContaining('records[5].request')],
      ['invalid-option', expect.stringContaining('records[6].request')],
    ])
    expect(pools.export().map(({ request }) => request.owner)).toEqual(['good', 'here'])
  })
})
