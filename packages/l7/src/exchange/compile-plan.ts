import { type Pool, parseSize } from '@steelyard/core'
import type { BackendConnections } from '../backend/connections.ts'
import type { UpstreamOptions } from '../backend/upstream-options.ts'
import type { AnswerAction, ForwardAction } from '../routing/action.ts'
import { fieldChanges } from '../routing/field-changes.ts'
import { rewriteOf } from '../routing/rewrite.ts'
import type { Route } from '../routing/route.ts'
import { splitter } from '../routing/splitter.ts'
import type { Exchange } from './exchange.ts'
import { filterChain } from './filter-chain.ts'
import type { HttpFilter } from './http-filter.ts'
import type { AnswerPlan, ForwardPlan, Plan } from './plan.ts'
import { retryRules } from './retry-rules.ts'
import { type TimeoutSettings, timeoutSettings } from './timeouts.ts'

/** What routes are compiled with. */
export interface PlanContext {
  readonly use: readonly HttpFilter[]
  readonly timeouts: TimeoutSettings
  readonly maxBody: number
  readonly random: () => number
  /** Connections for these options; the same for equal ones. */
  connections(options: UpstreamOptions, path: string): BackendConnections
}

/**
 * Makes of a route's action what its exchanges need.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function compilePlan(route: Route, path: string, context: PlanContext): Plan {
  const { action } = route
  return action.kind === 'forward'
    ? forwardPlan(action, route, path, context)
    : answerPlan(action, context)
}

function answerPlan({ answer, use = [] }: AnswerAction, context: PlanContext): AnswerPlan {
  const { timeouts } = context
  return Object.freeze({
    kind: 'answer',
    chain: filterChain([...context.use, ...use]),
    timeouts,
    answer,
  })
}

function forwardPlan(
  { pools, sticky, options }: ForwardAction,
  route: Route,
  path: string,
  context: PlanContext,
): ForwardPlan {
  const { upstream = {}, use = [], rewrite, upgrades = ['websocket'] } = options
  const split = pools.length > 1 ? splitter(pools, sticky, context.random) : undefined
  const only = pools[0]!.pool
  const requestFields = mergedFields(options.setHeaders, options.requestHeaders)
  const filters = [...context.use, ...use, ...(split?.filter === undefined ? [] : [split.filter])]
  return Object.freeze({
    kind: 'forward',
    chain: filterChain(filters),
    timeouts: timeoutSettings(options.timeouts ?? {}, `${path}.timeouts`, context.timeouts),
    choose: split === undefined ? () => only : (x: Exchange) => split.choose(x),
    pools: [...new Set(pools.map(({ pool }): Pool => pool))],
    connections: context.connections(upstream, `${path}.upstream`),
    reuse: upstream.reuse ?? 'safe',
    retries: retryRules(options.retries ?? {}, `${path}.retries`),
    maxBody:
      options.maxBody === undefined
        ? context.maxBody
        : parseSize(options.maxBody, `${path}.maxBody`),
    upgrades: upgrades.map((name) => name.toLowerCase()),
    rewrite:
      rewrite === undefined ? undefined : rewriteOf(rewrite, route.match, `${path}.rewrite`).apply,
    requestFields:
      requestFields === undefined
        ? undefined
        : fieldChanges(requestFields, `${path}.requestHeaders`),
    responseFields:
      options.responseHeaders === undefined
        ? undefined
        : fieldChanges(options.responseHeaders, `${path}.responseHeaders`),
    hashKey: options.hashKey,
  })
}

function mergedFields(
  set: ForwardAction['options']['setHeaders'],
  changes: ForwardAction['options']['requestHeaders'],
): ForwardAction['options']['requestHeaders'] {
  if (set === undefined) return changes
  return { ...changes, set: { ...changes?.set, ...set } }
}
