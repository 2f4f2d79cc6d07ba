import type { Duration } from '@steelyard/core'

/** An answer of our own. */
export interface Reply {
  /** 200 to 599. */
  readonly status: number
  /** Framing is added; `content-type` is `text/plain; charset=utf-8` for a text unless it is given. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** A word for logs, metrics and Proxy-Status, such as `rate-limited`. Default: `replied`. */
  readonly reason?: string
  /** Ends the client's connection after the answer. Default `false`. */
  readonly close?: boolean
  /** Waits this long before it answers, holding the client up (tarpit). Default: at once. */
  readonly after?: Duration
  /** Error pages may replace the body. Default: when the status is 400 or above and there is no body. */
  readonly errorPage?: boolean
}

/** Ends the client's connection without an answer: RST for HTTP/1, RST_STREAM for HTTP/2. */
export interface Drop {
  readonly drop: true
  readonly reason?: string
}

/** What a filter or a handler decides: nothing to go on, an answer, or none. */
export type Verdict = Reply | Drop | undefined | void
