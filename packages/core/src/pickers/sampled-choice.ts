import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { RandomStream } from './random-stream.ts'
import { fromFirst, Turn } from './turn.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** Compares two members by their index in the roster. */
export interface Ranking {
  /** Is `a` a better choice than `b`? False for equals. */
  better(a: number, b: number): boolean
}

/**
 * Draws some members by weight and takes the best of them, the first drawn of equals. When the
 * draws meet nobody who admits, and when asked to, it compares all members instead, equals in turn.
 */
export class SampledChoice {
  readonly #choices: number
  readonly #random: RandomStream
  readonly #turn = new Turn()
  #roster: Roster | undefined
  #draw: WeightedDraw | undefined

  /** @param choices - members to compare; 0 for all. */
  constructor(choices: number, random: () => number) {
    this.#choices = choices
    this.#random = new RandomStream(random)
  }

  update(roster: Roster): void {
    this.#roster = roster
    this.#turn.follow(roster, fromFirst)
    const drawn = this.#choices > 0 && roster.size > 1
    this.#draw = drawn ? new WeightedDraw(roster.weights, roster.totalWeight) : undefined
  }

  /** The index of the best member met, or -1. */
  pick(tried: Tried, ranking: Ranking): number {
    const roster = this.#roster
    if (roster === undefined) return -1
    const draw = this.#draw
    if (draw === undefined) return this.#bestOfAll(roster, tried, ranking)
    let best = -1
    let met = 0
    // Some draws are wasted on the same member again, on full ones and on tried ones.
    for (let left = 4 * this.#choices; left > 0 && met < this.#choices; left--) {
      const index = draw.draw(this.#random)
      if (index === best || !roster.admits(index, tried)) continue
      met += 1
      if (best < 0 || ranking.better(index, best)) best = index
    }
    return best < 0 ? this.#bestOfAll(roster, tried, ranking) : best
  }

  #bestOfAll(roster: Roster, tried: Tried, ranking: Ranking): number {
    const { size } = roster
    let best = -1
    let index = this.#turn.index
    for (let seen = 0; seen < size; seen++) {
      if ((best < 0 || ranking.better(index, best)) && roster.admits(index, tried)) best = index
      index += 1
      if (index === size) index = 0
    }
    if (best >= 0) this.#turn.passed(best)
    return best
  }
}
