import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Admission } from '../src/admission.ts'
import { type ConnectionLimit, connectionLimit } from '../src/limits/connection-limit.ts'

interface Rig {
  readonly limit: ConnectionLimit
  readonly admission: Admission<number>
  readonly admitted: number[]
  /** What was said about accepting: true for stop. */
  readonly said: boolean[]
}

function rig(max: number, node?: ConnectionLimit, onAdmit?: (item: number) => void): Rig {
  const limit = connectionLimit(max)
  const admitted: number[] = []
  const said: boolean[] = []
  const admission = new Admission<number>(
    limit,
    node,
    (item) => {
      admitted.push(item)
      onAdmit?.(item)
    },
    (full) => said.push(full),
  )
  return { limit, admission, admitted, said }
}

describe('admission', () => {
  it('parks in order when there is no room, and says when to stop and to go on', () => {
    const { admission, admitted, said, limit } = rig(1)
    for (const item of [1, 2, 3]) admission.arrive(item)
    expect([admitted, admission.parked, said]).toEqual([[1], 2, [true]])
    admission.leave()
    expect([admitted, admission.parked, said]).toEqual([[1, 2], 1, [true]])
    admission.leave()
    expect([admitted, admission.parked, said]).toEqual([[1, 2, 3], 0, [true, false]])
    admission.leave()
    expect(limit.active).toBe(0)
  })

  it('lets in who is parked when the limit is raised', () => {
    const { admission, admitted, limit } = rig(1)
    for (const item of [1, 2, 3]) admission.arrive(item)
    limit.setMax(0)
    expect([admitted, limit.active]).toEqual([[1, 2, 3], 3])
  })

  it('shares the room of the node with other listeners', () => {
    const node = connectionLimit(1)
    const a = rig(0, node)
    const b = rig(0, node)
    a.admission.arrive(1)
    b.admission.arrive(2)
    expect([b.admitted, b.limit.active]).toEqual([[], 0])
    a.admission.leave()
    expect([b.admitted, node.active, a.limit.active, b.limit.active]).toEqual([[2], 1, 0, 1])
  })

  it('holds on to the limit of the node only while somebody is parked', () => {
    const inner = connectionLimit(1)
    let listeners = 0
    const node: ConnectionLimit = {
      get max() {
        return inner.max
      },
      get active() {
        return inner.active
      },
      tryAcquire: () => inner.tryAcquire(),
      release: () => inner.release(),
      setMax: (max) => inner.setMax(max),
      onRoom(listener) {
        listeners += 1
        const subscription = inner.onRoom(listener)
        return {
          [Symbol.dispose]() {
            listeners -= 1
            subscription[Symbol.dispose]()
          },
        }
      },
    }
    const { admission } = rig(0, node)
    expect(listeners).toBe(0)
    admission.arrive(1)
    admission.arrive(2)
    expect(listeners).toBe(1)
    admission.leave()
    expect(listeners).toBe(0)
    admission.arrive(3)
    expect(admission.clear()).toEqual([3])
    expect([listeners, admission.parked]).toEqual([0, 0])
  })

  it('does not grow the stack over connections that end as soon as they are let in', () => {
    const made: Rig = rig(1, undefined, (item) => {
      if (item > 1) made.admission.leave()
    })
    for (let item = 1; item <= 50_000; item++) made.admission.arrive(item)
    made.admission.leave()
    expect([made.admitted.length, made.admission.parked, made.limit.active]).toEqual([50_000, 0, 0])
    expect(made.admitted.at(-1)).toBe(50_000)
  })

  it('admits everybody once, in order, never beyond a limit, and leaves no room unused', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('arrive' as const), at: fc.nat({ max: 1 }) }),
      fc.record({ kind: fc.constant('leave' as const), at: fc.nat({ max: 1 }) }),
      fc.record({
        kind: fc.constant('max' as const),
        at: fc.nat({ max: 2 }),
        max: fc.nat({ max: 4 }),
      }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const node = connectionLimit(3)
        const rigs = [rig(2, node), rig(2, node)] as const
        const arrived = [0, 0]
        const left = [0, 0]
        for (const happening of actions) {
          const { at } = happening
          const before = rigs.map(({ limit }) => limit.active)
          const made = rigs[at] ?? rigs[0]
          if (happening.kind === 'arrive') made.admission.arrive((arrived[at] = arrived[at]! + 1))
          else if (happening.kind === 'max') (at === 2 ? node : made.limit).setMax(happening.max)
          else if (made.limit.active > 0) {
            left[at] = left[at]! + 1
            made.admission.leave()
          }
          expect(node.active).toBe(rigs[0].limit.active + rigs[1].limit.active)
          for (const [index, { limit, admission, admitted }] of rigs.entries()) {
            const { parked } = admission
            expect(admitted).toEqual(Array.from({ length: admitted.length }, (_, i) => i + 1))
            expect(admitted.length + parked).toBe(arrived[index])
            expect(limit.active).toBe(admitted.length - left[index]!)
            if (limit.max > 0) {
              expect(limit.active).toBeLessThanOrEqual(Math.max(limit.max, before[index]!))
            }
            const room = (one: ConnectionLimit): boolean => one.max === 0 || one.active < one.max
            if (parked > 0) expect(room(limit) && room(node)).toBe(false)
          }
        }
      }),
      { numRuns: 400 },
    )
  })
})
