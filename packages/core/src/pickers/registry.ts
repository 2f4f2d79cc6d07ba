import { invalidOption } from '../errors.ts'
import { nearestName } from '../nearest-name.ts'
import { objectOption } from '../option-shape.ts'
import type { Picker } from '../picker.ts'
import { shown } from '../shown.ts'
import { first } from './first.ts'
import { leastConnections } from './least-connections.ts'
import { leastTime } from './least-time.ts'
import { maglev } from './maglev.ts'
import { randomTwoChoices } from './random-two-choices.ts'
import { rendezvous } from './rendezvous.ts'
import { ringHash } from './ring-hash.ts'
import { roundRobin } from './round-robin.ts'
import { smoothWeightedRoundRobin } from './smooth-weighted-round-robin.ts'
import { sourceHash } from './source-hash.ts'
import { weightedLeastConnections } from './weighted-least-connections.ts'

/** The names of the balancing algorithms in configuration. */
export type PickerName =
  | 'round-robin'
  | 'smooth-weighted-round-robin'
  | 'least-connections'
  | 'weighted-least-connections'
  | 'random'
  | 'source-hash'
  | 'ring-hash'
  | 'maglev'
  | 'rendezvous'
  | 'least-time'
  | 'first'

/** One algorithm as configuration sees it. */
export interface PickerEntry {
  /** The names of its options; the factory's options type says what they mean. */
  readonly options: readonly string[]
  /** Makes one; throws `invalid-option` below `path`. */
  make(options: Readonly<Record<string, unknown>>, path: string): Picker
}

const hashOptions = ['port', 'key'] as const

/**
 * All balancing algorithms by their name in configuration, which is also their {@link Picker.name}.
 */
export const pickers: Readonly<Record<PickerName, PickerEntry>> = Object.freeze({
  'round-robin': { options: ['ignoreWeights', 'randomStart'], make: roundRobin },
  'smooth-weighted-round-robin': { options: ['randomStart'], make: smoothWeightedRoundRobin },
  'least-connections': { options: [], make: leastConnections },
  'weighted-least-connections': { options: [], make: weightedLeastConnections },
  random: { options: ['choices'], make: randomTwoChoices },
  'source-hash': { options: [...hashOptions, 'consistent'], make: sourceHash },
  'ring-hash': { options: [...hashOptions, 'pointsPerWeight', 'maxPoints'], make: ringHash },
  maglev: { options: [...hashOptions, 'tableSize'], make: maglev },
  rendezvous: { options: hashOptions, make: rendezvous },
  'least-time': { options: ['choices', 'decay', 'penalty'], make: leastTime },
  first: { options: [], make: first },
})

/**
 * The balancing algorithm of this name in configuration.
 *
 * @param path - where the name stands in the document, for messages; options are below it.
 * @throws `invalid-option` for an unknown name or option, with the nearest one and all there are.
 */
export function pickerNamed(
  name: string,
  options: Readonly<Record<string, unknown>> = {},
  path = 'algorithm',
): Picker {
  const names = Object.keys(pickers)
  if (typeof name !== 'string' || !Object.hasOwn(pickers, name)) {
    throw invalidOption(path, unknown('balancing algorithm', name, names))
  }
  const entry = pickers[name as PickerName]
  for (const option of Object.keys(objectOption(options, path))) {
    if (entry.options.includes(option)) continue
    throw invalidOption(`${path}.${option}`, unknown(`option of ${name}`, option, entry.options))
  }
  return entry.make(options, path)
}

function unknown(what: string, given: unknown, known: readonly string[]): string {
  const nearest = typeof given === 'string' ? nearestName(given, known) : undefined
  const hint = nearest === undefined ? '' : `did you mean "${nearest}"? `
  const list = known.length === 0 ? 'are none' : `are ${known.join(', ')}`
  return `${shown(given)} is no ${what}: ${hint}there ${list}`
}
