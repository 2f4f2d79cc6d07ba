import { leastConnections, pool, roundRobin, sourceHash } from '@steelyard/core'
import type { MemoryPeer } from '@steelyard/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { acl } from '../../src/acl.ts'
import type { UdpBalancer } from '../../src/udp/udp-balancer.ts'
import { backendId, bed, bytes, vip } from './bed.ts'

const clients = 9
const maxSessions = 6
const members = 4
const waitingBytes = 5
const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })

const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('send' as const), client: number(clients) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('reply' as const), member: number(members) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('health' as const),
      member: number(members),
      up: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('admin' as const),
      member: number(members),
      state: fc.constantFrom('enabled' as const, 'draining' as const, 'disabled' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('members' as const),
      chosen: fc.subarray([1, 2, 3, 4]),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('gone' as const), member: number(members) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('unreachable' as const),
      member: number(members),
      code: fc.constantFrom(undefined, 'host-unreachable' as const, 'too-many-files' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold' as const), held: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), full: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 10, 700, 2500),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reconfigure' as const),
      options: fc.record(
        {
          idleTimeout: fc.constantFrom(500, 2000, 9000),
          expectedReplies: fc.constantFrom(0, 1, 2, 'unlimited' as const),
          whenDown: fc.constantFrom('move' as const, 'keep' as const),
          whenDraining: fc.constantFrom('move' as const, 'keep' as const),
          sessionKey: fc.constantFrom('client' as const, 'source' as const),
          deny: fc.integer({ min: 0, max: clients }),
          otherPool: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('cut' as const), member: number(members) }),
  },
)

const clientDrops = [
  'acl-denied',
  'stopping',
  'table-full',
  'no-backend',
  'backends-full',
  'buffer-full',
  'too-long',
  'queue-full',
  'not-sent',
] as const

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** What holds at any moment when the network is at rest. */
function check(balancer: UdpBalancer, records: number, open: number): void {
  const stats = balancer.stats()
  expect(stats.active).toBeLessThanOrEqual(maxSessions)
  expect(open).toBe(stats.active)
  expect(balancer.sessions()).toBe(stats.active)
  expect(stats.waitingBytes).toBeLessThanOrEqual(waitingBytes)
  expect(stats.sessions).toBe(stats.active + records)
  expect(sum(stats.ended)).toBe(records)
  const lost = clientDrops.reduce((total, reason) => total + (stats.dropped[reason] ?? 0), 0)
  expect(stats.received).toBe(stats.datagramsFromClient + stats.waiting + lost)
}

it('keeps its books balanced and leaks nothing, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 60, size: 'max' }),
      fc.constantFrom(roundRobin, leastConnections, sourceHash),
      fc.boolean(),
      async (events, pick, perPacket) => {
        const backends = [1, 2, 3, 4].map((member) => ({
          address: backendId(member),
          maxConnections: 3,
          backup: member === 4,
        }))
        const first = pool({ name: 'first', backends, pick: pick() })
        const second = pool({ name: 'second', backends, pick: pick() })
        const { net, clock, balancer, records, client, report, serve } = await bed({
          pool: first,
          maxSessions,
          perPacket,
          buffers: { datagrams: 2, total: waitingBytes },
          idleTimeout: 2000,
        })
        const senders = Array.from({ length: clients }, (_, index) =>
          client(1 + (index >> 1), 5000 + index),
        )
        const servers = new Map<number, MemoryPeer>([1, 2, 3].map((one) => [one, serve(one)]))
        const open = (): number => first.load.sum() + second.load.sum()
        for (const happening of events) {
          switch (happening.kind) {
            case 'send':
              senders[happening.client - 1]!.send(bytes('x'), vip)
              break
            case 'reply': {
              const server = servers.get(happening.member)
              const last = server?.received.at(-1)
              if (last !== undefined) server?.send(bytes('late'), last.from)
              break
            }
            case 'health':
              report(happening.member, happening.up ? 'up' : 'down')
              break
            case 'admin':
              if (first.members().some((one) => one.backend.id === backendId(happening.member))) {
                first.edit(backendId(happening.member), { state: happening.state })
              }
              break
            case 'members':
              first.set(backends.filter((_, index) => happening.chosen.includes(index + 1)))
              break
            case 'gone': {
              const server = servers.get(happening.member)
              server?.[Symbol.dispose]()
              if (server === undefined) servers.set(happening.member, serve(happening.member))
              else servers.delete(happening.member)
              break
            }
            case 'unreachable':
              net.failBinds(backendId(happening.member), happening.code)
              break
            case 'hold':
              net.held = happening.held
              break
            case 'full':
              net.full = happening.full
              break
            case 'wait':
              clock.advance(happening.ms)
              break
            case 'reconfigure': {
              const { deny, otherPool, sessionKey, ...rest } = happening.options
              balancer.reconfigure({
                ...rest,
                ...(sessionKey === undefined || perPacket ? {} : { sessionKey }),
                ...(deny === undefined ? {} : { acl: acl({ deny: [`10.2.0.${deny}`] }) }),
                ...(otherPool === undefined ? {} : { pool: otherPool ? second : first }),
              })
              break
            }
            case 'cut':
              balancer.cut({ backendId: backendId(happening.member) })
              break
            default:
              happening satisfies never
          }
          await net.settle()
          check(balancer, records.length, open())
        }
        net.held = false
        net.full = false
        await net.settle()
        expect(balancer.stats()).toMatchObject({ waiting: 0, waitingBytes: 0 })
        // Clients, servers, the listener, and one socket for each session.
        const around = senders.length + servers.size
        expect(net.sockets).toBe(around + 1 + balancer.stats().active)
        const stopped = balancer.stop({ drain: '1s' })
        await net.settle()
        clock.advance(1000)
        await net.settle()
        await stopped
        check(balancer, records.length, open())
        expect(balancer.stats().active).toBe(0)
        expect(net.sockets).toBe(around)
        expect(clock.pending).toBe(0)
        expect([...first.load.active, ...second.load.active].every((count) => count === 0)).toBe(
          true,
        )
      },
    ),
    { numRuns: 150 },
  )
})
