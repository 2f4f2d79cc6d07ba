import { flagOption, objectOption } from '../option-shape.ts'
import type { Picker, Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { carryOver } from './carry-over.ts'

/** How {@link smoothWeightedRoundRobin} begins. */
export interface SmoothWeightedRoundRobinOptions {
  /** Start anywhere in the rotation, so that many nodes do not march in step. Default `false`. */
  readonly randomStart?: boolean
}

/**
 * Takes turns in proportion to the weights and spreads each member's turns evenly: weights 5, 1, 1
 * give `a a b a c a a`. The rule is NGINX's (`ngx_http_upstream_get_peer`): each eligible member's
 * current value grows by its weight; the largest is picked, the first of equals, and pays the sum
 * of the weights of the eligible. Members that are full or tried are not eligible and keep their
 * value, so the next candidate of a retry is the winner of a round among the rest.
 *
 * Each pick looks at every member. Weights may be any positive number. The values stay with their
 * members when the roster changes, so that an update does not restart the rotation; they are scaled
 * to the new sum of weights, so that nobody is owed turns from before. A newcomer starts at the
 * mean.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function smoothWeightedRoundRobin(
  options: SmoothWeightedRoundRobinOptions = {},
  path = 'smoothWeightedRoundRobin',
): Picker {
  const randomStart = flagOption(
    objectOption(options, path).randomStart ?? false,
    `${path}.randomStart`,
  )
  return Object.freeze<Picker>({
    name: 'smooth-weighted-round-robin',
    key: 'none',
    open: ({ random }) => new SmoothSelector(randomStart ? random : undefined),
  })
}

class SmoothSelector implements Selector {
  readonly #rotation = new SmoothRotation()
  #random: (() => number) | undefined
  #slots: Int32Array | undefined

  constructor(random: (() => number) | undefined) {
    this.#random = random
  }

  update(roster: Roster): void {
    this.#slots = roster.slots
    this.#rotation.update(roster)
    if (this.#random !== undefined && roster.size > 0) {
      this.#rotation.shuffle(this.#random)
      this.#random = undefined
    }
  }

  pick(_key: number, tried: Tried): number {
    const index = this.#rotation.pick(tried)
    return index < 0 ? -1 : this.#slots![index]!
  }
}

/** The rotation by itself, by index into the roster; {@link roundRobin} falls back to it. */
export class SmoothRotation {
  #roster: Roster | undefined
  #current: Float64Array = new Float64Array(0)

  /** Carries the rotation on with other members or weights. */
  update(roster: Roster): void {
    const origin = carryOver(this.#roster, roster)
    const before = this.#current
    const scale =
      this.#roster === undefined || this.#roster.totalWeight === 0
        ? 1
        : roster.totalWeight / this.#roster.totalWeight
    const current = Float64Array.from(origin, (index) => (index < 0 ? 0 : before[index]! * scale))
    this.#roster = roster
    this.#current = current
    let sum = 0
    let kept = 0
    for (const index of origin) if (index >= 0) kept += 1
    for (const value of current) sum += value
    // Those who left took their part with them; without this the rest would drift away from
    // newcomers.
    if (sum !== 0) {
      origin.forEach((index, i) => {
        if (index >= 0) current[i]! -= sum / kept
      })
    }
  }

  /** Begins as if the members before `turn` had just had their turn in a round of equals. */
  startAt(roster: Roster, turn: number): void {
    const { size, totalWeight } = roster
    this.#roster = roster
    this.#current = Float64Array.from(
      roster.slots,
      (_, index) => ((index < turn ? turn - size : turn) / size) * totalWeight,
    )
  }

  /** Begins anywhere in the rotation. */
  shuffle(random: () => number): void {
    const weights = this.#roster!.weights
    const offsets = Float64Array.from(weights, (weight) => weight * random())
    const mean = offsets.reduce((sum, value) => sum + value, 0) / offsets.length
    this.#current = offsets.map((value) => value - mean)
  }

  /** The index of the next member, or -1. */
  pick(tried: Tried): number {
    const roster = this.#roster
    if (roster === undefined) return -1
    const { size, weights } = roster
    const current = this.#current
    let best = -1
    let highest = -Infinity
    let total = 0
    for (let index = 0; index < size; index++) {
      if (!roster.admits(index, tried)) continue
      const weight = weights[index]!
      const value = current[index]! + weight
      current[index] = value
      total += weight
      if (value > highest) {
        highest = value
        best = index
      }
    }
    if (best >= 0) current[best] = highest - total
    return best
  }
}
