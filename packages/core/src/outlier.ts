import type { Backend } from './backend.ts'
import type { SteelyardError } from './errors.ts'

/** What passive outlier detection sees of a pool, and what it may do. */
export interface OutlierSubject {
  readonly name: string
  /** Members that are enabled, ejected ones included. */
  members(): readonly Backend[]
  /** Members ejected now. */
  ejected(): number
  /** Takes a member out of the rotation until {@link OutlierSubject.readmit}. */
  eject(backendId: string, reason: string): void
  readmit(backendId: string): void
}

/** Watches live results and ejects members that fail; `@steelyard/health` makes one. */
export interface OutlierDetection {
  attach(subject: OutlierSubject): OutlierObserver
}

/** Hears of each live result of one pool. */
export interface OutlierObserver extends Disposable {
  succeeded(backendId: string): void
  failed(backendId: string, error: SteelyardError): void
  /** An active check found the member well: an ejection ends. */
  checkedUp(backendId: string): void
  /** The member left the pool: forget it. */
  removed(backendId: string): void
}
