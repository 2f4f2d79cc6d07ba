import { invalidOption, objectOption, type Pool, partOption, shown } from '@steelyard/core'
import { tokenOption } from '../filters/field-option.ts'
import type { ForwardAction, ForwardOptions, ForwardTarget, WeightedPool } from './action.ts'
import { oneOrMore } from './one-or-more.ts'

/**
 * Sends requests to a pool, or to several by weight: `[{ pool: stable, weight: 95 }, { pool: canary, weight: 5 }]`. With
 * `sticky` clients stay with the pool that they were sent to first, by a cookie of that name.
 *
 * @throws `invalid-option` for what is no pool, for weights below 0 or all 0, and for sticky pools of the same name.
 */
export function forward(target: ForwardTarget, options: ForwardOptions = {}): ForwardAction {
  const { sticky } = objectOption(options, 'forward')
  const pools = poolsOption(target, 'forward')
  if (sticky !== undefined) {
    tokenOption(sticky, 'forward.sticky')
    const names = pools.map(({ pool }) => pool.name)
    const twice = names.find((name, index) => names.indexOf(name) !== index)
    if (twice !== undefined) {
      throw invalidOption(
        'forward.sticky',
        `two pools are called ${shown(twice)}: give them names that the cookie can tell apart`,
      )
    }
  }
  return Object.freeze({ kind: 'forward', pools, sticky, options })
}

/**
 * Pools and their weights, complete.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function poolsOption(target: ForwardTarget, path: string): ForwardAction['pools'] {
  const given: readonly (Pool | WeightedPool)[] = oneOrMore<Pool | WeightedPool>(target)
  const alone = given !== target
  const list = alone ? [{ pool: target as Pool }] : (given as readonly WeightedPool[])
  if (list.length === 0) throw invalidOption(path, 'needs at least one pool')
  const pools = list.map((given, index) => {
    const at = alone ? path : `${path}[${index}]`
    const { pool, weight = 1 } = objectOption(given, at)
    partOption(pool, 'pick', `${at}.pool`, 'make one with pool()')
    if (pool === undefined) throw invalidOption(`${at}.pool`, 'is missing')
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1e9)) {
      throw invalidOption(`${at}.weight`, `${shown(weight)} is no weight: use 0 or more`)
    }
    return Object.freeze({ pool, weight })
  })
  if (pools.every(({ weight }) => weight === 0)) {
    throw invalidOption(path, 'every pool has weight 0: nobody would take a request')
  }
  return Object.freeze(pools)
}
