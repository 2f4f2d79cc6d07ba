/** Somebody who waits for room in a {@link WaitQueue}. */
export interface Waiter {
  /**
   * There may be room now. Whoever takes it, or gives up, leaves the queue and answers true; false keeps
   * the place in the queue.
   */
  proceed(): boolean
}

/** A bounded first-in-first-out queue of those who wait for a pool to have room. */
export interface WaitQueue {
  readonly size: number
  readonly limit: number
  /** Another limit from now on; who waits already stays. */
  setLimit(limit: number): void
  /** False when the queue is full. */
  join(waiter: Waiter): boolean
  /** False when it is no longer in the queue. */
  leave(waiter: Waiter): boolean
  /** Offers room for `count`, longest waiting first; who cannot use it is passed over, a few at most. */
  release(count: number): void
}

/** Waiters that may decline before an offer ends: mostly all decline for the same reason. */
const declinesAllowed = 8

/** Makes a {@link WaitQueue}; a limit of 0 means that nobody may wait. */
export function waitQueue(limit: number): WaitQueue {
  const waiters = new Set<Waiter>()
  let most = limit
  return {
    get limit() {
      return most
    },
    setLimit(next) {
      most = next
    },
    get size() {
      return waiters.size
    },
    join(waiter) {
      if (waiters.size >= most) return false
      waiters.add(waiter)
      return true
    },
    leave: (waiter) => waiters.delete(waiter),
    release(count) {
      let served = 0
      let declined = 0
      for (const waiter of waiters) {
        if (served >= count || declined >= declinesAllowed) return
        if (waiter.proceed()) {
          waiters.delete(waiter)
          served += 1
        } else {
          declined += 1
        }
      }
    },
  }
}
