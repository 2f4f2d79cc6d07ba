import {
  failed,
  type ProbeContext,
  type ProbeResult,
  type ProbeTarget,
  type ScheduledProbe,
  thrown,
} from './probe.ts'

/** How long a probe may take to settle after its signal aborted. */
const graceMs = 50

/**
 * Runs one probe inside another, within its own timeout or the outer one's, whichever is shorter. Always
 * settles, also for probes that do not.
 */
export function runProbe(
  check: ScheduledProbe,
  target: ProbeTarget,
  outer: ProbeContext,
): Promise<ProbeResult> {
  const timeoutMs = Math.min(check.schedule.timeoutMs, outer.timeoutMs)
  const inner = new AbortController()
  const { promise, resolve } = Promise.withResolvers<ProbeResult>()
  let timer: Disposable | undefined
  const giveUp = (): void => {
    if (inner.signal.aborted) return
    timer?.[Symbol.dispose]()
    timer = outer.clock.after(graceMs, () => {
      resolve(failed(`${check.name} check of ${target.address} timed out after ${timeoutMs}ms`))
    })
    inner.abort()
  }
  timer = outer.clock.after(timeoutMs, giveUp)
  outer.signal.addEventListener('abort', giveUp)
  void promise.then(() => {
    timer?.[Symbol.dispose]()
    outer.signal.removeEventListener('abort', giveUp)
  })
  const context: ProbeContext = { ...outer, signal: inner.signal, timeoutMs }
  new Promise<ProbeResult>((settle) => settle(check.probe(target, context))).then(
    resolve,
    (error: unknown) => resolve(thrown(check.name, target, error)),
  )
  if (outer.signal.aborted) giveUp()
  return promise
}
