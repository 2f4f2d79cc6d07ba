import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type PersistenceEntry,
  type PersistenceTableOptions,
  persistenceTable,
} from '../src/index.ts'

const table = (options: PersistenceTableOptions = {}) => {
  const clock = manualClock()
  return { clock, table: persistenceTable({ timeout: '10s', clock, ...options }) }
}

describe('persistence table', () => {
  it('remembers a client for its timeout after it was last seen, and not a moment longer', () => {
    const { clock, table: clients } = table()
    clients.assign('10.0.0.1', 'a')
    clock.advance(9_999)
    expect(clients.lookup('10.0.0.1')).toBe('a')
    clock.advance(9_999)
    expect(clients.lookup('10.0.0.1')).toBe('a')
    clock.advance(10_000)
    expect(clients.lookup('10.0.0.1')).toBeUndefined()
    expect([clients.size, clock.pending]).toEqual([0, 0])
  })

  it('finds nobody expired, however many have expired with them', () => {
    const { clock, table: clients } = table()
    for (let i = 0; i < 100; i++) clients.assign(`client ${i}`, 'a')
    clock.advance(10_000)
    expect(clients.lookup('client 99')).toBeUndefined()
    clients.assign('client 98', 'b')
    expect(clients.export()).toEqual([{ client: 'client 98', backendId: 'b', remainingMs: 10_000 }])
  })

  it('takes 5 minutes, whole addresses and moving when nothing is said', () => {
    const clock = manualClock()
    const clients = persistenceTable({ clock })
    clients.assign('10.0.0.1', 'a')
    clients.assign('10.0.0.2', 'b')
    expect([clients.lookup('10.0.0.1'), clients.lookup('10.0.0.2')]).toEqual(['a', 'b'])
    expect(clients.whenDraining).toBe('move')
    clock.advance(299_999)
    expect(clients.size).toBe(2)
    clock.advance(1)
    expect(clients.size).toBe(0)
  })

  it('takes all clients of one network for one', () => {
    const { table: clients } = table({ ipv4Prefix: 22, ipv6Prefix: 60 })
    clients.assign('10.1.4.1', 'a')
    clients.assign('2001:db8:0:10::1', 'b')
    expect(clients.lookup('10.1.7.255')).toBe('a')
    expect(clients.lookup('10.1.8.0')).toBeUndefined()
    expect(clients.lookup('2001:db8:0:1f:ffff::')).toBe('b')
    expect(clients.lookup('2001:db8:0:20::')).toBeUndefined()
    expect(clients.export().map(({ client }) => client)).toEqual(['10.1.4.0', '2001:db8:0:10::'])
  })

  it('knows a client by any spelling, and keeps what is no address as it is', () => {
    const { table: clients } = table()
    clients.assign('::ffff:10.0.0.1', 'a')
    clients.assign('2001:DB8:0::1%eth0', 'b')
    clients.assign('', 'c')
    clients.assign('somebody', 'd')
    clients.assign('999.0.0.1', 'e')
    expect(clients.lookup('10.0.0.1')).toBe('a')
    expect(clients.lookup('2001:db8::1')).toBe('b')
    expect(clients.lookup('')).toBe('c')
    expect(clients.lookup('somebody')).toBe('d')
    expect(clients.lookup('999.0.0.1')).toBe('e')
    expect(clients.lookup('Somebody')).toBeUndefined()
    expect(clients.size).toBe(5)
  })

  it('forgets the client that was not seen for the longest time when it is full', () => {
    const { clock, table: clients } = table({ maxEntries: 3 })
    for (const [client, at] of [
      ['a', 0],
      ['b', 1],
      ['c', 2],
    ] as const) {
      clock.advance(at - clock.now())
      clients.assign(client, 's')
    }
    clients.lookup('a')
    clients.assign('d', 's')
    expect(clients.size).toBe(3)
    expect(clients.export().map(({ client }) => client)).toEqual(['c', 'a', 'd'])
  })

  it('gives a client another member, and purges by the one it has now', () => {
    const { table: clients } = table()
    clients.assign('1', 'a')
    clients.assign('2', 'a')
    clients.assign('1', 'b')
    clients.purge('a')
    clients.purge('never heard of')
    expect([clients.lookup('1'), clients.lookup('2'), clients.size]).toEqual(['b', undefined, 1])
    clients.assign('2', 'a')
    expect(clients.lookup('2')).toBe('a')
  })

  it('hands over with the time that is left, and those who are here win', () => {
    const old = table()
    old.table.assign('10.0.0.1', 'a')
    old.clock.advance(4_000)
    old.table.assign('10.0.0.2', 'a')
    const records: readonly PersistenceEntry[] = JSON.parse(JSON.stringify(old.table.export()))
    expect(records).toEqual([
      { client: '10.0.0.1', backendId: 'a', remainingMs: 6_000 },
      { client: '10.0.0.2', backendId: 'a', remainingMs: 10_000 },
    ])
    const next = table({ timeout: '8s' })
    next.table.assign('10.0.0.1', 'b')
    next.table.import(records)
    expect(next.table.export()).toEqual([
      { client: '10.0.0.1', backendId: 'b', remainingMs: 8_000 },
      { client: '10.0.0.2', backendId: 'a', remainingMs: 8_000 },
    ])
    next.table.purge('a')
    expect(next.table.lookup('10.0.0.2')).toBeUndefined()
  })

  it('merges imported clients by age, within its bound', () => {
    const { clock, table: clients } = table({ maxEntries: 3 })
    clients.assign('old', 'a')
    clock.advance(5_000)
    clients.assign('new', 'a')
    clients.import([
      { client: 'fresh', backendId: 'b', remainingMs: 9_000 },
      { client: 'oldest', backendId: 'b', remainingMs: 1 },
      { client: 'gone', backendId: 'b', remainingMs: 0 },
      { client: 'long', backendId: 'b', remainingMs: Number.POSITIVE_INFINITY },
    ])
    expect(clients.export()).toEqual([
      { client: 'fresh', backendId: 'b', remainingMs: 9_000 },
      { client: 'new', backendId: 'a', remainingMs: 10_000 },
      { client: 'long', backendId: 'b', remainingMs: 10_000 },
    ])
  })

  it('lets the one seen last speak for a network that a coarser mask makes of several', () => {
    const { table: clients } = table({ ipv4Prefix: 24 })
    clients.import([
      { client: '10.0.0.1', backendId: 'a', remainingMs: 10 },
      { client: '10.0.0.2', backendId: 'b', remainingMs: 30 },
      { client: '10.0.0.3', backendId: 'c', remainingMs: 20 },
    ])
    expect(clients.export()).toEqual([{ client: '10.0.0.0', backendId: 'b', remainingMs: 30 }])
  })

  it.each([
    [{ client: 1, backendId: 'a', remainingMs: 1 }],
    [{ client: 'x', remainingMs: 1 }],
    [{ client: 'x', backendId: 'a' }],
    [{ client: 'x', backendId: 'a', remainingMs: Number.NaN }],
  ])('imports nothing when one entry is %j', (bad) => {
    const { table: clients } = table()
    const good = { client: 'y', backendId: 'a', remainingMs: 1 }
    expect(() => clients.import([good, bad as PersistenceEntry])).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'entries[1]' }),
    )
    expect(clients.size).toBe(0)
  })

  it.each([
    [{ timeout: 0 }, 'persistence.timeout'],
    [{ timeout: 'soon' }, 'persistence.timeout'],
    [{ ipv4Prefix: 33 }, 'persistence.ipv4Prefix'],
    [{ ipv6Prefix: -1 }, 'persistence.ipv6Prefix'],
    [{ maxEntries: 0 }, 'persistence.maxEntries'],
    [{ maxEntries: 1.5 }, 'persistence.maxEntries'],
    [{ whenDraining: 'stay' as 'keep' }, 'persistence.whenDraining'],
  ])('refuses %j', (options, path) => {
    expect(() => persistenceTable(options)).toThrow(
      expect.objectContaining({ code: 'invalid-option', path }),
    )
  })

  it('agrees with a plain list through any sequence of calls', () => {
    const client = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.1.1', '2001:db8::1', 'x', 'y')
    const member = fc.constantFrom('a', 'b', 'c')
    const call = fc.oneof(
      fc.record({ do: fc.constant('lookup' as const), client }),
      fc.record({ do: fc.constant('assign' as const), client, member }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 3_000, 9_999, 10_000) }),
      fc.record({ do: fc.constant('purge' as const), member }),
      fc.record({ do: fc.constant('import' as const), client, member, ms: fc.nat(15_000) }),
    )
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        (calls, max) => {
          const { clock, table: clients } = table({ maxEntries: max, ipv4Prefix: 24 })
          /** Oldest first. */
          let model: { client: string; backendId: string; until: number }[] = []
          const name = (text: string): string => text.replace(/^(10\.0\.\d)\.\d$/, '$1.0')
          const use = (text: string, backendId: string): void => {
            model = model.filter((entry) => entry.client !== name(text))
            model.push({ client: name(text), backendId, until: clock.now() + 10_000 })
          }
          for (const one of calls) {
            model = model.filter(({ until }) => until > clock.now())
            if (one.do === 'lookup') {
              const found = model.find((entry) => entry.client === name(one.client))
              expect(clients.lookup(one.client)).toBe(found?.backendId)
              if (found !== undefined) use(one.client, found.backendId)
            } else if (one.do === 'assign') {
              clients.assign(one.client, one.member)
              use(one.client, one.member)
            } else if (one.do === 'wait') {
              clock.advance(one.ms)
            } else if (one.do === 'purge') {
              clients.purge(one.member)
              model = model.filter(({ backendId }) => backendId !== one.member)
            } else {
              const entry = { client: one.client, backendId: one.member, remainingMs: one.ms }
              clients.import([entry])
              const until = clock.now() + Math.min(10_000, one.ms)
              if (!model.some((other) => other.client === name(one.client)) && one.ms > 0) {
                model.push({ client: name(one.client), backendId: one.member, until })
                model.sort((a, b) => a.until - b.until)
              }
            }
            model = model.slice(-max).filter(({ until }) => until > clock.now())
            expect(clients.export()).toEqual(
              model.map(({ until, ...entry }) => ({ ...entry, remainingMs: until - clock.now() })),
            )
          }
        },
      ),
    )
  })
})
