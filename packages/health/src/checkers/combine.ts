import { invalidOption, objectOption, partOption, shown } from '@steelyard/core'
import { type Check, check } from '../check.ts'
import { combined, type Part } from '../combined-result.ts'
import type { Probe, ProbeContext, ProbeResult, ProbeTarget } from '../probe.ts'
import { runProbe } from '../run-probe.ts'

/**
 * Well is who passes all of these checks. One probe runs them side by side, each within its own timeout
 * and at its own `address` and `port`; when and how often follows the first one's schedule.
 *
 * @example
 * ```ts
 * allOf(tcpCheck({ every: '2s', timeout: '500ms' }), httpCheck({ port: 9000, path: '/ready', timeout: '1s' }))
 * ```
 *
 * @throws `invalid-option` when none is given, or one's timeout exceeds the first one's interval.
 */
export function allOf(...checks: readonly Check[]): Check {
  return combination('allOf', checks.length, checks)
}

/** Well is who passes one of these checks; see {@link allOf}. The others are given up as soon as one passes. */
export function anyOf(...checks: readonly Check[]): Check {
  return combination('anyOf', 1, checks)
}

/** Well is who passes at least `wanted` of these checks; see {@link allOf}. */
export function atLeast(wanted: number, ...checks: readonly Check[]): Check {
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > checks.length) {
    throw invalidOption(
      'atLeast.wanted',
      `${shown(wanted)} of ${checks.length} checks can not be: use 1 to ${checks.length}`,
    )
  }
  return combination('atLeast', wanted, checks)
}

function combination(name: string, wanted: number, checks: readonly Check[]): Check {
  const [first] = checks
  if (first === undefined) throw invalidOption(name, 'needs at least one check')
  checks.forEach((part, index) => {
    const at = `${name}[${index}]`
    partOption(objectOption(part, at), 'probe', at, 'use a check, such as tcpCheck()')
  })
  const { intervalMs, fastIntervalMs, downIntervalMs, rise, fall, initial } = first.schedule
  const timeoutMs = Math.max(...checks.map(({ schedule }) => schedule.timeoutMs))
  if (timeoutMs > intervalMs) {
    throw invalidOption(
      name,
      `a check has a timeout of ${timeoutMs}ms, but the first one, whose schedule holds, has an interval of ${intervalMs}ms`,
    )
  }
  const keys = checks.map(({ key }) => key)
  const shared = keys.every((key) => typeof key === 'string')
  return check(name, combinedProbe(wanted, checks), {
    interval: intervalMs,
    fastInterval: fastIntervalMs,
    downInterval: downIntervalMs,
    timeout: timeoutMs,
    rise,
    fall,
    initial,
    ...(shared ? { key: `${wanted} of ${JSON.stringify(keys)}` } : {}),
    forget(target) {
      for (const part of checks) part.forget?.(part.locate(target))
    },
  })
}

function combinedProbe(wanted: number, checks: readonly Check[]): Probe {
  return (target: ProbeTarget, context: ProbeContext): Promise<ProbeResult> => {
    const { promise, resolve } = Promise.withResolvers<ProbeResult>()
    const rest = new AbortController()
    const giveUp = (): void => rest.abort()
    context.signal.addEventListener('abort', giveUp)
    const parts: Part[] = checks.map(({ name }) => ({ name, result: undefined }))
    checks.forEach((part, index) => {
      const inner: ProbeContext = { ...context, signal: rest.signal }
      void runProbe(part, part.locate(target), inner).then((result) => {
        parts[index] = { name: part.name, result }
        const together = combined(parts, wanted)
        if (together === undefined) return
        resolve(together)
        rest.abort()
      })
    })
    return promise.finally(() => context.signal.removeEventListener('abort', giveUp))
  }
}
