/** Whether a backend is well: `unknown` before the first result. */
export type HealthState = 'up' | 'down' | 'unknown'

/** What a check or the passive outlier detection holds of a backend, and why. */
export interface Verdict {
  readonly state: HealthState
  /** When this state began, wall clock in milliseconds. */
  readonly since: number
  /** One sentence for people: `connect to 10.0.0.3:80 refused (3 of 3)`. */
  readonly reason: string
  /** Facts behind the reason: latency, status code, certificate expiry. */
  readonly evidence?: Readonly<Record<string, string | number | boolean>>
  /** How the last check went; it may contradict the state while rise or fall is counted. Absent when none was made. */
  readonly lastCheck?: 'passed' | 'failed' | 'inconclusive'
}
