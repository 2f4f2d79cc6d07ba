import {
  invalidOption,
  type Logger,
  listOption,
  objectOption,
  type Pool,
  parseDuration,
  parseSize,
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
import type { Plan } from './exchange/plan.ts'
import { timeoutSettings } from './exchange/timeouts.ts'
import { forwardingSettings } from './gate/forwarding-options.ts'
import { gateSettings } from './gate/gate-options.ts'
import type { HttpBalancerOptions } from './http-options.ts'
import { router } from './routing/router.ts'
import { defaultHeadLimits } from './wire/limits.ts'

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
  const limits = objectOption(options.limits ?? {}, 'limits')
  const timeouts = timeoutSettings(options.timeouts, 'timeouts')
  const use = listOption(options.use ?? [], 'use')
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
  const { http2 = 'auto', continueBy = 'balancer', proxyStatus = true } = options
  const forwarding = forwardingSettings({
    pseudonym: host.pseudonym,
    ...options.forwarding,
    ...(options.trustedProxies === undefined ? {} : { trustedProxies: options.trustedProxies }),
  })
  if (typeof http2 === 'string' && !['auto', 'off', 'prior-knowledge'].includes(http2)) {
    throw invalidOption('http2', `"${http2}": use auto, off or prior-knowledge, or options`)
  }
  return Object.freeze({
    router: routes,
    chain: filterChain(use),
    timeouts,
    forwarding,
    proxyStatus:
      proxyStatus === false ? '' : proxyStatus === true ? forwarding.pseudonym : proxyStatus,
    errorPages: options.errorPages,
    continueBy,
    gate: gateSettings(options.gate ?? {}, 'gate'),
    limits: {
      maxBytes: parseSize(limits.head ?? defaultHeadLimits.maxBytes, 'limits.head'),
      maxLine: parseSize(limits.line ?? defaultHeadLimits.maxLine, 'limits.line'),
      maxLines: count(limits.lines ?? defaultHeadLimits.maxLines, 'limits.lines'),
    },
    headTimeoutMs: timeouts.head,
    keepAliveMs: timeouts.keepAlive,
    maxRequests: count(limits.requests ?? 0, 'limits.requests'),
    discardBytes: 64 * 1024,
    halfClose: options.halfClose ?? false,
    arrival: {
      acl: options.acl,
      acceptProxy: options.acceptProxy === undefined ? undefined : acceptProxy(options.acceptProxy),
      tls,
      handshakeTimeoutMs: parseDuration(options.handshakeTimeout ?? '10s', 'handshakeTimeout'),
      headTimeoutMs: timeouts.head,
      priorKnowledge: tls === undefined && (http2 === 'prior-knowledge' || priorKnowledge(http2)),
      h2: http2 !== 'off',
    },
    h2: h2OptionsOf(http2),
    connectionLimit: count(limits.connections ?? 0, 'limits.connections'),
    whenDown: options.whenDown ?? 'keep',
    pools,
  })
}

function priorKnowledge(http2: HttpBalancerOptions['http2']): boolean {
  return typeof http2 === 'object' && http2.priorKnowledge === true
}

/** TLS with what we speak on top of it, unless the options say it. */
function contexts({ tls, http2 = 'auto' }: HttpBalancerOptions): TlsContexts {
  const given = tls as TlsContexts | TlsContextsOptions
  if ('select' in given) return given
  const alpn = http2 === 'off' ? ['http/1.1'] : ['h2', 'http/1.1']
  return tlsContexts({ alpn, alpnMismatch: 'ignore', ...given }, 'tls')
}

function h2OptionsOf(http2: HttpBalancerOptions['http2']): H2Options {
  if (typeof http2 !== 'object') return {}
  const { priorKnowledge: _, ...rest } = http2
  h2Settings(rest, 'http2')
  return rest
}

function count(value: number, path: string): number {
  if (Number.isInteger(value) && value >= 0) return value
  throw invalidOption(path, 'use a whole number from 0')
}
