import { type Duration, parseDuration } from './duration.ts'
import { invalidOption } from './errors.ts'
import type { HealthCheck } from './health-check.ts'
import { objectOption, partOption } from './option-shape.ts'
import type { OutlierDetection } from './outlier.ts'
import type { PersistenceTable } from './persistence.ts'
import type { Picker } from './picker.ts'
import { roundRobin } from './pickers/round-robin.ts'
import { type Quorum, type QuorumRule, quorumRule } from './quorum.ts'
import { shown } from './shown.ts'

/** How a pool chooses: what may be changed while it works. */
export interface PoolPolicyOptions {
  /** The balancing algorithm. Default `roundRobin()`. */
  readonly pick?: Picker
  /** The active health check. Default: none, all members count as up. */
  readonly check?: HealthCheck
  /** Passive outlier detection on live results. Default: none. */
  readonly outlier?: OutlierDetection
  /** Clients keep their member. Default: none. */
  readonly persistence?: PersistenceTable
  /** Members that must be up for `available`. Default 1. */
  readonly quorum?: Quorum
  /** Distance from the quorum at which `available` flips. Default 0. */
  readonly hysteresis?: number
  /** With no usable member: `reject` picks none, `all` picks among all that are enabled. Default `reject`. */
  readonly whenEmpty?: 'reject' | 'all'
  /** A member that recovers gets its weight and limit back linearly over this time. Default `0s`: at once. */
  readonly slowStart?: Duration
  /** Bounded load factor, above 1, usually 1.25 to 2. Default 0: off. See {@link RosterInit.boundedLoad}. */
  readonly boundedLoad?: number
}

/** {@link PoolPolicyOptions}, checked and read once. */
export interface PoolPolicy {
  readonly picker: Picker
  readonly check: HealthCheck | undefined
  readonly outlier: OutlierDetection | undefined
  readonly persistence: PersistenceTable | undefined
  readonly quorum: QuorumRule
  readonly whenEmpty: 'reject' | 'all'
  readonly slowStartMs: number
  /** 0 for off. */
  readonly boundedLoad: number
}

/**
 * Checks the policy of a pool.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function poolPolicy(options: PoolPolicyOptions): PoolPolicy {
  const { boundedLoad = 0, whenEmpty = 'reject' } = objectOption(options, 'pool')
  if (boundedLoad !== 0 && !(typeof boundedLoad === 'number' && boundedLoad > 1)) {
    throw invalidOption(
      'pool.boundedLoad',
      `${shown(boundedLoad)} is no factor: use 0 for off, or more than 1, such as 1.25`,
    )
  }
  if (whenEmpty !== 'reject' && whenEmpty !== 'all') {
    throw invalidOption('pool.whenEmpty', `${shown(whenEmpty)} is none of reject, all`)
  }
  return Object.freeze({
    picker: partOption(
      options.pick ?? roundRobin(),
      'open',
      'pool.pick',
      'use one of the algorithms, such as roundRobin()',
    ),
    check: partOption(
      options.check,
      'attach',
      'pool.check',
      'use a health check, such as tcpCheck() of @steelyard/health',
    ),
    outlier: partOption(
      options.outlier,
      'attach',
      'pool.outlier',
      'use outlierDetection() of @steelyard/health',
    ),
    persistence: partOption(
      options.persistence,
      'lookup',
      'pool.persistence',
      'use persistenceTable()',
    ),
    quorum: quorumRule(options.quorum ?? 1, options.hysteresis ?? 0),
    whenEmpty,
    slowStartMs: parseDuration(options.slowStart ?? 0, 'pool.slowStart'),
    boundedLoad,
  })
}
