/**
 * Writes big-endian fields into a buffer that grows by doubling. A value that does not fit its field is a
 * `RangeError`: cut to size it would be another message.
 */
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
    fit(value, 0xff)
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
    return this
  }

  u16(value: number): this {
    fit(value, 0xffff)
    const at = this.#grow(2)
    this.#view.setUint16(at, value)
    return this
  }

  u24(value: number): this {
    fit(value, 0xffffff)
    const at = this.#grow(3)
    this.#view.setUint8(at, value >>> 16)
    this.#view.setUint16(at + 1, value & 0xffff)
    return this
  }

  u32(value: number): this {
    fit(value, 0xffffffff)
    const at = this.#grow(4)
    this.#view.setUint32(at, value)
    return this
  }

  u64(value: bigint): this {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw misfit(value, 0xffff_ffff_ffff_ffffn)
    const at = this.#grow(8)
    this.#view.setBigUint64(at, value)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.byteLength)
    this.#bytes.set(value, at)
    return this
  }

  /** Overwrites a u16 written before, for lengths that are known only afterwards. */
  patchU16(offset: number, value: number): this {
    this.#written(offset, 2)
    this.#view.setUint16(offset, fit(value, 0xffff))
    return this
  }

  /** Overwrites a u32 written before. */
  patchU32(offset: number, value: number): this {
    this.#written(offset, 4)
    this.#view.setUint32(offset, fit(value, 0xffffffff))
    return this
  }

  /** What was written, as a view that later writes do not touch. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length)
  }

  #written(offset: number, length: number): void {
    if (!(offset >= 0 && offset + length <= this.#length)) {
      throw new RangeError(`nothing was written at byte ${offset} yet`)
    }
  }

  /** Replaces the buffer and its view: take them only after it has returned. */
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

function fit(value: number, most: number): number {
  if (value >= 0 && value <= most && Number.isInteger(value)) return value
  throw misfit(value, most)
}

function misfit(value: number | bigint, most: number | bigint): RangeError {
  return new RangeError(`${value} does not fit: the field holds whole numbers from 0 to ${most}`)
}
