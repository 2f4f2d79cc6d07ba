import type { Pool, PoolEvents } from '@steelyard/core'

/**
 * Tells `follower` of members that come, go or change for as long as anybody else holds it: filters are made anew at
 * every reload and have no end of their own, while a pool stays.
 */
export function watchMembers<Follower extends object>(
  pool: Pool,
  follower: Follower,
  told: (follower: Follower, event: PoolEvents['member']) => void,
): void {
  const held = new WeakRef(follower)
  const subscription = pool.on('member', (event) => {
    const current = held.deref()
    if (current === undefined) subscription[Symbol.dispose]()
    else told(current, event)
  })
}
