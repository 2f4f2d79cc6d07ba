import type { Stream } from '@steelyard/core'
import { copyRange, type Head } from '../wire/head.ts'
import { putLatin1 } from '../wire/latin1.ts'
import { type BodyLength, unknownLength } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import {
  type ConnectionOption,
  crlf,
  lastChunkRoom,
  responseHeadRoom,
  writeChunkSize,
  writeLastChunk,
  writeResponseHead,
} from '../wire/write-head.ts'

/** What the writers of one listener share. */
export interface WriterHost {
  /** For composing what is written at once. */
  readonly scratch: Uint8Array
  /** Whose bytes wait in it; they leave before anybody else uses it. */
  corked: ResponseWriter | undefined
}

/** A chunk's size line and both its CRLFs, at most. */
const chunkRoom = 24

/** Frames one response after the other on a connection (RFC 9112 sections 6 and 7), a head and what is near in one write. */
export class ResponseWriter {
  /** The client takes less than is written, until {@link Stream.handler} hears that it has drained. */
  full = false
  readonly #host: WriterHost
  readonly #stream: Stream
  /** Bytes of the scratch memory that wait for {@link ResponseWriter.flush}. */
  #corked = 0
  #chunked = false
  #noBody = false

  constructor(host: WriterHost, stream: Stream) {
    this.#host = host
    this.#stream = stream
  }

  /** Composes a head, which waits to be sent with what follows; 1xx as well, with `noBody`. */
  head(
    head: ResponseHead,
    length: BodyLength,
    noBody: boolean,
    version: 10 | 11,
    connection: ConnectionOption,
  ): void {
    this.#noBody = noBody
    this.#chunked = length === unknownLength && !noBody && version === 11
    const room = responseHeadRoom(head)
    const scratch = this.#claim()
    if (this.#corked + room > scratch.length) this.flush()
    if (room <= scratch.length) {
      const at = this.#corked
      this.#corked = writeResponseHead(scratch, at, head, length, noBody, version, connection)
      return
    }
    const bytes = new Uint8Array(room)
    const end = writeResponseHead(bytes, 0, head, length, noBody, version, connection)
    this.#write(bytes.subarray(0, end))
  }

  /** A short text behind the head. */
  text(text: string): void {
    this.#corked = putLatin1(this.#claim(), this.#corked, text)
    this.flush()
  }

  /** Taken during the call; false asks to wait. */
  body(bytes: Uint8Array): boolean {
    const { length } = bytes
    if (this.#noBody || length === 0) return true
    if (this.#chunked) return this.#chunk(bytes)
    const at = this.#corked
    if (at === 0) return this.#write(bytes)
    const { scratch } = this.#host
    if (at + length <= scratch.length) {
      this.#corked = copyRange(bytes, 0, length, scratch, at)
      return this.flush()
    }
    this.flush()
    return this.#write(bytes)
  }

  /** Sends what waits. */
  flush(): boolean {
    const length = this.#corked
    if (length === 0) return true
    this.#corked = 0
    return this.#write(this.#host.scratch.subarray(0, length))
  }

  /** The response is whole. */
  end(trailers: Head | undefined): void {
    if (this.#chunked) {
      const room = lastChunkRoom(trailers)
      const scratch = this.#claim()
      if (this.#corked + room > scratch.length) this.flush()
      if (room <= scratch.length) {
        this.#corked = writeLastChunk(scratch, this.#corked, trailers)
      } else {
        const bytes = new Uint8Array(room)
        this.#write(bytes.subarray(0, writeLastChunk(bytes, 0, trailers)))
      }
    }
    this.flush()
  }

  /** What waits is not sent. */
  drop(): void {
    this.#corked = 0
  }

  #chunk(bytes: Uint8Array): boolean {
    const { length } = bytes
    const scratch = this.#claim()
    if (this.#corked + length + chunkRoom > scratch.length) {
      this.flush()
      if (length + chunkRoom > scratch.length) return this.#bigChunk(bytes)
    }
    let end = writeChunkSize(scratch, this.#corked, length)
    end = copyRange(bytes, 0, length, scratch, end)
    scratch[end] = 0x0d
    scratch[end + 1] = 0x0a
    this.#corked = end + 2
    return this.flush()
  }

  #bigChunk(bytes: Uint8Array): boolean {
    const { scratch } = this.#host
    this.#write(scratch.subarray(0, writeChunkSize(scratch, 0, bytes.length)))
    this.#write(bytes)
    return this.#write(crlf)
  }

  /** The scratch memory: behind what waits in it of this connection's, free of anybody else's. */
  #claim(): Uint8Array {
    const host = this.#host
    if (host.corked !== this) {
      host.corked?.flush()
      host.corked = this
    }
    return host.scratch
  }

  #write(bytes: Uint8Array): boolean {
    const taken = this.#stream.write(bytes)
    if (!taken) this.full = true
    return taken
  }
}
