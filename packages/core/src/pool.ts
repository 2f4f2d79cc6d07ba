import type { Backend, BackendInit } from './backend.ts'
import type { Clock } from './clock.ts'
import type { EventSource } from './emitter.ts'
import type { SteelyardError } from './errors.ts'
import type { LoadTable } from './load.ts'
import type { PersistenceTable } from './persistence.ts'
import type { PickKey } from './picker.ts'
import type { MemberCondition } from './pool-member.ts'
import type { PoolPolicyOptions } from './pool-policy.ts'
import type { Roster } from './roster.ts'
import type { Tried } from './tried.ts'
import type { HealthState, Verdict } from './verdict.ts'
import type { WaitQueue } from './wait-queue.ts'
import type { Watchable } from './watchable.ts'

/** How a pool is made. */
export interface PoolOptions extends PoolPolicyOptions {
  /** For logs, metrics and status. Default `pool`. */
  readonly name?: string
  /** The members. Default: none; {@link Pool.set} brings them. */
  readonly backends?: readonly BackendInit[]
  /** Who may wait for room when all members are at their connection limit. Default 1024; 0 for nobody. */
  readonly queueLimit?: number
  /** Members there is room for, draining ones included. Default 4096. */
  readonly capacity?: number
  readonly clock?: Clock
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/** What a pool tells. */
export interface PoolEvents {
  /** A member's verdict flipped. */
  readonly health: {
    readonly backend: Backend
    readonly health: HealthState
    readonly previous: HealthState
    readonly reason: string
    readonly verdict: Verdict
  }
  /** A member came, went or was changed. */
  readonly member: { readonly backend: Backend; readonly change: 'added' | 'removed' | 'edited' }
  /** Passive outlier detection took a member out, or let it in again. */
  readonly outlier: {
    readonly backend: Backend
    readonly ejected: boolean
    readonly reason: string
  }
  /** A member that was drained, disabled or removed has no connection left; told at once when it had none. */
  readonly drained: { readonly backend: Backend }
}

/** A member as status pages show it. */
export interface MemberStatus {
  readonly backend: Backend
  readonly condition: MemberCondition
  readonly verdict: Verdict
  /** Weight in force: less than the member's own during a slow start. */
  readonly weight: number
  readonly active: number
  readonly total: number
  readonly failures: number
}

/** What {@link Pool.set} did. */
export interface MembershipChange {
  readonly added: readonly Backend[]
  readonly removed: readonly Backend[]
  readonly edited: readonly Backend[]
}

/** What may be changed of a member without making it another one. */
export type BackendEdit = Partial<
  Pick<Backend, 'weight' | 'backup' | 'maxConnections' | 'state' | 'labels'>
>

/**
 * A set of backends that stand in for each other: who they are, who is well, who is next. Its check runs
 * while somebody uses the pool or watches {@link Pool.available}, and rests otherwise.
 */
export interface Pool extends EventSource<PoolEvents> {
  readonly name: string
  /** True while the quorum of members is up; members that no check has judged yet do not count. */
  readonly available: Watchable<boolean>
  /** The members that may take traffic now. */
  readonly roster: Watchable<Roster>
  readonly load: LoadTable
  readonly queue: WaitQueue
  readonly algorithm: string
  /** What the number given to {@link Pool.pick} is made of. */
  readonly key: PickKey
  readonly persistence: PersistenceTable | undefined

  /**
   * Makes these the members: new ones are added, missing ones removed, the rest keep verdict, counters and connections.
   * Throws `invalid-option`, or `pool-full`; then nothing has changed.
   */
  set(backends: readonly BackendInit[]): MembershipChange
  /** Changes one member. Throws `no-such-backend`. */
  edit(id: string, change: BackendEdit): Backend
  /**
   * Replaces algorithm, check and the like in place; members, counters and verdicts stay. Without a check all members
   * count as up; what is not given gets its default.
   */
  reconfigure(options: PoolPolicyOptions): void
  members(): readonly MemberStatus[]
  /** Gives a verdict by hand, or by an own checker. */
  report(id: string, verdict: Verdict): void
  /** Keeps the check running until disposed. */
  use(): Disposable

  /**
   * The slot of the next candidate, or -1 when no member admits one more: then either
   * `roster.current.size` is 0, or all are tried or full.
   *
   * @param client - the client's address, for persistence; it wins over the algorithm.
   */
  pick(key: number, tried: Tried, client?: string): number
  /**
   * The slot of one member, when it admits one more: for persistence that is kept elsewhere, such as in a cookie; else
   * -1. With `draining` a member that drains is given too.
   */
  slotOf(backendId: string, tried: Tried, draining: boolean): number
  /** The member in a slot, also while it drains after its removal. */
  backendAt(slot: number): Backend
  /** Counts a connection on a member; call {@link Pool.closed} exactly once for it. */
  opened(slot: number): void
  /** Counts it closed. Throws `RangeError` when the slot has no connection. */
  closed(slot: number): void
  /** A live connect or request worked; to be told before {@link Pool.closed}. */
  succeeded(slot: number, latencyMs: number): void
  /** A live connect or request failed for reasons of the backend; to be told before {@link Pool.closed}. */
  failed(slot: number, error: SteelyardError): void
}
