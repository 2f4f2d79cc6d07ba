import { type Backend, type BackendInit, type BackendOptions, backend } from './backend.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Duration, parseDuration } from './duration.ts'
import { type Emitter, type EventSource, emitter } from './emitter.ts'
import { invalidOption, SteelyardError } from './errors.ts'
import type { HealthCheck, HealthSubject } from './health-check.ts'
import { type LoadTable, loadTable, type MutableLoadTable } from './load.ts'
import type { OutlierDetection, OutlierObserver } from './outlier.ts'
import type { PersistenceTable } from './persistence.ts'
import type { Picker, PickKey, Selector } from './picker.ts'
import { roundRobin } from './pickers/round-robin.ts'
import {
  conditionOf,
  isWarming,
  limitOf,
  type Member,
  type MemberCondition,
  takesTraffic,
  weightOf,
} from './pool-member.ts'
import { type Quorum, type QuorumRule, quorumRule } from './quorum.ts'
import { type Roster, roster } from './roster.ts'
import { slowStartStepMs } from './slow-start.ts'
import type { Tried } from './tried.ts'
import type { HealthState, Verdict } from './verdict.ts'
import { type WaitQueue, waitQueue } from './wait-queue.ts'
import { type Cell, cell, type Watchable } from './watchable.ts'

/** How a pool is made. */
export interface PoolOptions {
  /** For logs, metrics and status. Default `pool`. */
  readonly name?: string
  /** The members. Default: none; {@link Pool.set} brings them. */
  readonly backends?: readonly BackendInit[]
  /** The balancing algorithm. Default `roundRobin()`. */
  readonly pick?: Picker
  /** The active health check. Default: none, all members count as up. */
  readonly check?: HealthCheck
  /** Passive outlier detection on live results. Default: none. */
  readonly outlier?: OutlierDetection
  /** Clients keep their member. Default: none. */
  readonly persistence?: PersistenceTable
  /** Members that must be up for `available`. Default 1. */
  readonly quorum?: Quorum
  /** Distance from the quorum at which `available` flips. Default 0. */
  readonly hysteresis?: number
  /** With no usable member: `reject` picks none, `all` picks among all that are not disabled. Default `reject`. */
  readonly whenEmpty?: 'reject' | 'all'
  /** A member that recovers gets its weight and limit back linearly over this time. Default `0s`: at once. */
  readonly slowStart?: Duration
  /** Bounded load factor, above 1, usually 1.25 to 2. Default 0: off. See {@link RosterInit.boundedLoad}. */
  readonly boundedLoad?: number
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
  /** A draining or removed member has no connection left. */
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

  /** Makes these the members: new ones are added, missing ones removed, the rest keep verdict, counters and connections. */
  set(backends: readonly BackendInit[]): MembershipChange
  /** Changes one member. Throws `no-such-backend`. */
  edit(id: string, change: BackendEdit): Backend
  /** Replaces algorithm, check and the like in place; members and verdicts stay. */
  reconfigure(
    options: Omit<
      PoolOptions,
      'name' | 'backends' | 'capacity' | 'clock' | 'random' | 'queueLimit'
    >,
  ): void
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
  /** The member in a slot, also while it drains after its removal. */
  backendAt(slot: number): Backend
  /** Counts a connection on a member; call {@link Pool.closed} exactly once for it. */
  opened(slot: number): void
  closed(slot: number): void
  /** A live connect or request worked. */
  succeeded(slot: number, latencyMs: number): void
  /** A live connect or request failed for reasons of the backend. */
  failed(slot: number, error: SteelyardError): void
}

/**
 * Makes a pool. Does no I/O.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function pool(options: PoolOptions = {}): Pool {
  return new BackendPool(options)
}

class BackendPool implements Pool {
  readonly name: string
  readonly available: Watchable<boolean>
  readonly roster: Cell<Roster>
  readonly load: MutableLoadTable
  readonly queue: WaitQueue
  readonly #clock: Clock
  readonly #random: () => number
  readonly #events: Emitter<PoolEvents> = emitter<PoolEvents>()
  readonly #members = new Map<string, Member>()
  /** By slot, with removed members that still have connections. */
  readonly #slots: (Member | undefined)[] = []
  readonly #freeSlots: number[] = []
  readonly #targets: Cell<readonly Backend[]> = cell<readonly Backend[]>([])
  readonly #available: Cell<boolean>
  #decided = false
  #users = 0
  #attached: Disposable | undefined
  #observer: OutlierObserver | undefined
  #slowStartTimer: Disposable | undefined

  #picker!: Picker
  #selector!: Selector
  #check: HealthCheck | undefined
  #outlier: OutlierDetection | undefined
  #persistence: PersistenceTable | undefined
  #quorum!: QuorumRule
  #whenEmpty: 'reject' | 'all' = 'reject'
  #slowStartMs = 0
  #boundedLoad = 0

  constructor(options: PoolOptions) {
    this.name = options.name ?? 'pool'
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    this.load = loadTable(natural(options.capacity ?? 4096, 'pool.capacity'))
    this.queue = waitQueue(natural(options.queueLimit ?? 1024, 'pool.queueLimit'))
    this.roster = cell(this.#rosterOf([]))
    this.#available = cell(false, { wake: () => this.#acquire(), rest: () => this.#release() })
    this.available = this.#available
    this.#configure(options)
    this.set(options.backends ?? [])
  }

  get algorithm(): string {
    return this.#picker.name
  }

  get key(): PickKey {
    return this.#picker.key
  }

  get persistence(): PersistenceTable | undefined {
    return this.#persistence
  }

  on<Name extends keyof PoolEvents>(
    name: Name,
    listener: (event: PoolEvents[Name]) => void,
  ): Disposable {
    return this.#events.on(name, listener)
  }

  set(backends: readonly BackendInit[]): MembershipChange {
    const wanted = new Map<string, Backend>()
    backends.forEach((init, index) => {
      const next = backend(init, `pool.backends[${index}]`)
      if (wanted.has(next.id)) {
        throw invalidOption(
          `pool.backends[${index}]`,
          `"${next.id}" is in the pool already: give one of the two another id`,
        )
      }
      wanted.set(next.id, next)
    })
    const fresh = [...wanted.keys()].filter((id) => !this.#members.has(id)).length
    const gone = [...this.#members.values()].filter(({ backend: { id } }) => !wanted.has(id))
    const freed = gone.filter(({ slot }) => this.load.active[slot] === 0).length
    if (this.#slotsInUse() - freed + fresh > this.load.capacity) {
      throw new SteelyardError(
        `the pool has room for ${this.load.capacity} members, draining ones included: raise "capacity"`,
        { code: 'pool-full', source: 'config' },
      )
    }
    const change = { added: [] as Backend[], removed: [] as Backend[], edited: [] as Backend[] }
    for (const member of gone) {
      this.#remove(member)
      change.removed.push(member.backend)
    }
    for (const next of wanted.values()) {
      const member = this.#members.get(next.id)
      if (member !== undefined && member.backend.address !== next.address) {
        // The same name at another address is another server: its health and its clients are not the old one's.
        this.#remove(member)
        this.#add(next)
        change.edited.push(next)
      } else if (member === undefined) {
        this.#add(next)
        change.added.push(next)
      } else if (!sameBackend(member.backend, next)) {
        member.backend = next
        change.edited.push(next)
      }
    }
    this.#publish()
    for (const item of change.removed)
      this.#events.emit('member', { backend: item, change: 'removed' })
    for (const item of change.added) this.#events.emit('member', { backend: item, change: 'added' })
    for (const item of change.edited)
      this.#events.emit('member', { backend: item, change: 'edited' })
    return change
  }

  edit(id: string, change: BackendEdit): Backend {
    const member = this.#members.get(id)
    if (member === undefined) {
      throw new SteelyardError(
        `pool "${this.name}" has no member "${id}"; it has ${[...this.#members.keys()].join(', ') || 'none'}`,
        {
          code: 'no-such-backend',
          source: 'config',
        },
      )
    }
    const { maxConnections, ...rest } = member.backend
    const init: BackendOptions = { ...rest, maxConnections, ...change }
    const next = backend(init, `pool.${id}`)
    if (sameBackend(member.backend, next)) return member.backend
    member.backend = next
    this.#publish()
    this.#events.emit('member', { backend: next, change: 'edited' })
    if (conditionOf(member) === 'draining' && this.load.active[member.slot] === 0) {
      this.#events.emit('drained', { backend: next })
    }
    return next
  }

  reconfigure(
    options: Omit<
      PoolOptions,
      'name' | 'backends' | 'capacity' | 'clock' | 'random' | 'queueLimit'
    >,
  ): void {
    const before = { check: this.#check, outlier: this.#outlier }
    this.#configure(options)
    if (before.check !== this.#check && this.#users > 0) {
      this.#detachCheck()
      this.#attachCheck()
    }
    if (before.check !== this.#check && this.#check === undefined) {
      for (const member of this.#members.values()) member.verdict = this.#unchecked()
    }
    if (before.outlier !== this.#outlier) {
      for (const member of this.#members.values()) member.ejection = undefined
    }
    this.#publish()
  }

  members(): readonly MemberStatus[] {
    const now = this.#clock.now()
    return [...this.#members.values()].map((member) => ({
      backend: member.backend,
      condition: conditionOf(member),
      verdict: member.verdict,
      weight: weightOf(member, now, this.#slowStartMs),
      active: this.load.active[member.slot]!,
      total: this.load.total[member.slot]!,
      failures: this.load.failures[member.slot]!,
    }))
  }

  report(id: string, verdict: Verdict): void {
    const member = this.#members.get(id)
    if (member === undefined) return
    const previous = member.verdict.state
    member.verdict = verdict
    if (verdict.state === 'up') this.#observer?.checkedUp(id)
    if (previous === verdict.state) return
    if (previous === 'down' && verdict.state === 'up') member.recoveredAt = this.#clock.now()
    this.#publish()
    this.#events.emit('health', {
      backend: member.backend,
      health: verdict.state,
      previous,
      reason: verdict.reason,
      verdict,
    })
  }

  use(): Disposable {
    let held = true
    this.#acquire()
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release()
        held = false
      },
    }
  }

  pick(key: number, tried: Tried, client?: string): number {
    if (this.#persistence === undefined || client === undefined)
      return this.#selector.pick(key, tried)
    const kept = this.#persistence.lookup(client)
    if (kept !== undefined) {
      const slot = this.#keptSlot(kept, tried)
      if (slot >= 0) return slot
    }
    const slot = this.#selector.pick(key, tried)
    if (slot >= 0) this.#persistence.assign(client, this.#slots[slot]!.backend.id)
    return slot
  }

  backendAt(slot: number): Backend {
    const member = this.#slots[slot]
    if (member === undefined) throw new RangeError(`pool "${this.name}" has nobody in slot ${slot}`)
    return member.backend
  }

  opened(slot: number): void {
    this.load.open(slot)
  }

  closed(slot: number): void {
    this.load.close(slot)
    if (this.load.active[slot] === 0) this.#emptied(slot)
    if (this.queue.size > 0) this.queue.release(1)
  }

  succeeded(slot: number, latencyMs: number): void {
    this.#selector.observe?.(slot, latencyMs)
    this.#observer?.succeeded(this.#slots[slot]!.backend.id)
  }

  failed(slot: number, error: SteelyardError): void {
    this.load.fail(slot)
    this.#observer?.failed(this.#slots[slot]!.backend.id, error)
  }

  #configure(options: PoolOptions): void {
    const quorum = quorumRule(options.quorum ?? 1, options.hysteresis ?? 0)
    const slowStartMs = parseDuration(options.slowStart ?? 0, 'pool.slowStart')
    const boundedLoad = options.boundedLoad ?? 0
    if (boundedLoad !== 0 && !(boundedLoad > 1)) {
      throw invalidOption(
        'pool.boundedLoad',
        `${boundedLoad} is no factor: use 0 for off, or more than 1, such as 1.25`,
      )
    }
    const picker = options.pick ?? roundRobin()
    this.#quorum = quorum
    this.#slowStartMs = slowStartMs
    this.#boundedLoad = boundedLoad
    this.#whenEmpty = options.whenEmpty ?? 'reject'
    this.#check = options.check
    this.#persistence = options.persistence
    if (picker !== this.#picker) {
      this.#picker = picker
      this.#selector = picker.open({ random: this.#random, now: () => this.#clock.now() })
      this.#selector.update(this.roster.current)
    }
    if (options.outlier !== this.#outlier) {
      this.#observer?.[Symbol.dispose]()
      this.#outlier = options.outlier
      this.#observer = options.outlier?.attach({
        name: this.name,
        members: () =>
          [...this.#members.values()]
            .map((member) => member.backend)
            .filter(({ state }) => state === 'enabled'),
        ejected: () =>
          [...this.#members.values()].filter((member) => member.ejection !== undefined).length,
        eject: (id, reason) => this.#eject(id, reason),
        readmit: (id) => this.#eject(id, undefined),
      })
    }
  }

  #keptSlot(id: string, tried: Tried): number {
    const member = this.#members.get(id)
    if (member === undefined || tried.has(member.slot)) return -1
    const current = this.roster.current
    const index = current.slots.indexOf(member.slot)
    if (index >= 0) return current.admits(index, tried) ? member.slot : -1
    const stays = this.#persistence?.whenDraining === 'keep' && conditionOf(member) === 'draining'
    return stays ? member.slot : -1
  }

  #eject(id: string, reason: string | undefined): void {
    const member = this.#members.get(id)
    if (member === undefined || (member.ejection === undefined) === (reason === undefined)) return
    member.ejection = reason
    if (reason === undefined) member.recoveredAt = this.#clock.now()
    this.#publish()
    this.#events.emit('outlier', {
      backend: member.backend,
      ejected: reason !== undefined,
      reason: reason ?? 'the ejection is over',
    })
  }

  #add(next: Backend): void {
    const slot = this.#freeSlots.pop() ?? this.#slots.length
    const member: Member = {
      backend: next,
      slot,
      verdict: this.#unchecked(),
      ejection: undefined,
      recoveredAt: undefined,
    }
    this.load.clear(slot)
    this.#slots[slot] = member
    this.#members.set(next.id, member)
  }

  #remove(member: Member): void {
    this.#members.delete(member.backend.id)
    this.#persistence?.purge(member.backend.id)
    this.#observer?.removed(member.backend.id)
    if (this.load.active[member.slot] === 0) this.#freeSlot(member)
  }

  #freeSlot(member: Member): void {
    this.#slots[member.slot] = undefined
    this.#freeSlots.push(member.slot)
  }

  #slotsInUse(): number {
    return this.#slots.length - this.#freeSlots.length
  }

  #emptied(slot: number): void {
    const member = this.#slots[slot]!
    const isMember = this.#members.get(member.backend.id) === member
    if (!isMember) this.#freeSlot(member)
    if (!isMember || conditionOf(member) === 'draining') {
      this.#events.emit('drained', { backend: member.backend })
    }
  }

  #unchecked(): Verdict {
    const since = this.#clock.wallNow()
    return this.#check === undefined
      ? { state: 'up', since, reason: 'no check is configured' }
      : { state: 'unknown', since, reason: 'not checked yet' }
  }

  /** Builds the roster in force and lets everybody know; never on the hot path. */
  #publish(): void {
    const members = [...this.#members.values()].sort((a, b) =>
      a.backend.id < b.backend.id ? -1 : 1,
    )
    const usable = members.filter(takesTraffic)
    let tier = usable.filter(({ backend: { backup } }) => !backup)
    if (tier.length === 0) tier = usable
    const up = tier.filter((member) => conditionOf(member) === 'up').length
    const enabled = members.filter(
      ({ backend: { state, backup } }) => state !== 'disabled' && !backup,
    ).length
    if (tier.length === 0 && this.#whenEmpty === 'all') {
      tier = members.filter(({ backend: { state, weight } }) => state === 'enabled' && weight > 0)
    }
    const next = this.#rosterOf(tier)
    this.#selector.update(next)
    this.roster.set(next)
    this.#targets.set(
      members.map((member) => member.backend).filter(({ state }) => state !== 'disabled'),
    )
    const before = this.#decided ? this.#available.current : undefined
    this.#decided ||= members.some(({ verdict }) => verdict.state !== 'unknown')
    this.#available.set(this.#quorum.decide(up, enabled, before))
    this.#warm(members)
    if (next.size > 0 && this.queue.size > 0) this.queue.release(this.queue.size)
  }

  #rosterOf(members: readonly Member[]): Roster {
    const now = this.#clock.now()
    return roster({
      backends: members.map((member) => member.backend),
      slots: Int32Array.from(members, (member) => member.slot),
      weights: Float64Array.from(members, (member) => weightOf(member, now, this.#slowStartMs)),
      limits: Int32Array.from(members, (member) => limitOf(member, now, this.#slowStartMs)),
      load: this.load,
      boundedLoad: this.#boundedLoad,
    })
  }

  /** While a member is in its slow start, new weights are published step by step. */
  #warm(members: readonly Member[]): void {
    const now = this.#clock.now()
    const warming = members.some((member) => isWarming(member, now, this.#slowStartMs))
    if (!warming || this.#slowStartTimer !== undefined) return
    this.#slowStartTimer = this.#clock.after(slowStartStepMs(this.#slowStartMs), () => {
      this.#slowStartTimer = undefined
      this.#publish()
    })
  }

  #acquire(): void {
    this.#users += 1
    if (this.#users === 1) this.#attachCheck()
  }

  #release(): void {
    this.#users -= 1
    if (this.#users === 0) this.#detachCheck()
  }

  #attachCheck(): void {
    const subject: HealthSubject = {
      name: this.name,
      targets: this.#targets,
      verdict: (id) => this.#members.get(id)?.verdict ?? this.#unchecked(),
      report: (id, verdict) => this.report(id, verdict),
    }
    this.#attached = this.#check?.attach(subject)
  }

  #detachCheck(): void {
    this.#attached?.[Symbol.dispose]()
    this.#attached = undefined
  }
}

function natural(value: number, path: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= 1_000_000) return value
  throw invalidOption(path, `${value} is not a count: use a whole number from 0 to 1000000`)
}

function sameBackend(a: Backend, b: Backend): boolean {
  return (
    a.address === b.address &&
    a.weight === b.weight &&
    a.backup === b.backup &&
    a.maxConnections === b.maxConnections &&
    a.state === b.state &&
    JSON.stringify(a.labels) === JSON.stringify(b.labels)
  )
}
