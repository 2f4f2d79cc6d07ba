import { invalidOption, objectOption, parseSize, type Size } from '@steelyard/core'
import { DecodeError } from '@steelyard/core/bytes'
import { type ClientHello, decodeClientHello } from './client-hello.ts'

/** How {@link clientHelloReader} reads. */
export interface ClientHelloReaderOptions {
  /**
   * The most bytes that a ClientHello may take on the wire, record headers included. Default 16389, one
   * record of the greatest size; at least 64.
   */
  readonly maxBytes?: Size
}

/** What the first bytes of a connection are. */
export type ClientHelloResult =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  /** The first bytes begin no TLS handshake: another protocol. */
  | { readonly kind: 'not-tls' }

/**
 * Reads the ClientHello at the front of a stream, however it is cut into segments and TLS records, and
 * keeps every byte for whoever goes on with the connection.
 */
export interface ClientHelloReader {
  /**
   * Takes the next chunk; the range need not live longer than the call. Gives `undefined` while more
   * bytes are needed. Not to be called again once it gave a result or threw.
   *
   * @throws `DecodeError` for what begins as TLS and goes wrong, or is too long.
   */
  push(chunk: Uint8Array): ClientHelloResult | undefined
  /** Everything pushed so far: to be passed on to the backend, or to our own TLS. A view, valid until the next push. */
  readonly bytes: Uint8Array
}

/** Makes a {@link ClientHelloReader}. */
export function clientHelloReader(options: ClientHelloReaderOptions = {}): ClientHelloReader {
  const { maxBytes } = objectOption(options, 'clientHelloReader')
  const max = maxBytes === undefined ? defaultMax : parseSize(maxBytes, 'maxBytes')
  if (max < 64) throw invalidOption('maxBytes', `${max} bytes hold no ClientHello: use 64 or more`)
  return new Reader(max)
}

const recordHeader = 5
const maxFragment = 2 ** 14
const defaultMax = recordHeader + maxFragment
const handshake = 22
const clientHello = 1

/**
 * Walks the records as bytes come (RFC 8446 §5.1), so that each byte is looked at once:
 *
 * ```
 * record:    type u8 · version u16 · length u16 · fragment[length]
 * handshake: type u8 · length u24 · body[length], over one or many fragments
 * ```
 */
class Reader implements ClientHelloReader {
  readonly #max: number
  #buffer: Uint8Array = none
  #length = 0
  /** Where the next byte to look at stands. */
  #at = 0
  /** Bytes of the current record's fragment that have not been looked at. */
  #fragmentLeft = 0
  /** Bytes of the handshake message that have been looked at, its header included. */
  #message = 0
  /** Length of the whole message once its header is known; before, its length bytes so far. */
  #bodyLength = 0

  constructor(max: number) {
    this.#max = max
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  push(chunk: Uint8Array): ClientHelloResult | undefined {
    this.#append(chunk)
    const end = Math.min(this.#length, this.#max)
    while (this.#at < end) {
      if (this.#fragmentLeft === 0) {
        if (!isTls(this.#buffer, this.#at, end)) {
          if (this.#at === 0) return { kind: 'not-tls' }
          throw this.#error('a record of another kind interrupts the ClientHello', 'record type')
        }
        if (!this.#enterRecord(end)) break
        continue
      }
      if (this.#message < 4) this.#messageHeader()
      else this.#skipFragment(this.#bodyLength + 4 - this.#message, end)
      if (this.#message >= 4 && this.#message === this.#bodyLength + 4) {
        return { kind: 'hello', hello: this.#decode() }
      }
    }
    if (this.#length >= this.#max) {
      throw new DecodeError(`is longer than ${this.#max} bytes`, this.#max, 'ClientHello', 'client')
    }
    return undefined
  }

  /** False while the record header is not there as a whole. */
  #enterRecord(end: number): boolean {
    if (end - this.#at < recordHeader) return false
    const length = (this.#buffer[this.#at + 3]! << 8) | this.#buffer[this.#at + 4]!
    if (length === 0 || length > maxFragment) {
      throw this.#error(`${length} is not between 1 and ${maxFragment}`, 'record length')
    }
    this.#at += recordHeader
    this.#fragmentLeft = length
    return true
  }

  #messageHeader(): void {
    const byte = this.#buffer[this.#at]!
    if (this.#message === 0) {
      if (byte !== clientHello) throw this.#error(`${byte} is no ClientHello`, 'handshake type')
    } else {
      this.#bodyLength = (this.#bodyLength << 8) | byte
      if (this.#message === 3 && this.#bodyLength + 4 + recordHeader > this.#max) {
        throw this.#error(`${this.#bodyLength} is more than is allowed here`, 'handshake length')
      }
    }
    this.#message += 1
    this.#at += 1
    this.#fragmentLeft -= 1
  }

  #skipFragment(wanted: number, end: number): void {
    const step = Math.min(wanted, this.#fragmentLeft, end - this.#at)
    this.#message += step
    this.#at += step
    this.#fragmentLeft -= step
  }

  #decode(): ClientHello {
    const start = recordHeader + 4
    // Nearly always it is one record, and then no fragment has to be copied.
    if (this.#at === start + this.#bodyLength) {
      return decodeClientHello(this.#buffer.subarray(start, this.#at), start)
    }
    return decodeClientHello(this.#join().subarray(4), start)
  }

  #join(): Uint8Array {
    const message = new Uint8Array(this.#message)
    for (let at = 0, filled = 0; filled < message.length; ) {
      const length = (this.#buffer[at + 3]! << 8) | this.#buffer[at + 4]!
      at += recordHeader
      const fragment = this.#buffer.subarray(at, at + Math.min(length, message.length - filled))
      message.set(fragment, filled)
      filled += fragment.length
      at += length
    }
    return message
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length
    if (this.#buffer.length < length) {
      const grown = new Uint8Array(this.#length === 0 ? length : Math.max(1024, length * 2))
      grown.set(this.bytes)
      this.#buffer = grown
    }
    this.#buffer.set(chunk, this.#length)
    this.#length = length
  }

  #error(problem: string, field: string): DecodeError {
    return new DecodeError(problem, this.#at, field, 'client')
  }
}

const none = new Uint8Array(0)

/** Can a handshake record begin here, as far as its bytes have come? The minor version has been 0 to 4 so far. */
function isTls(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    bytes[at] === handshake &&
    (at + 1 >= end || bytes[at + 1] === 3) &&
    (at + 2 >= end || bytes[at + 2]! <= 4)
  )
}
