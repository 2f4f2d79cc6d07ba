import { byteName } from './head-problem.ts'
import { tokenOctet, valueOctet } from './octet-class.ts'

const CR = 0x0d
const EQUALS = 0x3d
const QUOTE = 0x22
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c

const nameStart = 0
const inName = 1
const valueStart = 2
const inToken = 3
const inQuoted = 4
const escaped = 5
const behindQuoted = 6

/** The most that the extensions of one message may come to: nobody sends any, except to make us work. */
export const maxExtensionBytes = 16_384

/**
 * Checks chunk extensions, which are then forgotten (RFC 9112 section 7.1.1); without the white space that only
 * recipients of long ago would have had to take.
 *
 *     chunk-ext = *( ";" chunk-ext-name [ "=" ( token / quoted-string ) ] )
 */
export class ChunkExtension {
  /** Why the last byte could not be taken; empty when the line's CR was reached, or more is to come. */
  fault = ''
  #state = nameStart
  #bytes = 0

  /** Before the next message. */
  reset(): void {
    this.#state = nameStart
    this.#bytes = 0
    this.fault = ''
  }

  /** Behind a first `;`. */
  begin(): void {
    this.#state = nameStart
  }

  /** Scans up to the CR, which it leaves, or to `end`; returns where it stands. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      if (byte === CR && this.#mayEnd()) return at
      if (!this.#step(byte)) {
        this.fault = `${byteName(byte)} in a chunk extension`
        return at
      }
      this.#bytes += 1
      if (this.#bytes > maxExtensionBytes) {
        this.fault = `chunk extensions of more than ${maxExtensionBytes} bytes`
        return at
      }
    }
    return end
  }

  #mayEnd(): boolean {
    return this.#state === inName || this.#state === inToken || this.#state === behindQuoted
  }

  #step(byte: number): boolean {
    const token = tokenOctet[byte] === 1
    switch (this.#state) {
      case nameStart:
        this.#state = inName
        return token
      case inName:
        if (byte === EQUALS) this.#state = valueStart
        else if (byte === SEMICOLON) this.#state = nameStart
        else return token
        return true
      case valueStart:
        this.#state = byte === QUOTE ? inQuoted : inToken
        return token || byte === QUOTE
      case inQuoted:
        if (byte === QUOTE) this.#state = behindQuoted
        else if (byte === BACKSLASH) this.#state = escaped
        else return valueOctet[byte] === 1
        return true
      case escaped:
        this.#state = inQuoted
        return valueOctet[byte] === 1
      default:
        // Behind a token or a quoted string.
        if (byte !== SEMICOLON) return this.#state === inToken && token
        this.#state = nameStart
        return true
    }
  }
}
