import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collide } from '../../src/desired/binding.ts'
import type { Desired, DesiredListener } from '../../src/desired/desired.ts'
import { poolNamesOf } from '../../src/desired/normalise.ts'
import { load } from '../../src/desired/resolve.ts'
import { after } from '../../src/reconcile/after.ts'
import { plan } from '../../src/reconcile/plan.ts'
import { listenerKey } from '../../src/reconcile/plan-listener.ts'
import { nothing } from '../../src/reconcile/step.ts'

const name = fc.constantFrom('a', 'b', 'c', 'd')
const some = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined })

const member = fc.record({
  address: fc.nat(6).map((n) => `10.0.0.${n + 1}:80`),
  id: some(fc.constantFrom('m1', 'm2')),
  weight: some(fc.nat(3)),
  backup: some(fc.boolean()),
  labels: some(fc.dictionary(name, name, { maxKeys: 2 })),
})

const pool = fc.record({
  name,
  members: fc.array(member, { maxLength: 4 }),
  algorithm: some(
    fc.constantFrom<unknown>(
      'maglev',
      'first',
      { type: 'source-hash', consistent: true },
      { type: 'least-time', decay: '5s' },
    ),
  ),
  health: some(
    fc.constantFrom<unknown>(
      { type: 'tcp' },
      { type: 'tcp', interval: '1s' },
      { type: 'http', path: '/x', expect: [200] },
      { type: 'all-of', checks: [{ type: 'tcp' }] },
    ),
  ),
  persistence: some(
    fc.constantFrom<unknown>({ type: 'source-ip' }, { type: 'source-ip', timeout: '1m' }),
  ),
  proxyProtocol: some(fc.constantFrom<unknown>('v1', { version: 'v2', crc32c: true })),
  slowStart: some(fc.constantFrom('0s', '3s')),
})

const shared = {
  name,
  pool: name,
  port: fc.integer({ min: 80, max: 83 }),
  acl: some(
    fc.constantFrom<unknown>({ allow: ['10.0.0.0/8'] }, { deny: ['10.0.0.0/8', '10.1.0.0/16'] }),
  ),
  ipv6Only: some(fc.boolean()),
  enabled: some(fc.boolean()),
}

const listener = fc.oneof(
  fc.record({
    ...shared,
    protocol: fc.constant('tcp'),
    timeouts: some(fc.constantFrom({ client: '1s' }, { client: '2s', total: 5 })),
    backlog: some(fc.constantFrom(5, 6)),
    bandwidth: some(fc.constantFrom<unknown>('1MiB', { toClient: 4096 })),
  }),
  fc.record({
    ...shared,
    protocol: fc.constant('tls'),
    tls: fc.constantFrom<unknown>(
      { mode: 'passthrough' },
      { mode: 'passthrough', absentName: { pool: 'b' } },
    ),
    routes: some(
      fc.array(fc.record({ sni: fc.constantFrom(['x.y'], ['z.y', '*.y']), pool: name }), {
        maxLength: 2,
      }),
    ),
  }),
  fc.record({
    ...shared,
    protocol: fc.constant('udp'),
    udp: some(fc.constantFrom({ perPacket: true }, { idleTimeout: '3s' })),
  }),
)

const loadBalancer = fc.record({
  name,
  enabled: some(fc.boolean()),
  vip: fc.constantFrom<unknown>(
    '0.0.0.0',
    '::',
    '10.9.0.1',
    '2001:db8::1',
    { pool: 'p' },
    { pool: 'p', address: '10.8.0.2' },
    { pool: 'q', share: 's' },
  ),
  listeners: fc.array(listener, { maxLength: 4 }),
})

const document = fc.record({
  version: fc.constant(1),
  node: fc.record({ name, drain: some(fc.constantFrom('1s', '2s')) }),
  admin: some(fc.constantFrom({ listen: '127.0.0.1:80' }, { readOnly: true })),
  addressPools: fc.constantFrom<unknown[]>(
    [{ name: 'p', addresses: ['10.8.0.1-10.8.0.3'] }],
    [
      { name: 'p', addresses: ['10.8.0.0/30'], exclude: ['10.8.0.1'] },
      { name: 'q', addresses: ['10.8.0.8'] },
    ],
    [],
  ),
  loadBalancers: fc.array(loadBalancer, { maxLength: 4 }),
  pools: fc.array(pool, { maxLength: 5 }),
})

/** What a generated document comes to; its conflicts are left out. */
function desiredOf(value: unknown, running?: Desired): Desired {
  const { desired, findings } = load(
    JSON.stringify(value),
    'lb.json',
    running === undefined ? {} : { running },
  )
  expect(desired, JSON.stringify(findings[0])).toBeDefined()
  return desired!
}

/** What must hold of whatever runs: no two in one place, and nobody without its pools. */
function isSound(running: Desired, open: readonly DesiredListener[]): void {
  for (const [index, one] of open.entries()) {
    for (const pool of poolNamesOf(one)) expect(Object.keys(running.pools)).toContain(pool)
    for (const other of open.slice(index + 1)) {
      const sameProtocol = (one.protocol === 'udp') === (other.protocol === 'udp')
      expect(sameProtocol && collide(one.binding, other.binding)).toBe(false)
    }
  }
}

describe('any two documents', () => {
  it('resolve to something sound', () => {
    fc.assert(
      fc.property(document, fc.option(document, { nil: undefined }), (value, before) => {
        const running = before === undefined ? undefined : desiredOf(before)
        const desired = desiredOf(value, running)
        isSound(desired, Object.values(desired.listeners))
      }),
      { numRuns: 400 },
    )
  })

  it('have a plan that leads from one to the other, sound at every step', () => {
    fc.assert(
      fc.property(document, document, (first, second) => {
        const from = desiredOf(first)
        const to = desiredOf(second, from)
        let running = from
        const open = new Map(Object.values(from.listeners).map((one) => [listenerKey(one), one]))
        for (const step of plan(to, from)) {
          running = after(running, step)
          if (step.kind === 'listener') {
            if (step.action !== 'start') expect(open.delete(listenerKey(step.from))).toBe(true)
            if (step.action !== 'stop') open.set(listenerKey(step.to), step.to)
          }
          isSound(running, [...open.values()])
        }
        expect(running).toEqual(to)
        expect(new Set(open.values())).toEqual(new Set(Object.values(to.listeners)))
      }),
      { numRuns: 400 },
    )
  })

  it('have an empty plan exactly when they mean the same', () => {
    fc.assert(
      fc.property(document, (value) => {
        const desired = desiredOf(value)
        expect(plan(desired, desired)).toEqual([])
        expect(plan(JSON.parse(JSON.stringify(desired)) as Desired, desired)).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  it('never stop a listener that stays, and say what differs in each edit', () => {
    fc.assert(
      fc.property(document, document, (first, second) => {
        const from = desiredOf(first)
        const to = desiredOf(second, from)
        const stays = new Set(Object.values(to.listeners).map(listenerKey))
        for (const step of plan(to, from)) {
          if (step.action === 'stop') expect(stays).not.toContain(listenerKey(step.from))
          if (step.action === 'edit') expect(step.changes.length).toBeGreaterThan(0)
        }
        const fresh = plan(to, undefined)
        expect(fresh.every(({ action }) => action === 'add' || action === 'start')).toBe(true)
        expect(fresh.reduce(after, nothing(to))).toEqual(to)
      }),
      { numRuns: 200 },
    )
  })
})
