import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { type BackendInit, type Pool, type PoolOptions, pool, untried } from '../../src/index.ts'
import { down, firstFit } from './first-fit.ts'

const addresses = (web: Pool): string[] => web.members().map(({ backend }) => backend.address)
const rotation = (web: Pool): string[] => web.roster.current.backends.map(({ id }) => id)

function setup(backends: readonly BackendInit[], options: PoolOptions = {}) {
  const web = pool({ backends, pick: firstFit, clock: manualClock(), ...options })
  const events: string[] = []
  web.on('member', ({ backend, change }) => events.push(`${change} ${backend.id}`))
  web.on('drained', ({ backend }) => events.push(`drained ${backend.address}`))
  return { web, events }
}

describe('membership', () => {
  it('is what was set, with the differences told', () => {
    const { web, events } = setup(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'])
    const change = web.set([
      '10.0.0.1:80',
      { address: '10.0.0.2:80', weight: 5, labels: { rack: 'b' } },
      '10.0.0.4:80',
    ])
    expect(change.added.map(({ id }) => id)).toEqual(['10.0.0.4:80'])
    expect(change.removed.map(({ id }) => id)).toEqual(['10.0.0.3:80'])
    expect(change.edited).toMatchObject([{ id: '10.0.0.2:80', weight: 5 }])
    expect(events).toEqual([
      'removed 10.0.0.3:80',
      'added 10.0.0.4:80',
      'edited 10.0.0.2:80',
      'drained 10.0.0.3:80',
    ])
    expect(rotation(web)).toEqual(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.4:80'])
  })

  it('says nothing when the same is set again, also with labels in another order', () => {
    const labels = { a: '1', b: '2' }
    const { web, events } = setup([{ address: '10.0.0.1:80', labels }, '10.0.0.2:80'])
    const change = web.set(['10.0.0.2:80', { address: '10.0.0.1:80', labels: { b: '2', a: '1' } }])
    expect(change).toEqual({ added: [], removed: [], edited: [] })
    expect(events).toEqual([])
  })

  it('keeps verdict, counters and slot of those who stay', () => {
    const { web } = setup(['10.0.0.1:80', '10.0.0.2:80'])
    const slot = web.pick(0, untried)
    web.opened(slot)
    web.report('10.0.0.1:80', down)
    web.set([{ address: '10.0.0.1:80', weight: 9 }])
    expect(web.members()).toMatchObject([
      { backend: { weight: 9 }, verdict: down, condition: 'down', active: 1, total: 1 },
    ])
    expect(web.backendAt(slot).weight).toBe(9)
  })

  it('takes the same name at another address for another server', () => {
    const { web, events } = setup([{ id: 'a', address: '10.0.0.1:80' }])
    const old = web.pick(0, untried)
    web.opened(old)
    web.report('a', down)
    const change = web.set([{ id: 'a', address: '10.0.0.9:80' }])
    expect(change).toMatchObject({ added: [], removed: [], edited: [{ address: '10.0.0.9:80' }] })
    const next = web.pick(0, untried)
    expect(next).not.toBe(old)
    expect(web.backendAt(old).address).toBe('10.0.0.1:80')
    expect(web.members()).toMatchObject([{ verdict: { state: 'up' }, active: 0, total: 0 }])
    web.opened(next)
    web.closed(old)
    expect(events).toEqual(['edited a', 'drained 10.0.0.1:80'])
    expect(() => web.backendAt(old)).toThrow(RangeError)
    expect(web.load.sum()).toBe(1)
  })

  it('gives a slot to somebody else only when its last connection is closed, with fresh counters', () => {
    const { web } = setup(['10.0.0.1:80'], { capacity: 2 })
    const slot = web.pick(0, untried)
    web.opened(slot)
    web.opened(slot)
    web.set([])
    expect(web.backendAt(slot).id).toBe('10.0.0.1:80')
    web.set(['10.0.0.2:80'])
    expect(web.pick(0, untried)).not.toBe(slot)
    web.closed(slot)
    expect(() => web.set(['10.0.0.2:80', '10.0.0.3:80'])).toThrow(
      expect.objectContaining({ code: 'pool-full' }),
    )
    web.closed(slot)
    web.set(['10.0.0.2:80', '10.0.0.3:80'])
    expect(web.backendAt(slot).id).toBe('10.0.0.3:80')
    expect(web.members()[1]).toMatchObject({ active: 0, total: 0, failures: 0 })
  })

  it('changes nothing when there is no room, counting moved members whose old server has connections', () => {
    const { web, events } = setup(
      [
        { id: 'a', address: '10.0.0.1:80' },
        { id: 'b', address: '10.0.0.2:80' },
      ],
      { capacity: 2 },
    )
    const moved = [
      { id: 'a', address: '10.0.0.8:80' },
      { id: 'b', address: '10.0.0.9:80' },
    ]
    const slot = web.pick(0, untried)
    web.opened(slot)
    expect(() => web.set(moved)).toThrow('room for 2 members')
    expect([addresses(web), events]).toEqual([['10.0.0.1:80', '10.0.0.2:80'], []])
    web.closed(slot)
    web.set(moved)
    expect(addresses(web)).toEqual(['10.0.0.8:80', '10.0.0.9:80'])
  })

  it('refuses two of one name, and says which', () => {
    const { web } = setup(['10.0.0.1:80'])
    expect(() => web.set(['10.0.0.2:80', '10.0.0.2:80'])).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'pool.backends[1]' }),
    )
    expect(() => web.set([{ address: '10.0.0.2:80', weight: -1 }])).toThrow(
      expect.objectContaining({ path: 'pool.backends[0].weight' }),
    )
    expect(addresses(web)).toEqual(['10.0.0.1:80'])
  })

  it('edits one member, tells of it, and tells nothing when nothing changes', () => {
    const { web, events } = setup(['10.0.0.1:80', '10.0.0.2:80'])
    const edited = web.edit('10.0.0.1:80', { weight: 0 })
    expect([edited.weight, rotation(web)]).toEqual([0, ['10.0.0.2:80']])
    expect(web.edit('10.0.0.1:80', { weight: 0 })).toBe(edited)
    expect(events).toEqual(['edited 10.0.0.1:80', 'drained 10.0.0.1:80'])
    expect(() => web.edit('10.0.0.1:80', { weight: -1 })).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'pool.10.0.0.1:80.weight' }),
    )
    expect(() => web.edit('nobody', { weight: 1 })).toThrow(
      expect.objectContaining({
        code: 'no-such-backend',
        message: 'pool "pool" has no member "nobody"; it has 10.0.0.1:80, 10.0.0.2:80',
      }),
    )
  })

  it('is consistent for listeners that change it while they are told', () => {
    const { web } = setup(['10.0.0.1:80', '10.0.0.2:80'])
    const targets: string[][] = []
    web.roster.watch((roster) => {
      if (roster.size === 2) web.set(['10.0.0.3:80'])
    })
    web.roster.watch((roster) => targets.push(roster.backends.map(({ id }) => id)))
    web.set(['10.0.0.1:80'])
    web.set(['10.0.0.1:80', '10.0.0.2:80'])
    expect(targets).toEqual([['10.0.0.1:80'], ['10.0.0.3:80']])
    expect(rotation(web)).toEqual(['10.0.0.3:80'])
  })

  it.each([
    [{ capacity: -1 }, 'pool.capacity'],
    [{ queueLimit: 1.5 }, 'pool.queueLimit'],
    [{ boundedLoad: 1 }, 'pool.boundedLoad'],
    [{ boundedLoad: Number.NaN }, 'pool.boundedLoad'],
    [{ whenEmpty: 'some' as 'all' }, 'pool.whenEmpty'],
    [{ slowStart: 'slowly' }, 'pool.slowStart'],
    [{ quorum: 0 }, 'pool.quorum'],
    [{ hysteresis: -1 }, 'pool.hysteresis'],
    [{ backends: ['x'] }, 'pool.backends[0]'],
  ] as const)('refuses %j', (options, path) => {
    expect(() => pool(options)).toThrow(expect.objectContaining({ code: 'invalid-option', path }))
  })
})
