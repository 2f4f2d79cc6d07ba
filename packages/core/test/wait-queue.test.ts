import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Waiter, waitQueue } from '../src/index.ts'

describe('wait queue', () => {
  const waiters = (heard: string[], ...names: string[]): Waiter[] =>
    names.map((name) => ({ proceed: () => heard.push(name) > 0 }))

  it('lets the longest waiting go first, no more than there is room for', () => {
    const heard: string[] = []
    const queue = waitQueue(10)
    for (const waiter of waiters(heard, 'a', 'b', 'c')) queue.join(waiter)
    queue.release(2)
    expect([heard, queue.size]).toEqual([['a', 'b'], 1])
    queue.release(5)
    queue.release(5)
    expect([heard, queue.size]).toEqual([['a', 'b', 'c'], 0])
  })

  it('gets another limit, and nobody who waits already is sent away by a lower one', () => {
    const heard: string[] = []
    const queue = waitQueue(2)
    const [a, b, c, d] = waiters(heard, 'a', 'b', 'c', 'd')
    expect([a!, b!, c!].map((waiter) => queue.join(waiter))).toEqual([true, true, false])
    queue.setLimit(3)
    expect([queue.limit, queue.join(c!), queue.join(d!)]).toEqual([3, true, false])
    queue.setLimit(0)
    expect([queue.size, queue.join(d!)]).toEqual([3, false])
    queue.release(9)
    expect(heard).toEqual(['a', 'b', 'c'])
  })

  it('takes no more than its limit, and nobody when that is 0', () => {
    const [a, b] = waiters([], 'a', 'b') as [Waiter, Waiter]
    const queue = waitQueue(1)
    expect([queue.join(a), queue.join(b), queue.size, queue.limit]).toEqual([true, false, 1, 1])
    expect([queue.leave(a), queue.leave(a), queue.join(b)]).toEqual([true, false, true])
    expect(waitQueue(0).join(a)).toBe(false)
  })

  it('asks nobody who left, even while others proceed', () => {
    const heard: string[] = []
    const queue = waitQueue(10)
    const [b] = waiters(heard, 'b') as [Waiter]
    queue.join({
      proceed: () => {
        queue.leave(b)
        return heard.push('a') > 0
      },
    })
    queue.join(b)
    queue.release(2)
    expect(heard).toEqual(['a'])
  })

  it('keeps the place of one who cannot use the room, and asks the next', () => {
    const heard: string[] = []
    const queue = waitQueue(10)
    let willing = false
    queue.join({ proceed: () => heard.push('picky') > 0 && willing })
    for (const waiter of waiters(heard, 'b', 'c')) queue.join(waiter)
    queue.release(1)
    expect([heard, queue.size]).toEqual([['picky', 'b'], 2])
    willing = true
    queue.release(1)
    expect([heard, queue.size]).toEqual([['picky', 'b', 'picky'], 1])
  })

  it('does not ask a thousand who all decline', () => {
    const queue = waitQueue(1000)
    let asked = 0
    for (let i = 0; i < 1000; i++) {
      queue.join({
        proceed: () => {
          asked += 1
          return false
        },
      })
    }
    queue.release(1000)
    expect(asked).toBeLessThan(20)
    expect(queue.size).toBe(1000)
  })

  it('never holds more than its limit, nor asks anybody twice in one release', () => {
    const call = fc.oneof(
      fc.record({ join: fc.nat(5), willing: fc.boolean() }),
      fc.record({ leave: fc.nat(5) }),
      fc.record({ release: fc.nat(6) }),
    )
    fc.assert(
      fc.property(fc.nat(4), fc.array(call, { maxLength: 40 }), (limit, calls) => {
        const queue = waitQueue(limit)
        const inside = new Map<number, Waiter>()
        let asked: number[] = []
        for (const one of calls) {
          asked = []
          if ('join' in one) {
            if (inside.has(one.join)) continue
            const waiter: Waiter = {
              proceed() {
                asked.push(one.join)
                if (one.willing) inside.delete(one.join)
                return one.willing
              },
            }
            const admitted = queue.join(waiter)
            expect(admitted).toBe(inside.size < limit)
            if (admitted) inside.set(one.join, waiter)
          } else if ('leave' in one) {
            const waiter = inside.get(one.leave)
            if (waiter !== undefined) expect(queue.leave(waiter)).toBe(true)
            inside.delete(one.leave)
          } else {
            const before = inside.size
            queue.release(one.release)
            expect(new Set(asked).size).toBe(asked.length)
            expect(before - inside.size).toBeLessThanOrEqual(one.release)
          }
          expect(queue.size).toBe(inside.size)
        }
      }),
    )
  })
})
