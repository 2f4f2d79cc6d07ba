const smallest = 16 * 1024

/** Bytes that wait to be sent, copied on the way in; small writes share a chunk. */
export class SendQueue {
  readonly #chunks: Uint8Array[] = []
  /** Bytes used of the last chunk. */
  #tail = 0
  /** Bytes queued. */
  size = 0

  append(bytes: Uint8Array): void {
    let rest = bytes
    const last = this.#chunks.at(-1)
    if (last !== undefined && this.#tail < last.length) {
      const fits = Math.min(rest.length, last.length - this.#tail)
      last.set(fits === rest.length ? rest : rest.subarray(0, fits), this.#tail)
      this.#tail += fits
      this.size += fits
      rest = rest.subarray(fits)
    }
    if (rest.length === 0) return
    // Outside the pool of `Buffer`, so that one waiting byte never keeps a stranger's slab alive.
    const chunk = Buffer.allocUnsafeSlow(Math.max(smallest, rest.length))
    chunk.set(rest)
    this.#chunks.push(chunk)
    this.#tail = rest.length
    this.size += rest.length
  }

  /** Takes the oldest chunk out; the caller owns it. */
  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    const used = this.#chunks.length === 0 ? chunk.subarray(0, this.#tail) : chunk
    this.size -= used.length
    return used
  }
}
