import type { Backend } from './backend.ts'
import type { Verdict } from './verdict.ts'
import type { Watchable } from './watchable.ts'

/** What a health check sees of a pool: who is to be checked, and where verdicts go. */
export interface HealthSubject {
  readonly name: string
  /** The members that are not disabled. */
  readonly targets: Watchable<readonly Backend[]>
  /** The verdict held now, to carry on from after a reload. */
  verdict(backendId: string): Verdict
  /** A new verdict; ignored when the backend has left. */
  report(backendId: string, verdict: Verdict): void
}

/** A way to find out who is well; `@steelyard/health` makes them. The pool attaches it while somebody uses the pool. */
export interface HealthCheck {
  attach(subject: HealthSubject): Disposable
}
