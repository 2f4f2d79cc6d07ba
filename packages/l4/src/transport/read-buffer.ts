/** The memory that all connections of one transport read into and write from, one at a time. */
export class ReadBuffer {
  /** Where reads go; what it holds is good until the reader returns. */
  readonly bytes: Uint8Array
  readonly #memory: ArrayBuffer
  #outgoing: ArrayBuffer | undefined = undefined

  constructor(size: number) {
    this.#memory = new ArrayBuffer(size)
    this.bytes = new Uint8Array(this.#memory)
  }

  /** The first bytes of it. A plain array, of which `slice` is a copy; of a Buffer it would not be. */
  first(length: number): Uint8Array {
    return length === this.bytes.length ? this.bytes : new Uint8Array(this.#memory, 0, length)
  }

  /** A range to copy a write into; free again at the next write, unless {@link keepOutgoing}. */
  outgoing(length: number): Uint8Array {
    this.#outgoing ??= new ArrayBuffer(this.#memory.byteLength)
    return new Uint8Array(this.#outgoing, 0, length)
  }

  /** The outgoing range is in use beyond the write: the next one gets other memory. */
  keepOutgoing(): void {
    this.#outgoing = undefined
  }
}
