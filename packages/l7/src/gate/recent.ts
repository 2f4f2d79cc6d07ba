/**
 * What was made of byte ranges that came lately, found again by the bytes: hosts and targets repeat, and are read
 * once. A fixed number of places; what falls on a taken one replaces it, so that a stranger's inventions cost their
 * reading and nothing else.
 */
export class Recent<T> {
  readonly #mask: number
  readonly #width: number
  /** The bytes of all places, each in its own stretch. */
  readonly #bytes: Uint8Array
  /** 0 where there is nothing yet. */
  readonly #lengths: Uint16Array
  readonly #values: (T | undefined)[]

  /**
   * @param width - longer ranges are not kept
   * @param places - a power of two
   */
  constructor(width: number, places = 256) {
    this.#mask = places - 1
    this.#width = width
    this.#bytes = new Uint8Array(places * width)
    this.#lengths = new Uint16Array(places)
    this.#values = Array.from({ length: places }, () => undefined)
  }

  /** What was {@link Recent.keep | kept} for these bytes, if it is still there. */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    const place = this.#placeOf(bytes, start, end)
    const length = end - start
    if (this.#lengths[place] !== length) return undefined
    const kept = this.#bytes
    let at = place * this.#width
    for (let i = start; i < end; i++, at++) if (kept[at] !== bytes[i]) return undefined
    return this.#values[place]
  }

  /** Keeps a value for these bytes, which are copied; nothing for an empty range. */
  keep(bytes: Uint8Array, start: number, end: number, value: T): void {
    const length = end - start
    if (length === 0 || length > this.#width) return
    const place = this.#placeOf(bytes, start, end)
    const kept = this.#bytes
    let at = place * this.#width
    for (let i = start; i < end; i++, at++) kept[at] = bytes[i]!
    this.#lengths[place] = length
    this.#values[place] = value
  }

  /** Texts of one site differ towards their end: sixteen bytes of it, and the length, spread them well enough. */
  #placeOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start
    for (let i = hash > 16 ? end - 16 : start; i < end; i++) {
      hash = (Math.imul(hash, 31) + bytes[i]!) | 0
    }
    return (hash ^ (hash >>> 15)) & this.#mask
  }
}
