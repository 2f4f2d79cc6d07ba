import { isSteelyardError, pickerNamed } from '@steelyard/core'
import { type Placed, type PoolDraft, poolsOf } from './document-objects.ts'
import type { Inspection } from './inspection.ts'
import { algorithmOf, timeoutOf } from './normalise-pool.ts'

/** What must be true within one pool. */
export function findPoolProblems(inspection: Inspection): void {
  for (const pool of poolsOf(inspection.draft)) {
    duplicateMembers(inspection, pool)
    algorithm(inspection, pool)
    timeouts(inspection, pool)
  }
}

/** The place of a member's address in the document. */
function addressPath(pool: Placed<PoolDraft>, index: number): readonly (string | number)[] {
  const member = pool.draft.members?.[index]
  return [...pool.path, 'members', index, ...(typeof member === 'object' ? ['address'] : [])]
}

function duplicateMembers(inspection: Inspection, pool: Placed<PoolDraft>): void {
  const seen = new Map<string, { readonly line: number; readonly by: string }>()
  pool.draft.members?.forEach((member, index) => {
    const address = typeof member === 'string' ? member : member?.address
    if (address === undefined) return
    const id = typeof member === 'object' ? (member.id ?? address) : address
    const path = addressPath(pool, index)
    const earlier = seen.get(`address ${address}`) ?? seen.get(`id ${id}`)
    if (earlier === undefined) {
      const { line } = inspection.source.position(inspection.spanOf(path).start)
      seen.set(`address ${address}`, { line, by: `the address ${address}` })
      seen.set(`id ${id}`, { line, by: `the id "${id}"` })
      return
    }
    inspection.report(
      'duplicate-member',
      { kind: 'member', name: `${pool.name}/${id}`, path: [...pool.path, 'members', index] },
      path,
      `the pool "${pool.name}" has a member with ${earlier.by} already, on line ${earlier.line}`,
      'remove one of the two, or change what is the same',
    )
  })
}

function algorithm(inspection: Inspection, pool: Placed<PoolDraft>): void {
  if (pool.draft.algorithm === undefined) return
  const { type, ...options } = algorithmOf(pool.draft.algorithm)
  if (type === undefined) return
  try {
    pickerNamed(type, options, '')
  } catch (error) {
    if (!isSteelyardError(error, 'invalid-option')) throw error
    const option = error.path?.replace(/^\./, '') ?? ''
    const [, problem = error.message, hint = ''] =
      /^[^:]*: (.*?)(?:: (.*))?$/s.exec(error.message) ?? []
    const path = [...pool.path, 'algorithm', ...(option === '' ? [] : [option])]
    inspection.report('algorithm-invalid', pool, path, problem, hint)
  }
}

function timeouts(inspection: Inspection, pool: Placed<PoolDraft>): void {
  const { health } = pool.draft
  if (health?.interval === undefined) return
  const { interval } = health
  const check = (timeout: number | undefined, path: readonly (string | number)[]): void => {
    if (timeout === undefined || timeout <= interval) return
    inspection.report(
      'timeout-exceeds-interval',
      pool,
      path,
      `a check may take ${timeout}ms, but the next one begins after ${interval}ms`,
      'make the timeout at most the interval: checks of one member never overlap',
    )
  }
  check(timeoutOf(health), [...pool.path, 'health', 'timeout'])
  if (health.type !== 'all-of' && health.type !== 'any-of' && health.type !== 'at-least') return
  health.checks?.forEach((part, index) => {
    check(part?.timeout, [...pool.path, 'health', 'checks', index, 'timeout'])
  })
}
