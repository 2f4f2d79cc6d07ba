import {
  flagOption,
  functionOption,
  invalidOption,
  type Logger,
  listOption,
  objectOption,
  type Pool,
  parseDuration,
  parseSize,
  partOption,
  shown,
} from '@steelyard/core'
import { acceptProxy, type TlsContexts, type TlsContextsOptions, tlsContexts } from '@steelyard/l4'
import type { BackendConnections } from './backend/connections.ts'
import type { UpstreamOptions } from './backend/upstream-options.ts'
import type { ArrivalSettings } from './client/arrival.ts'
import type { H1Settings } from './client/h1-options.ts'
import { type H2Options, h2Settings } from './client/h2/h2-options.ts'
import { compilePlan } from './exchange/compile-plan.ts'
import type { ExchangeSettings } from './exchange/exchange-host.ts'
import { filterChain } from './exchange/filter-chain.ts'
import { filtersOption } from './exchange/filter-option.ts'
import type { Plan } from './exchange/plan.ts'
import { timeoutSettings } from './exchange/timeouts.ts'
import { forwardingSettings } from './gate/forwarding-options.ts'
import { gateSettings } from './gate/gate-options.ts'
import { choiceOption, countOption } from './gate/option-choice.ts'
import type { HttpBalancerOptions, HttpLimits } from './http-options.ts'
import type { Match, Route } from './routing/route.ts'
import { router } from './routing/router.ts'
import { isToken } from './wire/checked-field.ts'
import { defaultHeadLimits, type HeadLimits } from './wire/limits.ts'

/** {@link HttpBalancerOptions}, checked and compiled; replaced as a whole. */
export interface HttpSettings extends ExchangeSettings, H1Settings {
  readonly arrival: ArrivalSettings
  readonly h2: H2Options
  readonly connectionLimit: number
  readonly whenDown: 'keep' | 'reset'
  /** Every pool that some route may use. */
  readonly pools: ReadonlySet<Pool>
}

/** What settings are compiled with. */
export interface SettingsHost {
  readonly log: Logger
  readonly random: () => number
  /** Our name for other proxies, unless the options give one: the same over all reconfigurations. */
  readonly pseudonym: string
}

/**
 * Checks and compiles options.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function httpSettings(
  options: HttpBalancerOptions,
  host: SettingsHost,
  connections: (upstream: UpstreamOptions, path: string) => BackendConnections,
): HttpSettings {
  const limits = objectOption(objectOption(options, 'httpBalancer').limits ?? {}, 'limits')
  const timeouts = timeoutSettings(options.timeouts, 'timeouts')
  const use = filtersOption(options.use ?? [], 'use')
  if (options.onExchange !== undefined) functionOption(options.onExchange, 'onExchange')
  partOption(options.retryBudget, 'tryRetry', 'retryBudget', 'make one with retryBudget()')
  const maxBody = parseSize(limits.body ?? 0, 'limits.body')
  const paths = new Map(
    listOption(options.routes, 'routes').map(
      (route, index) => [route, `routes[${index}]`] as const,
    ),
  )
  const routes = router<Plan>(options.routes, {
    ...(options.order === undefined ? {} : { order: options.order }),
    compile: (route) =>
      compilePlan(route, `${paths.get(route) ?? 'routes'}.action`, {
        use,
        timeouts,
        maxBody,
        random: host.random,
        connections,
      }),
    onError: (error, route) =>
      host.log.error({ route: route.name ?? '', error: String(error) }, 'a matcher threw'),
  })
  const pools = new Set(
    routes.entries.flatMap(({ target }) => (target.kind === 'forward' ? target.pools : [])),
  )
  const tls = options.tls === undefined ? undefined : contexts(options)
  const { http2 = 'auto' } = options
  const forwarding = forwardingSettings({
    pseudonym: host.pseudonym,
    ...objectOption(options.forwarding ?? {}, 'forwarding'),
    ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
  })
  if (typeof http2 !== 'object') choiceOption(http2, ['auto', 'off', 'prior-knowledge'], 'http2')
  return Object.freeze({
    router: routes,
    chain: filterChain(use),
    timeouts,
    forwarding,
    proxyStatus: proxyStatusOf(options.proxyStatus ?? true, forwarding.pseudonym),
    errorPages: partOption(
      options.errorPages,
      'pageFor',
      'errorPages',
      'use an object with a method pageFor',
    ),
    continueBy: choiceOption(
      options.continueBy ?? 'balancer',
      ['balancer', 'backend'],
      'continueBy',
    ),
    gate: gateSettings(options.gate ?? {}, 'gate', hostNames(options.routes)),
    limits: headLimits(limits),
    headTimeoutMs: timeouts.head,
    keepAliveMs: timeouts.keepAlive,
    idleMs: timeouts.idle,
    maxRequests: count(limits.requests ?? 0, 'limits.requests'),
    discardBytes: 64 * 1024,
    halfClose: flagOption(options.halfClose ?? false, 'halfClose'),
    arrival: {
      acl: options.acl === undefined ? undefined : functionOption(options.acl, 'acl'),
      acceptProxy: options.acceptProxy === undefined ? undefined : acceptProxy(options.acceptProxy),
      tls,
      handshakeTimeoutMs: parseDuration(options.handshakeTimeout ?? '10s', 'handshakeTimeout'),
      headTimeoutMs: timeouts.head,
      priorKnowledge: tls === undefined && (http2 === 'prior-knowledge' || priorKnowledge(http2)),
      h2: http2 !== 'off',
    },
    h2: h2OptionsOf(http2),
    connectionLimit: count(limits.connections ?? 0, 'limits.connections'),
    whenDown: choiceOption(options.whenDown ?? 'keep', ['keep', 'reset'], 'whenDown'),
    pools,
  })
}

function priorKnowledge(http2: HttpBalancerOptions['http2']): boolean {
  if (typeof http2 !== 'object') return false
  return flagOption(objectOption(http2, 'http2').priorKnowledge ?? false, 'http2.priorKnowledge')
}

function proxyStatusOf(value: string | boolean, pseudonym: string): string {
  if (typeof value === 'boolean') return value ? pseudonym : ''
  if (typeof value === 'string' && value.length <= 100 && isToken(value)) return value
  throw invalidOption(
    'proxyStatus',
    `${shown(value)} is no token, such as edge-1, nor true or false`,
  )
}

function headLimits(limits: HttpLimits): HeadLimits {
  const size = (name: 'head' | 'line', preset: number): number =>
    countOption(parseSize(limits[name] ?? preset, `limits.${name}`), 64, 1 << 20, `limits.${name}`)
  return {
    maxBytes: size('head', defaultHeadLimits.maxBytes),
    maxLine: size('line', defaultHeadLimits.maxLine),
    maxLines: countOption(limits.lines ?? defaultHeadLimits.maxLines, 1, 10_000, 'limits.lines'),
  }
}

/** Host names that the routes tell apart. */
function hostNames(routes: readonly Route[]): number {
  const namesIn = (match: Match): number => {
    if (typeof match === 'function') return 0
    if (match.kind === 'host') return match.names.length
    if (match.kind === 'not') return namesIn(match.of)
    if (match.kind !== 'all' && match.kind !== 'any') return 0
    return match.of.reduce((sum, part) => sum + namesIn(part), 0)
  }
  return routes.reduce((sum, { match }) => sum + namesIn(match), 0)
}

/** TLS with what we speak on top of it, unless the options say it. */
function contexts({ tls, http2 = 'auto' }: HttpBalancerOptions): TlsContexts {
  const given = objectOption(tls as TlsContexts | TlsContextsOptions, 'tls')
  if ('select' in given) return given
  const alpn = http2 === 'off' ? ['http/1.1'] : ['h2', 'http/1.1']
  return tlsContexts({ alpn, alpnMismatch: 'ignore', ...given }, 'tls')
}

function h2OptionsOf(http2: HttpBalancerOptions['http2']): H2Options {
  if (typeof http2 !== 'object') return {}
  const { priorKnowledge: _, ...rest } = objectOption(http2, 'http2')
  h2Settings(rest, 'http2')
  return rest
}

function count(value: number, path: string): number {
  return countOption(value, 0, Number.MAX_SAFE_INTEGER, path)
}
