import type { Clock, TimerWheel, Transport } from '@steelyard/core'
import type { GateSettings } from '../gate/gate-options.ts'
import type { HeadLimits } from '../wire/limits.ts'
import type { WriterHost } from './response-writer.ts'

/** What HTTP/1.1 connections need of their listener; read anew for each request, so that it may change. */
export interface H1Settings {
  readonly gate: GateSettings
  readonly limits: HeadLimits
  /** Milliseconds: see `ExchangeTimeouts.head` and `.keepAlive`. */
  readonly headTimeoutMs: number
  readonly keepAliveMs: number
  /** The end of a response may wait so long for a client that takes nothing; 0 for ever. */
  readonly idleMs: number
  /** Requests a connection may carry; 0 for any number. */
  readonly maxRequests: number
  /** What is read and thrown away of a request body that nobody wants, before the connection ends instead. */
  readonly discardBytes: number
  /** A FIN while a response is under way does not end the exchange. */
  readonly halfClose: boolean
}

/** What all connections of one listener share. */
export interface H1Host extends WriterHost {
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly settings: H1Settings
  /** No more requests are wanted: connections end after the one at work. */
  readonly draining: boolean
  /** The connection is over; exactly once. */
  left(connection: object): void
}
