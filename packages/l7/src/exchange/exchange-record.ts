import type { SocketAddress } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'
import type { ExchangeError } from './exchange-error.ts'
import type { HttpRequest } from './http-request.ts'

/** Who ended an exchange. */
export type ExchangeEndedBy = 'client' | 'backend' | 'balancer'

/** Milliseconds, each -1 when that phase was not reached. */
export interface ExchangeTimes {
  /** From the first byte of the head (or the connection's readiness) to its end. */
  readonly head: number
  /** Waiting for a member with room. */
  readonly queue: number
  /** The connect of the last attempt; 0 when a connection was reused. */
  readonly connect: number
  /** From the request head's being sent to the response head. */
  readonly firstByte: number
  /** From the response head to the end of its body. */
  readonly response: number
  /** From the head's end to the end of all. */
  readonly total: number
}

/** One exchange, when it is over; exactly once for every request whose head was begun. */
export interface ExchangeRecord {
  readonly id: string
  readonly listener: string
  /** Wall-clock milliseconds since the epoch, of the head's end. */
  readonly time: number
  /** The client's address, as {@link HttpRequest.client}; port of the connection. */
  readonly client: SocketAddress
  readonly tls: TlsFacts | undefined
  /** The request; absent when its head could not be read. */
  readonly request: HttpRequest | undefined
  readonly route: string | undefined
  readonly pool: string | undefined
  /** The member's id, and its address. */
  readonly backend: string | undefined
  readonly backendAddress: string | undefined
  /** What the client was told; 0 when nothing. */
  readonly status: number
  /** What the backend said; 0 when nothing. */
  readonly backendStatus: number
  /** Body bytes from the client, and to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly attempts: number
  /** The last attempt was on a connection that had served before. */
  readonly reused: boolean
  readonly endedBy: ExchangeEndedBy
  /** `done` when all went well; else the error's code, or the reply's reason. */
  readonly reason: string
  readonly flags: readonly string[]
  readonly times: ExchangeTimes
  readonly error: ExchangeError | undefined
  /** Response headers that the access log may ask for: the first line of that name as sent to the client. */
  responseHeader(name: string): string | undefined
}
