import type { Clock, Logger, TimerWheel, Transport } from '@steelyard/core'
import type { RetryBudget } from '@steelyard/l4'
import type { ForwardingSettings } from '../gate/forwarding-options.ts'
import type { Router } from '../routing/route.ts'
import type { RequestHead } from '../wire/request-head.ts'
import type { ErrorPages } from './error-pages.ts'
import type { ExchangeRecord } from './exchange-record.ts'
import type { FilterChain } from './filter-chain.ts'
import type { Plan } from './plan.ts'
import type { TimeoutSettings } from './timeouts.ts'

/** What exchanges need of their balancer; those that have begun keep the settings they began with. */
export interface ExchangeSettings {
  readonly router: Router<Plan>
  /** For requests that no route matches. */
  readonly chain: FilterChain
  readonly timeouts: TimeoutSettings
  readonly forwarding: ForwardingSettings
  readonly errorPages: ErrorPages | undefined
  /** Who answers `Expect: 100-continue`: `balancer` when it wants the body, or the backend. */
  readonly continueBy: 'balancer' | 'backend'
  /** The field that names the error on answers of our own (RFC 9209); empty for none. */
  readonly proxyStatus: string
}

/** What all exchanges of one balancer share. */
export interface ExchangeHost {
  readonly name: string
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  readonly transport: Transport
  readonly random: () => number
  readonly retryBudget: RetryBudget | undefined
  readonly settings: ExchangeSettings
  /** Somebody wants {@link ExchangeRecord}s. */
  readonly wantsRecord: boolean
  /** Room for the heads that go to backends: taken for a moment, given back. */
  readonly spareHeads: RequestHead[]
  newId(): string
  begun(run: object): void
  /** Exactly once for each that was begun. */
  finished(run: object, record: ExchangeRecord | undefined): void
  /** A hook or a callback of the embedder threw. */
  complain(error: unknown, what: string): void
}
