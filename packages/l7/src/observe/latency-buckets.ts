import { invalidOption, listOption, shown } from '@steelyard/core'

/** The default upper bounds of latencies, in seconds. */
export const latencyBuckets: readonly number[] = Object.freeze([
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
])

/**
 * Upper bounds of buckets, as themselves.
 *
 * @throws `invalid-option` for what does not rise, and for more than 64.
 */
export function bucketsOption(buckets: readonly number[], path: string): readonly number[] {
  const bounds = listOption(buckets, path)
  if (bounds.length === 0 || bounds.length > 64) {
    throw invalidOption(path, `has ${bounds.length} bounds: use 1 to 64`)
  }
  bounds.forEach((bound, index) => {
    const before = index === 0 ? 0 : bounds[index - 1]!
    if (typeof bound === 'number' && Number.isFinite(bound) && bound > before) return
    throw invalidOption(
      `${path}[${index}]`,
      `${shown(bound)} is no bound: use seconds above 0, each more than the one before`,
    )
  })
  return Object.freeze([...bounds])
}
