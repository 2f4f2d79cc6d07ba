import {
  type Clock,
  clockOption,
  type Duration,
  flagOption,
  formatDuration,
  functionOption,
  invalidOption,
  type OutlierDetection,
  type OutlierObserver,
  type OutlierSubject,
  objectOption,
  parseDuration,
  type SteelyardError,
  shown,
  systemClock,
} from '@steelyard/core'
import {
  afterEjection,
  afterFailure,
  afterReadmission,
  afterSuccess,
  blank,
  deservesEjection,
  type EjectionRule,
  ejectionMs,
  mayEject,
  type Standing,
} from './ejection.ts'

/** How {@link outlierDetection} judges. */
export interface OutlierOptions {
  /** Failed connects in a row that eject a member. Default 5. */
  readonly consecutiveFailures?: number
  /** How long the first ejection lasts; each further one lasts as much longer. One is forgiven for each such time spent well. Default `30s`. */
  readonly baseEjection?: Duration
  /** No ejection lasts longer, but for the jitter. Default `300s`. */
  readonly maxEjection?: Duration
  /** Highest share of the pool's enabled members that is out at a time, 0 to 100. Default 10. */
  readonly maxEjectedPercent?: number
  /** One member may be ejected even where that is more than the share, as in pools of fewer than ten. Default `true`. The last member of a pool never is ejected. */
  readonly atLeastOne?: boolean
  /** Each ejection is longer by up to this, at random, so that members do not come back in step. Default `0s`. */
  readonly jitter?: Duration
  /** An active check that passes ends an ejection. Default `true`; `false` for checks that see less than the traffic does. */
  readonly readmitOnCheck?: boolean
  readonly clock?: Clock
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/**
 * Passive outlier detection: a member on which connects fail several times in a row leaves the rotation
 * for a while, the longer the more often it happens. Failures that are not the backend's do not count.
 *
 * @example
 * ```ts
 * import { pool } from '@steelyard/core'
 * import { outlierDetection } from '@steelyard/health'
 *
 * const web = pool({
 *   backends: ['10.0.0.11:80', '10.0.0.12:80', '10.0.0.13:80'],
 *   outlier: outlierDetection({ consecutiveFailures: 3, baseEjection: '10s' }),
 * })
 * ```
 *
 * @throws `invalid-option` with the path of the field.
 */
export function outlierDetection(options: OutlierOptions = {}): OutlierDetection {
  const path = 'outlierDetection'
  const consecutiveFailures = objectOption(options, path).consecutiveFailures ?? 5
  if (!Number.isInteger(consecutiveFailures) || consecutiveFailures < 1) {
    throw invalidOption(
      `${path}.consecutiveFailures`,
      `${shown(consecutiveFailures)} is not a count: use a whole number from 1`,
    )
  }
  const maxPercent = options.maxEjectedPercent ?? 10
  if (!(typeof maxPercent === 'number' && maxPercent >= 0 && maxPercent <= 100)) {
    throw invalidOption(
      `${path}.maxEjectedPercent`,
      `${shown(maxPercent)} is no percentage: use 0 to 100`,
    )
  }
  const rule: EjectionRule = {
    consecutiveFailures,
    baseMs: parseDuration(options.baseEjection ?? '30s', `${path}.baseEjection`),
    maxMs: parseDuration(options.maxEjection ?? '300s', `${path}.maxEjection`),
    maxPercent,
    atLeastOne: flagOption(options.atLeastOne ?? true, `${path}.atLeastOne`),
    jitterMs: parseDuration(options.jitter ?? 0, `${path}.jitter`),
  }
  if (rule.baseMs <= 0) throw invalidOption(`${path}.baseEjection`, 'must be longer than nothing')
  if (rule.maxMs < rule.baseMs) {
    throw invalidOption(`${path}.maxEjection`, 'must not be shorter than "baseEjection"')
  }
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const random = functionOption(options.random ?? Math.random, `${path}.random`)
  const readmitOnCheck = flagOption(options.readmitOnCheck ?? true, `${path}.readmitOnCheck`)
  return {
    attach: (subject) => new Observer(subject, rule, clock, random, readmitOnCheck),
  }
}

/** Whose failures count: not the client's, not the configuration's, not those of our own system. */
const blamed: ReadonlySet<string> = new Set(['backend', 'peer'])

class Observer implements OutlierObserver {
  readonly #subject: OutlierSubject
  readonly #rule: EjectionRule
  readonly #clock: Clock
  readonly #random: () => number
  readonly #readmitOnCheck: boolean
  /** Only of members that have failed lately. */
  readonly #standings = new Map<string, Standing>()
  readonly #timers = new Map<string, Disposable>()

  constructor(
    subject: OutlierSubject,
    rule: EjectionRule,
    clock: Clock,
    random: () => number,
    readmitOnCheck: boolean,
  ) {
    this.#subject = subject
    this.#rule = rule
    this.#clock = clock
    this.#random = random
    this.#readmitOnCheck = readmitOnCheck
  }

  succeeded(backendId: string): void {
    const standing = this.#standings.get(backendId)
    if (standing !== undefined) this.#standings.set(backendId, afterSuccess(standing))
  }

  failed(backendId: string, error: SteelyardError): void {
    if (!blamed.has(error.source)) return
    const standing = afterFailure(this.#standings.get(backendId) ?? blank)
    this.#standings.set(backendId, standing)
    if (!deservesEjection(standing, this.#rule)) return
    const members = this.#subject.members()
    if (!members.some(({ id }) => id === backendId)) return
    if (!mayEject(this.#subject.ejected(), members.length, this.#rule)) return
    this.#eject(backendId, standing, error)
  }

  checkedUp(backendId: string): void {
    if (this.#readmitOnCheck) this.#readmit(backendId)
  }

  removed(backendId: string): void {
    this.#timers.get(backendId)?.[Symbol.dispose]()
    this.#timers.delete(backendId)
    this.#standings.delete(backendId)
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    this.#timers.clear()
    this.#standings.clear()
  }

  #eject(backendId: string, standing: Standing, error: SteelyardError): void {
    const out = afterEjection(standing, this.#rule, this.#clock.now())
    const ms = ejectionMs(out, this.#rule, this.#random())
    this.#standings.set(backendId, out)
    this.#timers.set(
      backendId,
      this.#clock.after(ms, () => this.#readmit(backendId)),
    )
    this.#subject.eject(
      backendId,
      `${standing.failures} failures in a row, out for ${formatDuration(Math.round(ms))}: ${error.message}`,
    )
  }

  #readmit(backendId: string): void {
    const standing = this.#standings.get(backendId)
    if (standing === undefined || !standing.ejected) return
    this.#timers.get(backendId)?.[Symbol.dispose]()
    this.#timers.delete(backendId)
    this.#standings.set(backendId, afterReadmission(standing, this.#clock.now()))
    this.#subject.readmit(backendId)
  }
}
