import type { SteelyardError } from '@steelyard/core'

/**
 * Why a UDP session ended: nothing came for the idle timeout; all expected replies came; its member went
 * down, drains and its clients are to move, or refused a datagram (ICMP); no backend socket could be
 * opened; a reload denies the client; its socket closed by itself; the drain time was over; it was cut by a stop without drain.
 */
export type UdpEndReason =
  | 'idle'
  | 'replies-complete'
  | 'member-down'
  | 'member-draining'
  | 'member-refused'
  | 'connect-failed'
  | 'acl-denied'
  | 'drain-deadline'
  | 'error'
  | 'cut'

/** What there is to say of one finished UDP session; made exactly once for each. */
export interface UdpSessionRecord {
  readonly listener: string
  readonly pool: string
  /** The client's address and port. */
  readonly client: string
  /** The address that the balancer listens on. */
  readonly local: string
  /** The member's id: the last one tried when none could be reached. */
  readonly backend: string
  /** Wall clock in milliseconds. */
  readonly startedAt: number
  readonly durationMs: number
  /** Members tried; more than 1 when a backend socket could not be opened. */
  readonly attempts: number
  /** Datagrams handed to the backend's socket, and their payload. */
  readonly datagramsFromClient: number
  readonly bytesFromClient: number
  /** Datagrams handed to the client, and their payload. */
  readonly datagramsToClient: number
  readonly bytesToClient: number
  /** Datagrams of this session that were lost here, both ways. */
  readonly dropped: number
  readonly reason: UdpEndReason
  readonly error?: SteelyardError
}
