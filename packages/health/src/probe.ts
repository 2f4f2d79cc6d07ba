import type { Clock, HealthState } from '@steelyard/core'
import type { Schedule } from './schedule.ts'

/** What is probed: an address, as written and in parts. The monitor keeps one object for each target for as long as it is checked. */
export interface ProbeTarget {
  /** `host:port`, `[v6]:port` or `unix:/path`. */
  readonly address: string
  /** IP address, host name, or socket path. */
  readonly host: string
  /** 0 for a unix socket. */
  readonly port: number
}

/** What a probe is given besides its target. */
export interface ProbeContext {
  /**
   * Aborts when the time is up, or when nobody wants the result any more. Close what is open and settle
   * soon: the monitor waits a moment (50 ms) for the result, with the reason that only the probe can name,
   * then decides alone.
   */
  readonly signal: AbortSignal
  /** The time there is, in milliseconds. The monitor enforces it; the number is for messages and for the peer. */
  readonly timeoutMs: number
  readonly clock: Clock
  /** The verdict before this probe. */
  readonly state: HealthState
}

/** Facts behind a result: latency, status code, certificate expiry. */
export type Evidence = Readonly<Record<string, string | number | boolean>>

/** What a probe found out. Made by {@link passed}, {@link failed} and {@link inconclusive}. */
export type ProbeResult =
  | { readonly outcome: 'ok'; readonly reason: string; readonly evidence?: Evidence }
  | {
      readonly outcome: 'fail'
      readonly reason: string
      readonly evidence?: Evidence
      /**
       * The result would be the same however late our own event loop was: the peer said no, it did not
       * merely fail to answer in time. Failures that are not definite do not count while the loop is late.
       */
      readonly definite?: boolean
    }
  | { readonly outcome: 'inconclusive'; readonly reason: string; readonly evidence?: Evidence }

/** A checker: one function from a target to a result. What it throws counts as a failure. */
export type Probe = (
  target: ProbeTarget,
  context: ProbeContext,
) => ProbeResult | Promise<ProbeResult>

/** A probe with its schedule and what the monitor needs to share it. */
export interface ScheduledProbe {
  /** The kind, such as `tcp`; for messages and metrics. */
  readonly name: string
  /** Canonical text of probe and schedule: two with the same text ask the same question, and share one probe per target. A symbol is shared with nobody else. */
  readonly key: string | symbol
  readonly schedule: Schedule
  /** Where a backend is probed: its own address unless options say otherwise. */
  locate(target: ProbeTarget): ProbeTarget
  readonly probe: Probe
  /** The target is no longer checked: close what the probe keeps for it. Called with the located target. */
  readonly forget?: ((target: ProbeTarget) => void) | undefined
}

/** The backend is well. */
export function passed(reason: string, evidence?: Evidence): ProbeResult {
  return evidence === undefined ? { outcome: 'ok', reason } : { outcome: 'ok', reason, evidence }
}

/** The backend is not well, or did not answer in time. */
export function failed(reason: string, evidence?: Evidence): ProbeResult {
  return evidence === undefined
    ? { outcome: 'fail', reason }
    : { outcome: 'fail', reason, evidence }
}

/** The backend said no: true however late we were. See `definite` in {@link ProbeResult}. */
export function refused(reason: string, evidence?: Evidence): ProbeResult {
  return evidence === undefined
    ? { outcome: 'fail', reason, definite: true }
    : { outcome: 'fail', reason, evidence, definite: true }
}

/** Nothing can be said of the backend, for reasons of our own. Counts neither for it nor against it. */
export function inconclusive(reason: string, evidence?: Evidence): ProbeResult {
  return evidence === undefined
    ? { outcome: 'inconclusive', reason }
    : { outcome: 'inconclusive', reason, evidence }
}

/** The result that stands for what a probe threw. */
export function thrown(name: string, target: ProbeTarget, error: unknown): ProbeResult {
  const message = error instanceof Error ? error.message : String(error)
  return failed(`${name} check of ${target.address} failed: ${message}`)
}
