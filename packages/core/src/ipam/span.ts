/** Consecutive numbers, both ends included. */
export interface Span {
  readonly first: bigint
  readonly last: bigint
}

/** Spans in rising order that neither overlap nor touch. */
export type SpanList = readonly Span[]

/** All numbers of all spans, whatever their order and overlap. */
export function union(spans: readonly Span[]): SpanList {
  const sorted = [...spans].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  const result: { first: bigint; last: bigint }[] = []
  for (const { first, last } of sorted) {
    const before = result.at(-1)
    if (before === undefined || first > before.last + 1n) result.push({ first, last })
    else if (last > before.last) before.last = last
  }
  return result
}

/** What is in `from` and not in `taken`. */
export function subtract(from: SpanList, taken: SpanList): SpanList {
  const result: Span[] = []
  let next = 0
  for (const { first, last } of from) {
    let start = first
    while (next < taken.length && taken[next]!.last < first) next += 1
    for (let i = next; i < taken.length && taken[i]!.first <= last; i++) {
      if (taken[i]!.first > start) result.push({ first: start, last: taken[i]!.first - 1n })
      start = taken[i]!.last + 1n
    }
    if (start <= last) result.push({ first: start, last })
  }
  return result
}

/** What is in both. */
export function intersect(a: SpanList, b: SpanList): SpanList {
  const result: Span[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = a[i]!.first > b[j]!.first ? a[i]!.first : b[j]!.first
    const last = a[i]!.last < b[j]!.last ? a[i]!.last : b[j]!.last
    if (first <= last) result.push({ first, last })
    if (a[i]!.last < b[j]!.last) i += 1
    else j += 1
  }
  return result
}

/** How many numbers. */
export function count(spans: SpanList): bigint {
  let sum = 0n
  for (const { first, last } of spans) sum += last - first + 1n
  return sum
}

/** Is the number in one of them? */
export function holds(spans: SpanList, value: bigint): boolean {
  const index = spanBefore(spans, value)
  return index >= 0 && value <= spans[index]!.last
}

/** The index of the last span that begins at or before the number, or -1. */
export function spanBefore(spans: SpanList, value: bigint): number {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (spans[middle]!.first <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
