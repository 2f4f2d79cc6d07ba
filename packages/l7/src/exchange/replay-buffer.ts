/** Small pieces share a block of this size, so that a body in single bytes costs no more than another. */
const blockBytes = 4096

/** A request body as far as it was read, kept for another attempt while it is short enough. */
export class ReplayBuffer {
  readonly #limit: number
  readonly #pieces: Uint8Array[] = []
  /** The block that small pieces go to, and how much of it is used; its used part is the last of the pieces. */
  #block: Uint8Array | undefined = undefined
  #used = 0
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
    if (this.#spilled || bytes.length === 0) return
    this.#size += bytes.length
    if (this.#size > this.#limit) return this.spill()
    if (bytes.length >= blockBytes / 2) {
      this.#block = undefined
      this.#pieces.push(new Uint8Array(bytes))
      return
    }
    if (this.#block === undefined || this.#used + bytes.length > blockBytes) {
      this.#block = new Uint8Array(blockBytes)
      this.#used = 0
      this.#pieces.push(this.#block)
    }
    this.#block.set(bytes, this.#used)
    this.#used += bytes.length
    this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#used)
  }

  /** No other attempt will come: lets go of what it keeps. */
  spill(): void {
    this.#spilled = true
    this.#block = undefined
    this.#pieces.length = 0
  }
}
