import { addressHash, hashText, type Pool, Tried, untried, type Waiter } from '@steelyard/core'
import type { Exchange } from './exchange.ts'
import type { FilterChain } from './filter-chain.ts'
import type { ForwardPlan } from './plan.ts'

/** Whom a {@link MemberChoice} tells. */
export interface ChoiceOwner {
  /** This member admits one more. */
  chosen(slot: number): void
  /** All that are left are full; it waits in the queue. */
  queued(): void
  /** It waits no more. */
  unqueued(waitedMs: number): void
  nobody(why: 'no-backend' | 'queue-full'): void
  /** A picker or a filter threw. */
  choiceFailed(error: unknown): void
}

/** Finds a member for each attempt of one exchange: what a filter prefers, else what the algorithm says; waits for room. */
export class MemberChoice implements Waiter {
  readonly pool: Pool
  readonly #owner: ChoiceOwner
  readonly #x: Exchange
  readonly #chain: FilterChain
  readonly #key: number
  #tried: Tried = untried
  #queuedAt = -1

  constructor(owner: ChoiceOwner, x: Exchange, pool: Pool, plan: ForwardPlan) {
    this.pool = pool
    this.#owner = owner
    this.#x = x
    this.#chain = plan.chain
    this.#key = keyOf(x, pool, plan)
  }

  /** Is there a member that was not tried yet? */
  get hasUntried(): boolean {
    const { slots } = this.pool.roster.current
    for (let i = 0; i < slots.length; i++) if (!this.#tried.has(slots[i]!)) return true
    return false
  }

  /** Not this one again, as long as there are others. */
  exclude(slot: number): void {
    if (this.#tried === untried) this.#tried = new Tried()
    this.#tried.add(slot)
  }

  /** The next member, or a place in the queue. */
  next(): void {
    this.#choose()
  }

  /** Another member beside the one at work; -1 when there is none. */
  another(than: number): number {
    const tried = new Tried()
    tried.add(than)
    return this.pool.pick(this.#key, tried)
  }

  /** There may be room now. */
  proceed(): boolean {
    return this.#choose()
  }

  leave(): void {
    if (this.#queuedAt < 0) return
    this.pool.queue.leave(this)
    const waited = this.#x.clock.now() - this.#queuedAt
    this.#queuedAt = -1
    this.#owner.unqueued(waited)
  }

  #choose(): boolean {
    const { pool } = this
    let slot: number
    try {
      slot = this.#preferred()
      if (slot < 0) slot = pool.pick(this.#key, this.#tried, this.#x.request.client)
      // All have been tried, and it may be tried again: they come round once more.
      if (slot < 0 && this.#tried.size > 0 && !this.hasUntried) {
        this.#tried.clear()
        slot = pool.pick(this.#key, this.#tried, this.#x.request.client)
      }
    } catch (error) {
      this.leave()
      this.#owner.choiceFailed(error)
      return true
    }
    if (slot < 0 && pool.roster.current.size > 0) return this.#queue()
    this.leave()
    if (slot < 0) this.#owner.nobody('no-backend')
    else this.#owner.chosen(slot)
    return true
  }

  #preferred(): number {
    for (const filter of this.#chain.prefer) {
      const id = filter.prefer(this.#x, this.pool)
      if (id === undefined) continue
      const slot = this.pool.slotOf(id, this.#tried, true)
      if (slot >= 0) return slot
    }
    return -1
  }

  #queue(): boolean {
    if (this.#queuedAt >= 0) return false
    if (!this.pool.queue.join(this)) {
      this.#owner.nobody('queue-full')
      return true
    }
    this.#queuedAt = this.#x.clock.now()
    this.#owner.queued()
    return false
  }
}

/** What the pool's algorithm wants to know of the exchange. */
function keyOf(x: Exchange, { key }: Pool, plan: ForwardPlan): number {
  if (key === 'none') return 0
  const { client, peer, path } = x.request
  if (key === 'request') return hashText(plan.hashKey?.(x) ?? path)
  return addressHash(client, key === 'source-port' ? peer.port : undefined)
}
