/** One step of the hash (FNV-1a), a character code at a time. */
export function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193)
}

/** Where the hash begins. */
export const hashStart: number = 0x811c9dc5 | 0

/**
 * A map from texts that is asked with a range of a text and its hash, so that a question makes no string. The hash may
 * run over the characters in either direction, as long as it is the same one in both.
 */
export class TextTable<T> {
  #hashes: Int32Array = new Int32Array(8)
  #texts: (string | undefined)[] = Array.from({ length: 8 }, () => undefined)
  #values: (T | undefined)[] = Array.from({ length: 8 }, () => undefined)
  #size = 0
  /** The length of the longest text. */
  longest = -1

  get size(): number {
    return this.#size
  }

  /** The value for `text.slice(start, end)`. */
  get(hash: number, text: string, start: number, end: number): T | undefined {
    if (this.#size === 0) return undefined
    const mask = this.#hashes.length - 1
    for (let place = spread(hash) & mask; ; place = (place + 1) & mask) {
      const candidate = this.#texts[place]
      if (candidate === undefined) return undefined
      if (
        this.#hashes[place] === hash &&
        candidate.length === end - start &&
        // A range from the start is compared without being cut out.
        (start === 0 ? text.startsWith(candidate) : text.startsWith(candidate, start))
      ) {
        return this.#values[place]
      }
    }
  }

  /** Adds a text that is not there yet. */
  add(hash: number, text: string, value: T): void {
    if (this.#size * 2 >= this.#hashes.length) this.#grow()
    this.#put(hash, text, value)
    this.#size += 1
    this.longest = Math.max(this.longest, text.length)
  }

  #put(hash: number, text: string, value: T): void {
    const mask = this.#hashes.length - 1
    let place = spread(hash) & mask
    while (this.#texts[place] !== undefined) place = (place + 1) & mask
    this.#hashes[place] = hash
    this.#texts[place] = text
    this.#values[place] = value
  }

  #grow(): void {
    const hashes = this.#hashes
    const texts = this.#texts
    const values = this.#values
    const length = hashes.length * 2
    this.#hashes = new Int32Array(length)
    this.#texts = Array.from({ length }, () => undefined)
    this.#values = Array.from({ length }, () => undefined)
    texts.forEach((text, index) => {
      if (text !== undefined) this.#put(hashes[index]!, text, values[index]!)
    })
  }
}

/** FNV's low bits are its weakest. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15)
}
