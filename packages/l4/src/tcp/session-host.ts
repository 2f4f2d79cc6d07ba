import type { Clock, Logger, TimerWheel, Transport } from '@steelyard/core'
import type { TcpCounters } from './counters.ts'
import type { TcpSession } from './session.ts'
import type { SessionRecord } from './session-record.ts'

/** What a session needs of the balancer that accepted it. */
export interface SessionHost {
  readonly name: string
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly counters: TcpCounters
  readonly log: Logger
  /** Does anybody want the summary record? */
  readonly wantsRecord: boolean
  /** The session is over; called exactly once, with the record when it is wanted. */
  finished(session: TcpSession, record: SessionRecord | undefined): void
}
