import {
  type Action,
  type AnswerAction,
  drop,
  type ForwardOptions,
  forward,
  type HttpFilter,
  maintenance,
  type RedirectStatus,
  type RespondOptions,
  type RetryOptions,
  redirect,
  redirectPrefix,
  redirectScheme,
  reject,
  respond,
  tarpit,
  type UpstreamOptions,
} from '@steelyard/l7'
import type { DesiredHttpListener, DesiredPool, DesiredRule } from '../desired/desired.ts'
import type { Path } from '../desired/path.ts'
import { same } from '../reconcile/same.ts'
import { faultAt, within } from './fault.ts'
import { filtersOf } from './filters.ts'
import { hashKeyOf, persistenceOf } from './persistence.ts'
import type { RouteSurroundings } from './surroundings.ts'

type Answer = Pick<
  NonNullable<DesiredRule['maintenance']>,
  'headers' | 'body' | 'file' | 'contentType'
>
type Forwarding = Pick<
  DesiredRule,
  | 'rewrite'
  | 'headers'
  | 'timeouts'
  | 'retries'
  | 'maxBody'
  | 'upgrades'
  | 'sticky'
  | 'persistence'
  | 'hashKey'
  | 'filters'
>
type Listener = Pick<DesiredHttpListener, 'retries' | 'headers' | 'persistence' | 'hashKey'>

/**
 * What a rule does.
 *
 * @throws a fault with its place below the rule.
 */
export function actionOf(
  rule: DesiredRule,
  listener: Listener,
  surroundings: RouteSurroundings,
): Action {
  const place = `rule ${rule.name}`
  if (rule.unavailable !== undefined) return respond(503, { reason: 'rule-unavailable' })
  const use = filtersOf(rule.filters, place, ['filters'], surroundings)
  const { pool, pools, redirect: to, tarpit: held } = rule
  if (pool !== undefined || pools !== undefined) {
    const targets = pools ?? [{ pool: pool!, weight: 1 }]
    return forwardTo(targets, rule, listener, place, use, surroundings)
  }
  const answer = (): AnswerAction => {
    const { read } = surroundings
    if (to !== undefined) return redirectOf(to, ['redirect'])
    if (rule.respond !== undefined) {
      const { status, ...rest } = rule.respond
      return within(['respond'], () => respond(status, answerOf(rest, ['respond'], read)))
    }
    if (rule.reject !== undefined) {
      const { status, ...rest } = rule.reject
      return within(['reject'], () => reject(status, answerOf(rest, ['reject'], read)))
    }
    if (rule.maintenance !== undefined) {
      const { retryAfter, ...rest } = rule.maintenance
      const options = answerOf(rest, ['maintenance'], read)
      return within(['maintenance'], () =>
        maintenance({ ...options, ...(retryAfter === undefined ? {} : { retryAfter }) }),
      )
    }
    if (held !== undefined) return within(['tarpit'], () => tarpit(held.delay, held.status))
    return drop()
  }
  return withFilters(answer(), use)
}

function withFilters(action: AnswerAction, use: readonly HttpFilter[]): AnswerAction {
  if (use.length === 0) return action
  const { boundTo } = action
  return Object.freeze({
    ...action,
    use: [...(action.use ?? []), ...use],
    ...(boundTo === undefined
      ? {}
      : {
          boundTo: (match: Parameters<typeof boundTo>[0]) =>
            Object.freeze({ ...boundTo(match), use }),
        }),
  })
}

function redirectOf(to: NonNullable<DesiredRule['redirect']>, at: Path): AnswerAction {
  if (typeof to === 'string') return within(at, () => redirect(to))
  const status = to.status as RedirectStatus | undefined
  const given = (['to', 'prefix', 'scheme'] as const).filter((key) => to[key] !== undefined)
  const [form] = given
  if (form === undefined || given.length > 1) {
    throw faultAt(
      given[1] === undefined ? at : [...at, given[1]],
      given.length === 0 ? 'the redirect has no target' : `the redirect has ${given.join(' and ')}`,
      'give it one of to, prefix and scheme',
    )
  }
  return within([...at, form], () => {
    if (form === 'prefix') return redirectPrefix(to.prefix!, status)
    if (form === 'scheme') return redirectScheme(to.scheme as 'http' | 'https', to.port, status)
    const { keepPath = true, keepQuery = true } = to
    return redirect(to.to!, status, { keepPath, keepQuery })
  })
}

function answerOf(
  { headers, body, file, contentType }: Answer,
  at: Path,
  read: (path: string) => string,
): RespondOptions {
  if (body !== undefined && file !== undefined) {
    throw faultAt([...at, 'file'], 'the answer has a body and a file', 'give it one of the two')
  }
  const content =
    file === undefined
      ? body
      : Buffer.from(
          within([...at, 'file'], () => read(file)),
          'latin1',
        )
  return {
    ...(headers === undefined ? {} : { headers }),
    ...(content === undefined ? {} : { body: content }),
    ...(contentType === undefined
      ? file === undefined
        ? {}
        : { contentType: typeOfFile(file) }
      : { contentType }),
  }
}

function typeOfFile(file: string): string {
  if (/\.html?$/i.test(file)) return 'text/html; charset=utf-8'
  return /\.json$/i.test(file) ? 'application/json' : 'text/plain; charset=utf-8'
}

/**
 * To one pool or several.
 *
 * @throws a fault with its place below the rule.
 */
export function forwardTo(
  targets: readonly { readonly pool: string; readonly weight: number }[],
  forwarding: Forwarding,
  listener: Listener,
  place: string,
  use: readonly HttpFilter[],
  surroundings: RouteSurroundings,
): Action {
  const pools = targets.map(({ pool: name, weight }) => ({ ...surroundings.pool(name), weight }))
  const upstream = upstreamOf(
    pools.map(({ desired }) => desired),
    surroundings,
  )
  const { rewrite, timeouts, maxBody, upgrades, sticky } = forwarding
  const persistence = forwarding.persistence ?? listener.persistence
  const hashKey = forwarding.hashKey ?? listener.hashKey
  const filters =
    persistence === undefined
      ? use
      : [
          ...use,
          persistenceOf(
            persistence,
            forwarding.persistence === undefined ? 'listener' : place,
            ['persistence'],
            surroundings,
          ),
        ]
  const retries = (forwarding.retries ?? listener.retries) as RetryOptions | undefined
  const request = merged(listener.headers?.request, forwarding.headers?.request)
  const response = merged(listener.headers?.response, forwarding.headers?.response)
  const options: ForwardOptions = {
    upstream,
    use: filters,
    ...(retries === undefined ? {} : { retries }),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(rewrite === undefined ? {} : { rewrite }),
    ...(request === undefined ? {} : { requestHeaders: request }),
    ...(response === undefined ? {} : { responseHeaders: response }),
    ...(maxBody === undefined ? {} : { maxBody }),
    ...(upgrades === undefined ? {} : { upgrades }),
    ...(sticky === undefined ? {} : { sticky }),
    ...(hashKey === undefined ? {} : { hashKey: hashKeyOf(hashKey, ['hashKey']) }),
  }
  return within(sticky === undefined ? ['pools'] : ['sticky'], () =>
    forward(
      pools.length === 1 ? pools[0]!.pool : pools.map(({ pool, weight }) => ({ pool, weight })),
      options,
    ),
  )
}

/** Pools that share a rule are spoken to in one way. */
function upstreamOf(
  pools: readonly DesiredPool[],
  { upstream }: RouteSurroundings,
): UpstreamOptions {
  const [first, ...others] = pools
  const index = others.findIndex((other) => wayKeys.some((key) => !same(other[key], first![key])))
  if (index < 0) return upstream(first!)
  throw faultAt(
    ['pools', index + 1],
    `the members of "${pools[index + 1]!.name}" are spoken to in another way than those of "${first!.name}"`,
    'give the pools of one rule the same "upstream", "tls" and "proxyProtocol"',
  )
}

const wayKeys = ['upstream', 'tls', 'proxyProtocol'] as const

type Changes = NonNullable<NonNullable<Forwarding['headers']>['request']>

/** Those of the rule win. */
function merged(listener: Changes | undefined, rule: Changes | undefined): Changes | undefined {
  if (listener === undefined || rule === undefined) return rule ?? listener
  return {
    set: { ...listener.set, ...rule.set },
    add: { ...listener.add, ...rule.add },
    remove: [...(listener.remove ?? []), ...(rule.remove ?? [])],
  }
}
