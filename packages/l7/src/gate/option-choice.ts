import { invalidOption, listOption, shown } from '@steelyard/core'

/**
 * An option that is one of a few words, as itself.
 *
 * @throws `invalid-option` for everything else.
 */
export function choiceOption<T extends string>(value: T, choices: readonly T[], path: string): T {
  if (choices.includes(value)) return value
  throw invalidOption(path, `${shown(value)} is none of ${choices.join(', ')}`)
}

/**
 * An option that is a list of such words, each at most once.
 *
 * @throws `invalid-option` for everything else.
 */
export function choicesOption<T extends string>(
  values: readonly T[],
  choices: readonly T[],
  path: string,
): readonly T[] {
  listOption(values, path).forEach((value, index) => {
    choiceOption(value, choices, `${path}[${index}]`)
    if (values.indexOf(value) < index) {
      throw invalidOption(`${path}[${index}]`, `${shown(value)} is named twice`)
    }
  })
  return Object.freeze([...values])
}

/**
 * An option that counts something, as itself.
 *
 * @throws `invalid-option` for everything else.
 */
export function countOption(value: number, min: number, max: number, path: string): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidOption(
    path,
    `${shown(value)} does not fit: use a whole number from ${min} to ${max}`,
  )
}
