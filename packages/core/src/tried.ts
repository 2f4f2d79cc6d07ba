/** The slots that one connection or request has tried already; reused, so that a pick allocates nothing. */
export class Tried {
  readonly #slots: number[] = []

  /** How many were tried. */
  get size(): number {
    return this.#slots.length
  }

  add(slot: number): void {
    this.#slots.push(slot)
  }

  has(slot: number): boolean {
    return this.#slots.includes(slot)
  }

  clear(): void {
    this.#slots.length = 0
  }
}

/** Nothing tried yet: for the first pick. Never add to it. */
export const untried: Tried = new Tried()
