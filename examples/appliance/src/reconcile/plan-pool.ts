import { formatDuration } from '@steelyard/core'
import type { DesiredMember, DesiredPool } from '../desired/desired.ts'
import { jsonOf } from '../desired/json-schema.ts'
import { memberSchema } from '../desired/schema/member.ts'
import { poolSchema } from '../desired/schema/pool.ts'
import { type Change, changesBetween } from './change.ts'
import type { Effect } from './step.ts'

/** `3 members, source-hash, tcp every 2s`. */
export function poolText({ members, algorithm, health }: DesiredPool): string {
  const count = Object.keys(members).length
  const check =
    health === undefined ? 'no check' : `${health.type} every ${formatDuration(health.interval)}`
  return `${count} member${count === 1 ? '' : 's'}, ${algorithm.type}, ${check}`
}

/** What differs between two forms of a pool, and what it means for open connections. */
export function editPool(
  from: DesiredPool,
  to: DesiredPool,
): { readonly changes: readonly Change[]; readonly connections: Effect } {
  const { members: before, ...oldRest } = from
  const { members: after, ...newRest } = to
  const members = memberChanges(before, after)
  const options = changesBetween(jsonOf(poolSchema), oldRest, newRest)
  const isLeaving = members.some(
    ({ path, to: next }) => path.startsWith('members.') && next === undefined,
  )
  const moved = members.some(({ path }) => path.endsWith('.address') && !path.includes('.health.'))
  const handling = [...members, ...options].some(
    ({ path }) => !/^(?:health|quorum|hysteresis)\b/.test(path),
  )
  return {
    changes: [...members, ...options],
    connections: isLeaving || moved ? 'drained' : handling ? 'new' : 'untouched',
  }
}

type Members = Readonly<Record<string, DesiredMember>>

function memberChanges(before: Members, after: Members): readonly Change[] {
  const ids = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return ids.flatMap((id): readonly Change[] => {
    const from = Object.hasOwn(before, id) ? before[id] : undefined
    const to = Object.hasOwn(after, id) ? after[id] : undefined
    const path = `members.${id}`
    if (from === undefined) return [{ path, text: `member ${id} added${traits(to!)}`, to }]
    if (to === undefined) return [{ path, text: `member ${id} removed`, from }]
    return changesBetween(jsonOf(memberSchema), from, to).map((change) => ({
      ...change,
      path: `${path}.${change.path}`,
      text: `member ${id} ${change.text}`,
    }))
  })
}

/** What is not as usual of a new member. */
function traits({ id, address, weight, backup, state }: DesiredMember): string {
  const parts = [
    ...(id === address ? [] : [`address ${address}`]),
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(backup ? ['backup'] : []),
    ...(state === 'enabled' ? [] : [state]),
  ]
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}
