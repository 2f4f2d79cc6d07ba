import type { Clock } from './clock.ts'
import { invalidOption } from './errors.ts'
import { isList, shown } from './shown.ts'

/**
 * Options that are an object, as themselves: what a factory takes apart, it checks with this first, so that `null`
 * or a number is refused in the words of every other wrong option.
 *
 * @throws `invalid-option` for everything else, lists too.
 */
export function objectOption<T>(value: T, path: string): T {
  if (typeof value === 'object' && value !== null && isList(value) === false) return value
  throw invalidOption(path, `${shown(value)} is no object with options`)
}

/**
 * An option that is a list, as itself.
 *
 * @throws `invalid-option` for everything else, texts too, and for a list with holes.
 */
export function listOption<T>(value: readonly T[], path: string): readonly T[] {
  if (isList(value) !== true) throw invalidOption(path, `${shown(value)} is not a list`)
  for (let index = 0; index < value.length; index++) {
    // `map` and `forEach` would pass over it, and nothing would be checked.
    if (!(index in value)) throw invalidOption(`${path}[${index}]`, 'is a hole in the list')
  }
  return value
}

/** An option that may be one thing or a list of them, as a list; what the things are, nobody has checked. */
export function oneOrMore<T>(value: T | readonly T[]): readonly T[] {
  return isList(value) === true ? (value as readonly T[]) : [value as T]
}

/**
 * An option that is a text, as itself.
 *
 * @throws `invalid-option` for everything else.
 */
export function textOption(value: string, path: string): string {
  if (typeof value === 'string') return value
  throw invalidOption(path, `${shown(value)} is not a text`)
}

/**
 * An option that is bytes, as itself.
 *
 * @throws `invalid-option` for everything else, texts too.
 */
export function bytesOption(value: Uint8Array, path: string): Uint8Array {
  // Asked first because `instanceof` runs code of a proxy.
  if (ArrayBuffer.isView(value) && value instanceof Uint8Array) return value
  throw invalidOption(path, `${shown(value)} is no Uint8Array`)
}

/**
 * An option that is on or off, as itself.
 *
 * @throws `invalid-option` for everything else: `'false'` is neither.
 */
export function flagOption(value: boolean, path: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalidOption(path, `${shown(value)} is neither true nor false`)
}

/**
 * An option with methods that somebody else made, such as a pool or a clock, as itself; one left out stays out.
 *
 * @param method - one of its methods, to tell it by.
 * @param advice - what to hand in, for the message.
 * @throws `invalid-option` when the method is not there.
 */
export function partOption<T>(
  value: T,
  method: string & keyof NonNullable<T>,
  path: string,
  advice: string,
): T {
  if (value === undefined) return value
  const made = isList(value) === false && (typeof value === 'function' || typeof value === 'object')
  if (made && value !== null && typeof (value as Record<string, unknown>)[method] === 'function')
    return value
  throw invalidOption(path, `${shown(value)} does not fit: ${advice}`)
}

/**
 * A clock that was handed in, as itself.
 *
 * @throws `invalid-option` for everything that is no {@link Clock}.
 */
export function clockOption(value: Clock, path: string): Clock {
  return partOption(value, 'now', path, 'leave it out for the real time')
}

/**
 * An option that is a function, as itself.
 *
 * @throws `invalid-option` for everything else.
 */
export function functionOption<T extends (...args: never[]) => unknown>(value: T, path: string): T {
  if (typeof value === 'function') return value
  throw invalidOption(path, `${shown(value)} is not a function`)
}
