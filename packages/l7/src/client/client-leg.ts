import type { Stream } from '@steelyard/core'
import type { ConnectionFacts } from '../exchange/connection-facts.ts'
import type { ExchangeError } from '../exchange/exchange-error.ts'
import type { Head } from '../wire/head.ts'
import type { BodyLength, RequestHead } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'

/**
 * The client's side of one exchange, whatever protocol it speaks. The exchange drives it; it tells the exchange by
 * {@link ClientEvents}. It does nothing any more once it has called {@link ClientEvents.clientClosed}, or after
 * {@link ClientLeg.finish} and the request's end.
 */
export interface ClientLeg {
  readonly connection: ConnectionFacts
  readonly request: RequestHead
  /** It is the first request of the client's connection. */
  readonly first: boolean
  /** Monotonic milliseconds: when the first byte of the head came. */
  readonly headBegan: number
  /** Sends a 1xx that is not 101. Ignored for HTTP/1.0. */
  sendInformational(head: ResponseHead): void
  /**
   * Sends the final head. The leg frames the body by its own protocol: `length` bytes, or unknown, or 0 for none; with
   * `noBody` (HEAD, 204, 304) the head says the length and nothing follows. `close` ends the connection afterwards.
   */
  sendHead(head: ResponseHead, length: BodyLength, noBody: boolean, close: boolean): void
  /** Body bytes; taken during the call. False asks to wait for {@link ClientEvents.clientDrained}. */
  sendBody(bytes: Uint8Array): boolean
  /** Sends what was held back to be sent together; a leg may hold the head back until this, a body byte or the end. */
  flush(): void
  /** The response is whole. Sends trailers where the client takes them. */
  finish(trailers: Head | undefined): void
  /**
   * The exchange is over and looks at the request no more: the next one may come. After `finish` or `abort`, the last
   * call. With `retained` somebody else still may, so the head is not used again.
   */
  release(retained: boolean): void
  /** The response cannot be finished, or shall not be: the client sees it cut. Without a head sent: it sees the connection or stream reset. */
  abort(error: ExchangeError | undefined): void
  /** The body is delivered only after this; legs begin paused. */
  resumeBody(): void
  pauseBody(): void
  /** What remains of the request's body is of no interest: it is read and thrown away within bounds, or the connection ends after the response. */
  discardBody(): void
  /** Sends 100 Continue if the client waits for it. */
  sendContinue(): void
  /**
   * Agrees to the upgrade: sends 101 with the head's lines (HTTP/2: 200), and from then on `requestBody`, `sendBody`,
   * `requestEnd` and `finish` are the tunnel's bytes and ends without framing.
   */
  switchProtocols(head: ResponseHead): void
  /** After {@link ClientLeg.switchProtocols}: the stream below and the bytes that came early, when the transport may relay it; it is then no longer the leg's. */
  releaseTunnel(): { readonly stream: Stream; readonly early: Uint8Array } | undefined
}

/** What a {@link ClientLeg} tells its exchange. */
export interface ClientEvents {
  /** A piece of the request's body; lent for the call. */
  requestBody(bytes: Uint8Array): void
  /** The request is whole; with its trailers, forbidden names gone. */
  requestEnd(trailers: Head | undefined): void
  clientDrained(): void
  /**
   * The client is gone, or broke its protocol, before the exchange was over. Once.
   *
   * @param told - the status of the leg's own answer to that, if it gave one
   */
  clientClosed(error: ExchangeError, told?: number): void
}

/** Takes requests from client connections: makes an exchange for each. */
export interface ClientHost {
  /** The head is complete and judged good. Whoever returns hears the leg's events from now on. */
  begin(leg: ClientLeg): ClientEvents
  /** A head that was judged bad and answered by the leg itself; for records and metrics. */
  refused(
    connection: ConnectionFacts,
    error: ExchangeError,
    status: number,
    request: RequestHead | undefined,
  ): void
}
