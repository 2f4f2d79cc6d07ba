import type { SocketAddress } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'

/** As the client speaks it. */
export type HttpVersion = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2'

/**
 * A request as matchers, filters and hooks see it: what the client sent, judged and in its one form, and never
 * changed by edits of what is sent on. Everything is read when it is asked for.
 */
export interface HttpRequest {
  /** In upper case. */
  readonly method: string
  readonly version: HttpVersion
  /** How the client reached us; from a trusted X-Forwarded-Proto if there was one. */
  readonly scheme: 'http' | 'https'
  /** Host name in lower case, without port and trailing dot; empty when HTTP/1.0 named none. */
  readonly host: string
  /** The port that the client named; 0 when it named none. */
  readonly port: number
  /** The one canonical path: dot segments resolved, escapes in one spelling. It is matched and sent on. */
  readonly path: string
  /** Behind `?`, without it; undefined when there is none. */
  readonly query: string | undefined
  /** Path and query. */
  readonly target: string
  /** The client's address: the connection's, or what a trusted X-Forwarded-For says. */
  readonly client: string
  /** The other end of the connection. */
  readonly peer: SocketAddress
  readonly local: SocketAddress
  readonly tls: TlsFacts | undefined
  /** 0 for no body; -1 when its length is not known yet. */
  readonly bodyLength: number
  /** First line of that name, or undefined; names in any case. */
  header(name: string): string | undefined
  /** All lines of that name. */
  headerAll(name: string): readonly string[]
  /** Every line. */
  headers(): Iterable<readonly [name: string, value: string]>
  /** First cookie of that name, as it was sent. */
  cookie(name: string): string | undefined
  /** First parameter of that name, percent-decoded; empty when it has no `=`. */
  queryParameter(name: string): string | undefined
  /** All of that name. */
  queryParameterAll(name: string): readonly string[]
}
