import fc from 'fast-check'
import { expect, it } from 'vitest'
import { kinds, type Setup, type Step, World } from './model/world.ts'

const setup: fc.Arbitrary<Setup> = fc.record({
  members: fc.constantFrom(1, 2, 2, 3),
  maxConnections: fc.constantFrom(0, 0, 1),
  retries: fc.constantFrom(0, 1, 1, 3),
  statuses: fc.boolean(),
  hedge: fc.constantFrom(false, false, true),
  halfClose: fc.boolean(),
  continueBy: fc.constantFrom('balancer', 'backend'),
  whenDown: fc.constantFrom('keep', 'reset'),
  maxBody: fc.constantFrom(0, 0, 2000),
  filters: fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 12, 15),
  window: fc.constantFrom(200, 4096, 100_000),
  reuse: fc.constantFrom('safe', 'always', 'never'),
})

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds),
  a: fc.nat({ max: 11 }),
  b: fc.nat({ max: 999 }),
  news: fc.constantFrom(-1, -1, -1, 0, 0, 1, 2, 5),
})

it('keeps its promises, whatever clients, members, hooks and operators do', async () => {
  await fc.assert(
    fc.asyncProperty(
      setup,
      fc.array(step, { maxLength: 120, size: 'max' }),
      fc.constantFrom<'rest' | 'stop' | 'drain'>('rest', 'stop', 'drain'),
      async (how, steps, end) => {
        const world = new World(how)
        await world.begin()
        for (const one of steps) await world.do(one)
        if (end === 'rest') await world.rest()
        await world.stop(end === 'drain' ? 3000 : 0)
      },
    ),
    { numRuns: 200 },
  )
  expect.assertions(0)
}, 120_000)
