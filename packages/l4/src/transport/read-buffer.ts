/** The memory that all connections of one transport read into and write from, one at a time. */
export class ReadBuffer {
  /** Where reads go; what it holds is good until the reader returns. */
  readonly bytes: Uint8Array
  readonly #memory: ArrayBuffer
  #outgoing: Uint8Array | undefined = undefined

  constructor(size: number) {
    this.#memory = new ArrayBuffer(size)
    this.bytes = new Uint8Array(this.#memory)
  }

  /** The first bytes of it. A plain array, of which `slice` is a copy; of a Buffer it would not be. */
  first(length: number): Uint8Array {
    return length === this.bytes.length ? this.bytes : new Uint8Array(this.#memory, 0, length)
  }

  /** A range to copy a write into, free at the beginning of each write. */
  get outgoing(): Uint8Array {
    this.#outgoing ??= new Uint8Array(this.#memory.byteLength)
    return this.#outgoing
  }

  /** Somebody kept the outgoing range: the next write gets another. */
  replaceOutgoing(): void {
    this.#outgoing = undefined
  }
}
