import { isSteelyardError, SteelyardError } from '@steelyard/core'
import type { Path } from '../desired/path.ts'
import { formatPath } from '../desired/path.ts'

/** Something of a rule or listener that cannot be made, with its place in the document. */
export interface Fault extends SteelyardError<'rule-invalid'> {
  /** Below the object that is made. */
  readonly place: Path
  readonly problem: string
  readonly remedy: string
}

class PlacedFault extends SteelyardError<'rule-invalid'> implements Fault {
  readonly place: Path
  readonly problem: string
  readonly remedy: string

  constructor(place: Path, problem: string, remedy: string, cause?: unknown) {
    super(problem, {
      code: 'rule-invalid',
      source: 'config',
      path: formatPath(place),
      ...(cause === undefined ? {} : { cause }),
    })
    this.place = place
    this.problem = problem
    this.remedy = remedy
  }
}

/** Is it one of {@link faultAt} and {@link within}? */
export function isFault(error: unknown): error is Fault {
  return isSteelyardError(error, 'rule-invalid') && 'place' in error
}

/** A fault at a place. */
export function faultAt(place: Path, problem: string, remedy: string): Fault {
  return new PlacedFault(place, problem, remedy)
}

/**
 * Makes a part; a wrong option of it becomes a fault at the part's place, or below it.
 *
 * @param make - is given the place as a text, for options whose errors say where below it they are.
 */
export function within<Part>(place: Path, make: (path: string) => Part): Part {
  const path = formatPath(place)
  try {
    return make(path)
  } catch (error) {
    if (isFault(error) || !isSteelyardError(error)) throw error
    if (error.code !== 'invalid-option' && error.code !== 'file-unreadable') throw error
    const at = error.path ?? ''
    const prefix = error.path === undefined ? '' : `${at}: `
    const text = error.message.startsWith(prefix)
      ? error.message.slice(prefix.length)
      : error.message
    const [, problem = text, remedy = ''] =
      /^(.*?): ((?:use|write|did|make|give|add) .*)$/s.exec(text) ?? []
    const below = at.startsWith(path) && path !== '' ? steps(at.slice(path.length)) : []
    throw new PlacedFault([...place, ...below], problem, remedy, error)
  }
}

/** `.queue.length`, `[2]` as steps of a path. */
function steps(text: string): (string | number)[] {
  return [...text.matchAll(/\.([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) =>
    key === undefined ? Number(index) : key,
  )
}
