import type { TimeoutsMs } from './timeouts.ts'

/** Which deadline of a relayed connection has passed. */
export type Expiry = 'client-idle' | 'server-idle' | 'half-closed' | 'total'

/** Looking more often than this costs more than it tells. */
const shortestLookMs = 10

/**
 * Finds out by looking now and then whether a relayed connection is idle, so that the data path never
 * touches a timer: a side whose byte count moved since the last look was active since then. A cut comes
 * after the timeout and at most one eighth of it (10 ms at least) later.
 */
export class IdleWatch {
  readonly #timeouts: TimeoutsMs
  readonly #startedAt: number
  readonly #everyMs: number
  #client = 0
  #clientAt: number
  #server = 0
  #serverAt: number
  /** When the first FIN was seen; infinite before. */
  #halfClosedAt: number = Number.POSITIVE_INFINITY

  /** @param startedAt - when the connection was accepted, for the total time. */
  constructor(timeouts: TimeoutsMs, startedAt: number, now: number) {
    this.#timeouts = timeouts
    this.#startedAt = startedAt
    this.#clientAt = now
    this.#serverAt = now
    const shortest = Math.min(
      ...[timeouts.client, timeouts.server, timeouts.halfClosed].filter((timeout) => timeout > 0),
    )
    this.#everyMs = Math.max(shortestLookMs, shortest / 8)
  }

  /** When to look next, from now; infinite when there is nothing to watch. */
  nextLookMs(now: number): number {
    const next = Math.min(
      now + this.#everyMs,
      this.#totalAt,
      this.#clientIdleAt,
      this.#serverIdleAt,
      this.#halfClosedUntil,
    )
    return Math.max(0, next - now)
  }

  /**
   * Looks.
   *
   * @param client - bytes read from and written to the client so far.
   * @param server - the same for the backend.
   */
  look(now: number, client: number, server: number, halfClosed: boolean): Expiry | undefined {
    if (client !== this.#client) {
      this.#client = client
      this.#clientAt = now
    }
    if (server !== this.#server) {
      this.#server = server
      this.#serverAt = now
    }
    if (halfClosed && this.#halfClosedAt > now) this.#halfClosedAt = now
    if (now >= this.#totalAt) return 'total'
    if (now >= this.#halfClosedUntil) return 'half-closed'
    if (now >= this.#clientIdleAt) return 'client-idle'
    if (now >= this.#serverIdleAt) return 'server-idle'
    return undefined
  }

  get #totalAt(): number {
    return deadline(this.#startedAt, this.#timeouts.total)
  }

  get #clientIdleAt(): number {
    return deadline(this.#clientAt, this.#timeouts.client)
  }

  get #serverIdleAt(): number {
    return deadline(this.#serverAt, this.#timeouts.server)
  }

  /** Silence before the FIN does not count: the other side may just be at work on its answer. */
  get #halfClosedUntil(): number {
    return deadline(
      Math.max(this.#clientAt, this.#serverAt, this.#halfClosedAt),
      this.#timeouts.halfClosed,
    )
  }
}

function deadline(from: number, timeoutMs: number): number {
  return timeoutMs > 0 ? from + timeoutMs : Number.POSITIVE_INFINITY
}
