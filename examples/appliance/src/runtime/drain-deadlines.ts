import type { Clock, Logger } from '@steelyard/core'
import type { Overrides } from './overrides.ts'
import { cutMember, type Registry } from './registry.ts'

/** When what members still have is cut, after they were withdrawn by hand. */
export interface DrainDeadlines extends Disposable {
  /** A new order takes the place of the one before; `undefined` calls it off. */
  set(pool: string, member: string, delayMs: number | undefined): void
}

/** No member has a deadline. */
export function drainDeadlines(
  registry: Registry,
  overrides: Overrides,
  clock: Clock,
  log: Logger,
): DrainDeadlines {
  const timers = new Map<string, Disposable>()
  return {
    set(pool, member, delayMs) {
      const key = JSON.stringify([pool, member])
      timers.get(key)?.[Symbol.dispose]()
      timers.delete(key)
      if (delayMs === undefined) return
      const timer = clock.after(delayMs, () => {
        timers.delete(key)
        const found = registry.pools.get(pool)
        // A reload may have taken the member, and what was said of it, away.
        if (found === undefined || overrides.get(pool, member) === undefined) return
        const cut = cutMember(registry, found.pool, member)
        if (cut > 0) log.warn({ pool, member, cut }, 'drain time is over, connections cut')
      })
      timers.set(key, timer)
    },
    [Symbol.dispose]() {
      for (const timer of timers.values()) timer[Symbol.dispose]()
      timers.clear()
    },
  }
}
