import type {
  Clock,
  DatagramSocket,
  Logger,
  SteelyardError,
  TimerWheel,
  Transport,
  Tried,
} from '@steelyard/core'
import type { LogGate } from './log-gate.ts'
import type { UdpMember } from './membership.ts'
import type { UdpSession } from './session.ts'
import type { UdpSettings } from './settings.ts'
import type { UdpCounters } from './udp-counters.ts'
import type { UdpEndReason } from './udp-session-record.ts'

/** What a session needs of the balancer that it belongs to. */
export interface UdpSessionHost {
  readonly name: string
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly counters: UdpCounters
  readonly log: Logger
  readonly gate: LogGate
  readonly settings: UdpSettings
  /** The socket that clients speak to; undefined when it is closed. */
  readonly listener: DatagramSocket | undefined
  /** Another member for a session whose last one could not be reached; undefined when there is none. */
  another(session: UdpSession, tried: Tried): UdpMember | undefined
  /** The member refused this client: keep the client's next session away from it. */
  refused(session: UdpSession): void
  /** A backend socket is being opened, or is gone again; one call of each for every socket. */
  socketBegun(): void
  socketGone(): void
  /** The session is over; called exactly once. */
  finished(session: UdpSession, reason: UdpEndReason, error: SteelyardError | undefined): void
}
