import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { type PoolOptions, pool, untried } from '../../src/index.ts'
import { down, firstFit, unknown, up } from './first-fit.ts'
import { recordingCheck } from './recording-check.ts'

const members = (count: number, backups = 0) =>
  Array.from({ length: count + backups }, (_, i) => ({
    id: i < count ? `m${i}` : `z${i - count}`,
    address: `10.0.0.${i + 1}:80`,
    backup: i >= count,
  }))

function setup(count: number, options: PoolOptions = {}, backups = 0) {
  const web = pool({
    backends: members(count, backups),
    pick: firstFit,
    check: recordingCheck(),
    clock: manualClock(),
    ...options,
  })
  const told: boolean[] = []
  web.available.watch((now) => told.push(now))
  const rotation = (): string[] => web.roster.current.backends.map(({ id }) => id)
  const report = (verdict: typeof up, ...ids: string[]): void => {
    for (const id of ids) web.report(id, verdict)
  }
  return { web, told, rotation, report }
}

describe('verdicts', () => {
  it('take members out of the rotation and bring them back', () => {
    const { rotation, report } = setup(3)
    report(up, 'm0', 'm1', 'm2')
    report(down, 'm1')
    expect(rotation()).toEqual(['m0', 'm2'])
    report(up, 'm1')
    expect(rotation()).toEqual(['m0', 'm1', 'm2'])
  })

  it('are told when they flip, with state and reason, and not when they are confirmed', () => {
    const { web } = setup(1)
    const events: unknown[] = []
    web.on('health', ({ backend, health, previous, reason, verdict }) =>
      events.push([backend.id, previous, health, reason, verdict.since]),
    )
    web.report('m0', up)
    const later = { ...up, since: 5, reason: 'it still answers' }
    web.report('m0', later)
    expect(web.members()[0]?.verdict).toBe(later)
    web.report('m0', down)
    web.report('nobody', down)
    expect(events).toEqual([
      ['m0', 'unknown', 'up', 'it answers', 0],
      ['m0', 'up', 'down', 'it is silent', 0],
    ])
  })

  it('that are still open let a member take traffic, but do not make the pool available', () => {
    const { web, rotation, told } = setup(2)
    expect([rotation(), web.available.current]).toEqual([['m0', 'm1'], false])
    expect(web.members().map(({ condition }) => condition)).toEqual(['unknown', 'unknown'])
    web.report('m1', up)
    expect([web.available.current, told]).toEqual([true, [true]])
  })

  it('are up for all when there is no check', () => {
    const web = pool({ backends: members(2), pick: firstFit })
    expect(web.available.current).toBe(true)
    expect(web.members()[0]?.verdict).toMatchObject({
      state: 'up',
      reason: 'no check is configured',
    })
  })

  it('give way to what the operator wants', () => {
    const { web, rotation, report } = setup(2)
    report(up, 'm0', 'm1')
    web.edit('m0', { state: 'disabled' })
    report(up, 'm0')
    expect(rotation()).toEqual(['m1'])
    report(down, 'm0')
    expect(web.members()[0]).toMatchObject({ condition: 'disabled', verdict: down })
    web.edit('m0', { state: 'draining' })
    expect(web.members()[0]?.condition).toBe('down')
  })

  it('leave the roster sorted by id, whatever the order of arrival', () => {
    const { web, rotation } = setup(0)
    web.set(['10.0.0.3:80', '10.0.0.1:80', '10.0.0.2:80'])
    expect(rotation()).toEqual(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'])
  })
})

describe('backups', () => {
  it('take traffic, all together, only while no ordinary member can', () => {
    const { rotation, report, web } = setup(2, {}, 2)
    report(up, 'm0', 'm1', 'z0', 'z1')
    expect(rotation()).toEqual(['m0', 'm1'])
    report(down, 'm0')
    expect(rotation()).toEqual(['m1'])
    web.edit('m1', { weight: 0 })
    expect(rotation()).toEqual(['z0', 'z1'])
    report(down, 'z0')
    expect(rotation()).toEqual(['z1'])
    expect(web.available.current).toBe(true)
    report(unknown, 'm0')
    expect(rotation()).toEqual(['m0'])
    // The one in the rotation is not known to be well.
    expect(web.available.current).toBe(false)
  })

  it('do not weigh in the percentage that has to be up', () => {
    const { report, web } = setup(2, { quorum: '100%' }, 3)
    report(up, 'm0', 'z0', 'z1', 'z2')
    expect(web.available.current).toBe(false)
    report(up, 'm1')
    expect(web.available.current).toBe(true)
  })
})

describe('with nobody usable', () => {
  it('a pool picks nobody by default', () => {
    const { web, report } = setup(2)
    report(down, 'm0', 'm1')
    expect([web.roster.current.size, web.pick(0, untried)]).toEqual([0, -1])
  })

  it('a pool picks among all that are enabled when told to, and stays unavailable', () => {
    const { web, rotation, report } = setup(4, { whenEmpty: 'all' }, 1)
    web.edit('m2', { state: 'draining' })
    web.edit('m3', { state: 'disabled' })
    report(down, 'm0', 'm1', 'm2', 'z0')
    expect(rotation()).toEqual(['m0', 'm1', 'z0'])
    expect(web.available.current).toBe(false)
    report(up, 'm1')
    expect(rotation()).toEqual(['m1'])
  })
})

describe('availability', () => {
  it('needs the quorum', () => {
    const { told, report } = setup(3, { quorum: 2 })
    report(up, 'm0')
    expect(told).toEqual([])
    report(up, 'm1')
    report(up, 'm2')
    report(down, 'm0')
    expect(told).toEqual([true])
    report(down, 'm1')
    expect(told).toEqual([true, false])
  })

  it('begins at the quorum alone, then keeps its distance from it', () => {
    const { told, report } = setup(5, { quorum: 3, hysteresis: 1 })
    report(up, 'm0', 'm1')
    expect(told).toEqual([])
    report(up, 'm2')
    expect(told).toEqual([true])
    report(down, 'm2')
    expect(told).toEqual([true])
    report(down, 'm1')
    expect(told).toEqual([true, false])
    report(up, 'm1', 'm2')
    expect(told).toEqual([true, false])
    report(up, 'm3')
    expect(told).toEqual([true, false, true])
  })

  it('that was denied once all had been judged comes back at quorum and hysteresis only', () => {
    const { told, report } = setup(4, { quorum: 2, hysteresis: 1 })
    report(down, 'm0', 'm1', 'm2', 'm3')
    report(up, 'm0', 'm1')
    expect(told).toEqual([])
    report(up, 'm2')
    expect(told).toEqual([true])
  })

  it('takes its percentage of the members in service: a drain does not count against it', () => {
    const { web, report } = setup(4, { quorum: '75%' })
    report(up, 'm0', 'm1', 'm2', 'm3')
    report(down, 'm0')
    expect(web.available.current).toBe(true)
    report(down, 'm1')
    expect(web.available.current).toBe(false)
    web.edit('m0', { state: 'disabled' })
    web.edit('m1', { state: 'draining' })
    expect(web.available.current).toBe(true)
    web.edit('m2', { weight: 0 })
    expect(web.available.current).toBe(true)
    web.edit('m3', { weight: 0 })
    expect(web.available.current).toBe(false)
  })

  it('ends when the last member leaves', () => {
    const { web, told, report } = setup(1)
    report(up, 'm0')
    web.set([])
    expect([web.available.current, told]).toEqual([false, [true, false]])
  })
})
