import type { Backend, Pool } from '@steelyard/core'
import { watchMembers } from './member-watch.ts'

/** A member that was found by its name. */
export interface NamedMember {
  readonly id: string
  /** It was found by a name that is not given out any more. */
  readonly old: boolean
}

/** Names for members, and the members of these names. */
export interface MemberNames {
  nameOf(pool: Pool, backend: Backend): string
  find(pool: Pool, name: string): NamedMember | undefined
}

/**
 * Makes {@link MemberNames} that follow each pool's members.
 *
 * @param namesOf - all names of a member; the first is the one that is given out.
 */
export function memberNames(namesOf: (backend: Backend) => readonly string[]): MemberNames {
  const pools = new WeakMap<Pool, NameTable>()
  const tableOf = (pool: Pool): NameTable => {
    let table = pools.get(pool)
    if (table === undefined) {
      table = { members: new Map(), names: new Map(), stale: true }
      pools.set(pool, table)
      watchMembers(pool, table, markStale)
    }
    if (table.stale) fill(table, pool, namesOf)
    return table
  }
  return {
    nameOf(pool, backend) {
      const { names } = tableOf(pool)
      let name = names.get(backend.id)
      // One that left the pool while it was at work.
      if (name === undefined) name = namesOf(backend)[0]!
      return name
    },
    find: (pool, name) => tableOf(pool).members.get(name),
  }
}

interface NameTable {
  readonly members: Map<string, NamedMember>
  /** By id. */
  readonly names: Map<string, string>
  stale: boolean
}

function markStale(table: NameTable): void {
  table.stale = true
}

function fill(
  table: NameTable,
  pool: Pool,
  namesOf: (backend: Backend) => readonly string[],
): void {
  const { members, names } = table
  members.clear()
  names.clear()
  table.stale = false
  for (const { backend } of pool.members()) {
    namesOf(backend).forEach((name, index) => {
      if (index === 0) names.set(backend.id, name)
      // A name that is given out wins over another member's old one.
      if (index === 0 || !members.has(name)) members.set(name, { id: backend.id, old: index > 0 })
    })
  }
}
