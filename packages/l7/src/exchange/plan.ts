import type { Pool } from '@steelyard/core'
import type { BackendConnections } from '../backend/connections.ts'
import type { ReusePolicy } from '../backend/upstream-options.ts'
import type { Exchange } from './exchange.ts'
import type { FieldEditor, RequestEditor } from './field-editor.ts'
import type { FilterChain } from './filter-chain.ts'
import type { Verdict } from './reply.ts'
import type { RetryRules } from './retry-rules.ts'
import type { TimeoutSettings } from './timeouts.ts'

/** A route's action, compiled: everything that its exchanges need. */
export type Plan = ForwardPlan | AnswerPlan

/** To a pool. */
export interface ForwardPlan {
  readonly kind: 'forward'
  readonly chain: FilterChain
  readonly timeouts: TimeoutSettings
  /** Which pool, for this exchange. */
  readonly choose: (x: Exchange) => Pool
  readonly pools: readonly Pool[]
  readonly connections: BackendConnections
  readonly reuse: ReusePolicy
  readonly retries: RetryRules
  /** 0: any length. */
  readonly maxBody: number
  readonly upgrades: readonly string[]
  readonly rewrite: ((head: RequestEditor, x: Exchange) => void) | undefined
  readonly requestFields: ((head: FieldEditor, x: Exchange) => void) | undefined
  readonly responseFields: ((head: FieldEditor, x: Exchange) => void) | undefined
  readonly hashKey: ((x: Exchange) => string | undefined) | undefined
}

/** An answer of our own. */
export interface AnswerPlan {
  readonly kind: 'answer'
  readonly chain: FilterChain
  readonly timeouts: TimeoutSettings
  readonly answer: (x: Exchange) => Verdict | Promise<Verdict>
}
