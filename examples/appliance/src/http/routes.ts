import type { Pool } from '@steelyard/core'
import { type Action, always, octaviaPolicies, type Route, respond, route } from '@steelyard/l7'
import type { DesiredHttpListener, DesiredPolicy, DesiredRule } from '../desired/desired.ts'
import { actionOf, forwardTo } from './action.ts'
import { conditionOf } from './condition.ts'
import { faultAt, isFault, within } from './fault.ts'
import type { RouteSurroundings } from './surroundings.ts'

type Listener = Pick<DesiredHttpListener, 'retries' | 'headers' | 'persistence' | 'hashKey'>

/** The name of the route that a listener's own pool is. */
export const defaultRoute = '(default)'

/** All routes of a listener: rules, policies, and its own pool last. */
export function routesOf(listener: DesiredHttpListener, surroundings: RouteSurroundings): Route[] {
  const { rules, policies, pool } = listener
  return [
    ...rules
      .filter(({ enabled }) => enabled)
      .map((rule) => ruleRoute(rule, listener, surroundings)),
    ...policies
      .filter(({ enabled }) => enabled)
      .flatMap((policy) => policyRoutes(policy, listener, surroundings)),
    ...(pool === undefined
      ? []
      : [route(always, defaultAction(pool, listener, surroundings), { name: defaultRoute })]),
  ]
}

function defaultAction(pool: string, listener: Listener, surroundings: RouteSurroundings): Action {
  return forwardTo([{ pool, weight: 1 }], {}, listener, 'default', [], surroundings)
}

/**
 * The route of a rule.
 *
 * @throws a fault with its place below the rule.
 */
export function ruleRoute(
  rule: DesiredRule,
  listener: Listener,
  surroundings: RouteSurroundings,
): Route {
  const { name, position } = rule
  const match = conditionOf(rule.match, ['match'])
  const action = actionOf(rule, listener, surroundings)
  return within(['match'], () =>
    route(match, action, { name, ...(position === undefined ? {} : { position }) }),
  )
}

/**
 * The route of a policy in Octavia's style; none when no rule of it is enabled.
 *
 * @throws a fault with its place below the policy.
 */
export function policyRoutes(
  policy: DesiredPolicy,
  listener: Listener,
  surroundings: RouteSurroundings,
): Route[] {
  const { name, position, action, redirectPool, redirectUrl, redirectPrefix, redirectHttpCode } =
    policy
  const isUnavailable = policy.unavailable !== undefined
  const pools = new Map<string, Pool | null>()
  if (action === 'REDIRECT_TO_POOL' && redirectPool === undefined) {
    throw faultAt(['action'], 'the policy names no pool', 'add "redirectPool"')
  }
  if (redirectPool !== undefined && !isUnavailable) {
    pools.set(redirectPool, surroundings.pool(redirectPool).pool)
  }
  const rules = policy.rules.map(({ type, compareType, key, value, invert, enabled }) => ({
    type,
    compare_type: compareType,
    value,
    invert,
    admin_state_up: enabled,
    ...(key === undefined ? {} : { key }),
  }))
  const made = placed(() =>
    octaviaPolicies(
      [
        {
          name,
          rules,
          ...(isUnavailable
            ? { action: 'REJECT' as const }
            : {
                action,
                ...(redirectPool === undefined ? {} : { redirect_pool_id: redirectPool }),
                ...(redirectUrl === undefined ? {} : { redirect_url: redirectUrl }),
                ...(redirectPrefix === undefined ? {} : { redirect_prefix: redirectPrefix }),
                ...(redirectHttpCode === undefined ? {} : { redirect_http_code: redirectHttpCode }),
              }),
          ...(position === undefined ? {} : { position }),
        },
      ],
      pools,
      { path: 'policy' },
    ),
  )
  return made.map(({ match, action: own }) => {
    const wanted = isUnavailable
      ? respond(503, { reason: 'rule-unavailable' })
      : own.kind === 'forward'
        ? forwardTo(
            [{ pool: redirectPool!, weight: 1 }],
            {},
            listener,
            `policy ${name}`,
            [],
            surroundings,
          )
        : own
    return route(match, wanted, { name, ...(position === undefined ? {} : { position }) })
  })
}

/** Octavia's names of fields, as the document has them. */
const fields: Readonly<Record<string, string>> = {
  compare_type: 'compareType',
  redirect_pool_id: 'redirectPool',
  redirect_url: 'redirectUrl',
  redirect_prefix: 'redirectPrefix',
  redirect_http_code: 'redirectHttpCode',
}

/** The library speaks of a list of policies, and in the words of Octavia. */
function placed<Part>(make: () => Part): Part {
  try {
    return within(['policy', 0], make)
  } catch (error) {
    if (!isFault(error)) throw error
    const place = error.place.slice(2).map((step) => fields[step] ?? step)
    throw faultAt(place, error.problem, error.remedy)
  }
}
