import type { RateAlgorithm, RateDecision, RateRule } from './rate-rule.ts'
import { slidingWindow } from './sliding-window.ts'
import { tokenBucket } from './token-bucket.ts'

/**
 * Where a limiter's state is kept: the port for a store that several balancers share. One that answers at once costs
 * no promise. It may throw or reject; `onStoreFailure` then decides.
 */
export interface RateStore {
  /**
   * Takes `cost` from the quota of a key, or nothing when there is not enough.
   *
   * @param key - the policy's name, a colon, and what is counted, such as `default:192.0.2.1`.
   * @param now - monotonic milliseconds of this process; a shared store goes by its own clock.
   */
  take(key: string, cost: number, now: number): RateDecision | Promise<RateDecision>
}

/** What happens to a key that is new when there is no room: the one not seen for the longest time is forgotten, and begins anew when it comes back; or the new one is denied until others have rested. */
export type WhenFull = 'forget' | 'deny'

/** The state of a bounded number of keys, in this process. */
export interface LocalRates {
  /** Keys remembered now. */
  readonly size: number
  take(key: string | number, cost: number, now: number): RateDecision
}

/** Makes {@link LocalRates}. Keys whose quota is whole again are forgotten in passing. */
export function localRates(rule: RateRule, maxKeys: number, whenFull: WhenFull): LocalRates {
  return rule.algorithm === 'token-bucket'
    ? new RateTable(tokenBucket(rule), maxKeys, whenFull)
    : new RateTable(slidingWindow(rule), maxKeys, whenFull)
}

/** A key; a link of the ring from the one not seen for the longest time to the newest. */
interface Entry<State> {
  readonly key: string | number
  readonly state: State
  older: Entry<State>
  newer: Entry<State>
}

/** Rested keys forgotten in passing, at most: each new key adds one, so this keeps up. */
const sweepStep = 16

class RateTable<State> implements LocalRates {
  readonly #algorithm: RateAlgorithm<State>
  readonly #maxKeys: number
  readonly #whenFull: WhenFull
  readonly #entries = new Map<string | number, Entry<State>>()
  /** Closes the ring: its `newer` is the oldest entry, its `older` the newest. */
  readonly #ring: Entry<State>

  constructor(algorithm: RateAlgorithm<State>, maxKeys: number, whenFull: WhenFull) {
    this.#algorithm = algorithm
    this.#maxKeys = maxKeys
    this.#whenFull = whenFull
    const ring = { key: '', state: algorithm.fresh() } as Entry<State>
    ring.older = ring
    ring.newer = ring
    this.#ring = ring
  }

  get size(): number {
    return this.#entries.size
  }

  take(key: string | number, cost: number, now: number): RateDecision {
    const known = this.#entries.get(key)
    if (known !== undefined) {
      if (known.newer !== this.#ring) {
        unlink(known)
        link(known, this.#ring)
      }
      return this.#algorithm.take(known.state, cost, now)
    }
    this.#sweep(now)
    const state = this.#algorithm.fresh()
    if (this.#entries.size >= this.#maxKeys) {
      if (this.#whenFull === 'deny') {
        const retryMs = Math.max(0, this.#algorithm.restsAt(this.#ring.newer.state) - now)
        return { allowed: false, remaining: 0, resetMs: retryMs, retryMs }
      }
      this.#forget(this.#ring.newer)
    }
    const entry: Entry<State> = { key, state, older: this.#ring, newer: this.#ring }
    link(entry, this.#ring)
    this.#entries.set(key, entry)
    return this.#algorithm.take(state, cost, now)
  }

  #sweep(now: number): void {
    for (let i = 0; i < sweepStep; i++) {
      const oldest = this.#ring.newer
      if (oldest === this.#ring || this.#algorithm.restsAt(oldest.state) > now) return
      this.#forget(oldest)
    }
  }

  #forget(entry: Entry<State>): void {
    unlink(entry)
    this.#entries.delete(entry.key)
  }
}

function link<State>(entry: Entry<State>, end: Entry<State>): void {
  entry.older = end.older
  entry.newer = end
  end.older.newer = entry
  end.older = entry
}

function unlink<State>(entry: Entry<State>): void {
  entry.older.newer = entry.newer
  entry.newer.older = entry.older
}
