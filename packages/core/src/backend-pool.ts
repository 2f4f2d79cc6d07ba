import { type Backend, type BackendInit, type BackendOptions, backend } from './backend.ts'
import { type CheckAttachment, checkAttachment } from './check-attachment.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Emitter, emitter } from './emitter.ts'
import { invalidOption, SteelyardError } from './errors.ts'
import type { LoadTable } from './load.ts'
import { membershipPlan, sameBackend } from './membership.ts'
import { clockOption, functionOption, objectOption, textOption } from './option-shape.ts'
import type { OutlierObserver } from './outlier.ts'
import type { PersistenceTable } from './persistence.ts'
import type { PickKey, Selector } from './picker.ts'
import type {
  BackendEdit,
  MemberStatus,
  MembershipChange,
  Pool,
  PoolEvents,
  PoolOptions,
} from './pool.ts'
import {
  conditionOf,
  isWarming,
  isWithdrawn,
  limitOf,
  type Member,
  weightOf,
} from './pool-member.ts'
import { type PoolPolicy, type PoolPolicyOptions, poolPolicy } from './pool-policy.ts'
import { standingOf } from './pool-standing.ts'
import { type Roster, roster } from './roster.ts'
import { shown } from './shown.ts'
import { type SlotTable, slotTable } from './slot-table.ts'
import { slowStartStepMs } from './slow-start.ts'
import type { Tried } from './tried.ts'
import type { Verdict } from './verdict.ts'
import { type WaitQueue, waitQueue } from './wait-queue.ts'
import { type Cell, cell, type Watchable } from './watchable.ts'

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
  readonly queue: WaitQueue
  readonly #clock: Clock
  readonly #random: () => number
  readonly #events: Emitter<PoolEvents> = emitter<PoolEvents>()
  readonly #slots: SlotTable
  readonly #targets: Cell<readonly Backend[]> = cell<readonly Backend[]>([])
  readonly #available: Cell<boolean>
  readonly #check: CheckAttachment
  #policy: PoolPolicy
  #selector: Selector
  #observer: OutlierObserver | undefined
  /** The last answer about availability, for the hysteresis to hold on to; absent until there was one. */
  #answer: boolean | undefined
  /** Counts what was published: listeners may change the pool, and the news in hand is old then. */
  #edition = 0
  #slowStartTimer: Disposable | undefined

  constructor(options: PoolOptions) {
    this.name = textOption(objectOption(options, 'pool').name ?? 'pool', 'pool.name')
    this.#clock = clockOption(options.clock ?? systemClock, 'pool.clock')
    this.#random = functionOption(options.random ?? Math.random, 'pool.random')
    this.#slots = slotTable(natural(options.capacity ?? 4096, 'pool.capacity'))
    this.queue = waitQueue(natural(options.queueLimit ?? 1024, 'pool.queueLimit'))
    this.#policy = poolPolicy(options)
    this.roster = cell(this.#rosterOf([]))
    this.#selector = this.#openSelector()
    this.#check = checkAttachment({
      name: this.name,
      targets: this.#targets,
      verdict: (id) => this.#slots.get(id)?.verdict ?? this.#unchecked(),
      report: (id, verdict) => this.report(id, verdict),
    })
    this.#check.replace(this.#policy.check)
    this.#available = cell(false, {
      wake: () => this.#check.acquire(),
      rest: () => this.#check.release(),
    })
    this.available = this.#available
    this.#observer = this.#observe()
    this.set(options.backends ?? [])
  }

  get load(): LoadTable {
    return this.#slots.load
  }

  get algorithm(): string {
    return this.#policy.picker.name
  }

  get key(): PickKey {
    return this.#policy.picker.key
  }

  get persistence(): PersistenceTable | undefined {
    return this.#policy.persistence
  }

  on<Name extends keyof PoolEvents>(
    name: Name,
    listener: (event: PoolEvents[Name]) => void,
  ): Disposable {
    return this.#events.on(name, listener)
  }

  set(backends: readonly BackendInit[]): MembershipChange {
    const plan = membershipPlan(this.#slots.members(), backends)
    const left = [...plan.gone, ...plan.moved.map(({ member }) => member)]
    this.#requireRoom(left, plan.added.length + plan.moved.length)
    const idle = left.filter(({ slot }) => this.load.active[slot] === 0).map(backendOf)
    for (const member of left) this.#remove(member)
    for (const next of [...plan.moved.map((move) => move.next), ...plan.added]) {
      this.#slots.add(next, this.#unchecked())
    }
    for (const { member, next } of plan.edited) {
      if (this.#change(member, next)) idle.push(next)
    }
    const removed = plan.gone.map(backendOf)
    const edited = [...plan.moved, ...plan.edited].map(({ next }) => next)
    this.#publish()
    for (const item of removed) this.#events.emit('member', { backend: item, change: 'removed' })
    for (const item of plan.added) this.#events.emit('member', { backend: item, change: 'added' })
    for (const item of edited) this.#events.emit('member', { backend: item, change: 'edited' })
    for (const item of idle) this.#events.emit('drained', { backend: item })
    return { added: plan.added, removed, edited }
  }

  edit(id: string, change: BackendEdit): Backend {
    const member = this.#slots.get(id)
    if (member === undefined) {
      const ids = this.#slots.members().map(({ backend: { id: one } }) => one)
      throw new SteelyardError(
        `pool "${this.name}" has no member ${shown(id)}; it has ${ids.join(', ') || 'none'}`,
        { code: 'no-such-backend', source: 'config' },
      )
    }
    const init: BackendOptions = { ...member.backend, ...objectOption(change, `pool.${id}`) }
    const next = backend(init, `pool.${id}`)
    if (sameBackend(member.backend, next)) return member.backend
    const idle = this.#change(member, next)
    this.#publish()
    this.#events.emit('member', { backend: next, change: 'edited' })
    if (idle) this.#events.emit('drained', { backend: next })
    return next
  }

  reconfigure(options: PoolPolicyOptions): void {
    const before = this.#policy
    const policy = poolPolicy(options)
    this.#policy = policy
    if (policy.picker !== before.picker) this.#selector = this.#openSelector()
    const members = this.#slots.members()
    const readmitted: Member[] = []
    if (policy.outlier !== before.outlier) {
      this.#observer?.[Symbol.dispose]()
      for (const member of members) {
        if (member.ejection !== undefined) readmitted.push(member)
        member.ejection = undefined
      }
      this.#observer = this.#observe()
    }
    const flips: PoolEvents['health'][] = []
    if (policy.check !== before.check && policy.check === undefined) {
      for (const member of members) {
        const flip = this.#judge(member, this.#unchecked())
        if (flip !== undefined) flips.push(flip)
      }
    }
    this.#publish()
    for (const { backend: item } of readmitted) {
      const reason = 'the outlier detection was replaced'
      this.#events.emit('outlier', { backend: item, ejected: false, reason })
    }
    for (const flip of flips) this.#events.emit('health', flip)
    this.#check.replace(policy.check)
  }

  members(): readonly MemberStatus[] {
    const now = this.#clock.now()
    const { load } = this
    return this.#slots.members().map((member) => ({
      backend: member.backend,
      condition: conditionOf(member),
      verdict: member.verdict,
      weight: weightOf(member, now, this.#policy.slowStartMs),
      active: load.active[member.slot]!,
      total: load.total[member.slot]!,
      failures: load.failures[member.slot]!,
    }))
  }

  report(id: string, verdict: Verdict): void {
    const member = this.#slots.get(id)
    if (member === undefined) return
    // While fall is counted the state is still up, though the check failed: that is no reason to readmit.
    if (verdict.state === 'up' && (verdict.lastCheck ?? 'passed') === 'passed') {
      this.#observer?.checkedUp(id)
    }
    const flip = this.#judge(member, verdict)
    if (flip === undefined) return
    this.#publish()
    this.#events.emit('health', flip)
  }

  use(): Disposable {
    let held = true
    this.#check.acquire()
    return {
      [Symbol.dispose]: () => {
        if (held) this.#check.release()
        held = false
      },
    }
  }

  pick(key: number, tried: Tried, client?: string): number {
    const { persistence } = this.#policy
    if (persistence === undefined || client === undefined) return this.#selector.pick(key, tried)
    const kept = persistence.lookup(client)
    if (kept !== undefined) {
      const slot = this.slotOf(kept, tried, persistence.whenDraining === 'keep')
      if (slot >= 0) return slot
    }
    const slot = this.#selector.pick(key, tried)
    if (slot >= 0) persistence.assign(client, this.#slots.at(slot)!.backend.id)
    return slot
  }

  slotOf(backendId: string, tried: Tried, draining: boolean): number {
    const member = this.#slots.get(backendId)
    if (member === undefined || tried.has(member.slot)) return -1
    const { slot } = member
    const current = this.roster.current
    const index = current.slots.indexOf(slot)
    if (index >= 0) return current.admits(index, tried) ? slot : -1
    if (!draining || conditionOf(member) !== 'draining') return -1
    const limit = limitOf(member, this.#clock.now(), this.#policy.slowStartMs)
    return limit === 0 || this.load.active[slot]! < limit ? slot : -1
  }

  backendAt(slot: number): Backend {
    return this.#at(slot).backend
  }

  opened(slot: number): void {
    this.#at(slot)
    this.#slots.load.open(slot)
  }

  closed(slot: number): void {
    const member = this.#at(slot)
    const { load } = this.#slots
    if (load.active[slot]! <= 0) {
      throw new RangeError(`pool "${this.name}" has no connection to close in slot ${slot}`)
    }
    load.close(slot)
    if (load.active[slot] === 0) this.#emptied(member)
    if (this.queue.size > 0) this.queue.release(1)
  }

  succeeded(slot: number, latencyMs: number): void {
    const member = this.#slots.at(slot)
    if (member === undefined || !this.#slots.isMember(member)) return
    this.#selector.observe?.(slot, latencyMs)
    this.#observer?.succeeded(member.backend.id)
  }

  failed(slot: number, error: SteelyardError): void {
    const member = this.#slots.at(slot)
    if (member === undefined) return
    this.#slots.load.fail(slot)
    // After a change of address the id names another server, which is not to be blamed.
    if (this.#slots.isMember(member)) this.#observer?.failed(member.backend.id, error)
  }

  #requireRoom(leaving: readonly Member[], coming: number): void {
    const { load, inUse } = this.#slots
    const freed = leaving.filter(({ slot }) => load.active[slot] === 0).length
    if (inUse - freed + coming <= load.capacity) return
    throw new SteelyardError(
      `the pool has room for ${load.capacity} members, draining ones included: raise "capacity"`,
      { code: 'pool-full', source: 'config' },
    )
  }

  #remove(member: Member): void {
    this.#slots.remove(member)
    this.#policy.persistence?.purge(member.backend.id)
    this.#observer?.removed(member.backend.id)
  }

  /** True when the change takes a member without connections out of service. */
  #change(member: Member, next: Backend): boolean {
    const before = member.backend
    member.backend = next
    return isWithdrawn(next) && !isWithdrawn(before) && this.load.active[member.slot] === 0
  }

  /** What there is to tell when the verdict is not what it was. */
  #judge(member: Member, verdict: Verdict): PoolEvents['health'] | undefined {
    const previous = member.verdict.state
    member.verdict = verdict
    const { state: health, reason } = verdict
    if (previous === health) return undefined
    if (previous === 'down' && health === 'up') member.recoveredAt = this.#clock.now()
    return { backend: member.backend, health, previous, reason, verdict }
  }

  #eject(id: string, reason: string | undefined): void {
    const member = this.#slots.get(id)
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

  #emptied(member: Member): void {
    this.#slots.settle(member)
    if (!this.#slots.isMember(member) || isWithdrawn(member.backend)) {
      this.#events.emit('drained', { backend: member.backend })
    }
  }

  #at(slot: number): Member {
    const member = this.#slots.at(slot)
    if (member === undefined) throw new RangeError(`pool "${this.name}" has nobody in slot ${slot}`)
    return member
  }

  #unchecked(): Verdict {
    const since = this.#clock.wallNow()
    return this.#policy.check === undefined
      ? { state: 'up', since, reason: 'no check is configured' }
      : { state: 'unknown', since, reason: 'not checked yet' }
  }

  #openSelector(): Selector {
    const selector = this.#policy.picker.open({
      random: this.#random,
      now: () => this.#clock.now(),
    })
    selector.update(this.roster.current)
    return selector
  }

  #observe(): OutlierObserver | undefined {
    const { outlier } = this.#policy
    const enabled = (): readonly Member[] =>
      this.#slots.members().filter(({ backend: { state } }) => state === 'enabled')
    return outlier?.attach({
      name: this.name,
      members: () => enabled().map(backendOf),
      ejected: () => enabled().filter(({ ejection }) => ejection !== undefined).length,
      // A detection that was replaced may still have a timer running.
      eject: (id, reason) => {
        if (outlier === this.#policy.outlier) this.#eject(id, reason)
      },
      readmit: (id) => {
        if (outlier === this.#policy.outlier) this.#eject(id, undefined)
      },
    })
  }

  /** Builds the roster in force and lets everybody know; never on the hot path. */
  #publish(): void {
    this.#edition += 1
    const edition = this.#edition
    const stale = (): boolean => edition !== this.#edition
    const members = [...this.#slots.members()].sort((a, b) =>
      a.backend.id < b.backend.id ? -1 : 1,
    )
    const { tier, up, enabled } = standingOf(members, this.#policy.whenEmpty)
    const available = this.#policy.quorum.decide(up, enabled, this.#answer)
    // "Not yet" is no answer while a check has still to speak.
    const judged = members.length > 0 && members.every(isJudged)
    if (available || judged || this.#answer !== undefined) this.#answer = available
    const next = this.#rosterOf(tier)
    this.#selector.update(next)
    this.#warm(members)
    this.roster.set(next)
    if (stale()) return
    this.#setTargets(members)
    if (stale()) return
    this.#available.set(available)
    if (stale()) return
    if (next.size > 0 && this.queue.size > 0) this.queue.release(this.queue.size)
  }

  #rosterOf(members: readonly Member[]): Roster {
    const now = this.#clock.now()
    const { slowStartMs, boundedLoad } = this.#policy
    return roster({
      backends: members.map(backendOf),
      slots: Int32Array.from(members, (member) => member.slot),
      weights: Float64Array.from(members, (member) => weightOf(member, now, slowStartMs)),
      limits: Int32Array.from(members, (member) => limitOf(member, now, slowStartMs)),
      load: this.load,
      boundedLoad,
    })
  }

  /** A check hears of members that come, go or change, not of every verdict that it gave itself. */
  #setTargets(members: readonly Member[]): void {
    const next = members.map(backendOf).filter(({ state }) => state !== 'disabled')
    const { current } = this.#targets
    if (next.length === current.length && next.every((item, i) => item === current[i])) return
    this.#targets.set(Object.freeze(next))
  }

  /** While a member is in its slow start, new weights are published step by step. */
  #warm(members: readonly Member[]): void {
    const now = this.#clock.now()
    const { slowStartMs } = this.#policy
    const warming = members.some((member) => isWarming(member, now, slowStartMs))
    if (!warming || this.#slowStartTimer !== undefined) return
    this.#slowStartTimer = this.#clock.after(slowStartStepMs(slowStartMs), () => {
      this.#slowStartTimer = undefined
      this.#publish()
    })
  }
}

function backendOf(member: Member): Backend {
  return member.backend
}

function isJudged({ backend: { state }, verdict }: Member): boolean {
  return state === 'disabled' || verdict.state !== 'unknown'
}

function natural(value: number, path: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= 1_000_000) return value
  throw invalidOption(path, `${shown(value)} is not a count: use a whole number from 0 to 1000000`)
}
