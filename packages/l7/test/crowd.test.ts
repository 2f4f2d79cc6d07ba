import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Crowd, type CrowdMember } from '../src/crowd.ts'

describe('a crowd', () => {
  it('is a set, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(20))), (steps) => {
        const everybody: CrowdMember[] = Array.from({ length: 21 }, () => ({ place: -1 }))
        const crowd = new Crowd<CrowdMember>()
        const model = new Set<CrowdMember>()
        for (const [comes, who] of steps) {
          const member = everybody[who]!
          if (comes) {
            crowd.add(member)
            model.add(member)
          } else {
            crowd.delete(member)
            model.delete(member)
          }
          expect(crowd.size).toBe(model.size)
          expect(new Set(crowd)).toEqual(model)
        }
        for (const member of everybody) expect(member.place >= 0).toBe(model.has(member))
      }),
    )
  })
})
