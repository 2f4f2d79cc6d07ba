import type { BackendOptions } from '@steelyard/core'
import type { MemberOverride } from '../admin/admin-target.ts'

/** What was changed of members by hand; it goes before the document until it is undone. */
export interface Overrides {
  get(pool: string, member: string): MemberOverride | undefined
  /** Adds to what is in force already. */
  set(pool: string, member: string, change: MemberOverride): void
  /** False when there was nothing. */
  delete(pool: string, member: string): boolean
  /** The member as it shall be. */
  applied(pool: string, member: BackendOptions): BackendOptions
  /** Forgets pools and members that are no more. */
  prune(exists: (pool: string, member: string) => boolean): void
}

/** Nothing is overridden. */
export function overrides(): Overrides {
  const pools = new Map<string, Map<string, MemberOverride>>()
  return {
    get: (pool, member) => pools.get(pool)?.get(member),
    set(pool, member, change) {
      const members = pools.get(pool) ?? new Map<string, MemberOverride>()
      pools.set(pool, members.set(member, { ...members.get(member), ...change }))
    },
    delete: (pool, member) => pools.get(pool)?.delete(member) ?? false,
    applied(pool, member) {
      const { state, weight } = pools.get(pool)?.get(member.id ?? member.address) ?? {}
      return {
        ...member,
        ...(state === undefined ? {} : { state }),
        ...(weight === undefined ? {} : { weight }),
      }
    },
    prune(exists) {
      for (const [pool, members] of pools) {
        for (const member of members.keys()) if (!exists(pool, member)) members.delete(member)
        if (members.size === 0) pools.delete(pool)
      }
    },
  }
}
