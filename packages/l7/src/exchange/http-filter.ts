import type { Pool } from '@steelyard/core'
import type { BodyTransformer } from './body-transform.ts'
import type { Exchange } from './exchange.ts'
import type { ExchangeError } from './exchange-error.ts'
import type { ExchangeRecord } from './exchange-record.ts'
import type { FieldEditor, RequestEditor, ResponseEditor } from './field-editor.ts'
import type { Reply, Verdict } from './reply.ts'

/**
 * A piece of policy, or an embedder's own hooks: what happens at each phase of an exchange. Every member is optional,
 * and one that is absent costs nothing. Filters run in the order given while the request goes to the backend, and in
 * the opposite order while the response comes back. A hook may return a promise; one that does not costs none.
 * A hook that throws ends the exchange with 500 (`hook-failed`).
 */
export interface HttpFilter {
  /** For errors, logs and `explain`. */
  readonly name: string
  /** The request's head was judged and routed; nobody was picked yet. A reply or drop ends it here. */
  request?(x: Exchange): Verdict | Promise<Verdict>
  /**
   * Asked once, when there is a body and before a member is picked: how many bytes of it to hold until it is whole, so
   * that no member waits for a slow client. A longer body ends with 413 (`body-too-large`). Undefined holds nothing;
   * of several filters the smallest number counts.
   */
  gather?(x: Exchange): number | undefined
  /**
   * Which member of the pool should serve it, by backend id: persistence. Undefined leaves it to the algorithm, and so
   * does a member that cannot take it or was tried already. Asked for each attempt.
   */
  prefer?(x: Exchange, pool: Pool): string | undefined
  /**
   * A member was picked for an attempt: it is {@link Exchange.backend} now, and {@link Exchange.attempts} counts it;
   * nothing was sent yet. `pass` gives it up for the next member: it counts as tried, not as an attempt. `stop` makes
   * neither this attempt nor another: the exchange ends with the failure it had, or with 503 (`circuit-open`).
   */
  attempt?(x: Exchange): 'pass' | 'stop' | undefined
  /** The head that goes to the backend; called for each attempt, on a fresh copy. */
  upstreamHead?(head: RequestEditor, x: Exchange): void | Promise<void>
  /** Asked once: changes the request's body. Its length is then unknown. */
  requestBody?(x: Exchange): BodyTransformer | undefined
  /** A 1xx response, other than 100 and 101, on its way to the client. */
  informational?(head: FieldEditor, status: number, x: Exchange): void
  /**
   * The head that goes to the client, also that of a reply or an error of our own (then {@link Exchange.backend} may
   * be undefined).
   */
  responseHead?(head: ResponseEditor, x: Exchange): void | Promise<void>
  /** Asked once, behind `responseHead`, when there is a body: changes it. Its length is then unknown. */
  responseBody?(head: ResponseEditor, x: Exchange): BodyTransformer | undefined
  /** Trailers of the response, on their way to the client; forbidden names are gone already. */
  trailers?(fields: FieldEditor, x: Exchange): void
  /** It failed, and is not tried again: what to tell the client instead of the default. Not called once a response has begun. */
  failed?(error: ExchangeError, x: Exchange): Reply | undefined
  /**
   * The exchange is over: exactly once for each that reached `request` of this filter. Must not throw.
   */
  done?(record: ExchangeRecord, x: Exchange): void
}
