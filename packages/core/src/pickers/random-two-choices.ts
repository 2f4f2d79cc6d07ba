import { objectOption } from '../option-shape.ts'
import type { Picker, Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { wholeNumber } from './option-values.ts'
import { type Ranking, SampledChoice } from './sampled-choice.ts'

/** How {@link randomTwoChoices} draws. */
export interface RandomTwoChoicesOptions {
  /** Members to draw and compare, 1 to 64; 1 is a plain weighted lottery. Default 2. */
  readonly choices?: number
}

/**
 * Draws two members by weight and takes the one with fewer open connections for its weight, the
 * first drawn of equals (HAProxy `random(2)`; the power of two choices, Mitzenmacher 2001). Almost
 * as even as comparing all members, at a cost that does not grow with the pool, and many nodes do
 * not rush to the same member.
 *
 * The draws are independent, but a member is not compared with itself. HAProxy settles equal loads
 * by the request rate of the last second; nobody keeps that rate here. When four draws a choice
 * meet nobody with room, all members are compared, so a member is found whenever there is one. Each
 * next candidate is drawn anew among those not tried.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function randomTwoChoices(
  options: RandomTwoChoicesOptions = {},
  path = 'randomTwoChoices',
): Picker {
  const choices = wholeNumber(objectOption(options, path).choices ?? 2, 1, 64, `${path}.choices`)
  return Object.freeze<Picker>({
    name: 'random',
    key: 'none',
    open: ({ random }) => new LeastLoadedOfDrawn(choices, random),
  })
}

class LeastLoadedOfDrawn implements Selector, Ranking {
  readonly #choice: SampledChoice
  #roster: Roster | undefined

  constructor(choices: number, random: () => number) {
    this.#choice = new SampledChoice(choices, random)
  }

  update(roster: Roster): void {
    this.#roster = roster
    this.#choice.update(roster)
  }

  pick(_key: number, tried: Tried): number {
    const index = this.#choice.pick(tried, this)
    return index < 0 ? -1 : this.#roster!.slots[index]!
  }

  better(a: number, b: number): boolean {
    const { slots, weights, load } = this.#roster!
    return load.active[slots[a]!]! * weights[b]! < load.active[slots[b]!]! * weights[a]!
  }
}
