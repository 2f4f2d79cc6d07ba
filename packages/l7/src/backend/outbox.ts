/** Whose bytes wait in an {@link Outbox}. */
export interface OutboxHolder {
  /** Sends what it holds, now. */
  flush(): boolean
}

/** What is held back at most. */
export const heldLimit = 16_384

/**
 * Memory in which all connections of a pool compose what they send, one at a time. A request's head may wait in it for
 * the first of its body, so that both leave in one write; it waits until the end of the turn at most, and no longer
 * than until somebody else needs the memory.
 */
export class Outbox {
  /** Longer than what is used; replaced when it grows. */
  bytes: Uint8Array
  holder: OutboxHolder | undefined = undefined
  /** Bytes that the holder has composed. */
  used = 0
  #buffer: ArrayBuffer
  /** Requests of one client are often of one length: then no view is made. */
  #view: Uint8Array
  #scheduled = false
  readonly #later = (): void => {
    this.#scheduled = false
    this.holder?.flush()
  }

  constructor(room: number = heldLimit) {
    this.#buffer = new ArrayBuffer(room)
    this.bytes = new Uint8Array(this.#buffer)
    this.#view = this.bytes
  }

  /** Where `by` may compose `room` more bytes: behind what it holds, or at the start, once anybody else's are sent. */
  claim(by: OutboxHolder, room: number): number {
    let at = 0
    if (this.holder === by) at = this.used
    else this.holder?.flush()
    if (at + room > this.bytes.length) this.#grow(at, at + room)
    return at
  }

  /** What was composed, up to `end`, waits. */
  hold(by: OutboxHolder, end: number): void {
    this.holder = by
    this.used = end
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#later)
  }

  /** The first bytes, to be written at once; nobody holds any afterwards. */
  take(end: number): Uint8Array {
    this.holder = undefined
    if (this.#view.length !== end) this.#view = new Uint8Array(this.#buffer, 0, end)
    return this.#view
  }

  /** What `by` holds is not sent. */
  drop(by: OutboxHolder): void {
    if (this.holder === by) this.holder = undefined
  }

  #grow(used: number, needed: number): void {
    const buffer = new ArrayBuffer(Math.max(needed, this.bytes.length * 2))
    const bytes = new Uint8Array(buffer)
    bytes.set(this.bytes.subarray(0, used))
    this.#buffer = buffer
    this.bytes = bytes
    this.#view = bytes
  }
}
