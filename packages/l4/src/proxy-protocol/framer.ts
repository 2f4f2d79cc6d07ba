import { invalidOption, listOption, objectOption, parseSize, type Size } from '@steelyard/core'
import { DecodeError } from '@steelyard/core/bytes'
import type { ProxyHeader } from './header.ts'
import { decodeV1, maxV1Length, measureV1 } from './v1.ts'
import { decodeV2, measureV2 } from './v2.ts'

/** What {@link proxyFramer} accepts. */
export interface ProxyFramerOptions {
  /** Default: both. */
  readonly versions?: readonly (1 | 2)[]
  /** The longest version 2 header, its 16 fixed bytes included, at most 65551. Default `4KiB`. */
  readonly maxV2Length?: Size
}

/** A header, and where it ended. */
export interface ProxyFrame {
  readonly header: ProxyHeader
  /** How many bytes of the chunk pushed last belong to the header; payload follows them. */
  readonly consumed: number
}

/** Reads one PROXY header from a stream, however it is cut into chunks. Holds one header at most. */
export interface ProxyFramer {
  /**
   * Takes the next chunk; the range need not live longer than the call. Gives `undefined` while more
   * bytes are needed. Not to be called again once it gave a header or threw.
   *
   * @throws `DecodeError` as soon as the bytes cannot become a header any more.
   */
  push(chunk: Uint8Array): ProxyFrame | undefined
  /** Bytes held now. */
  readonly held: number
}

const defaultMax = 4096
const largest = 16 + 0xffff

/** Makes a {@link ProxyFramer}. */
export function proxyFramer(options: ProxyFramerOptions = {}): ProxyFramer {
  const { versions = [1, 2] } = objectOption(options, 'proxyFramer')
  listOption(versions, 'versions')
  const max = checkedMax(options.maxV2Length)
  return new Framer(versions.includes(1), versions.includes(2), max)
}

/**
 * Reads the header at the front of a whole message, such as a datagram.
 *
 * @throws `DecodeError` also when the header is not complete.
 */
export function decodeProxyHeader(bytes: Uint8Array, options: ProxyFramerOptions = {}): ProxyFrame {
  const frame = proxyFramer(options).push(bytes)
  if (frame === undefined) {
    throw new DecodeError('ends before the header does', bytes.length, 'header')
  }
  return frame
}

class Framer implements ProxyFramer {
  readonly #v1: boolean
  readonly #v2: boolean
  readonly #max: number
  #buffer: Uint8Array | undefined
  held = 0

  constructor(v1: boolean, v2: boolean, max: number) {
    this.#v1 = v1
    this.#v2 = v2
    this.#max = max
  }

  push(chunk: Uint8Array): ProxyFrame | undefined {
    const before = this.held
    const bytes = before === 0 ? chunk : this.#join(chunk)
    const length = this.#measure(bytes)
    if (length === 0) {
      if (before === 0) this.#join(chunk)
      return undefined
    }
    const range = bytes.subarray(0, length)
    const header = bytes[0] === 0x50 ? decodeV1(range) : decodeV2(new Uint8Array(range))
    this.#buffer = undefined
    this.held = 0
    return { header, consumed: length - before }
  }

  #measure(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0
    if (bytes[0] === 0x50 && this.#v1) return measureV1(bytes)
    if (bytes[0] === 0x0d && this.#v2) return measureV2(bytes, this.#max)
    throw new DecodeError('begins no PROXY header that is accepted here', 0, 'signature')
  }

  /** Appends no more than a header can still need, and gives everything held. */
  #join(chunk: Uint8Array): Uint8Array {
    const capacity = Math.max(maxV1Length, this.#max)
    const length = Math.min(this.held + chunk.length, capacity)
    if (this.#buffer === undefined || this.#buffer.length < length) {
      const grown = new Uint8Array(Math.min(capacity, Math.max(256, length * 2)))
      if (this.#buffer !== undefined) grown.set(this.#buffer.subarray(0, this.held))
      this.#buffer = grown
    }
    this.#buffer.set(chunk.subarray(0, length - this.held), this.held)
    this.held = length
    return this.#buffer.subarray(0, length)
  }
}

function checkedMax(size: Size | undefined): number {
  if (size === undefined) return defaultMax
  const max = parseSize(size, 'maxV2Length')
  if (max < 16 || max > largest) {
    throw invalidOption('maxV2Length', `${max} bytes are not between 16 and ${largest}`)
  }
  return max
}
