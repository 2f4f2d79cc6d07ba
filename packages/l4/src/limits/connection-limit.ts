import { invalidOption, shown } from '@steelyard/core'

/** A counter of open connections with an upper bound, which listeners or a whole node share. */
export interface ConnectionLimit {
  /** 0 means no limit. */
  readonly max: number
  readonly active: number
  /** Counts one more and says `true`, or `false` when there is no room. Each success owes one {@link ConnectionLimit.release}. */
  tryAcquire(): boolean
  /** One connection is over. Those who wait for room hear of it. */
  release(): void
  /** Another limit from now on; connections beyond a lower one live on. */
  setMax(max: number): void
  /**
   * Calls `listener` whenever there is room again after an acquire was refused, in the order in which
   * the listeners came; it may acquire. Dispose to stop.
   */
  onRoom(listener: () => void): Disposable
}

/**
 * Makes a {@link ConnectionLimit}.
 *
 * @param max - connections at one time; 0 for no limit.
 * @throws `invalid-option`
 */
export function connectionLimit(max: number, path = 'connectionLimit'): ConnectionLimit {
  let limit = checked(max, path)
  let active = 0
  /** Somebody was refused since room was last told of. */
  let refused = false
  const listeners = new Set<() => void>()
  const hasRoom = (): boolean => limit === 0 || active < limit

  function tellOfRoom(): void {
    if (!refused || !hasRoom()) return
    refused = false
    for (const listener of [...listeners]) {
      if (!hasRoom()) {
        refused = true
        return
      }
      if (listeners.has(listener)) {
        // Who was served goes to the end, so that no listener starves behind another.
        listeners.delete(listener)
        listeners.add(listener)
        listener()
      }
    }
  }

  return {
    get max() {
      return limit
    },
    get active() {
      return active
    },
    tryAcquire() {
      if (!hasRoom()) {
        refused = true
        return false
      }
      active += 1
      return true
    },
    release() {
      if (active === 0) throw new RangeError('a connection was released that was never acquired')
      active -= 1
      tellOfRoom()
    },
    setMax(value) {
      limit = checked(value, path)
      tellOfRoom()
    },
    onRoom(listener) {
      const entry = (): void => listener()
      listeners.add(entry)
      return { [Symbol.dispose]: () => void listeners.delete(entry) }
    },
  }
}

function checked(max: number, path: string): number {
  if (Number.isInteger(max) && max >= 0 && max <= 0x7fffffff) return max
  throw invalidOption(path, `${shown(max)} is not a limit: use a whole number, 0 for none`)
}
