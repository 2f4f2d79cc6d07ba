import { objectOption } from '@steelyard/core'
import { wholeOption } from '../filters/number-option.ts'

/** How many values each label may have; further ones are counted under `other`. */
export interface MetricLimits {
  /** Default 64. */
  readonly listeners?: number
  /** Default 200. */
  readonly routes?: number
  /** Default 200. */
  readonly pools?: number
  /** Default 500. */
  readonly members?: number
  /** Reasons that exchanges ended for. Default 64. */
  readonly reasons?: number
  /** Combinations of listener, route, pool and member; each makes 18 samples of every histogram. Default 500. */
  readonly groups?: number
}

const defaultLimits: Required<MetricLimits> = {
  listeners: 64,
  routes: 200,
  pools: 200,
  members: 500,
  reasons: 64,
  groups: 500,
}

/**
 * Completes {@link MetricLimits}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function metricLimits(limits: MetricLimits, path: string): Required<MetricLimits> {
  const given = objectOption(limits, path)
  const read = (name: keyof MetricLimits): number =>
    wholeOption(given[name] ?? defaultLimits[name], `${path}.${name}`, 1, 100_000, 'limit')
  return Object.freeze({
    listeners: read('listeners'),
    routes: read('routes'),
    pools: read('pools'),
    members: read('members'),
    reasons: read('reasons'),
    groups: read('groups'),
  })
}
