import type { Report } from '@steelyard/core'
import type { UdpEndReason } from './udp-session-record.ts'

/**
 * Why a datagram was lost here. From clients: denied; no new sessions while stopping; too many sessions;
 * nobody to send to; all members at their limit; too much waits for the backend's socket; longer than a
 * datagram to that backend can be; the socket's send queue is full; its session ended before the backend
 * socket was open. From backends: too long for the client, send queue full, no reply is expected.
 */
export type UdpDropReason =
  | 'acl-denied'
  | 'stopping'
  | 'table-full'
  | 'no-backend'
  | 'backends-full'
  | 'buffer-full'
  | 'too-long'
  | 'queue-full'
  | 'not-sent'
  | 'reply-too-long'
  | 'reply-queue-full'
  | 'reply-unexpected'

/** What a UDP listener has counted since its start. */
export interface UdpStats {
  /** Sessions now. */
  readonly active: number
  /** Sessions begun. */
  readonly sessions: number
  /** Datagrams that came from clients, dropped ones included. */
  readonly received: number
  /** Datagrams handed to backends, and their payload. */
  readonly datagramsFromClient: number
  readonly bytesFromClient: number
  /** Datagrams handed to clients, and their payload. */
  readonly datagramsToClient: number
  readonly bytesToClient: number
  /** Datagrams, and their bytes, that wait for a backend socket to open. */
  readonly waiting: number
  readonly waitingBytes: number
  /** Backend sockets that could not be opened. */
  readonly connectFailures: number
  /** Sessions whose backend answered with ICMP unreachable. */
  readonly refused: number
  /** Other failures that sockets reported. */
  readonly socketErrors: number
  /** Datagrams lost here, by reason; reasons that did not occur are absent. */
  readonly dropped: Readonly<Partial<Record<UdpDropReason, number>>>
  /** Finished sessions by reason; reasons that did not occur are absent. */
  readonly ended: Readonly<Partial<Record<UdpEndReason, number>>>
}

/** The counters behind {@link UdpStats}: plain numbers, written on the data path and read by whoever asks. */
export class UdpCounters {
  sessions = 0
  received = 0
  datagramsFromClient = 0
  bytesFromClient = 0
  datagramsToClient = 0
  bytesToClient = 0
  waiting = 0
  waitingBytes = 0
  connectFailures = 0
  refused = 0
  socketErrors = 0
  readonly #dropped = new Map<UdpDropReason, number>()
  readonly #ended = new Map<UdpEndReason, number>()

  drop(reason: UdpDropReason, count = 1): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count)
  }

  end(reason: UdpEndReason): void {
    this.#ended.set(reason, (this.#ended.get(reason) ?? 0) + 1)
  }

  snapshot(active: number): UdpStats {
    const { sessions, received, waiting, waitingBytes, connectFailures, refused } = this
    const { datagramsFromClient, bytesFromClient, datagramsToClient, bytesToClient } = this
    return {
      active,
      sessions,
      received,
      datagramsFromClient,
      bytesFromClient,
      datagramsToClient,
      bytesToClient,
      waiting,
      waitingBytes,
      connectFailures,
      refused,
      socketErrors: this.socketErrors,
      dropped: Object.fromEntries(this.#dropped),
      ended: Object.fromEntries(this.#ended),
    }
  }

  /** Reports everything to a scrape; labels are the listener's name and the fixed words above. */
  report(report: Report, listener: string, active: number): void {
    const labels = { listener }
    const count = (
      name: string,
      help: string,
      value: number,
      more?: Record<string, string>,
    ): void => report('counter', `steelyard_l4_udp_${name}`, help, value, { ...labels, ...more })
    report('gauge', 'steelyard_l4_udp_sessions', 'Sessions now', active, labels)
    report(
      'gauge',
      'steelyard_l4_udp_waiting_bytes',
      'Bytes waiting for backend sockets to open',
      this.waitingBytes,
      labels,
    )
    count('sessions_total', 'Sessions begun', this.sessions)
    count('received_total', 'Datagrams received from clients', this.received)
    const datagrams = 'Datagrams forwarded'
    count('datagrams_total', datagrams, this.datagramsFromClient, { direction: 'to-backend' })
    count('datagrams_total', datagrams, this.datagramsToClient, { direction: 'to-client' })
    const bytes = 'Payload bytes forwarded'
    count('bytes_total', bytes, this.bytesFromClient, { direction: 'to-backend' })
    count('bytes_total', bytes, this.bytesToClient, { direction: 'to-client' })
    count('connect_failures_total', 'Backend sockets that failed to open', this.connectFailures)
    count('refused_total', 'Sessions ended by ICMP unreachable', this.refused)
    count('socket_errors_total', 'Other failures that sockets reported', this.socketErrors)
    for (const [reason, value] of this.#dropped) {
      count('dropped_total', 'Datagrams lost in the balancer', value, { reason })
    }
    for (const [reason, value] of this.#ended) {
      count('ended_total', 'Sessions ended', value, { reason })
    }
  }
}
