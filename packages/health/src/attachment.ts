import type { Backend, HealthSubject } from '@steelyard/core'
import type { CheckedTarget, Follower } from './checked-target.ts'
import type { ProbeTarget, ScheduledProbe } from './probe.ts'

/** What an {@link attachment} asks of its monitor. */
export interface AttachmentHooks {
  /** The target under this check; made when there is none yet. */
  obtain(target: ProbeTarget): CheckedTarget
  /** A follower has left. */
  left(target: CheckedTarget): void
  /** The attachment is over. */
  closed(attachment: Disposable): void
}

/** Follows a subject under one check until disposed: keeps who is checked in step with who is a member. */
export function attachment(
  subject: HealthSubject,
  check: ScheduledProbe,
  hooks: AttachmentHooks,
): Disposable & { open(): void } {
  return new Attachment(subject, check, hooks)
}

class Attachment implements Disposable {
  readonly #subject: HealthSubject
  readonly #check: ScheduledProbe
  readonly #hooks: AttachmentHooks
  readonly #followed = new Map<
    string,
    { readonly address: string; readonly target: CheckedTarget; readonly follower: Follower }
  >()
  #watching: Disposable | undefined
  #syncing = false
  #stale = false
  #closed = false

  constructor(subject: HealthSubject, check: ScheduledProbe, hooks: AttachmentHooks) {
    this.#subject = subject
    this.#check = check
    this.#hooks = hooks
  }

  open(): void {
    this.#watching = this.#subject.targets.watch(() => this.#sync())
    this.#sync()
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    this.#watching?.[Symbol.dispose]()
    for (const id of [...this.#followed.keys()]) this.#drop(id)
    this.#hooks.closed(this)
  }

  #sync(): void {
    this.#stale = true
    // Reporting a verdict makes the subject publish its targets again, in the midst of this.
    if (this.#syncing) return
    this.#syncing = true
    try {
      while (this.#stale && !this.#closed) {
        this.#stale = false
        this.#apply(this.#subject.targets.current)
      }
    } finally {
      this.#syncing = false
    }
  }

  #apply(backends: readonly Backend[]): void {
    if (this.#isCurrent(backends)) return
    const wanted = new Map(backends.map((backend) => [backend.id, backend]))
    for (const [id, { address }] of [...this.#followed]) {
      if (wanted.get(id)?.address !== address) this.#drop(id)
    }
    for (const { id, address, host, port } of backends) {
      if (this.#closed) return
      if (this.#followed.has(id)) continue
      const follower: Follower = { subject: this.#subject, backendId: id }
      const at = this.#check.locate(Object.freeze({ address, host, port }))
      const target = this.#hooks.obtain(at)
      // Noted first: a listener that hears the verdict may end this attachment.
      this.#followed.set(id, { address, target, follower })
      target.follow(follower)
    }
  }

  /** Most changes that a pool publishes are of health or weight, not of membership. */
  #isCurrent(backends: readonly Backend[]): boolean {
    return (
      backends.length === this.#followed.size &&
      backends.every(({ id, address }) => this.#followed.get(id)?.address === address)
    )
  }

  #drop(id: string): void {
    const entry = this.#followed.get(id)
    if (entry === undefined) return
    this.#followed.delete(id)
    entry.target.followers.delete(entry.follower)
    this.#hooks.left(entry.target)
  }
}
