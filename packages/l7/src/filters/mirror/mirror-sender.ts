import type { Clock, Pool } from '@steelyard/core'

/** A request to be sent to a mirror: everything it needs, copied. */
export interface MirrorRequest {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** The authority that the mirror is told. */
  readonly host: string
  /** Lines without Host, and without any that frame the message. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Undefined for none. */
  readonly body: Uint8Array | undefined
  /** The client's address, for pools that pick by it. */
  readonly client: string
  /** For the answer to its end. */
  readonly timeoutMs: number
  readonly clock: Clock
}

/**
 * How a mirrored request went: answered to the end, without a member to go to, not sent or not answered, too late, or
 * given up by {@link MirrorCall.cancel}.
 */
export type MirrorOutcome = 'answered' | 'no-backend' | 'failed' | 'timeout' | 'cancelled'

/** A mirrored request under way. */
export interface MirrorCall {
  /** Gives it up; does nothing when it is over. */
  cancel(): void
}

/** Hears how a mirrored request went. */
export type MirrorOver = (outcome: MirrorOutcome, error?: unknown) => void

/** The way a mirror's requests take. */
export interface MirrorSender {
  /**
   * Sends one and throws the answer away. Never throws.
   *
   * @param over - told exactly once, also during the call; with what went wrong.
   */
  send(request: MirrorRequest, pool: Pool, over: MirrorOver): MirrorCall
  /** Lets go of idle connections; what is under way goes on. */
  close(): void
}
