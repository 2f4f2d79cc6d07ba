/**
 * Random numbers for the hot path, seeded once from the pool's own source: `Math.random` puts each
 * of its results on the heap, this does not. Steele, Lea and Flood's SplitMix (2014) in 32 bits.
 */
export class RandomStream {
  readonly #state: Int32Array

  constructor(random: () => number) {
    this.#state = Int32Array.of(Math.floor(random() * 0x1_0000_0000))
  }

  /** Uniform from 0 to 2^31 - 1. */
  next(): number {
    const state = (this.#state[0]! + 0x9e3779b9) | 0
    this.#state[0] = state
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 1
  }

  /** Uniform from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.next() * count) / 0x8000_0000)
  }
}
