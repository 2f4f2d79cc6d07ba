import type { Stream } from '@steelyard/core'
import type { ExchangeError } from '../exchange/exchange-error.ts'
import type { Head } from '../wire/head.ts'
import type { BodyLength, RequestHead } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'

/**
 * The backend's side of one attempt: an HTTP/1.1 connection that is this exchange's alone for now, or a stream of an
 * HTTP/2 connection. It is over once {@link BackendEvents.responseEnd} was called and the request is whole, after
 * {@link BackendEvents.backendFailed}, and after {@link BackendLeg.abort}: whoever held it lets go of it then, before
 * anything else, because the same object may serve somebody else from then on, even before `responseEnd` returns.
 */
export interface BackendLeg {
  /** The connection has served before. */
  readonly reused: boolean
  /** True when some other attempts share the connection (HTTP/2). */
  readonly shared: boolean
  /**
   * Sends the head; the leg frames the body by its own protocol, whatever the method: `length` bytes, unknown, or 0
   * for none. Framing and connection fields are not in the head's lines. `upgrade` asks for that protocol; empty for none.
   */
  sendHead(head: RequestHead, length: BodyLength, upgrade: string): void
  /** Body bytes; taken during the call. False asks to wait for {@link BackendEvents.backendDrained}. */
  sendBody(bytes: Uint8Array): boolean
  /** The request is whole. */
  finish(trailers: Head | undefined): void
  /** Gives the attempt up: the connection is closed (HTTP/1.1) or the stream reset (HTTP/2). Nothing is told any more. */
  abort(): void
  /** Nothing more of the response is told, its end included, until {@link BackendLeg.resumeBody}; failures are. */
  pauseBody(): void
  resumeBody(): void
  /** After 101: `sendBody`, `responseBody`, `finish` and `responseEnd` are the tunnel's bytes and ends without framing. */
  switchProtocols(): void
  /** After {@link BackendLeg.switchProtocols}: the stream below and the bytes that came early, when the transport may relay it; it is then no longer the leg's. */
  releaseTunnel(): { readonly stream: Stream; readonly early: Uint8Array } | undefined
}

/** What a {@link BackendLeg} tells its exchange. All heads and ranges are lent for the call. */
export interface BackendEvents {
  /** A 1xx other than 101. */
  informational(head: ResponseHead): void
  /** The final head, or 101. {@link ResponseHead.bodyLength} says what follows. */
  responseHead(head: ResponseHead): void
  responseBody(bytes: Uint8Array): void
  /** The response is whole. */
  responseEnd(trailers: Head | undefined): void
  backendDrained(): void
  /** What came in one piece has been told: what was held back to be sent together may go. HTTP/1.1 tells it after each read. */
  settled?(): void
  /** The attempt failed. Once, and the last call. */
  backendFailed(error: ExchangeError): void
}

/** Who asks for a {@link BackendLeg}. */
export interface LegSeeker extends BackendEvents {
  /** It is connected; nothing was sent yet. */
  connected(leg: BackendLeg): void
  /** No connection: nothing was sent. */
  unconnected(error: ExchangeError): void
}

/** A request for a leg that is under way. */
export interface LegSearch {
  /** Nothing is told any more. */
  cancel(): void
}
