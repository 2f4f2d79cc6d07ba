import type { TimeoutsMs } from './timeouts.ts'

/** Which deadline of a relayed connection has passed. */
export type Expiry = 'client-idle' | 'server-idle' | 'half-closed' | 'total'

/**
 * Finds out by looking now and then whether a relayed connection is idle, so that the data path never
 * touches a timer: a side whose byte count moved since the last look was active since then. A cut comes
 * after the timeout and at most one eighth of it later.
 */
export class IdleWatch {
  readonly #timeouts: TimeoutsMs
  readonly #startedAt: number
  readonly #everyMs: number
  #client = 0
  #clientAt: number
  #server = 0
  #serverAt: number

  /** @param startedAt - when the connection was accepted, for the total time. */
  constructor(timeouts: TimeoutsMs, startedAt: number, now: number) {
    this.#timeouts = timeouts
    this.#startedAt = startedAt
    this.#clientAt = now
    this.#serverAt = now
    const shortest = Math.min(
      ...[timeouts.client, timeouts.server, timeouts.halfClosed].filter((timeout) => timeout > 0),
    )
    this.#everyMs = Math.max(10, shortest / 8)
  }

  /** When to look next, from now; infinite when there is nothing to watch. */
  nextLookMs(now: number): number {
    const { total } = this.#timeouts
    const left = total > 0 ? this.#startedAt + total - now : Number.POSITIVE_INFINITY
    return Math.max(0, Math.min(this.#everyMs, left))
  }

  /**
   * Looks.
   *
   * @param client - bytes read from and written to the client so far.
   * @param server - the same for the backend.
   */
  look(now: number, client: number, server: number, halfClosed: boolean): Expiry | undefined {
    const { total, client: clientMs, server: serverMs, halfClosed: halfClosedMs } = this.#timeouts
    if (client !== this.#client) {
      this.#client = client
      this.#clientAt = now
    }
    if (server !== this.#server) {
      this.#server = server
      this.#serverAt = now
    }
    if (total > 0 && now - this.#startedAt >= total) return 'total'
    const lastAt = Math.max(this.#clientAt, this.#serverAt)
    if (halfClosed && halfClosedMs > 0 && now - lastAt >= halfClosedMs) return 'half-closed'
    if (clientMs > 0 && now - this.#clientAt >= clientMs) return 'client-idle'
    if (serverMs > 0 && now - this.#serverAt >= serverMs) return 'server-idle'
    return undefined
  }
}
