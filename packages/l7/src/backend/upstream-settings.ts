import {
  type Duration,
  flagOption,
  invalidOption,
  objectOption,
  parseDuration,
  shown,
} from '@steelyard/core'
import type { OriginateOptions } from '@steelyard/l4'
import { type NextSource, sourceRotation } from './source-addresses.ts'
import type { ReusePolicy, UpstreamOptions } from './upstream-options.ts'

/** {@link UpstreamOptions}, checked and complete; durations in milliseconds, 0 for no limit. */
export interface UpstreamSettings {
  readonly protocol: 'http/1.1' | 'h2' | 'auto'
  readonly tls: OriginateOptions | undefined
  readonly sendProxy: 'v1' | 'v2' | undefined
  readonly nextSource: NextSource | undefined
  readonly reuse: ReusePolicy
  readonly maxIdle: number
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly maxRequests: number
  readonly maxStreams: number
  readonly maxSessions: number
}

const protocols: readonly unknown[] = ['http/1.1', 'h2', 'auto']
const policies: readonly unknown[] = ['never', 'safe', 'aggressive', 'always']

/**
 * Reads {@link UpstreamOptions}. What TLS itself is told is checked where TLS is made.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function upstreamSettings(options: UpstreamOptions, path = 'upstream'): UpstreamSettings {
  const { protocol = 'http/1.1', tls, sendProxy, reuse = 'safe' } = objectOption(options, path)
  if (!protocols.includes(protocol)) {
    throw invalidOption(`${path}.protocol`, `${shown(protocol)} is none of http/1.1, h2, auto`)
  }
  if (!policies.includes(reuse)) {
    throw invalidOption(
      `${path}.reuse`,
      `${shown(reuse)} is none of never, safe, aggressive, always`,
    )
  }
  if (sendProxy !== undefined && sendProxy !== 'v1' && sendProxy !== 'v2') {
    throw invalidOption(`${path}.sendProxy`, `${shown(sendProxy)} is neither v1 nor v2`)
  }
  if (typeof tls === 'boolean') flagOption(tls, `${path}.tls`)
  else if (tls !== undefined) objectOption(tls, `${path}.tls`)
  const hasTls = tls !== undefined && (tls as unknown) !== false
  if (protocol === 'auto' && !hasTls) {
    throw invalidOption(
      `${path}.protocol`,
      'auto is agreed on by TLS: set tls, or choose http/1.1 or h2',
    )
  }
  if (hasTls && tls !== true && tls.alpn !== undefined && protocol !== 'http/1.1') {
    throw invalidOption(`${path}.tls.alpn`, `follows from protocol ${protocol}: leave it out`)
  }
  const count = (
    name: 'maxIdle' | 'maxRequests' | 'maxStreams' | 'maxSessions',
    fallback: number,
    least: number,
  ): number => {
    const value = options[name] ?? fallback
    if (Number.isInteger(value) && value >= least && value <= 0x7fffffff) return value
    throw invalidOption(
      `${path}.${name}`,
      `${shown(value)} does not fit: use a whole number from ${least}`,
    )
  }
  const duration = (name: 'idleTimeout' | 'maxLifetime', fallback: Duration): number =>
    parseDuration(options[name] ?? fallback, `${path}.${name}`)
  const idleTimeout = duration('idleTimeout', '30s')
  if (idleTimeout === 0) {
    throw invalidOption(
      `${path}.idleTimeout`,
      'must be more than 0; for no idle ones set maxIdle to 0',
    )
  }
  return Object.freeze({
    protocol,
    tls: hasTls ? (tls === true ? {} : tls) : undefined,
    sendProxy,
    nextSource:
      options.sourceAddresses === undefined
        ? undefined
        : sourceRotation(options.sourceAddresses, `${path}.sourceAddresses`),
    reuse,
    maxIdle: count('maxIdle', 256, 0),
    idleTimeout,
    maxLifetime: duration('maxLifetime', '5m'),
    maxRequests: count('maxRequests', 0, 0),
    maxStreams: count('maxStreams', 100, 1),
    maxSessions: count('maxSessions', 4, 1),
  })
}
