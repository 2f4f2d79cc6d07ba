import { DecodeError } from './decode-error.ts'

/** Reads big-endian fields from a range of bytes; every bounds check of every decoder is here. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #base: number
  readonly #end: number
  readonly #source: 'client' | 'backend' | 'peer'
  #offset = 0

  /**
   * @param base - offset of these bytes in the whole message, for error messages.
   * @param source - who sent the bytes: whose fault an error is.
   */
  constructor(bytes: Uint8Array, base = 0, source: 'client' | 'backend' | 'peer' = 'peer') {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#base = base
    this.#end = bytes.byteLength
    this.#source = source
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#end - this.#offset
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(1, field))
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field))
  }

  u24(field: string): number {
    const at = this.#take(3, field)
    return (this.#view.getUint8(at) << 16) | this.#view.getUint16(at + 1)
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field))
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#take(8, field))
  }

  /** The next `length` bytes as a view on the input, not a copy. */
  bytes(length: number, field: string): Uint8Array {
    const at = this.#take(length, field)
    return this.#bytes.subarray(at, at + length)
  }

  /** A reader over the next `length` bytes, whose errors still name offsets in the whole message. */
  nested(length: number, field: string): ByteReader {
    const base = this.#base + this.#offset
    return new ByteReader(this.bytes(length, field), base, this.#source)
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining, 'rest')
  }

  /** The error for the place just before the next byte. */
  error(problem: string, field: string): DecodeError {
    return new DecodeError(problem, this.#base + this.#offset, field, this.#source)
  }

  #take(length: number, field: string): number {
    // A length that a decoder computed may be negative, or not a number: it must not move backwards.
    if (!(length >= 0 && length <= this.#end - this.#offset) || !Number.isInteger(length)) {
      throw this.error(`needs ${length} bytes, ${this.remaining} are left`, field)
    }
    const at = this.#offset
    this.#offset += length
    return at
  }
}
