import { addressHash, type Clock, type Pool, Tried, untried } from '@steelyard/core'
import { Membership, type UdpMember } from './membership.ts'
import { Refusals } from './refusals.ts'
import type { UdpSettings } from './settings.ts'
import { SourceAffinity } from './source-affinity.ts'

/** Sessions ended in one turn of the event loop when members must be left. */
const sweepAtOnce = 256

/** Whose session it is. */
export interface Client {
  readonly address: string
  readonly port: number
}

/**
 * Says which member a client gets, and what a change in the pool means for the sessions there are. Holds
 * the pool in use and, as long as they have sessions, those that a reload replaced.
 */
export class Placement implements Disposable {
  readonly #clock: Clock
  readonly #affinity = new SourceAffinity()
  readonly #refusals = new Refusals()
  readonly #tried = new Tried()
  #settings: UdpSettings
  /** The pool in use comes last. */
  #memberships: Membership[] = []
  #sweeping: Disposable | undefined

  constructor(clock: Clock, settings: UdpSettings) {
    this.#clock = clock
    this.#settings = settings
  }

  /** Puts the pool in use: its check runs from now on, its changes are heard. */
  open(): void {
    this.#usePool(this.#settings.pool)
  }

  /** Puts other settings in force, another pool among them. */
  reconfigure(settings: UdpSettings): void {
    this.#settings = settings
    if (this.#memberships.length === 0) return
    if (this.#current.pool !== settings.pool) this.#usePool(settings.pool)
    this.#judge()
  }

  [Symbol.dispose](): void {
    this.#sweeping?.[Symbol.dispose]()
    for (const membership of this.#memberships) membership[Symbol.dispose]()
    this.#memberships = []
  }

  /** The member for a client's new session: its source's, or the next candidate that did not refuse it just now. */
  choose(client: Client): UdpMember | undefined {
    const { bySource, pool } = this.#settings
    if (bySource) {
      const kept = this.#affinity.find(client.address)
      if (kept?.pool === pool && admits(kept)) return kept
    }
    if (this.#refusals.size > 0) {
      const refuser = this.#refusals.recall(this.#nameOf(client), this.#clock.now())
      if (refuser?.pool === pool) {
        this.#tried.clear()
        this.#tried.add(refuser.slot)
        const other = this.#pick(client, this.#tried)
        // Nobody else: it may be back by now, and a datagram that is dropped here helps nobody.
        if (other !== undefined) return other
      }
    }
    return this.#pick(client, untried)
  }

  /** The member for one datagram, whatever the client had before. */
  scatter(client: Client): UdpMember | undefined {
    const slot = this.#settings.pool.pick(this.#key(client), untried)
    return slot < 0 ? undefined : this.#current.at(slot)
  }

  /** The next candidate for a session that could not reach those it tried. */
  another(client: Client, tried: Tried): UdpMember | undefined {
    const member = this.#pick(client, tried)
    if (member !== undefined && this.#settings.bySource) this.#affinity.move(client.address, member)
    return member
  }

  /** The member refused this client: its next session goes elsewhere. */
  refused(client: Client, member: UdpMember): void {
    this.#refusals.remember(this.#nameOf(client), member, this.#clock.now())
    this.#affinity.forget(client.address, member)
  }

  /** A session of this source began; the next ones follow it until {@link Placement.left} was called for all. */
  joined(client: Client, member: UdpMember): void {
    this.#affinity.join(client.address, member)
  }

  left(client: Client): void {
    this.#affinity.leave(client.address)
  }

  /** Lets go of replaced pools that have no sessions left. */
  retireEmpty(): void {
    if (this.#memberships.length < 2) return
    const gone = this.#memberships.filter(({ retired, empty }) => retired && empty)
    this.#memberships = this.#memberships.filter((membership) => !gone.includes(membership))
    for (const membership of gone) membership[Symbol.dispose]()
  }

  #pick(client: Client, tried: Tried): UdpMember | undefined {
    const { pool } = this.#settings
    const key = this.#key(client)
    const slot = pool.pick(key, tried, client.address)
    if (slot < 0) return undefined
    const member = this.#current.at(slot)
    if (member.fate === undefined) return member
    // Persistence clings to a member that sessions must leave: ask the algorithm alone, and make it known.
    const next = pool.pick(key, tried)
    if (next < 0) return undefined
    const other = this.#current.at(next)
    pool.persistence?.assign(client.address, other.backend.id)
    return other
  }

  #key({ address, port }: Client): number {
    const { pool, bySource } = this.#settings
    if (pool.key === 'none') return 0
    return addressHash(address, pool.key === 'source-port' && !bySource ? port : undefined)
  }

  #nameOf({ address, port }: Client): string {
    return this.#settings.bySource ? address : `${address} ${port}`
  }

  get #current(): Membership {
    return this.#memberships.at(-1)!
  }

  #usePool(pool: Pool): void {
    const known = this.#memberships.find((membership) => membership.pool === pool)
    const next = known ?? new Membership(pool, this.#settings, () => this.#judge())
    const others = this.#memberships.filter((membership) => membership !== next)
    for (const membership of others) membership.retired = true
    next.retired = false
    this.#memberships = [...others, next]
    this.#refusals.forgetAll()
    this.retireEmpty()
  }

  /** A pool changed, or the rules did: decides what becomes of the sessions, and sweeps out who must leave. */
  #judge(): void {
    const others = this.#settings.pool.roster.current.size > 0
    for (const membership of this.#memberships) membership.judge(this.#settings, others)
    this.#scheduleSweep()
  }

  /** In turns, so that ending thousands of sessions does not hold up the datagrams of the others. */
  #scheduleSweep(): void {
    if (this.#sweeping !== undefined) return
    if (!this.#memberships.some(({ leaving }) => leaving)) return
    this.#sweeping = this.#clock.after(0, () => {
      this.#sweeping = undefined
      let left = sweepAtOnce
      for (const membership of [...this.#memberships]) left -= membership.sweep(left)
      if (left < sweepAtOnce) this.#scheduleSweep()
    })
  }
}

/** May this member take one more? */
function admits({ pool, slot, serves }: UdpMember): boolean {
  const { current } = pool.roster
  const index = current.slots.indexOf(slot)
  return serves && index >= 0 && current.admits(index, untried)
}
