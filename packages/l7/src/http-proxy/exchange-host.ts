import type { ProxyServer } from './proxy-server.ts'
import type { OwnAgents } from './upstream-request.ts'

/** Something at work, to be ended from outside. */
export interface OpenExchange {
  destroy(): void
}

/** What exchanges need of their server. */
export interface ExchangeHost {
  readonly server: ProxyServer
  readonly agents: OwnAgents
  /** All that is at work. */
  readonly open: Set<OpenExchange>
  /** Whose listener's promise was rejected, by request. */
  readonly byRequest: WeakMap<object, { hookFailed(error: unknown): void }>
}
