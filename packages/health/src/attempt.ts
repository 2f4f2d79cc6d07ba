import type { ProbeResult } from './probe.ts'

/** What {@link attempt} does with what was begun. */
export interface Attempt {
  /** The time is up: the result says what was waited for. `undefined` when it will settle by itself, in a moment. */
  timeUp(): ProbeResult | undefined
  /** Closes everything; called exactly once, whatever the result was. */
  close(): void
}

/** Settles once: by the first call of `settle`, or with {@link Attempt.timeUp} when the signal aborts. */
export function attempt(
  signal: AbortSignal,
  begin: (settle: (result: ProbeResult) => void) => Attempt,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    let settled = false
    let begun: Attempt | undefined
    const settle = (result: ProbeResult): void => {
      if (settled) return
      settled = true
      signal.removeEventListener('abort', abort)
      begun?.close()
      resolve(result)
    }
    const abort = (): void => {
      const result = begun?.timeUp()
      if (result !== undefined) settle(result)
    }
    signal.addEventListener('abort', abort)
    begun = begin(settle)
    if (settled) begun.close()
    else if (signal.aborted) abort()
  })
}
