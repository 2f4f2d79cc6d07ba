import { invalidOption, shown } from '@steelyard/core'

/**
 * An option that is a whole number within bounds, as itself.
 *
 * @param noun - what it is, for the message: `${value} is no ${noun}`.
 * @throws `invalid-option`
 */
export function wholeOption(
  value: number,
  path: string,
  least: number,
  most: number,
  noun: string,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw invalidOption(
    path,
    `${shown(value)} is no ${noun}: use a whole number from ${least} to ${most}`,
  )
}

/**
 * An option that is a number above 0 and not above `most`, as itself: a share, or a percentage.
 *
 * @throws `invalid-option`
 */
export function shareOption(value: number, path: string, most: number): number {
  if (typeof value === 'number' && value > 0 && value <= most) return value
  throw invalidOption(
    path,
    `${shown(value)} is no share: use a number above 0 and not above ${most}`,
  )
}

/**
 * An option that is one of a few words, as itself.
 *
 * @throws `invalid-option` that tells the words.
 */
export function wordOption<T extends string>(value: T, words: readonly T[], path: string): T {
  if (words.includes(value)) return value
  throw invalidOption(path, `${shown(value)} is none of ${words.join(', ')}`)
}
