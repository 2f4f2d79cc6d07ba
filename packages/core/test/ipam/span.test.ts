import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { freeList } from '../../src/ipam/free-list.ts'
import { count, holds, intersect, type Span, subtract, union } from '../../src/ipam/span.ts'

const span = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 8 }))
  .map(([first, length]): Span => ({ first: BigInt(first), last: BigInt(first + length) }))
const spans = fc.array(span, { maxLength: 8 })

const members = (list: readonly Span[]): Set<bigint> => {
  const all = new Set<bigint>()
  for (const { first, last } of list) for (let n = first; n <= last; n++) all.add(n)
  return all
}

/** In order, without overlap, and not to be written with fewer. */
const expectNormal = (list: readonly Span[]): void => {
  list.forEach(({ first, last }, index) => {
    expect(first <= last).toBe(true)
    if (index > 0) expect(first > list[index - 1]!.last + 1n).toBe(true)
  })
}

describe('span list', () => {
  it('does what sets of numbers do', () => {
    fc.assert(
      fc.property(spans, spans, (a, b) => {
        const [left, right] = [union(a), union(b)]
        const [inA, inB] = [members(a), members(b)]
        expectNormal(left)
        expect(members(left)).toEqual(inA)
        expect(members(subtract(left, right))).toEqual(new Set([...inA].filter((n) => !inB.has(n))))
        expectNormal(subtract(left, right))
        expect(members(intersect(left, right))).toEqual(new Set([...inA].filter((n) => inB.has(n))))
        expect(count(left)).toBe(BigInt(inA.size))
        for (let n = 0n; n < 72n; n++) expect(holds(left, n)).toBe(inA.has(n))
      }),
    )
  })

  it('leaves the lists given as they were', () => {
    const list = [
      { first: 0n, last: 3n },
      { first: 2n, last: 9n },
    ]
    union(list)
    expect(list[0]).toEqual({ first: 0n, last: 3n })
  })
})

describe('free list', () => {
  it('agrees with a set through any takes and gives', () => {
    const moves = fc.array(fc.bigInt({ min: 0n, max: 70n }), { maxLength: 80 })
    fc.assert(
      fc.property(spans, moves, (list, numbers) => {
        const all = union(list)
        const free = freeList(all)
        const model = members(all)
        for (const number of numbers) {
          if (model.has(number)) {
            free.take(number)
            model.delete(number)
          } else if (holds(all, number)) {
            free.give(number)
            model.add(number)
          } else {
            expect(() => free.take(number)).toThrow(RangeError)
          }
          expect(free.size).toBe(BigInt(model.size))
          expect(free.lowest).toBe([...model].sort((a, b) => Number(a - b))[0])
        }
        for (let n = 0n; n < 72n; n++) expect(free.has(n)).toBe(model.has(n))
      }),
    )
  })

  it('does not count a number twice', () => {
    const free = freeList([{ first: 1n, last: 4n }])
    expect(() => free.give(2n)).toThrow(RangeError)
    free.take(2n)
    expect(() => free.take(2n)).toThrow(RangeError)
    expect(free.size).toBe(3n)
  })

  it('joins what it gets back, so that it stays as small as its gaps', () => {
    const free = freeList([{ first: 0n, last: 1n << 64n }])
    for (const n of [3n, 1n, 2n]) free.take(n)
    expect(free.lowest).toBe(0n)
    free.take(0n)
    expect(free.lowest).toBe(4n)
    for (const n of [2n, 0n, 1n, 3n]) free.give(n)
    expect([free.lowest, free.size]).toEqual([0n, (1n << 64n) + 1n])
  })
})
