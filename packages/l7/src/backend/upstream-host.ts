import type { Clock, Logger, TimerWheel, Transport } from '@steelyard/core'

/** What connections to members are made with. */
export interface UpstreamHost {
  readonly transport: Transport
  readonly wheel: TimerWheel
  readonly clock: Clock
  readonly log: Logger
  /** 0 up to 1: for the jitter of idle times and lifetimes. */
  readonly random: () => number
}
