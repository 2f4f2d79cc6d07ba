import type { EndReason } from './session-record.ts'

/** What a TCP listener has counted since its start. */
export interface TcpStats {
  readonly active: number
  readonly accepted: number
  readonly bytesFromClient: number
  readonly bytesToClient: number
  /** Connects to backends that failed. */
  readonly connectFailures: number
  /** Connects tried again on another member. */
  readonly retries: number
  /** Connections waiting for a member with room. */
  readonly queued: number
  /** Failures to accept, for instance for want of descriptors. */
  readonly acceptFailures: number
  /** Finished connections by reason; reasons that did not occur are absent. */
  readonly ended: Readonly<Partial<Record<EndReason, number>>>
}

/** The counters behind {@link TcpStats}; bytes are of finished connections. */
export class TcpCounters {
  bytesFromClient = 0
  bytesToClient = 0
  connectFailures = 0
  retries = 0
  queued = 0
  readonly ended: Map<EndReason, number> = new Map()

  end(reason: EndReason): void {
    this.ended.set(reason, (this.ended.get(reason) ?? 0) + 1)
  }
}
