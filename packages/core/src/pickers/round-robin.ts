import { flagOption, objectOption } from '../option-shape.ts'
import type { Picker, Selector } from '../picker.ts'
import type { Roster } from '../roster.ts'
import type { Tried } from '../tried.ts'
import { SmoothRotation } from './smooth-weighted-round-robin.ts'
import { fromFirst, Turn } from './turn.ts'

/** How {@link roundRobin} takes turns. */
export interface RoundRobinOptions {
  /** Everybody gets one turn a round, whatever the weight (IPVS `rr`). Default `false`. */
  readonly ignoreWeights?: boolean
  /**
   * Start with a random member, so that many nodes do not march in step. Default `false`: with the
   * first.
   */
  readonly randomStart?: boolean
}

/**
 * Takes turns; the default of a pool. Weights are honoured, as by HAProxy's `roundrobin` and
 * NGINX's default method: while all are equal it is plain list order (by backend id) in constant
 * time; while they differ, also during a slow start, it is the rule of {@link
 * smoothWeightedRoundRobin}, which looks at every member.
 *
 * A retry takes the next turn. A member that is full or tried is passed over without losing weight
 * in later rounds. A change of the roster does not restart the rotation.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function roundRobin(options: RoundRobinOptions = {}, path = 'roundRobin'): Picker {
  const ignoreWeights = flagOption(
    objectOption(options, path).ignoreWeights ?? false,
    `${path}.ignoreWeights`,
  )
  const randomStart = flagOption(options.randomStart ?? false, `${path}.randomStart`)
  return Object.freeze<Picker>({
    name: 'round-robin',
    key: 'none',
    open: ({ random }) => new Rotation(ignoreWeights, randomStart ? random : fromFirst),
  })
}

class Rotation implements Selector {
  readonly #ignoreWeights: boolean
  readonly #start: () => number
  readonly #turn = new Turn()
  #roster: Roster | undefined
  /** In use while the weights differ. */
  #smooth: SmoothRotation | undefined

  constructor(ignoreWeights: boolean, start: () => number) {
    this.#ignoreWeights = ignoreWeights
    this.#start = start
  }

  update(roster: Roster): void {
    this.#roster = roster
    this.#turn.follow(roster, this.#start)
    const { weights } = roster
    if (this.#ignoreWeights || weights.every((weight) => weight === weights[0])) {
      this.#smooth = undefined
    } else if (this.#smooth === undefined) {
      this.#smooth = new SmoothRotation()
      this.#smooth.startAt(roster, this.#turn.index)
    } else {
      this.#smooth.update(roster)
    }
  }

  pick(_key: number, tried: Tried): number {
    const roster = this.#roster
    if (roster === undefined) return -1
    const index =
      this.#smooth === undefined ? this.#inTurn(roster, tried) : this.#smooth.pick(tried)
    if (index < 0) return -1
    this.#turn.passed(index)
    return roster.slots[index]!
  }

  #inTurn(roster: Roster, tried: Tried): number {
    const { size } = roster
    let index = this.#turn.index
    for (let seen = 0; seen < size; seen++) {
      if (roster.admits(index, tried)) return index
      index += 1
      if (index === size) index = 0
    }
    return -1
  }
}
