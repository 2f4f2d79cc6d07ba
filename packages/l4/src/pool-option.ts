import { invalidOption, type Pool, partOption } from '@steelyard/core'

/**
 * The pool of a balancer, as itself.
 *
 * @throws `invalid-option` when it is missing or something else.
 */
export function poolOption(pool: Pool | undefined, path: string): Pool {
  const advice = 'make one with pool({ backends: [...] })'
  if (pool === undefined) throw invalidOption(path, `is missing: ${advice}`)
  return partOption(pool, 'pick', path, advice)
}
