import type { SteelyardError } from '@steelyard/core'

/** Who ended a connection. */
export type EndedBy = 'client' | 'backend' | 'balancer'

/** Why a connection ended; `closed` is the ordinary end. */
export type EndReason =
  | 'closed'
  | 'reset'
  | 'acl-denied'
  | 'proxy-header-untrusted'
  | 'proxy-header-invalid'
  | 'client-hello-invalid'
  | 'no-route'
  | 'preread-timeout'
  | 'tls-failed'
  | 'no-backend'
  | 'queue-full'
  | 'queue-timeout'
  | 'connect-failed'
  | 'backend-tls-failed'
  | 'client-idle'
  | 'server-idle'
  | 'half-closed'
  | 'total'
  | 'drain-deadline'
  | 'member-down'
  | 'cut'
  | 'error'

/** What there is to say of one finished connection; made exactly once for each accepted one. */
export interface SessionRecord {
  readonly listener: string
  readonly pool: string
  /** The client's address and port; the PROXY header's when there was one. */
  readonly client: string
  /** The address that the client connected to. */
  readonly local: string
  /** The chosen member's id; absent when none was reached. */
  readonly backend?: string
  /** Wall clock in milliseconds. */
  readonly startedAt: number
  readonly durationMs: number
  /** Waiting for a member with room. */
  readonly queuedMs: number
  /** The successful connect. */
  readonly connectMs: number
  /** Connects tried. */
  readonly attempts: number
  readonly bytesFromClient: number
  readonly bytesToClient: number
  readonly endedBy: EndedBy
  readonly reason: EndReason
  readonly error?: SteelyardError
  /** Server name that the client asked for. */
  readonly serverName?: string
  /** Application protocol that was agreed on or, in pass-through, offered first. */
  readonly alpn?: string
}
