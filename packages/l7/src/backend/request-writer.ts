import type { Stream } from '@steelyard/core'
import type { Head } from '../wire/head.ts'
import { type BodyLength, type RequestHead, unknownLength } from '../wire/request-head.ts'
import {
  lastChunkRoom,
  requestHeadRoom,
  writeChunkSize,
  writeLastChunk,
  writeRequestHead,
} from '../wire/write-head.ts'
import { heldLimit, type Outbox, type OutboxHolder } from './outbox.ts'

/** One of our chunks is no longer than this; what comes in longer pieces is sent as several. */
const largestChunk = 262_144
/** Its size in hexadecimal with CRLF, and the CRLF behind it. */
const chunkRoom = 32

/** Frames one request after the other on a connection (RFC 9112 sections 6 and 7), in as few writes as can be. */
export class RequestWriter implements OutboxHolder {
  /** Something of the request was handed to the stream. */
  sent = false
  /** Nothing of the request is to come; what waits leaves in this turn. */
  whole = false
  /** Body bytes that are still to come; {@link unknownLength} for chunked. */
  left: BodyLength = 0
  readonly #stream: Stream
  readonly #outbox: Outbox

  constructor(stream: Stream, outbox: Outbox) {
    this.#stream = stream
    this.#outbox = outbox
  }

  /** Nothing of the next request is sent yet. */
  reset(): void {
    this.sent = false
    this.whole = false
    this.left = 0
  }

  begin(head: RequestHead, length: BodyLength, upgrade: string): void {
    const outbox = this.#outbox
    const at = outbox.claim(this, requestHeadRoom(head))
    const end = writeRequestHead(outbox.bytes, at, head, length, upgrade)
    this.left = length
    this.whole = length === 0
    if (this.whole) this.#write(end)
    else outbox.hold(this, end)
  }

  /** Not empty, and not more than is {@link RequestWriter.left}. */
  body(bytes: Uint8Array): boolean {
    if (this.left === unknownLength) return this.#chunks(bytes)
    this.left -= bytes.length
    this.whole = this.left === 0
    const outbox = this.#outbox
    if (outbox.holder !== this) return this.#stream.write(bytes)
    if (outbox.used + bytes.length > heldLimit) {
      this.flush()
      return this.#stream.write(bytes)
    }
    const at = outbox.claim(this, bytes.length)
    outbox.bytes.set(bytes, at)
    outbox.used = at + bytes.length
    return this.left > 0 || this.flush()
  }

  finish(trailers: Head | undefined): void {
    this.whole = true
    if (this.left !== unknownLength) {
      this.flush()
      return
    }
    const outbox = this.#outbox
    const at = outbox.claim(this, lastChunkRoom(trailers))
    this.#write(writeLastChunk(outbox.bytes, at, trailers))
  }

  flush(): boolean {
    return this.#outbox.holder !== this || this.#write(this.#outbox.used)
  }

  /** What waits is not sent. */
  drop(): void {
    this.#outbox.drop(this)
  }

  #chunks(bytes: Uint8Array): boolean {
    const outbox = this.#outbox
    let taken = true
    for (let from = 0; from < bytes.length; from += largestChunk) {
      const length = Math.min(bytes.length - from, largestChunk)
      const held = outbox.holder === this
      const at = outbox.claim(this, length + chunkRoom)
      const into = outbox.bytes
      let end = writeChunkSize(into, at, length)
      into.set(length === bytes.length ? bytes : bytes.subarray(from, from + length), end)
      end += length
      into[end++] = 0x0d
      into[end++] = 0x0a
      // While the head waits for the end of the turn, so does a small body: its last chunk may be near.
      if (held && end <= heldLimit) outbox.used = end
      else taken = this.#write(end)
    }
    return taken
  }

  #write(end: number): boolean {
    this.sent = true
    return this.#stream.write(this.#outbox.take(end))
  }
}
