import {
  functionOption,
  listOption,
  objectOption,
  type Pool,
  parseSize,
  textOption,
} from '@steelyard/core'
import type { BackendConnections } from '../backend/connections.ts'
import type { UpstreamOptions } from '../backend/upstream-options.ts'
import { tokenOption } from '../filters/field-option.ts'
import type { AnswerAction, ForwardAction } from '../routing/action.ts'
import { fieldChanges } from '../routing/field-changes.ts'
import { poolsOption } from '../routing/forward.ts'
import { rewriteOf } from '../routing/rewrite.ts'
import type { Route } from '../routing/route.ts'
import { splitter } from '../routing/splitter.ts'
import type { Exchange } from './exchange.ts'
import { filterChain } from './filter-chain.ts'
import { filtersOption } from './filter-option.ts'
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
    : answerPlan(action, path, context)
}

function answerPlan(
  { answer, use = [] }: AnswerAction,
  path: string,
  context: PlanContext,
): AnswerPlan {
  const { timeouts } = context
  filtersOption(use, `${path}.use`)
  return Object.freeze({
    kind: 'answer',
    chain: filterChain([...context.use, ...use]),
    timeouts,
    answer,
  })
}

function forwardPlan(
  { pools: given, sticky, options }: ForwardAction,
  route: Route,
  path: string,
  context: PlanContext,
): ForwardPlan {
  const {
    upstream = {},
    use = [],
    rewrite,
    upgrades = ['websocket'],
    hashKey,
  } = objectOption(options, path)
  // Those of an action that was written by hand were not looked at yet.
  const pools = poolsOption(listOption(given, `${path}.pools`), `${path}.pools`)
  if (sticky !== undefined) tokenOption(sticky, `${path}.sticky`)
  const split = pools.length > 1 ? splitter(pools, sticky, context.random) : undefined
  const only = pools[0]!.pool
  const requestFields = mergedFields(options, path)
  const filters = [
    ...context.use,
    ...filtersOption(use, `${path}.use`),
    ...(split?.filter === undefined ? [] : [split.filter]),
  ]
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
    upgrades: listOption(upgrades, `${path}.upgrades`).map((name, index) =>
      textOption(name, `${path}.upgrades[${index}]`).toLowerCase(),
    ),
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
    hashKey: hashKey === undefined ? undefined : functionOption(hashKey, `${path}.hashKey`),
  })
}

function mergedFields(
  { setHeaders, requestHeaders }: ForwardAction['options'],
  path: string,
): ForwardAction['options']['requestHeaders'] {
  if (setHeaders === undefined) return requestHeaders
  const { set, ...others } = objectOption(requestHeaders ?? {}, `${path}.requestHeaders`)
  const before = objectOption(set ?? {}, `${path}.requestHeaders.set`)
  return { ...others, set: { ...before, ...objectOption(setHeaders, `${path}.setHeaders`) } }
}
