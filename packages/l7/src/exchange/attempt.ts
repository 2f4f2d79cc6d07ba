import type { Backend, Pool } from '@steelyard/core'
import type { BackendLeg, LegSearch, LegSeeker } from '../backend/backend-leg.ts'
import type { Head } from '../wire/head.ts'
import type { RequestHead } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import type { ExchangeError } from './exchange-error.ts'

/** Whom an {@link Attempt} tells how it fares. */
export interface AttemptOwner {
  attemptConnected(attempt: Attempt): void
  attemptInformational(attempt: Attempt, head: ResponseHead): void
  attemptHead(attempt: Attempt, head: ResponseHead): void
  attemptBody(attempt: Attempt, bytes: Uint8Array): void
  attemptEnd(attempt: Attempt, trailers: Head | undefined): void
  attemptDrained(attempt: Attempt): void
  attemptSettled(attempt: Attempt): void
  attemptFailed(attempt: Attempt, error: ExchangeError): void
}

/** One try of an exchange with one member. Holds the pool's count for it until it is over; then it tells nothing more. */
export class Attempt implements LegSeeker {
  readonly backend: Backend
  readonly slot: number
  leg: BackendLeg | undefined = undefined
  /** What will be sent, while it is not sent yet. */
  head: RequestHead | undefined = undefined
  search: LegSearch | undefined = undefined
  /** Monotonic milliseconds; -1 before it came to that. */
  readonly begunAt: number
  connectedAt = -1
  sentAt = -1
  /** The request has been sent to its end. */
  whole = false
  /** The response has come to its end. */
  answered = false
  over = false
  readonly #pool: Pool
  readonly #owner: AttemptOwner

  constructor(owner: AttemptOwner, pool: Pool, slot: number, now: number) {
    this.#owner = owner
    this.#pool = pool
    this.slot = slot
    this.backend = pool.backendAt(slot)
    this.begunAt = now
    pool.opened(slot)
  }

  /** Ends it, whatever is under way, without telling anybody. */
  abandon(): void {
    if (this.over) return
    const { leg, search } = this
    this.finish()
    search?.cancel()
    leg?.abort()
  }

  /** It is over: the pool's count goes down. */
  finish(): void {
    if (this.over) return
    this.over = true
    this.search = undefined
    this.#pool.closed(this.slot)
  }

  connected(leg: BackendLeg): void {
    if (this.over) return leg.abort()
    this.search = undefined
    this.leg = leg
    this.#owner.attemptConnected(this)
  }

  unconnected(error: ExchangeError): void {
    if (!this.over) this.#owner.attemptFailed(this, error)
  }

  informational(head: ResponseHead): void {
    if (!this.over) this.#owner.attemptInformational(this, head)
  }

  responseHead(head: ResponseHead): void {
    if (!this.over) this.#owner.attemptHead(this, head)
  }

  responseBody(bytes: Uint8Array): void {
    if (!this.over) this.#owner.attemptBody(this, bytes)
  }

  responseEnd(trailers: Head | undefined): void {
    if (!this.over) this.#owner.attemptEnd(this, trailers)
  }

  backendDrained(): void {
    if (!this.over) this.#owner.attemptDrained(this)
  }

  settled(): void {
    this.#owner.attemptSettled(this)
  }

  backendFailed(error: ExchangeError): void {
    if (!this.over) this.#owner.attemptFailed(this, error)
  }
}
