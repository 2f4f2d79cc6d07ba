import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { pool, untried } from '../../src/index.ts'
import { down, firstFit, up } from './first-fit.ts'

function setup(slowStart: string, maxConnections = 100) {
  const clock = manualClock()
  const web = pool({
    backends: [
      { id: 'a', address: '10.0.0.1:80', weight: 200, maxConnections },
      { id: 'b', address: '10.0.0.2:80', weight: 200 },
    ],
    pick: firstFit,
    slowStart,
    clock,
  })
  const inForce = (): [number, number] => {
    const { backends, weights, limits } = web.roster.current
    const index = backends.findIndex(({ id }) => id === 'a')
    return [weights[index]!, limits[index]!]
  }
  return { clock, web, inForce }
}

describe('slow start', () => {
  it('gives a member that recovers its weight and limit back little by little', () => {
    const { clock, web, inForce } = setup('10s')
    expect(inForce()).toEqual([200, 100])
    web.report('a', down)
    web.report('a', up)
    expect(inForce()).toEqual([10, 5])
    const steps: number[] = []
    web.roster.watch(() => steps.push(inForce()[0]))
    clock.advance(5_000)
    expect(inForce()).toEqual([100, 50])
    clock.advance(5_000)
    expect(inForce()).toEqual([200, 100])
    expect(steps).toHaveLength(20)
    expect(steps).toEqual([...steps].sort((x, y) => x - y))
    // Then it rests.
    clock.advance(60_000)
    expect([steps.length, clock.pending]).toEqual([20, 0])
  })

  it('is for those who were down, not for those who come', () => {
    const { web, inForce } = setup('10s')
    web.set([
      { id: 'a', address: '10.0.0.1:80', weight: 200, maxConnections: 100 },
      { id: 'c', address: '10.0.0.3:80', weight: 200 },
    ])
    expect(inForce()).toEqual([200, 100])
    expect(web.roster.current.totalWeight).toBe(400)
  })

  it('begins anew with each recovery, and shows in the status', () => {
    const { clock, web } = setup('10s')
    web.report('a', down)
    web.report('a', up)
    clock.advance(8_000)
    expect(web.members()[0]?.weight).toBe(160)
    web.report('a', down)
    clock.advance(1_000)
    web.report('a', up)
    expect(web.members()[0]?.weight).toBe(10)
  })

  it('always admits one connection', () => {
    const { web, inForce } = setup('10s', 3)
    web.report('a', down)
    web.report('a', up)
    expect(inForce()[1]).toBe(1)
    expect(web.backendAt(web.pick(0, untried)).id).toBe('a')
    web.opened(web.pick(0, untried))
    expect(web.backendAt(web.pick(0, untried)).id).toBe('b')
  })

  it('recomputes ten times a second at most, and not at all when it is off', () => {
    const quick = setup('500ms')
    let published = 0
    quick.web.report('a', down)
    quick.web.report('a', up)
    quick.web.roster.watch(() => void (published += 1))
    quick.clock.advance(10_000)
    expect(published).toBe(5)
    const off = setup('0s')
    off.web.report('a', down)
    off.web.report('a', up)
    expect([off.inForce(), off.clock.pending]).toEqual([[200, 100], 0])
  })
})
