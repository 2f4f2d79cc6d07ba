import type { RandomStream } from './random-stream.ts'

const certain = 0x7fff_ffff

/**
 * Draws a member with a probability in proportion to its weight, in constant time: Walker's alias
 * method as built by Vose (1991).
 */
export class WeightedDraw {
  /** Of 2^31: how often column `i` stands for member `i`; else it stands for its alias. */
  readonly #keep: Int32Array
  readonly #alias: Int32Array

  constructor(weights: Float64Array, totalWeight: number) {
    const size = weights.length
    this.#keep = new Int32Array(size).fill(certain)
    this.#alias = Int32Array.from(weights, (_, index) => index)
    const level = Float64Array.from(weights, (weight) => (weight * size) / totalWeight)
    const short: number[] = []
    const tall: number[] = []
    level.forEach((height, index) => (height < 1 ? short : tall).push(index))
    while (short.length > 0 && tall.length > 0) {
      const low = short.pop()!
      const high = tall.at(-1)!
      this.#keep[low] = Math.floor(level[low]! * 0x8000_0000)
      this.#alias[low] = high
      level[high]! -= 1 - level[low]!
      if (level[high]! < 1) short.push(tall.pop()!)
    }
  }

  draw(random: RandomStream): number {
    const column = random.below(this.#keep.length)
    return random.next() < this.#keep[column]! ? column : this.#alias[column]!
  }
}
