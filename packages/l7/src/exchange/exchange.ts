import type { Backend, Clock, Logger, Pool } from '@steelyard/core'
import type { ConnectionFacts } from './connection-facts.ts'
import type { HttpRequest } from './http-request.ts'

/** One request and its response, as filters and hooks see it. */
export interface Exchange {
  /** Unique: for X-Request-ID, logs and traces. Made when it is first asked for. */
  readonly id: string
  readonly request: HttpRequest
  readonly connection: ConnectionFacts
  /** The listener's name. */
  readonly listener: string
  /** The route's name; undefined before routing and when none matched. */
  readonly route: string | undefined
  /** The pool it goes to. */
  readonly pool: Pool | undefined
  /** The member that it is on. */
  readonly backend: Backend | undefined
  /** Members tried, this one included; 0 before the first. */
  readonly attempts: number
  /** Monotonic milliseconds when the head was complete. */
  readonly startedAt: number
  readonly clock: Clock
  readonly log: Logger
  /** The response's status once there is one; else 0. */
  readonly status: number
  /** For the embedder: whatever its own hooks want to remember. */
  context: unknown
  /** What a filter remembers of this exchange, by the filter's own key. */
  recall(key: object): unknown
  remember(key: object, value: unknown): void
  /** A word for the access log, such as `mirrored`; kept once. */
  flag(word: string): void
}
