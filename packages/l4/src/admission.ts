import type { ConnectionLimit } from './limits/connection-limit.ts'

/**
 * Lets connections in while the listener and the node have room. Who comes when there is none is parked
 * in order; the listener stops accepting meanwhile, so that the rest waits in the kernel's backlog.
 */
export class Admission<T> implements Disposable {
  readonly #listener: ConnectionLimit
  readonly #node: ConnectionLimit | undefined
  readonly #admit: (item: T) => void
  readonly #full: (full: boolean) => void
  readonly #parked: T[] = []
  /** Held only while somebody is parked: a limit of the node outlives its listeners. */
  #room: readonly Disposable[] = []
  #isFull = false
  #draining = false

  /**
   * @param admit - must not throw.
   * @param full - told when accepting should pause, and when it may go on.
   */
  constructor(
    listener: ConnectionLimit,
    node: ConnectionLimit | undefined,
    admit: (item: T) => void,
    full: (full: boolean) => void,
  ) {
    this.#listener = listener
    this.#node = node
    this.#admit = admit
    this.#full = full
  }

  get parked(): number {
    return this.#parked.length
  }

  arrive(item: T): void {
    if (this.#parked.length === 0 && this.#acquire()) return this.#admit(item)
    this.#parked.push(item)
    this.#setFull(true)
  }

  /** A connection that was admitted is over. */
  leave(): void {
    this.#listener.release()
    this.#node?.release()
    this.#drain()
  }

  /** Forgets and returns those who are parked. */
  clear(): T[] {
    this[Symbol.dispose]()
    return this.#parked.splice(0)
  }

  [Symbol.dispose](): void {
    for (const room of this.#room) room[Symbol.dispose]()
    this.#room = []
  }

  #drain(): void {
    // Who is admitted may end at once, and then calls us from within.
    if (this.#draining) return
    this.#draining = true
    try {
      while (this.#parked.length > 0 && this.#acquire()) this.#admit(this.#parked.shift()!)
    } finally {
      this.#draining = false
    }
    if (this.#parked.length === 0) this.#setFull(false)
  }

  #acquire(): boolean {
    if (!this.#listener.tryAcquire()) return false
    if (this.#node === undefined || this.#node.tryAcquire()) return true
    this.#listener.release()
    return false
  }

  #setFull(full: boolean): void {
    if (full === this.#isFull) return
    this.#isFull = full
    this[Symbol.dispose]()
    if (full) {
      this.#room = [this.#listener, this.#node].flatMap(
        (limit) => limit?.onRoom(() => this.#drain()) ?? [],
      )
    }
    this.#full(full)
  }
}
