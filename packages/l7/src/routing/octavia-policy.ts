import { types } from 'node:util'
import {
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  type Pool,
  shown,
  textOption,
} from '@steelyard/core'
import { wholeOption, wordOption } from '../filters/number-option.ts'
import type { Action, ForwardOptions } from './action.ts'
import { all } from './combine.ts'
import { forward } from './forward.ts'
import { locationTemplate } from './location.ts'
import { type OctaviaRule, octaviaRule, textFor } from './octavia-rule.ts'
import { type RedirectStatus, redirect, redirectPrefix } from './redirect.ts'
import { reject } from './respond.ts'
import { type Match, type Route, route } from './route.ts'

/** What an L7 policy of Octavia does. */
export type OctaviaPolicyAction =
  | 'REJECT'
  | 'REDIRECT_TO_URL'
  | 'REDIRECT_PREFIX'
  | 'REDIRECT_TO_POOL'

/** An L7 policy in the words of Octavia's API. Its rules are joined by AND; write several policies for OR. */
export interface OctaviaPolicy {
  readonly id?: string
  /** For logs and `explain`. Default: the id, else `policy N`. */
  readonly name?: string | null
  readonly action: OctaviaPolicyAction
  readonly redirect_pool_id?: string | null
  readonly redirect_url?: string | null
  readonly redirect_prefix?: string | null
  /** 301, 302, 303, 307 or 308. Default 302. */
  readonly redirect_http_code?: number | null
  /** From 1, ascending within the class of its action. Default: behind all others. */
  readonly position?: number | null
  /** Default `true`. */
  readonly admin_state_up?: boolean
  readonly rules?: readonly OctaviaRule[]
}

/** Pools by their id; `null` for one that is disabled. */
export type OctaviaPools = ReadonlyMap<string, Pool | null>

/** How {@link octaviaPolicies} makes routes. */
export interface OctaviaOptions {
  /** For routes to pools. */
  readonly forward?: ForwardOptions
  /** Where the policies stand, for messages. Default `policies`. */
  readonly path?: string
}

const actions: readonly OctaviaPolicyAction[] = [
  'REJECT',
  'REDIRECT_TO_URL',
  'REDIRECT_PREFIX',
  'REDIRECT_TO_POOL',
]
const mostRules = 50
const statuses: readonly number[] = [301, 302, 303, 307, 308]

/**
 * Makes routes of Octavia's L7 policies, for a router of order `octavia`: rejects first, then redirects, then pools, by
 * position within each. The listener's default pool is to be added as a last route for `always`; without one the answer
 * is that of no route.
 *
 * Policies that are disabled, that have no enabled rule, or whose pool is disabled are left out; what they say is
 * checked all the same. In these points Octavia's HAProxy does otherwise:
 *
 * - HOST_NAME compares the name without port.
 * - FILE_TYPE compares what is behind the last dot, in any case, and never a part of it: `jpg` is not met by `/xjpg`.
 * - COOKIE looks at the first cookie of the name.
 * - regular expressions are RE2's, without look-around and back-references, and match in linear time.
 * - texts with control characters, which could end a line elsewhere, are refused, as Octavia's own API does by now.
 *
 * HEADER compares each element of a comma-separated list, as Octavia does.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function octaviaPolicies(
  policies: readonly OctaviaPolicy[],
  pools: OctaviaPools,
  options: OctaviaOptions = {},
): Route[] {
  const { path = 'policies', forward: forwarding } = objectOption(options, 'octavia')
  textOption(path, 'octavia.path')
  if (!types.isMap(pools)) throw invalidOption('pools', `${shown(pools)} is not a Map of pools`)
  return listOption(policies, path).flatMap((given, index) => {
    const at = `${path}[${index}]`
    const policy = objectOption(given, at)
    const position =
      policy.position === undefined || policy.position === null
        ? undefined
        : wholeOption(policy.position, `${at}.position`, 1, 0x7fffffff, 'position')
    const match = matchOf(policy.rules ?? [], `${at}.rules`)
    const action = actionOf(policy, pools, forwarding ?? {}, at)
    const enabled = flagOption(policy.admin_state_up ?? true, `${at}.admin_state_up`)
    if (!enabled || match === undefined || action === undefined) return []
    const name = nameOf(policy, at) ?? `policy ${index + 1}`
    return [route(match, action, { name, ...(position === undefined ? {} : { position }) })]
  })
}

function nameOf({ name, id }: OctaviaPolicy, path: string): string | undefined {
  if (name !== undefined && name !== null && name !== '') return textFor(name, `${path}.name`)
  return id === undefined ? undefined : textFor(id, `${path}.id`)
}

/** Undefined when no rule is enabled. */
function matchOf(rules: readonly OctaviaRule[], path: string): Match | undefined {
  if (listOption(rules, path).length > mostRules) {
    throw invalidOption(path, `has ${rules.length} rules: a policy may have ${mostRules}`)
  }
  const enabled = rules.flatMap((rule, index) => {
    const { match, enabled } = octaviaRule(rule, `${path}[${index}]`)
    return enabled ? [match] : []
  })
  return enabled.length > 1 ? all(...enabled) : enabled[0]
}

/** Undefined when its pool is disabled. */
function actionOf(
  policy: OctaviaPolicy,
  pools: OctaviaPools,
  forwarding: ForwardOptions,
  path: string,
): Action | undefined {
  const action = wordOption(policy.action, actions, `${path}.action`)
  refuseStray(policy, action, path)
  const status = (policy.redirect_http_code ?? 302) as RedirectStatus
  if (!statuses.includes(status)) {
    throw invalidOption(
      `${path}.redirect_http_code`,
      `${shown(status)} does not redirect: use ${statuses.join(', ')}`,
    )
  }
  switch (action) {
    case 'REJECT':
      return reject(403)
    case 'REDIRECT_TO_URL': {
      const url = urlOption(policy.redirect_url, `${path}.redirect_url`)
      return redirect(literally(url), status, { keepPath: false, keepQuery: false })
    }
    case 'REDIRECT_PREFIX': {
      const at = `${path}.redirect_prefix`
      const prefix = urlOption(policy.redirect_prefix, at)
      if (/[?#]/.test(prefix)) {
        throw invalidOption(at, `${shown(prefix)} has a query or fragment: nothing could follow it`)
      }
      return redirectPrefix(literally(prefix), status)
    }
    case 'REDIRECT_TO_POOL': {
      const at = `${path}.redirect_pool_id`
      const pool = pools.get(textFor(policy.redirect_pool_id ?? '', at))
      if (pool === undefined) {
        throw invalidOption(at, `there is no pool ${shown(policy.redirect_pool_id)}`)
      }
      return pool === null ? undefined : forward(pool, forwarding)
    }
    default:
      return action satisfies never
  }
}

/** What belongs to another action is a mistake that would otherwise pass unnoticed. */
function refuseStray(policy: OctaviaPolicy, action: OctaviaPolicyAction, path: string): void {
  const owners = {
    redirect_url: 'REDIRECT_TO_URL',
    redirect_prefix: 'REDIRECT_PREFIX',
    redirect_pool_id: 'REDIRECT_TO_POOL',
  } as const
  for (const [field, owner] of Object.entries(owners)) {
    const value = policy[field as keyof typeof owners]
    if (value === undefined || value === null || action === owner) continue
    throw invalidOption(`${path}.${field}`, `belongs to action ${owner}, not to ${action}`)
  }
}

/** An URL with http or https, as Octavia demands. */
function urlOption(value: string | null | undefined, path: string): string {
  const text = textFor(value ?? '', path)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:\/\//i.test(text)) {
    throw invalidOption(path, `${shown(text)} is no URL with http or https`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalidOption(path, `${shown(text)} has a user name or a password`)
  }
  locationTemplate(literally(text), path)
  return text
}

/** Octavia's texts have no variables. */
function literally(text: string): string {
  return text.replaceAll('%', '%%')
}
