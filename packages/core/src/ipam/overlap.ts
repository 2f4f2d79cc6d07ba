import type { PoolDefinition } from './address-pool.ts'
import { formatSpan } from './range.ts'
import { AddressPoolOverlapError } from './refusal.ts'
import { intersect } from './span.ts'

/**
 * Sees to it that an address belongs to one pool; what a pool excludes it does not hold.
 *
 * @throws {@link AddressPoolOverlapError} for the first pair in the order of definition.
 */
export function refuseOverlap(
  definitions: readonly PoolDefinition[],
  path: (name: string) => string,
): void {
  if (!overlap(definitions)) return
  definitions.forEach((second, index) => {
    for (const first of definitions.slice(0, index)) {
      if (first.family !== second.family) continue
      const both = intersect(first.spans, second.spans)
      if (both.length === 0) continue
      throw new AddressPoolOverlapError(
        [first.name, second.name],
        both.map((span) => formatSpan(second.family, span)),
        `${path(second.name)}.addresses`,
      )
    }
  })
}

/** Do any two overlap at all? One pass in address order, for the usual case that none do. */
function overlap(definitions: readonly PoolDefinition[]): boolean {
  for (const family of [4, 6]) {
    const spans = definitions
      .filter((definition) => definition.family === family)
      .flatMap((definition) => definition.spans)
      .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
    if (spans.some(({ first }, index) => index > 0 && first <= spans[index - 1]!.last)) return true
  }
  return false
}
