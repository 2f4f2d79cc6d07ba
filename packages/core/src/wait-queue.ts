/** Somebody who waits for room; the queue calls it once, or it leaves by {@link WaitQueue.leave}. */
export interface Waiter {
  /** There may be room now: pick again, and queue again if there is none. */
  proceed(): void
}

/** A bounded first-in-first-out queue of those who wait for a pool to have room. */
export interface WaitQueue {
  readonly size: number
  readonly limit: number
  /** False when the queue is full. */
  join(waiter: Waiter): boolean
  /** False when it is no longer in the queue. */
  leave(waiter: Waiter): boolean
  /** Lets the longest waiting `count` proceed. */
  release(count: number): void
}

/** Makes a {@link WaitQueue}; a limit of 0 means that nobody may wait. */
export function waitQueue(limit: number): WaitQueue {
  const waiters = new Set<Waiter>()
  return {
    limit,
    get size() {
      return waiters.size
    },
    join(waiter) {
      if (waiters.size >= limit) return false
      waiters.add(waiter)
      return true
    },
    leave: (waiter) => waiters.delete(waiter),
    release(count) {
      // Those who queue again while they proceed are not asked twice.
      const chosen: Waiter[] = []
      for (const waiter of waiters) {
        if (chosen.length >= count) break
        chosen.push(waiter)
      }
      for (const waiter of chosen) {
        if (waiters.delete(waiter)) waiter.proceed()
      }
    },
  }
}
