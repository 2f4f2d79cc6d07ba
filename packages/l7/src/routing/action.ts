import type { Duration, Pool, Size } from '@steelyard/core'
import type { UpstreamOptions } from '../backend/upstream-options.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Verdict } from '../exchange/reply.ts'
import type { ExchangeTimeouts } from '../exchange/timeouts.ts'
import type { Match } from './route.ts'

/**
 * A text with variables: `%{host}`, `%{path}`, `%{query}`, `%{client}`, `%{scheme}`, `%{method}`, `%{header:name}`,
 * `%{cookie:name}`, `%{id}`, `%{route}`, `%{backend}`, `%{tls.serverName}`, and others; `%%` is a percent sign. See `template`.
 */
export type Template = string

/** Fields to change; in the order remove, set, add. */
export interface FieldChanges {
  readonly set?: Readonly<Record<string, Template>>
  readonly add?: Readonly<Record<string, Template | readonly Template[]>>
  readonly remove?: readonly string[]
}

/** A changed target for the backend. At most one of the path forms. */
export interface Rewrite {
  /** Replaces the prefix that matched (the route's path matcher), or the one named. */
  readonly prefix?: string | { readonly from: string; readonly to: string }
  /** Replaces the whole path. */
  readonly path?: Template
  /** Replaces by regular expression; `$1` or `\1` for groups. */
  readonly regex?: { readonly pattern: string; readonly replace: string }
  /** The Host that the backend is told; `backend` for the member's own address. */
  readonly host?: Template
  /** Replaces the query; empty for none. */
  readonly query?: Template
}

/** When and how often a request is tried again. */
export interface RetryOptions {
  /** Attempts beyond the first. Default 1 for requests that may be sent again; 0 for never. */
  readonly attempts?: number
  /**
   * `connect`: no connection came about. `reset`: the connection broke before any byte of a response, and the request
   * may be sent again. `timeout`: no response head within `perTry`. Numbers and classes such as `5xx` are statuses,
   * names are gRPC statuses such as `unavailable`. Default `['connect', 'reset']`.
   */
  readonly on?: readonly (
    | 'connect'
    | 'reset'
    | 'timeout'
    | number
    | `${1 | 2 | 3 | 4 | 5}xx`
    | (string & {})
  )[]
  /** Also for methods that are not idempotent. Default `false`: only `connect` counts for these. */
  readonly nonIdempotent?: boolean
  /** Limit of one attempt up to its response head. Default: `timeouts.firstByte`. */
  readonly perTry?: Duration
  /** Waits before the n-th retry between 0 and `base × 2^(n-1)`, at most `max`. Default: `25ms`, `250ms`. */
  readonly backoff?: { readonly base?: Duration; readonly max?: Duration }
  /** Request body kept for a retry. Default `64KiB`; a longer one is not tried again once it was begun. */
  readonly bodyBytes?: Size
  /** Sends a second request to another member when no response head came within this time; the first answer wins. Only for idempotent requests without a body. Default: off. */
  readonly hedge?: Duration
}

/** How a request goes to a pool. */
export interface ForwardOptions {
  /** A number is {@link RetryOptions.attempts}. */
  readonly retries?: number | RetryOptions
  readonly timeouts?: ExchangeTimeouts
  readonly upstream?: UpstreamOptions
  readonly rewrite?: Rewrite
  /** Shorthand for `requestHeaders: { set }`. */
  readonly setHeaders?: Readonly<Record<string, Template>>
  readonly requestHeaders?: FieldChanges
  readonly responseHeaders?: FieldChanges
  /** For this route, inside those of the balancer. */
  readonly use?: readonly HttpFilter[]
  /** Protocols that Upgrade may ask for. Default `['websocket']`. */
  readonly upgrades?: readonly string[]
  /** The longest request body; beyond it 413. Default: the balancer's. */
  readonly maxBody?: Size
  /** The name of a cookie by which clients stay with the pool that a weighted draw gave them. Default: each request is drawn anew. */
  readonly sticky?: string
  /** What pools with a picker keyed by `request` hash. Default: the path. */
  readonly hashKey?: (x: Exchange) => string | undefined
}

/** A pool and its share of the traffic. */
export interface WeightedPool {
  readonly pool: Pool
  /** From 0; shares are weight by sum. Default 1. */
  readonly weight?: number
}

/** To whom {@link forward} sends. */
export type ForwardTarget = Pool | readonly WeightedPool[]

/** To a pool. */
export interface ForwardAction {
  readonly kind: 'forward'
  readonly pools: readonly Required<WeightedPool>[]
  /** Clients stay with the pool that the draw gave them, by this cookie. */
  readonly sticky: string | undefined
  readonly options: ForwardOptions
}

/** An answer made here: redirects, fixed responses, rejects, tarpits and drops are all of these. */
export interface AnswerAction {
  readonly kind: 'answer'
  /** For `explain` and logs: `redirect to https://…`, `respond 403`. */
  readonly summary: string
  /** `reject` < `redirect` < the rest, for the order `octavia`. */
  readonly rank: 'reject' | 'redirect' | 'respond'
  readonly answer: (x: Exchange) => Verdict | Promise<Verdict>
  /** For this route, inside those of the balancer. */
  readonly use?: readonly HttpFilter[]
  /** The action for a route that matches so, when it matters: what a redirect keeps of the path. Called by `route`. */
  readonly boundTo?: (match: Match) => AnswerAction
}

/** What a route does with a request. */
export type Action = ForwardAction | AnswerAction
