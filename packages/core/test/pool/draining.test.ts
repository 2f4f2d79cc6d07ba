import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { type AdminState, pool, Tried, untried } from '../../src/index.ts'
import { down, firstFit } from './first-fit.ts'

function setup() {
  const web = pool({
    backends: [
      { id: 'a', address: '10.0.0.1:80' },
      { id: 'b', address: '10.0.0.2:80' },
    ],
    pick: firstFit,
    clock: manualClock(),
  })
  const drained: string[] = []
  web.on('drained', ({ backend: { id } }) => drained.push(id))
  return { web, drained }
}

describe('draining', () => {
  it.each([[{ state: 'draining' }], [{ state: 'disabled' }], [{ weight: 0 }]] as const)(
    'by %j gives nothing new, keeps what there is, and tells of the last',
    (change) => {
      const { web, drained } = setup()
      const slot = web.pick(0, untried)
      web.opened(slot)
      web.opened(slot)
      web.edit('a', change)
      expect(web.backendAt(web.pick(0, untried)).id).toBe('b')
      web.closed(slot)
      expect(drained).toEqual([])
      web.closed(slot)
      expect(drained).toEqual(['a'])
    },
  )

  it('is over at once where nothing is open, and is told once', () => {
    const { web, drained } = setup()
    web.edit('a', { state: 'draining' })
    web.edit('a', { labels: { note: 'still' } })
    web.edit('a', { weight: 0 })
    expect(drained).toEqual(['a'])
    web.edit('a', { state: 'enabled', weight: 1 })
    web.set([{ id: 'a', address: '10.0.0.1:80', state: 'draining' }])
    expect(drained).toEqual(['a', 'b', 'a'])
  })

  it('ends also when the member has gone down meanwhile', () => {
    const { web, drained } = setup()
    const slot = web.pick(0, untried)
    web.opened(slot)
    web.edit('a', { state: 'draining' })
    web.report('a', down)
    web.closed(slot)
    expect(drained).toEqual(['a'])
  })

  it('is told of a removed member when its last connection is closed, or at once', () => {
    const { web, drained } = setup()
    const slot = web.pick(0, untried)
    web.opened(slot)
    web.set([])
    expect([drained, web.pick(0, untried)]).toEqual([['b'], -1])
    web.closed(slot)
    expect(drained).toEqual(['b', 'a'])
  })

  it('is not told of a member in service', () => {
    const { web, drained } = setup()
    const slot = web.pick(0, untried)
    web.opened(slot)
    web.closed(slot)
    expect(drained).toEqual([])
  })

  it.each<[AdminState, string]>([
    ['enabled', 'up'],
    ['draining', 'draining'],
    ['disabled', 'disabled'],
  ])('shows the state %s as %s', (state, condition) => {
    const { web } = setup()
    web.edit('a', { state })
    expect(web.members()[0]?.condition).toBe(condition)
  })
})

describe('counting', () => {
  it('refuses to close what is not open, so that no counter goes below zero', () => {
    const { web } = setup()
    const slot = web.pick(0, untried)
    expect(() => web.closed(slot)).toThrow(RangeError)
    web.opened(slot)
    web.closed(slot)
    expect(() => web.closed(slot)).toThrow('no connection to close')
    expect(() => web.closed(99)).toThrow('nobody in slot 99')
    expect(() => web.opened(99)).toThrow(RangeError)
    expect([web.load.sum(), web.load.active[slot]]).toEqual([0, 0])
  })

  it('counts connections and failures of the member, and forgives news of one long gone', () => {
    const { web } = setup()
    const slot = web.pick(0, untried)
    const error = Object.assign(new Error('refused'), {
      code: 'connection-refused',
      source: 'backend',
    }) as never
    web.opened(slot)
    web.failed(slot, error)
    web.closed(slot)
    expect(web.members()[0]).toMatchObject({ active: 0, total: 1, failures: 1 })
    web.set([])
    web.failed(slot, error)
    web.succeeded(slot, 1)
    expect(web.load.failures[slot]).toBe(1)
  })

  it('walks over the candidates with those tried, and ends', () => {
    const { web } = setup()
    const tried = new Tried()
    const walked: string[] = []
    for (let slot = web.pick(0, tried); slot >= 0; slot = web.pick(0, tried)) {
      walked.push(web.backendAt(slot).id)
      tried.add(slot)
    }
    expect(walked).toEqual(['a', 'b'])
  })
})

describe('waiting for room', () => {
  const full = () => {
    const web = pool({
      backends: [{ id: 'a', address: '10.0.0.1:80', maxConnections: 1 }],
      pick: firstFit,
      clock: manualClock(),
      queueLimit: 2,
    })
    web.opened(web.pick(0, untried))
    const served: string[] = []
    const wait = (name: string): boolean =>
      web.queue.join({
        proceed() {
          const slot = web.pick(0, untried)
          if (slot < 0) return false
          web.opened(slot)
          return served.push(name) > 0
        },
      })
    return { web, served, wait }
  }

  it('ends in order of arrival as connections are closed', () => {
    const { web, served, wait } = full()
    expect([wait('x'), wait('y'), wait('z')]).toEqual([true, true, false])
    expect(web.pick(0, untried)).toBe(-1)
    web.closed(0)
    expect(served).toEqual(['x'])
    web.closed(0)
    expect([served, web.queue.size]).toEqual([['x', 'y'], 0])
  })

  it('ends when a member comes, recovers or is given a higher limit', () => {
    const { web, served, wait } = full()
    wait('x')
    web.edit('a', { maxConnections: 2 })
    expect(served).toEqual(['x'])
    wait('y')
    web.report('a', down)
    expect(served).toEqual(['x'])
    web.set([
      { id: 'a', address: '10.0.0.1:80', maxConnections: 2 },
      { id: 'b', address: '10.0.0.2:80', maxConnections: 1 },
    ])
    expect(served).toEqual(['x', 'y'])
  })
})
