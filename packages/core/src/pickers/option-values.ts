import { invalidOption } from '../errors.ts'
import { shown } from '../shown.ts'

/** An option that counts something, as itself. Throws `invalid-option`. */
export function wholeNumber(
  value: number,
  min: number,
  max: number,
  path: string,
  otherwise = '',
): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidOption(
    path,
    `${shown(value)} does not fit: use a whole number from ${min} to ${max}${otherwise}`,
  )
}
