import type { Backend } from '@steelyard/core'
import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import type { LegSearch, LegSeeker } from './backend-leg.ts'
import type { ConnectionStats } from './connection-stats.ts'

/** What one attempt asks of its connection. */
export interface LegDemand {
  /** For the PROXY header. */
  readonly client: ConnectionFacts
  /** May it be a connection that has served before? The reuse policy has decided. */
  readonly mayReuse: boolean
  /** With {@link LegDemand.mayReuse}: only one that has been reused before (`aggressive`). Default `false`. */
  readonly provenOnly?: boolean
  readonly connectTimeoutMs: number
  /** It will ask for an upgrade: an HTTP/1.1 connection, or HTTP/2 with extended CONNECT. */
  readonly upgrade: boolean
}

/** Connections to the members of pools that are spoken to in one way. */
export interface BackendConnections {
  /**
   * Finds an idle connection or makes one. When one is idle, `connected` is called before this returns, and the
   * result is undefined; so it is when `unconnected` was called already.
   */
  seek(backend: Backend, seeker: LegSeeker, demand: LegDemand): LegSearch | undefined
  /** Idle connections to a member, or to all. */
  idle(backendId?: string): number
  /** Open connections, idle or at work. */
  readonly open: number
  /** Closes idle connections to members that are gone or down; those at work close after their exchange. */
  forget(backendId: string): void
  /** A client's connection is over: those that are its own (PROXY header) close, if at work after their exchange. */
  clientGone?(clientId: number): void
  /** What became of connections so far. */
  stats?(): ConnectionStats
  /** Closes what is idle; what is at work closes after its exchange. */
  close(): void
}
