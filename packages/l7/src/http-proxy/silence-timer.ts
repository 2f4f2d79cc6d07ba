import type { Clock } from '@steelyard/core'

/** Watches a leg that may not be silent for too long. */
export interface SilenceTimer {
  /** Something moved. */
  moved(): void
  stop(): void
}

/**
 * Makes a {@link SilenceTimer}, running. Movements cost no timer: it looks again when the time since the last would be up.
 *
 * @param waitsForOther - it is not this leg that is waited for: the time does not count.
 */
export function silenceTimer(
  clock: Clock,
  limitMs: number,
  waitsForOther: () => boolean,
  silent: () => void,
): SilenceTimer {
  let movedAt = clock.now()
  let timer: Disposable | undefined = clock.after(limitMs, look)

  function look(): void {
    const now = clock.now()
    if (waitsForOther()) movedAt = now
    const left = movedAt + limitMs - now
    if (left > 0) timer = clock.after(left, look)
    else silent()
  }

  return {
    moved() {
      movedAt = clock.now()
    },
    stop() {
      timer?.[Symbol.dispose]()
      timer = undefined
    },
  }
}
