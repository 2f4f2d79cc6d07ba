import {
  leastConnections,
  type Pool,
  pool,
  roundRobin,
  type SocketAddress,
  sourceHash,
  type Transport,
  timerWheel,
} from '@steelyard/core'
import { type MemoryEnd, type MemoryStreams, manualClock, memoryStreams } from '@steelyard/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { connectionLimit } from '../../src/limits/connection-limit.ts'
import type { SessionRecord } from '../../src/tcp/session-record.ts'
import { tcpBalancer } from '../../src/tcp/tcp-balancer.ts'

const vip: SocketAddress = { address: '10.0.0.1', port: 80, family: 4 }
const memberIds = ['10.1.0.1:80', '10.1.0.2:80', '10.1.0.3:80']
const nodeMax = 5
const small = (max: number): fc.Arbitrary<number> => fc.nat({ max })
const of = <const K extends string, T extends object>(
  kind: K,
  fields: { [P in keyof T]: fc.Arbitrary<T[P]> },
): fc.Arbitrary<{ readonly kind: K } & T> =>
  fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<
    { readonly kind: K } & T
  >

const often = fc.constantFrom(true, true, true, true, false)
const seldom = often.map((yes) => !yes)

const event = fc.oneof(
  { weight: 10, arbitrary: of('connect', { speaks: often }) },
  { weight: 6, arbitrary: of('clientSends', { client: small(9), bytes: small(9000) }) },
  {
    weight: 4,
    arbitrary: of('clientActs', {
      client: small(9),
      act: fc.constantFrom('end' as const, 'end' as const, 'reset' as const, 'slow' as const),
    }),
  },
  {
    weight: 10,
    arbitrary: of('answer', {
      call: small(5),
      how: fc.constantFrom(
        ...Array.from({ length: 8 }, () => undefined),
        'connection-refused' as const,
        'too-many-files' as const,
        'permission-denied' as const,
      ),
    }),
  },
  { weight: 6, arbitrary: of('backendSends', { backend: small(9), bytes: small(9000) }) },
  {
    weight: 4,
    arbitrary: of('backendActs', {
      backend: small(9),
      act: fc.constantFrom('end' as const, 'end' as const, 'reset' as const, 'slow' as const),
    }),
  },
  { weight: 16, arbitrary: of('steps', { count: small(12), which: small(7) }) },
  { weight: 16, arbitrary: of('settle', {}) },
  // Both ends of one connection say goodbye.
  { weight: 5, arbitrary: of('goodbye', { client: small(9) }) },
  { weight: 3, arbitrary: of('time', { ms: fc.constantFrom(1, 30, 110, 250) }) },
  { weight: 3, arbitrary: of('health', { member: small(2), up: often }) },
  { weight: 1, arbitrary: of('members', { ids: fc.subarray(memberIds, { minLength: 1 }) }) },
  {
    weight: 2,
    arbitrary: of('edit', {
      member: small(2),
      state: fc.constantFrom(
        'enabled' as const,
        'enabled' as const,
        'enabled' as const,
        'draining' as const,
        'disabled' as const,
      ),
      maxConnections: fc.constantFrom(0, 1, 1, 2),
    }),
  },
  { weight: 1, arbitrary: of('cut', { member: small(3) }) },
  {
    weight: 1,
    arbitrary: of('reconfigure', {
      limit: fc.constantFrom(0, 2, 3, 8),
      whenDown: fc.constantFrom('keep' as const, 'reset' as const),
      retries: small(2),
      total: fc.constantFrom(0, 600),
      other: fc.boolean(),
    }),
  },
  // Callbacks of the embedder that call back.
  {
    weight: 1,
    arbitrary: of('rude', { how: fc.constantFrom('acl', 'record', 'drained') }),
  },
  { weight: 1, arbitrary: of('broken', { broken: seldom }) },
)

/** A far end, and how much it has sent; its bytes count up from a number of its own. */
interface Side {
  readonly end: MemoryEnd
  readonly seed: number
  sent: number
}

function send(side: Side, bytes: number): void {
  const range = Uint8Array.from({ length: bytes }, (_, i) => (side.seed + side.sent + i) % 251)
  if (side.end.send(range)) side.sent += bytes
}

function act({ end }: Side, how: 'end' | 'reset' | 'slow'): void {
  if (how === 'slow') end.slow = !end.slow
  else end[how]()
}

/** What came is the beginning of what was sent. */
function checkPrefix(from: Side, to: MemoryEnd): void {
  expect(to.received.length).toBeLessThanOrEqual(from.sent)
  const wrong = to.received.findIndex((byte, i) => byte !== (from.seed + i) % 251)
  expect(wrong).toBe(-1)
}

it('counts, tells and closes everything exactly once, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 20, maxLength: 120, size: 'max' }),
      fc.record({
        pick: fc.constantFrom(roundRobin, leastConnections, sourceHash),
        proxied: seldom,
        sendProxy: fc.constantFrom(undefined, 'v1' as const),
        queue: fc.constantFrom(0, 200),
        drain: fc.constantFrom(0, 300),
        abort: fc.boolean(),
      }),
      async (events, { pick, proxied, sendProxy, queue, drain, abort }) => {
        const net = memoryStreams()
        const clock = manualClock()
        const wheel = timerWheel({ clock })
        const first = pool({
          name: 'first',
          backends: memberIds.map((address) => ({ address, maxConnections: 1 })),
          pick: pick(),
          queueLimit: 3,
          clock,
        })
        const second = pool({ name: 'second', backends: ['10.1.0.4:80'], queueLimit: 3, clock })
        const pools = [first, second]
        const violations: string[] = []
        const pairs = new Map<string, string>()
        const transport = watched(net, pools, violations, pairs)
        const nodeLimit = connectionLimit(nodeMax)
        const records: SessionRecord[] = []
        let rude = ''
        const takeRude = (how: string): boolean => {
          const now = rude === how
          if (now) rude = ''
          return now
        }
        let limit = 4
        const balancer = tcpBalancer({
          listen: '10.0.0.1:80',
          pool: first,
          transport,
          clock,
          wheel,
          nodeLimit,
          connectionLimit: limit,
          timeouts: { connect: 100, queue, client: 400, server: 500, halfClosed: 200, preread: 90 },
          ...(proxied ? { acceptProxy: { from: ['10.9.0.0/24'] } } : {}),
          sendProxy,
          acl() {
            if (takeRude('acl')) balancer.cut()
            return true
          },
          onSession(record) {
            records.push(record)
            if (takeRude('record')) balancer.cut({ backendId: memberIds[0]! })
          },
        })
        for (const each of pools) {
          each.on('drained', () => {
            if (takeRude('drained')) balancer.cut()
          })
        }
        await balancer.start()
        const clients: Side[] = []
        const backends: Side[] = []
        let before = 0
        const check = (): void => {
          const { active, queued, accepted } = balancer.stats()
          expect(violations).toEqual([])
          for (const { load } of pools)
            for (const count of load.active) if (count < 0) throw new Error('a negative count')
          const counted = first.load.sum() + second.load.sum()
          const on = [...memberIds, '10.1.0.4:80'].map((backendId) =>
            balancer.connections({ backendId }),
          )
          expect(on.reduce((sum, one) => sum + one, 0)).toBe(counted)
          expect(nodeLimit.active).toBe(active)
          expect(active).toBeLessThanOrEqual(nodeMax)
          if (limit > 0) expect(active).toBeLessThanOrEqual(Math.max(limit, before))
          const parked = queued - first.queue.size - second.queue.size
          expect(parked).toBeGreaterThanOrEqual(0)
          expect(accepted).toBe(records.length + active + parked)
          if (parked > 0 && limit > 0)
            expect(active).toBeGreaterThanOrEqual(Math.min(limit, nodeMax))
          before = active
        }
        for (const happening of events) {
          switch (happening.kind) {
            case 'connect': {
              const side = { end: net.client(vip), seed: clients.length * 37, sent: 0 }
              const { address, port } = side.end.local
              if (proxied && happening.speaks) {
                side.end.send(
                  new TextEncoder().encode(`PROXY TCP4 ${address} 10.0.0.1 ${port} 80\r\n`),
                )
              }
              if (!proxied || happening.speaks) clients.push(side)
              break
            }
            case 'clientSends': {
              const side = clients.at(-1 - happening.client)
              if (side !== undefined) send(side, happening.bytes)
              break
            }
            case 'clientActs': {
              const side = clients.at(-1 - happening.client)
              if (side !== undefined) act(side, happening.act)
              break
            }
            case 'answer': {
              const call = net.calls[happening.call % Math.max(1, net.calls.length)]
              if (call === undefined) break
              if (happening.how === undefined) {
                backends.push({ end: call.accept(), seed: 100 + backends.length * 53, sent: 0 })
              } else {
                call.refuse(happening.how)
              }
              break
            }
            case 'goodbye': {
              const client = clients.at(-1 - happening.client)
              const name = client && pairs.get(nameOf(client.end.local))
              const backend = backends.find(({ end }) => nameOf(end.remote) === name)
              client?.end.end()
              backend?.end.end()
              break
            }
            case 'backendSends': {
              const side = backends.at(-1 - happening.backend)
              if (side !== undefined) send(side, happening.bytes)
              break
            }
            case 'backendActs': {
              const side = backends.at(-1 - happening.backend)
              if (side !== undefined) act(side, happening.act)
              break
            }
            case 'steps':
              for (let i = 0; i < happening.count; i++) net.step(happening.which)
              break
            case 'settle':
              await net.settle()
              {
                // A connection counts on its member until its other side is closed too.
                const counted = first.load.sum() + second.load.sum()
                expect(net.dialled).toBeLessThanOrEqual(counted)
                const slow = [...clients, ...backends].some(({ end }) => end.slow)
                if (!slow) expect(net.dialled).toBe(counted)
              }
              break
            case 'time':
              clock.advance(happening.ms)
              break
            case 'health':
              first.report(memberIds[happening.member]!, {
                state: happening.up ? 'up' : 'down',
                since: clock.wallNow(),
                reason: 'the test says so',
              })
              break
            case 'members':
              first.set(happening.ids.map((address) => ({ address, maxConnections: 1 })))
              break
            case 'edit': {
              const id = memberIds[happening.member]!
              const { state, maxConnections } = happening
              if (first.members().some(({ backend }) => backend.id === id)) {
                first.edit(id, { state, maxConnections })
              }
              break
            }
            case 'cut': {
              const backendId = memberIds[happening.member]
              balancer.cut(backendId === undefined ? {} : { backendId })
              break
            }
            case 'reconfigure': {
              const { whenDown, retries, total, other } = happening
              balancer.reconfigure({
                connectionLimit: happening.limit,
                whenDown,
                retries,
                pool: other ? second : first,
                timeouts: { connect: 100, queue, client: 400, server: 500, preread: 90, total },
              })
              limit = happening.limit
              break
            }
            case 'rude':
              rude = happening.how
              break
            case 'broken':
              net.broken = happening.broken ? new Error('no connect today') : undefined
              break
            default:
              happening satisfies never
          }
          // What a connect that threw has to tell comes in a microtask.
          await Promise.resolve()
          check()
        }
        const controller = new AbortController()
        let stopped = false
        const stop = balancer.stop({ drain, signal: controller.signal }).then(() => {
          stopped = true
        })
        await net.settle()
        if (abort) controller.abort()
        else clock.advance(300)
        for (const { end } of [...clients, ...backends]) end.slow = false
        await net.settle()
        expect(stopped).toBe(true)
        await stop
        check()
        expect(balancer.stats()).toMatchObject({ active: 0, queued: 0 })
        expect([net.open, net.listeners, net.inFlight, net.calls.length]).toEqual([0, 0, 0, 0])
        expect([clock.pending, wheel.size, nodeLimit.active]).toEqual([0, 0, 0])
        expect([first.load.sum(), second.load.sum(), first.queue.size]).toEqual([0, 0, 0])
        expect(records.length).toBe(balancer.stats().accepted)
        expect(new Set(records.map(({ client }) => client)).size).toBe(records.length)
        checkBytes(clients, backends, pairs, records, sendProxy !== undefined)
      },
    ),
    { numRuns: 300 },
  )
})

/** The transport, with a look at whom connections go to and who is joined with whom. */
function watched(
  net: MemoryStreams,
  pools: readonly Pool[],
  violations: string[],
  pairs: Map<string, string>,
): Transport {
  const tried = new Map<object, Set<string>>()
  return {
    ...net.transport,
    connect(target, handler) {
      const address = `${target.host}:${target.port}`
      const status = pools
        .flatMap((each) => each.members())
        .find(({ backend }) => backend.id === address)
      const before = tried.get(handler) ?? new Set()
      tried.set(handler, before)
      // One that was removed and came again is another member, in another slot.
      const place = `${address} ${slotOf(pools, address)}`
      if (before.has(place)) violations.push(`${address} is tried again`)
      before.add(place)
      const { maxConnections = 0 } = status?.backend ?? {}
      if (status === undefined) violations.push(`${address} is no member`)
      else if (status.condition !== 'up') violations.push(`${address} is ${status.condition}`)
      else if (maxConnections > 0 && status.active > maxConnections) {
        violations.push(`${address} has ${status.active} connections`)
      }
      return net.transport.connect(target, handler)
    },
    relay(a, b, options) {
      pairs.set(nameOf(a.remote), nameOf(b.local))
      return net.transport.relay(a, b, options)
    },
  }
}

function slotOf(pools: readonly Pool[], id: string): number | undefined {
  for (const { roster } of pools) {
    const index = roster.current.backends.findIndex((backend) => backend.id === id)
    if (index >= 0) return roster.current.slots[index]
  }
  return undefined
}

function checkBytes(
  clients: readonly Side[],
  backends: readonly Side[],
  pairs: ReadonlyMap<string, string>,
  records: readonly SessionRecord[],
  introduced: boolean,
): void {
  for (const client of clients) {
    const name = nameOf(client.end.local)
    const record = records.find((one) => one.client === name)
    const backend = backends.find(({ end }) => nameOf(end.remote) === pairs.get(name))
    if (backend === undefined) {
      expect(client.end.received.length).toBe(0)
      expect(record?.bytesToClient ?? 0).toBe(0)
      continue
    }
    const text = new TextDecoder('latin1').decode(backend.end.received)
    const header = introduced ? text.indexOf('\n') + 1 : 0
    if (introduced && text.length > 0) expect(text).toMatch(/^PROXY TCP4 10\.9\.0\.1 10\.0\.0\.1 /)
    const request = { ...backend.end, received: backend.end.received.subarray(header) }
    checkPrefix(client, request)
    checkPrefix(backend, client.end)
    if (record === undefined) continue
    expect(record.bytesFromClient).toBeGreaterThanOrEqual(request.received.length)
    expect(record.bytesToClient).toBeGreaterThanOrEqual(client.end.received.length)
    if (record.reason !== 'closed') continue
    expect([record.bytesFromClient, request.received.length]).toEqual([client.sent, client.sent])
    expect([record.bytesToClient, client.end.received.length]).toEqual([backend.sent, backend.sent])
  }
}

function nameOf({ address, port }: SocketAddress): string {
  return `${address}:${port}`
}
