/** The slots that one connection or request has tried already; reused, so that a pick allocates nothing. */
export class Tried {
  readonly #slots: number[] = []
  #size = 0

  /** How many were tried. */
  get size(): number {
    return this.#size
  }

  add(slot: number): void {
    this.#slots[this.#size] = slot
    this.#size += 1
  }

  has(slot: number): boolean {
    for (let i = 0; i < this.#size; i++) if (this.#slots[i] === slot) return true
    return false
  }

  /** Keeps the room: an array whose length is set to 0 gives it back and takes it anew. */
  clear(): void {
    this.#size = 0
  }
}

/** Nothing tried yet: for the first pick. Never add to it. */
export const untried: Tried = new Tried()
