/** A request body as far as it was read, kept for another attempt while it is short enough. */
export class ReplayBuffer {
  readonly #limit: number
  readonly #pieces: Uint8Array[] = []
  #size = 0
  #spilled = false

  /** @param limit - bytes that it keeps at most */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Everything that was read is here. */
  get whole(): boolean {
    return !this.#spilled
  }

  get pieces(): readonly Uint8Array[] {
    return this.#pieces
  }

  /** Keeps a copy, or gives all up when there is no room. */
  add(bytes: Uint8Array): void {
    if (this.#spilled) return
    this.#size += bytes.length
    if (this.#size > this.#limit) return this.spill()
    this.#pieces.push(new Uint8Array(bytes))
  }

  /** No other attempt will come: lets go of what it keeps. */
  spill(): void {
    this.#spilled = true
    this.#pieces.length = 0
  }
}
