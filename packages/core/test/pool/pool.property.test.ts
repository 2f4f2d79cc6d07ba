import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type AdminState,
  type BackendOptions,
  type HealthState,
  type Pool,
  pool,
  type Quorum,
  quorumRule,
  Tried,
} from '../../src/index.ts'
import { byKey } from './first-fit.ts'
import { recordingCheck } from './recording-check.ts'

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const settings = {
  weight: fc.constantFrom(0, 1, 1, 3),
  state: fc.constantFrom<AdminState>('enabled', 'enabled', 'enabled', 'draining', 'disabled'),
  backup: fc.constantFrom(false, false, true),
  maxConnections: fc.constantFrom(0, 0, 1, 2),
}
const member = fc.record({ id, port: fc.constantFrom(80, 80, 80, 81), ...settings })
const backends = fc
  .uniqueArray(member, { maxLength: 5, selector: (one) => one.id })
  .map((list): BackendOptions[] =>
    list.map(({ port, ...rest }) => ({ ...rest, address: `10.0.0.1:${port}` })),
  )
const rules = fc.record({
  quorum: fc.constantFrom<Quorum>(1, 2, '50%', '100%'),
  hysteresis: fc.nat(1),
  whenEmpty: fc.constantFrom<'reject' | 'all'>('reject', 'all'),
  boundedLoad: fc.constantFrom(0, 0, 1.25),
})
const operation = fc.oneof(
  { weight: 2, arbitrary: backends.map((value) => ({ do: 'set', value }) as const) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, fc.record(settings, { requiredKeys: [] }))
      .map(([who, value]) => ({ do: 'edit', who, value }) as const),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(id, fc.constantFrom<HealthState>('up', 'up', 'down', 'unknown'))
      .map(([who, state]) => ({ do: 'report', who, state }) as const),
  },
  { weight: 8, arbitrary: fc.nat(20).map((key) => ({ do: 'connect', key }) as const) },
  { weight: 4, arbitrary: fc.nat(20).map((which) => ({ do: 'close', which }) as const) },
  { weight: 1, arbitrary: rules.map((value) => ({ do: 'reconfigure', value }) as const) },
  { weight: 1, arbitrary: fc.constantFrom(100, 3_000).map((ms) => ({ do: 'wait', ms }) as const) },
)

it('keeps its promises through any sequence of operations', () => {
  let connections = 0
  fc.assert(
    fc.property(
      backends,
      rules,
      fc.array(operation, { maxLength: 60, size: 'max' }),
      (first, initial, all) => {
        const clock = manualClock()
        const check = recordingCheck()
        const fixed = { pick: byKey, check, slowStart: '2s' }
        const web = pool({ ...fixed, ...initial, backends: first, capacity: 6, clock })
        web.use()
        let current = initial
        let answer: boolean | undefined
        const open: { slot: number; address: string }[] = []
        const drained: string[] = []
        web.on('drained', ({ backend: { address, id: who } }) => drained.push(`${who} ${address}`))

        const judge = (): void => {
          const { up, enabled, judged } = census(web)
          const expected = quorumRule(current.quorum, current.hysteresis).decide(
            up,
            enabled,
            answer,
          )
          expect(web.available.current).toBe(expected)
          if (expected || judged || answer !== undefined) answer = expected
        }
        judge()
        for (const one of all) {
          drained.length = 0
          switch (one.do) {
            case 'set':
              try {
                web.set(one.value)
                expect(
                  web
                    .members()
                    .map(({ backend }) => backend.id)
                    .sort(),
                ).toEqual(one.value.map((backend) => backend.id).sort())
              } catch (error) {
                expect(error).toMatchObject({ code: 'pool-full' })
              }
              break
            case 'edit':
              if (web.members().some(({ backend }) => backend.id === one.who)) {
                expect(web.edit(one.who, one.value)).toMatchObject(one.value)
              }
              break
            case 'report':
              check.subject.report(one.who, { state: one.state, since: 0, reason: 'said so' })
              break
            case 'connect': {
              const tried = new Tried()
              const walked = new Set<number>()
              for (
                let slot = web.pick(one.key, tried);
                slot >= 0;
                slot = web.pick(one.key, tried)
              ) {
                expect(walked.has(slot)).toBe(false)
                walked.add(slot)
                tried.add(slot)
                expectPickable(web, slot, current.whenEmpty)
              }
              const slot = web.pick(one.key, new Tried())
              if (slot < 0) {
                expect(walked.size).toBe(0)
                break
              }
              web.opened(slot)
              open.push({ slot, address: web.backendAt(slot).address })
              connections += 1
              break
            }
            case 'close': {
              const [gone] = open.splice(one.which % Math.max(1, open.length), 1)
              if (gone === undefined) break
              const backend = web.backendAt(gone.slot)
              const last = !open.some(({ slot }) => slot === gone.slot)
              const inService = web
                .members()
                .some(
                  (m) => m.backend === backend && backend.state === 'enabled' && backend.weight > 0,
                )
              web.closed(gone.slot)
              expect(drained).toEqual(
                last && !inService ? [`${backend.id} ${backend.address}`] : [],
              )
              break
            }
            case 'reconfigure':
              current = one.value
              web.reconfigure({ ...fixed, ...one.value })
              break
            case 'wait':
              clock.advance(one.ms)
              break
          }
          judge()
          expectSound(web, open, current.whenEmpty)
        }
      },
    ),
    { numRuns: 300 },
  )
  expect(connections).toBeGreaterThan(1_000)
})

interface Census {
  readonly up: number
  readonly enabled: number
  readonly judged: boolean
  /** Nobody can take traffic by health and the operator's will. */
  readonly empty: boolean
}

/** What the rules say of the members, written down once more and differently. */
function census(web: Pool): Census {
  const members = web.members()
  let ordinaryUsable = 0
  const counts = { ordinary: 0, backup: 0 }
  let backupUsable = 0
  let enabled = 0
  for (const { backend, verdict } of members) {
    if (backend.state !== 'enabled' || backend.weight === 0) continue
    if (!backend.backup) enabled += 1
    if (verdict.state === 'down') continue
    if (backend.backup) backupUsable += 1
    else ordinaryUsable += 1
    if (verdict.state === 'up') counts[backend.backup ? 'backup' : 'ordinary'] += 1
  }
  return {
    up: ordinaryUsable > 0 ? counts.ordinary : counts.backup,
    enabled,
    judged:
      members.length > 0 &&
      members.every(
        ({ backend, verdict }) => backend.state === 'disabled' || verdict.state !== 'unknown',
      ),
    empty: ordinaryUsable + backupUsable === 0,
  }
}

function expectPickable(web: Pool, slot: number, whenEmpty: 'reject' | 'all'): void {
  const backend = web.backendAt(slot)
  const member = web.members().find((one) => one.backend === backend)
  expect(member).toBeDefined()
  expect([backend.state, backend.weight > 0]).toEqual(['enabled', true])
  const { empty } = census(web)
  if (member!.verdict.state === 'down') expect([empty, whenEmpty]).toEqual([true, 'all'])
  const ordinary = web
    .members()
    .some(
      ({ backend: other, condition }) =>
        !other.backup && (condition === 'up' || condition === 'unknown'),
    )
  if (backend.backup && !empty) expect(ordinary).toBe(false)
  const limit = backend.maxConnections
  if (limit > 0) expect(web.load.active[slot]).toBeLessThan(limit)
}

function expectSound(
  web: Pool,
  open: readonly { readonly slot: number; readonly address: string }[],
  whenEmpty: 'reject' | 'all',
): void {
  const { load } = web
  expect(load.sum()).toBe(open.length)
  const perSlot = Array.from({ length: load.capacity }, () => 0)
  for (const { slot, address } of open) {
    perSlot[slot]! += 1
    // The slot means the same server for as long as the connection lives.
    expect(web.backendAt(slot).address).toBe(address)
  }
  expect([...load.active]).toEqual(perSlot)
  const roster = web.roster.current
  const backendsOfMembers = web.members().map(({ backend }) => backend)
  expect(roster.backends.every((backend) => backendsOfMembers.includes(backend))).toBe(true)
  expect(new Set(roster.slots).size).toBe(roster.size)
  const ids = roster.backends.map((backend) => backend.id)
  expect(ids).toEqual([...ids].sort())
  for (let i = 0; i < roster.size; i++) {
    expect(roster.weights[i]).toBeGreaterThan(0)
    expect(roster.weights[i]).toBeLessThanOrEqual(roster.backends[i]!.weight)
    expect(web.backendAt(roster.slots[i]!)).toBe(roster.backends[i])
  }
  if (census(web).empty && whenEmpty === 'reject') expect(roster.size).toBe(0)
}
