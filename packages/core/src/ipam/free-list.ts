import { count, holds, type Span, type SpanList, spanBefore } from './span.ts'

/** The free addresses of a pool, kept as spans: its cost grows with the gaps, never with the size of the pool. */
export interface FreeList {
  readonly size: bigint
  /** The lowest free number, or `undefined` when none is left. */
  readonly lowest: bigint | undefined
  has(value: bigint): boolean
  /** Takes a free number out. */
  take(value: bigint): void
  /** Puts a number back that was taken. */
  give(value: bigint): void
}

/** Makes a {@link FreeList} of these spans, all free. */
export function freeList(all: SpanList): FreeList {
  const spans: Span[] = [...all]
  let size = count(all)
  return {
    get size() {
      return size
    },
    get lowest() {
      return spans[0]?.first
    },
    has: (value) => holds(spans, value),
    take(value) {
      const index = spanBefore(spans, value)
      const span = spans[index]
      if (span === undefined || value > span.last) throw new RangeError(`${value} is not free`)
      const rest: Span[] = []
      if (span.first < value) rest.push({ first: span.first, last: value - 1n })
      if (value < span.last) rest.push({ first: value + 1n, last: span.last })
      spans.splice(index, 1, ...rest)
      size -= 1n
    },
    give(value) {
      const index = spanBefore(spans, value)
      const before = spans[index]
      const after = spans[index + 1]
      if (before !== undefined && value <= before.last) throw new RangeError(`${value} is free`)
      const joinsBefore = before?.last === value - 1n
      const joinsAfter = after?.first === value + 1n
      spans.splice(joinsBefore ? index : index + 1, Number(joinsBefore) + Number(joinsAfter), {
        first: joinsBefore ? before.first : value,
        last: joinsAfter ? after.last : value,
      })
      size += 1n
    },
  }
}
