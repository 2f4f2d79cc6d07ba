/** Why a connection to a member was closed. */
export type CloseReason =
  /** It was idle for too long. */
  | 'idle-timeout'
  /** It was old. */
  | 'lifetime'
  /** It had served as many requests as it may. */
  | 'max-requests'
  /** There were more idle ones than are kept. */
  | 'max-idle'
  /** The member closed it while it was idle. */
  | 'member-closed'
  /** Bytes came that nobody had asked for: somebody's response would have become somebody else's. */
  | 'unexpected-bytes'
  /** The member said that it closes, or ended its response with the connection. */
  | 'not-kept'
  /** The policy is never to reuse. */
  | 'policy'
  /** The response was there before the request was whole. */
  | 'early-response'
  /** It failed in the middle of an exchange. */
  | 'failed'
  /** The exchange gave it up. */
  | 'aborted'
  /** It became a tunnel. */
  | 'tunnel'
  /** The member is gone or down, or the client whose own it was. */
  | 'forgotten'
  /** Everything closes. */
  | 'shutdown'

/** What became of the connections to the members of a pool; numbers only grow, except those of now. */
export interface ConnectionStats {
  /** Connected, TLS included. */
  readonly opened: number
  /** Requests that went on a connection that had served before. */
  readonly reused: number
  /** Connects that failed, by the member's or our fault; those that were given up do not count. */
  readonly connectFailures: number
  readonly closed: Readonly<Record<CloseReason, number>>
  /** Now: being connected, open, and open without work. */
  readonly connecting: number
  readonly open: number
  readonly idle: number
}

/** {@link ConnectionStats} as they are counted. */
export interface ConnectionCounters {
  opened: number
  reused: number
  connectFailures: number
  connecting: number
  readonly closed: Record<CloseReason, number>
}

export function connectionCounters(): ConnectionCounters {
  return {
    opened: 0,
    reused: 0,
    connectFailures: 0,
    connecting: 0,
    closed: {
      'idle-timeout': 0,
      lifetime: 0,
      'max-requests': 0,
      'max-idle': 0,
      'member-closed': 0,
      'unexpected-bytes': 0,
      'not-kept': 0,
      policy: 0,
      'early-response': 0,
      failed: 0,
      aborted: 0,
      tunnel: 0,
      forgotten: 0,
      shutdown: 0,
    },
  }
}
