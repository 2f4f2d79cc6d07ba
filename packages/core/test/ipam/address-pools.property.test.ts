import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  AddressPoolInUseError,
  AddressPoolOverlapError,
  type AddressPools,
  type AddressRequest,
  AddressUnavailableError,
  addressPools,
  isSteelyardError,
} from '../../src/index.ts'
import { NaiveAddressPools, type NaivePool } from './naive-address-pools.ts'

const base = { 4: '10.0.0.', 6: '2001:db8::' } as const
const text = (family: 4 | 6, n: number): string =>
  family === 4 ? `${base[4]}${n}` : n === 0 ? base[6] : `${base[6]}${n.toString(16)}`

/** One of the three forms of a range within the first 24 addresses, and what it means one by one. */
const range = fc.oneof(
  fc.record({ first: fc.nat(23), length: fc.nat(6) }).map(({ first, length }) => ({
    write: (family: 4 | 6) => `${text(family, first)}-${text(family, first + length)}`,
    numbers: Array.from({ length: length + 1 }, (_, i) => first + i),
  })),
  fc.nat(23).map((n) => ({ write: (family: 4 | 6) => text(family, n), numbers: [n] })),
  fc.record({ at: fc.nat(23), bits: fc.nat(2) }).map(({ at, bits }) => ({
    write: (family: 4 | 6) => `${text(family, at)}/${(family === 4 ? 32 : 128) - bits}`,
    numbers: Array.from({ length: 1 << bits }, (_, i) => ((at >> bits) << bits) + i),
  })),
)
const poolName = fc.constantFrom('a', 'b', 'c')
const definition = fc
  .record({
    name: poolName,
    family: fc.constantFrom<4 | 6>(4, 4, 4, 6),
    addresses: fc.array(range, { minLength: 1, maxLength: 3 }),
    exclude: fc.array(range, { maxLength: 1 }),
    disabled: fc.boolean().map((first) => first && true),
    automatic: fc.constantFrom(true, true, false),
    default: fc.constantFrom(false, false, true),
    priority: fc.constantFrom(10, 100),
  })
  .map(({ family, addresses, exclude, ...rest }): NaivePool => {
    const excluded = new Set(exclude.flatMap(({ numbers }) => numbers))
    const all = [...new Set(addresses.flatMap(({ numbers }) => numbers))].sort((a, b) => a - b)
    return {
      ...rest,
      family,
      addresses: addresses.map(({ write }) => write(family)),
      exclude: exclude.map(({ write }) => write(family)),
      gives: all.filter((n) => !excluded.has(n)).map((n) => text(family, n)),
      excluded: all.filter((n) => excluded.has(n)).map((n) => text(family, n)),
    }
  })

const port = fc.record({
  protocol: fc.constantFrom<'tcp' | 'udp'>('tcp', 'udp'),
  port: fc.constantFrom(53, 80),
})
/** This, or mostly nothing. */
const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })

const request = fc
  .record({
    owner: fc.constantFrom('o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7'),
    pool: sometimes(fc.constantFrom('a', 'b', 'c', 'd')),
    address: sometimes(fc.tuple(fc.constantFrom<4 | 6>(4, 4, 6), fc.nat(10))),
    family: sometimes(fc.constantFrom<4 | 6>(4, 6)),
    ports: fc.option(fc.array(port, { maxLength: 2 }), { nil: undefined }),
    shared: fc.constantFrom<boolean | string>(false, true, true, 'k', 'k'),
  })
  .map(
    ({ owner, pool, address, family, ports, shared }): AddressRequest => ({
      owner,
      ...(pool !== undefined && { pool }),
      ...(address !== undefined && { address: text(...address) }),
      ...(family !== undefined && address === undefined && { family }),
      ...(ports !== undefined && { ports }),
      shared,
    }),
  )

/** Weighed so that the pools are used more than they are changed. */
const step = fc.oneof(
  { weight: 12, arbitrary: request.map((value) => ({ do: 'assign', value }) as const) },
  {
    weight: 2,
    arbitrary: request.map((value) => ({ do: 'release', value: value.owner }) as const),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(definition, fc.boolean())
      .map(([value, force]) => ({ do: 'define', value, force }) as const),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(definition, { maxLength: 3 }), fc.boolean())
      .map(([value, force]) => ({ do: 'replace', value, force }) as const),
  },
  { weight: 1, arbitrary: poolName.map((value) => ({ do: 'disable', value }) as const) },
  { weight: 1, arbitrary: poolName.map((value) => ({ do: 'remove', value }) as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' } as const) },
)

const start = (
  [
    ['a', 4, '10.0.0.0/30', [0, 1, 2, 3]],
    ['b', 4, '10.0.0.8-10.0.0.10', [8, 9, 10]],
    ['c', 6, '2001:db8::/127', [0, 1]],
  ] as const
).map(
  ([name, family, written, numbers]): NaivePool => ({
    name,
    family,
    addresses: [written],
    gives: numbers.map((n) => text(family, n)),
    excluded: [],
  }),
)

it('agrees with lists and loops through any sequence of operations', () => {
  let refused = 0
  let assigned = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      let real = addressPools({ pools: start })
      const naive = new NaiveAddressPools()
      naive.pools = [...start]
      for (const one of steps) {
        switch (one.do) {
          case 'assign': {
            const expected = naive.assign(one.value)
            const outcome = attempt(real, one.value)
            if (typeof expected === 'string') assigned += 1
            else refused += 1
            expect(outcome).toEqual(expected)
            if (typeof outcome === 'string') expect(attempt(real, one.value)).toBe(outcome)
            break
          }
          case 'release':
            expect(real.release(one.value)?.address).toBe(naive.held.get(one.value)?.address)
            naive.held.delete(one.value)
            expect(real.release(one.value)).toBeUndefined()
            break
          case 'define': {
            const others = naive.pools
            const index = others.findIndex(({ name }) => name === one.value.name)
            const next = index < 0 ? [...others, one.value] : others.with(index, one.value)
            change(naive, next, one.force, () => real.define(one.value, { force: one.force }))
            break
          }
          case 'replace':
            change(naive, one.value, one.force, () => real.replace(one.value, { force: one.force }))
            break
          case 'disable': {
            const index = naive.pools.findIndex(({ name }) => name === one.value)
            if (index < 0) break
            const disabled = { ...naive.pools[index]!, disabled: true }
            naive.pools = naive.pools.with(index, disabled)
            real.define(disabled)
            break
          }
          case 'remove':
            change(
              naive,
              naive.pools.filter(({ name }) => name !== one.value),
              false,
              () => real.remove(one.value),
            )
            break
          case 'restart': {
            const records = real.export()
            real = addressPools({ pools: naive.pools })
            expect(real.restore(records)).toEqual([])
            expect(real.export()).toEqual(records)
            break
          }
        }
        expectSound(real, naive)
      }
    }),
    { numRuns: 300 },
  )
  // Neither side of the question was left out.
  expect(Math.min(assigned, refused)).toBeGreaterThan(500)
})

function attempt(real: AddressPools, wanted: AddressRequest): string | Map<string, string> {
  const before = real.assignment(wanted.owner)?.address
  try {
    const { address, previous, pool } = real.assign(wanted)
    expect(previous).toBe(before === address ? undefined : before)
    expect(real.assignment(wanted.owner)).toMatchObject({ address, pool })
    return address
  } catch (error) {
    if (!(error instanceof AddressUnavailableError)) throw error
    expect(real.assignment(wanted.owner)?.address).toBe(before)
    return new Map(error.rejections.map(({ pool, reason }) => [pool, reason]))
  }
}

/** Makes a change of the pools on both sides, or sees it refused for the right reason. */
function change(
  naive: NaiveAddressPools,
  next: readonly NaivePool[],
  force: boolean,
  apply: () => readonly { readonly owner: string }[],
): void {
  const defaults = next.filter((pool) => pool.default === true).length
  const names = new Set(next.map(({ name }) => name))
  const all = next.flatMap(({ gives }) => gives)
  const lost = naive.lost(next)
  const invalid =
    defaults > 1 || names.size < next.length || next.some(({ gives }) => gives.length === 0)
  try {
    const cutOff = apply()
    expect(invalid || new Set(all).size < all.length).toBe(false)
    expect(cutOff.map(({ owner }) => owner).sort()).toEqual(lost.sort())
    expect(force || lost.length === 0).toBe(true)
    for (const owner of lost) naive.held.delete(owner)
    naive.pools = [...next]
  } catch (error) {
    if (isSteelyardError(error, 'invalid-option')) expect(invalid).toBe(true)
    else if (error instanceof AddressPoolOverlapError) {
      expect(new Set(all).size).toBeLessThan(all.length)
      const [a, b] = error.pools.map((name) => next.find((pool) => pool.name === name)!)
      expect(a!.gives.some((address) => b!.gives.includes(address))).toBe(true)
    } else if (error instanceof AddressPoolInUseError) {
      expect(force).toBe(false)
      expect(error.assignments.map(({ owner }) => owner).sort()).toEqual(lost.sort())
    } else throw error
  }
}

function expectSound(real: AddressPools, naive: NaiveAddressPools): void {
  const status = real.status()
  expect(status.map(({ name }) => name)).toEqual(naive.pools.map(({ name }) => name))
  for (const [index, pool] of naive.pools.entries()) {
    const { size, used, free, exhausted, first, last, family, assignments } = status[index]!
    expect([size, used]).toEqual([BigInt(pool.gives.length), BigInt(naive.used(pool).length)])
    expect(used + free).toBe(size)
    expect(exhausted).toBe(free === 0n)
    expect([first, last, family]).toEqual([pool.gives[0], pool.gives.at(-1), pool.family])
    expect(Object.keys(assignments)).toEqual(naive.used(pool))
    for (const [address, owners] of Object.entries(assignments)) {
      expect(pool.gives).toContain(address)
      if (owners.length === 1) continue
      // Nobody is beside somebody who has every port, and no port has two owners.
      for (const { ports, shared } of owners)
        expect([
          shared !== false,
          ports === undefined && owners.some((o) => o.ports?.length !== 0 && o.ports !== ports),
        ]).toEqual([true, false])
      const taken = owners.flatMap(({ ports = [] }) => ports.map((p) => `${p.protocol}/${p.port}`))
      expect(new Set(taken).size).toBe(taken.length)
      expect(new Set(owners.map(({ shared }) => shared)).size).toBe(1)
    }
  }
  expect(real.export().map(({ address, request: { owner } }) => [owner, address])).toEqual(
    [...naive.held].map(([owner, { address }]) => [owner, address]).sort(),
  )
}
