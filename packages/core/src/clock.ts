/** The time port: the only way the domain learns the time or waits. Tests use the manual clock of `@steelyard/testing`. */
export interface Clock {
  /** Monotonic milliseconds, with fractions; never jumps with the wall clock. */
  now(): number
  /** Wall-clock milliseconds since the epoch, for records that people read. */
  wallNow(): number
  /** Runs `task` once after `delayMs`; disposing the timer cancels it, and it never keeps a process alive. */
  after(delayMs: number, task: () => void): Disposable
}

/** The real time, by `performance` and `setTimeout`. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after(delayMs: number, task: () => void): Disposable {
    const timer = setTimeout(task, Math.min(delayMs, 0x7fffffff))
    timer.unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
})
