import type { HealthCheck, HealthSubject } from './health-check.ts'

/** Keeps a check attached to its pool while somebody uses the pool. */
export interface CheckAttachment {
  /** One more uses the pool; the first one attaches the check. */
  acquire(): void
  /** One less uses it; the last one detaches the check. */
  release(): void
  /** Another check from now on, or none. */
  replace(check: HealthCheck | undefined): void
}

/** Makes a {@link CheckAttachment} that nobody uses yet. */
export function checkAttachment(subject: HealthSubject): CheckAttachment {
  let check: HealthCheck | undefined
  let users = 0
  let detach: (() => void) | undefined

  function attach(): void {
    let attached = true
    let attachment: Disposable | undefined
    // A probe may be under way when the check is detached: its answer is no news any more.
    const guarded: HealthSubject = {
      ...subject,
      report(id, verdict) {
        if (attached) subject.report(id, verdict)
      },
    }
    detach = () => {
      attached = false
      detach = undefined
      attachment?.[Symbol.dispose]()
    }
    attachment = check?.attach(guarded)
    // A report during the attach may have ended the last use.
    if (!attached) attachment?.[Symbol.dispose]()
  }

  return {
    acquire() {
      users += 1
      if (users === 1) attach()
    },
    release() {
      users -= 1
      if (users === 0) detach?.()
    },
    replace(next) {
      if (next === check) return
      detach?.()
      check = next
      if (users > 0) attach()
    },
  }
}
