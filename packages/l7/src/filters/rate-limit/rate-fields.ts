import type { ResponseEditor } from '../../exchange/field-editor.ts'
import { wordOption } from '../number-option.ts'
import type { RateDecision, RateRule } from './rate-rule.ts'

/** Which fields tell a client of its quota. */
export type RateFields = 'draft' | 'legacy' | 'both' | 'none'

/** Tells a client of its quota. */
export type Announcement = (head: ResponseEditor, decision: RateDecision) => void

/**
 * Makes an {@link Announcement}; undefined for none.
 *
 * @throws `invalid-option`
 */
export function announcement(
  kind: RateFields,
  name: string,
  rule: RateRule,
  path: string,
): Announcement | undefined {
  wordOption(kind, ['draft', 'legacy', 'both', 'none'], `${path}.headers`)
  if (kind === 'none') return undefined
  // A String of Structured Fields (RFC 9651 section 3.3.3).
  const item = `"${name.replaceAll(/["\\]/g, '\\$&')}"`
  // The parameter is whole seconds; a window that is none is not told.
  const wholeSeconds = rule.windowMs % 1000 === 0
  const policy = `${item};q=${rule.limit}${wholeSeconds ? `;w=${rule.windowMs / 1000}` : ''}`
  return (head, { remaining, resetMs }) => {
    const reset = Math.ceil(resetMs / 1000 - 1e-9)
    if (kind !== 'legacy') {
      head.add('RateLimit-Policy', policy)
      head.add('RateLimit', `${item};r=${remaining};t=${reset}`)
    }
    if (kind === 'draft') return
    // Of several limits, the one that has least left is told.
    const told = Number(head.get('x-ratelimit-remaining') ?? Number.POSITIVE_INFINITY)
    if (told <= remaining) return
    head.set('X-RateLimit-Limit', String(rule.limit))
    head.set('X-RateLimit-Remaining', String(remaining))
    head.set('X-RateLimit-Reset', String(reset))
  }
}
