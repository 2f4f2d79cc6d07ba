/** Writes big-endian fields into a buffer that grows by doubling. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #length = 0

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    this.#view.setUint8(this.#grow(1), value)
    return this
  }

  u16(value: number): this {
    this.#view.setUint16(this.#grow(2), value)
    return this
  }

  u24(value: number): this {
    const at = this.#grow(3)
    this.#view.setUint8(at, value >>> 16)
    this.#view.setUint16(at + 1, value & 0xffff)
    return this
  }

  u32(value: number): this {
    this.#view.setUint32(this.#grow(4), value)
    return this
  }

  u64(value: bigint): this {
    this.#view.setBigUint64(this.#grow(8), value)
    return this
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#grow(value.byteLength))
    return this
  }

  /** Overwrites a u16 written before, for lengths that are known only afterwards. */
  patchU16(offset: number, value: number): this {
    if (offset + 2 > this.#length) throw new RangeError(`nothing was written at byte ${offset} yet`)
    this.#view.setUint16(offset, value)
    return this
  }

  /** Overwrites a u32 written before. */
  patchU32(offset: number, value: number): this {
    if (offset + 4 > this.#length) throw new RangeError(`nothing was written at byte ${offset} yet`)
    this.#view.setUint32(offset, value)
    return this
  }

  /** What was written, as a view that later writes do not touch. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length)
  }

  #grow(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.#bytes.byteLength) {
      const bytes = new Uint8Array(Math.max(this.#length, this.#bytes.byteLength * 2))
      bytes.set(this.#bytes)
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer)
    }
    return at
  }
}
