/** A probe that waits for its turn at a {@link ProbeGate}. */
export interface Waiting {
  /** It is its turn: it holds a place until it calls {@link ProbeGate.exit}. */
  proceed(): void
}

/** Lets a bounded number of probes run at a time; the others wait in order of arrival. */
export interface ProbeGate {
  readonly inFlight: number
  readonly queued: number
  /** True: go on now. False: it is queued, and proceeds when it is its turn. */
  enter(waiting: Waiting): boolean
  /** A probe is over: its place goes to the one that waits longest. */
  exit(): void
  /** One that waits gives up. */
  leave(waiting: Waiting): void
}

/** Makes a {@link ProbeGate}. The queue holds each target at most once, so it is as bounded as the targets. */
export function probeGate(limit: number): ProbeGate {
  const queue = new Set<Waiting>()
  let inFlight = 0
  let pumping = false
  return {
    get inFlight() {
      return inFlight
    },
    get queued() {
      return queue.size
    },
    enter(waiting) {
      if (inFlight < limit && queue.size === 0) {
        inFlight += 1
        return true
      }
      queue.add(waiting)
      return false
    },
    exit() {
      inFlight -= 1
      // A probe that answers at once exits within proceed: a loop, not a recursion as deep as the queue.
      if (pumping) return
      pumping = true
      try {
        for (const first of queue) {
          if (inFlight >= limit) break
          queue.delete(first)
          inFlight += 1
          first.proceed()
        }
      } finally {
        pumping = false
      }
    },
    leave(waiting) {
      queue.delete(waiting)
    },
  }
}
