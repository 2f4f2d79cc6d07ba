/**
 * Makes one piece of the chunks of a body that came in one range: a lone one stays where it lies, several are copied
 * together. Shared by connections; between the first chunk and {@link ChunkPieces.take} nobody else is called.
 */
export class ChunkPieces {
  #memory: Uint8Array | undefined = undefined
  #start = 0
  #end = 0
  /** Bytes copied together; 0 while there is a lone chunk, or none. */
  #copied = 0

  chunk(bytes: Uint8Array, start: number, end: number): void {
    if (this.#copied === 0) {
      if (this.#start === this.#end) {
        this.#start = start
        this.#end = end
        return
      }
      this.#copied = this.#end - this.#start
      // All chunks of a range together are shorter than the range.
      if (this.#memory === undefined || this.#memory.length < bytes.length) {
        this.#memory = new Uint8Array(Math.max(bytes.length, 65_536))
      }
      this.#memory.set(bytes.subarray(this.#start, this.#end))
    }
    this.#memory!.set(bytes.subarray(start, end), this.#copied)
    this.#copied += end - start
  }

  /** All of them, or undefined for none; of a lone one that is all of `range`, the range itself. */
  take(range: Uint8Array): Uint8Array | undefined {
    const start = this.#start
    const end = this.#end
    const copied = this.#copied
    this.#start = 0
    this.#end = 0
    this.#copied = 0
    if (copied > 0) {
      const piece = this.#memory!.subarray(0, copied)
      // Whoever is told of it may cause another body to be read meanwhile.
      this.#memory = undefined
      return piece
    }
    if (start === end) return undefined
    return start === 0 && end === range.length ? range : range.subarray(start, end)
  }

  /** The piece was told: its memory may serve again. */
  giveBack(piece: Uint8Array, range: Uint8Array): void {
    if (piece.buffer === range.buffer) return
    const memory = new Uint8Array(piece.buffer as ArrayBuffer)
    if (this.#memory === undefined || this.#memory.length < memory.length) this.#memory = memory
  }
}
