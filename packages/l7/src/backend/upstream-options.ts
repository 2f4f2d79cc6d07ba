import type { Duration } from '@steelyard/core'
import type { OriginateOptions } from '@steelyard/l4'

/**
 * When a request may go on a connection that has served before (HAProxy's `http-reuse`). `never`; `safe`: not the
 * first request of a client's connection, whose client could not know that it must retry, unless it is idempotent;
 * `aggressive`: also first requests, on connections that have been reused before; `always`.
 */
export type ReusePolicy = 'never' | 'safe' | 'aggressive' | 'always'

/** How the members of a pool are spoken to. */
export interface UpstreamOptions {
  /** `auto`: HTTP/2 where TLS and ALPN agree on it, else HTTP/1.1. `h2` without TLS is prior knowledge. Default `http/1.1`. */
  readonly protocol?: 'http/1.1' | 'h2' | 'auto'
  /** TLS to the members. Verified unless it says otherwise. Default: none. */
  readonly tls?: OriginateOptions | true
  /** Tells members the client's address by a PROXY header; connections are then the client's own. Default: none. */
  readonly sendProxy?: 'v1' | 'v2'
  /** Source addresses for connections, used in turn. Default: the system chooses. */
  readonly sourceAddresses?: readonly string[]
  /** Default `safe`. */
  readonly reuse?: ReusePolicy
  /** Idle connections kept for each member. Default 256. */
  readonly maxIdle?: number
  /**
   * How long a connection may be idle; it is ended between this and nine tenths of it, and a second before the member
   * would by its own `Keep-Alive: timeout`. Default `30s`: below the keep-alive time of most servers.
   */
  readonly idleTimeout?: Duration
  /** How old a connection may get; jittered the same way. Default `5m`; 0 for any age. */
  readonly maxLifetime?: Duration
  /** Requests that a connection may serve. Default 0: any number. */
  readonly maxRequests?: number
  /** HTTP/2: streams that we open at once on one connection, below what the member allows. Default 100. */
  readonly maxStreams?: number
  /** HTTP/2: connections to one member. Default 4; beyond their streams, requests wait. */
  readonly maxSessions?: number
}
