import type { Backend, Pool } from '@steelyard/core'
import { type Fate, type FateRules, fateOf, type MemberStanding } from './session-rules.ts'

/** What lives on a member and leaves it when told. */
export interface Resident {
  end(reason: NonNullable<Fate>): void
}

/** A member of a pool as a UDP balancer sees it, with the sessions that count on it. */
export class UdpMember {
  readonly pool: Pool
  readonly slot: number
  readonly backend: Backend
  readonly sessions: Set<Resident> = new Set<Resident>()
  /** In the roster: gets new sessions. */
  serves = true
  /** Why its sessions must leave; they do so at their next datagram, and are swept soon after. */
  fate: Fate = undefined

  constructor(pool: Pool, slot: number) {
    this.pool = pool
    this.slot = slot
    this.backend = pool.backendAt(slot)
  }

  /** Counts a session on it. */
  join(session: Resident): void {
    this.sessions.add(session)
    this.pool.opened(this.slot)
  }

  /** Counts it gone; the member may not be used for anything else afterwards. */
  leave(session: Resident): void {
    if (this.sessions.delete(session)) this.pool.closed(this.slot)
  }
}

/**
 * A pool in use by a balancer: keeps its check running, hears of every change, and knows what each change
 * means for the sessions there are. A pool that a reload replaced is kept, retired, until its last
 * session is over.
 */
export class Membership implements Disposable {
  readonly pool: Pool
  /** A reload replaced this pool: it gets no new sessions, and its members count as removed. */
  retired = false
  readonly #members = new Map<number, UdpMember>()
  readonly #held: Disposable[]
  #rules: FateRules
  #others = false

  /** @param changed - called after each change of members, health or weights. */
  constructor(pool: Pool, rules: FateRules, changed: () => void) {
    this.pool = pool
    this.#rules = rules
    this.#held = [
      pool.use(),
      pool.roster.watch(changed),
      pool.on('health', changed),
      pool.on('outlier', changed),
    ]
  }

  /** The member in a slot that the pool has just picked. */
  at(slot: number): UdpMember {
    let member = this.#members.get(slot)
    if (member === undefined) {
      member = new UdpMember(this.pool, slot)
      this.#members.set(slot, member)
      this.#judge(member, this.#standings())
    }
    return member
  }

  /** Decides anew what becomes of everybody's sessions; `others` says whether somebody else takes traffic. */
  judge(rules: FateRules, others: boolean): void {
    this.#rules = rules
    this.#others = others
    // An empty seat may belong to another member by now: forget it, the next pick finds out.
    for (const [slot, { sessions }] of this.#members) {
      if (sessions.size === 0) this.#members.delete(slot)
    }
    if (this.#members.size === 0) return
    const standings = this.#standings()
    for (const member of this.#members.values()) this.#judge(member, standings)
  }

  /** Ends at most `limit` of the sessions that must leave; returns how many. */
  sweep(limit: number): number {
    let ended = 0
    for (const { fate, sessions } of this.#members.values()) {
      if (fate === undefined) continue
      for (const session of sessions) {
        if (ended >= limit) return ended
        session.end(fate)
        ended += 1
      }
    }
    return ended
  }

  get empty(): boolean {
    for (const { sessions } of this.#members.values()) if (sessions.size > 0) return false
    return true
  }

  /** Must any session leave? */
  get leaving(): boolean {
    for (const { fate, sessions } of this.#members.values()) {
      if (fate !== undefined && sessions.size > 0) return true
    }
    return false
  }

  [Symbol.dispose](): void {
    for (const held of this.#held) held[Symbol.dispose]()
  }

  #judge(member: UdpMember, standings: ReadonlyMap<string, MemberStanding>): void {
    const { id, address } = member.backend
    const chosen = this.pool.roster.current.slots.includes(member.slot)
    const standing = standings.get(seat(id, address)) ?? 'removed'
    const down = standing === 'down' || standing === 'ejected' || standing === 'disabled'
    member.serves = chosen && !this.retired
    member.fate = this.retired
      ? fateOf(down ? standing : 'removed', false, this.#others, this.#rules)
      : fateOf(standing, chosen, this.#others, this.#rules)
  }

  #standings(): ReadonlyMap<string, MemberStanding> {
    return new Map(
      this.pool
        .members()
        .map(({ backend: { id, address }, condition }) => [seat(id, address), condition]),
    )
  }
}

/** The same name at another address is another server. */
function seat(id: string, address: string): string {
  return `${id}\n${address}`
}
