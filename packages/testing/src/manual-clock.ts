import type { Clock } from '@steelyard/core'

/** A clock that stands still until told otherwise. */
export interface ManualClock extends Clock {
  /** Moves time forward, running each timer at its own moment, also those that timers set. */
  advance(ms: number): void
  /** Timers that have not run. */
  readonly pending: number
}

interface Timer {
  readonly due: number
  readonly order: number
  readonly task: () => void
}

/** Makes a {@link ManualClock}; `startedAt` is the wall clock at its zero. */
export function manualClock(startedAt = 1_700_000_000_000): ManualClock {
  let now = 0
  let order = 0
  const timers = new Set<Timer>()
  const next = (limit: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.due > limit) continue
      if (
        first === undefined ||
        timer.due < first.due ||
        (timer.due === first.due && timer.order < first.order)
      ) {
        first = timer
      }
    }
    return first
  }
  return {
    now: () => now,
    wallNow: () => startedAt + now,
    after(delayMs, task) {
      const timer: Timer = { due: now + Math.max(0, delayMs), order: order++, task }
      timers.add(timer)
      return { [Symbol.dispose]: () => void timers.delete(timer) }
    },
    advance(ms) {
      const end = now + ms
      for (let timer = next(end); timer !== undefined; timer = next(end)) {
        timers.delete(timer)
        now = timer.due
        timer.task()
      }
      now = end
    },
    get pending() {
      return timers.size
    },
  }
}
