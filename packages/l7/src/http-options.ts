import type { Clock, Duration, Logger, Metrics, Size, TimerWheel, Transport } from '@steelyard/core'
import type {
  AcceptProxyOptions,
  Acl,
  ConnectionLimit,
  Listen,
  RetryBudget,
  TlsContexts,
  TlsContextsOptions,
} from '@steelyard/l4'
import type { H2Options } from './client/h2/h2-options.ts'
import type { ErrorPages } from './exchange/error-pages.ts'
import type { ExchangeRecord } from './exchange/exchange-record.ts'
import type { HttpFilter } from './exchange/http-filter.ts'
import type { ExchangeTimeouts } from './exchange/timeouts.ts'
import type { ForwardingOptions } from './gate/forwarding-options.ts'
import type { GateOptions } from './gate/gate-options.ts'
import type { Route, RouteOrder } from './routing/route.ts'

/** Bounds of what a client may send. */
export interface HttpLimits {
  /** The whole head of a request. Default `16KiB`. */
  readonly head?: Size
  /** One line of it. Default `8KiB`. */
  readonly line?: Size
  /** Lines of it. Default 100. */
  readonly lines?: number
  /** A request's body; a route may say otherwise. Default 0: any length. */
  readonly body?: Size
  /** Requests of one connection, then it ends. Default 0: any number. */
  readonly requests?: number
  /** Open client connections of this listener. Default 0: any number. */
  readonly connections?: number
}

/** How HTTP/2 is spoken, and whether also without TLS. */
export interface Http2Options extends H2Options {
  /** Also without TLS (h2c): whoever begins with HTTP/2's preface gets it. Default `false`. */
  readonly priorKnowledge?: boolean
}

/** How an HTTP balancer is made. */
export interface HttpBalancerOptions {
  /** `host:port`, `[v6]:port`, `:port`, `unix:/path`, or the details. */
  readonly listen: Listen
  /** For logs, metrics and status. Default: the address. */
  readonly name?: string
  /** First match wins. Without a match the answer is 404. */
  readonly routes: readonly Route[]
  /** Default `listed`. */
  readonly order?: RouteOrder
  /** Policies and hooks for every request, outside those of the routes. */
  readonly use?: readonly HttpFilter[]
  /** TLS with clients ends here. Default: none. */
  readonly tls?: TlsContextsOptions | TlsContexts
  /** For one TLS handshake. Default `10s`. */
  readonly handshakeTimeout?: Duration
  /**
   * HTTP/2: `auto` where TLS agrees on it (ALPN); `off`; `prior-knowledge` also without TLS (h2c). Default `auto`.
   */
  readonly http2?: 'auto' | 'off' | 'prior-knowledge' | Http2Options
  /** Takes PROXY headers. Default: none are expected. */
  readonly acceptProxy?: AcceptProxyOptions
  /** Who may connect; others are reset before TLS. Default: everybody. */
  readonly acl?: Acl
  /** Blocks whose X-Forwarded-* and Forwarded fields are believed. Default: nobody's. */
  readonly trustedProxies?: readonly string[]
  readonly gate?: GateOptions
  readonly forwarding?: ForwardingOptions
  readonly timeouts?: ExchangeTimeouts
  readonly limits?: HttpLimits
  /** Connections of the whole node, shared by listeners. Default: none. */
  readonly nodeLimit?: ConnectionLimit
  /**
   * Retries as a share of the traffic, so that a failing pool sees little more load. Walking on from a member that could
   * not be reached is free. Default: 20 percent, with a floor of 3 in 10 seconds.
   */
  readonly retryBudget?: RetryBudget
  readonly errorPages?: ErrorPages
  /** Who answers `Expect: 100-continue`. `balancer`: we do, as soon as a member is connected. `backend`: it is passed on. Default `balancer`. */
  readonly continueBy?: 'balancer' | 'backend'
  /** Names the error on our own error answers (RFC 9209), under this name; `true`: that of `forwarding.pseudonym`. Default `true`. */
  readonly proxyStatus?: string | boolean
  /** A FIN of an HTTP/1.1 client while it waits for a response does not end the exchange. Default `false`. */
  readonly halfClose?: boolean
  /** When a member goes down: exchanges on it go on, or end. Default `keep`. */
  readonly whenDown?: 'keep' | 'reset'
  /** How long exchanges in flight may go on at the stop. Default `30s`. */
  readonly drain?: Duration
  /** Told of each exchange when it is over. */
  readonly onExchange?: (record: ExchangeRecord) => void
  readonly transport?: Transport
  readonly clock?: Clock
  readonly wheel?: TimerWheel
  readonly log?: Logger
  readonly metrics?: Metrics
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/** What can be put in force while a balancer runs. */
export type HttpReconfiguration = Partial<
  Omit<
    HttpBalancerOptions,
    'listen' | 'name' | 'transport' | 'clock' | 'wheel' | 'log' | 'metrics' | 'random' | 'nodeLimit'
  >
>
