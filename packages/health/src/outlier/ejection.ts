/** What outlier detection remembers of one member. */
export interface Standing {
  /** Failures since the last success. */
  readonly failures: number
  /** How often it was ejected lately; each ejection is longer than the one before. */
  readonly ejections: number
  /** When it last came back, monotonic milliseconds; meaningful when `ejections` is above 0. */
  readonly readmittedAt: number
  readonly ejected: boolean
}

/** When to eject, and for how long. Times in milliseconds. */
export interface EjectionRule {
  readonly consecutiveFailures: number
  readonly baseMs: number
  readonly maxMs: number
  /** Highest share of the members that may be ejected at a time, 0 to 100. */
  readonly maxPercent: number
  /** One may be ejected though that be more than the share. */
  readonly atLeastOne: boolean
  /** Each ejection is up to this much longer, at random. */
  readonly jitterMs: number
}

/** A member of which nothing is known. */
export const blank: Standing = Object.freeze({
  failures: 0,
  ejections: 0,
  readmittedAt: 0,
  ejected: false,
})

/** A live result was good. */
export function afterSuccess(standing: Standing): Standing {
  return standing.failures === 0 ? standing : { ...standing, failures: 0 }
}

/** A live result was bad. While ejected it tells nothing new: those connections began before. */
export function afterFailure(standing: Standing): Standing {
  return standing.ejected ? standing : { ...standing, failures: standing.failures + 1 }
}

/** It goes out now. */
export function afterEjection(standing: Standing, rule: EjectionRule, now: number): Standing {
  return {
    failures: 0,
    ejections: ejectionsAt(standing, rule, now) + 1,
    readmittedAt: standing.readmittedAt,
    ejected: true,
  }
}

/** It is back. */
export function afterReadmission(standing: Standing, now: number): Standing {
  return { ...standing, failures: 0, readmittedAt: now, ejected: false }
}

/** Ejections that still count: one is forgiven for each base time spent in the rotation since. */
export function ejectionsAt(standing: Standing, rule: EjectionRule, now: number): number {
  const forgiven = Math.floor((now - standing.readmittedAt) / rule.baseMs)
  return Math.max(0, standing.ejections - forgiven)
}

/** Has it failed often enough in a row? */
export function deservesEjection(standing: Standing, rule: EjectionRule): boolean {
  return !standing.ejected && standing.failures >= rule.consecutiveFailures
}

/** May one more of `members` be ejected, when `ejected` are already? The last one never is. */
export function mayEject(ejected: number, members: number, rule: EjectionRule): boolean {
  if (ejected + 1 >= members) return false
  if (ejected === 0 && rule.atLeastOne) return true
  return ((ejected + 1) * 100) / members <= rule.maxPercent
}

/** How long it stays out: the base time times the ejections, this one included, up to the limit. */
export function ejectionMs(standing: Standing, rule: EjectionRule, random: number): number {
  return Math.min(rule.baseMs * standing.ejections, rule.maxMs) + rule.jitterMs * random
}
