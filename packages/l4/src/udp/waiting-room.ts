import type { UdpCounters } from './udp-counters.ts'

/** Bounds of what waits while backend sockets open. */
export interface WaitingLimits {
  /** Datagrams and bytes of one session. */
  readonly bufferDatagrams: number
  readonly bufferBytes: number
  /** Bytes of all sessions together. */
  readonly bufferTotal: number
}

/** Copies of the datagrams that wait for one session's backend socket; bounded, and counted in the totals. */
export class WaitingRoom {
  readonly #counters: UdpCounters
  readonly #datagrams: Uint8Array[] = []
  #bytes = 0

  constructor(counters: UdpCounters) {
    this.#counters = counters
  }

  /** Keeps a copy; false when that is too much. */
  keep(datagram: Uint8Array, limits: WaitingLimits): boolean {
    const { length } = datagram
    if (
      this.#datagrams.length >= limits.bufferDatagrams ||
      this.#bytes + length > limits.bufferBytes ||
      this.#counters.waitingBytes + length > limits.bufferTotal
    ) {
      return false
    }
    this.#datagrams.push(new Uint8Array(datagram))
    this.#bytes += length
    this.#counters.waiting += 1
    this.#counters.waitingBytes += length
    return true
  }

  /** Takes out the oldest. */
  next(): Uint8Array | undefined {
    const datagram = this.#datagrams.shift()
    if (datagram !== undefined) this.#release(1, datagram.length)
    return datagram
  }

  /** Forgets everything; returns how many datagrams that were. */
  clear(): number {
    const { length } = this.#datagrams
    this.#release(length, this.#bytes)
    this.#datagrams.length = 0
    return length
  }

  #release(datagrams: number, bytes: number): void {
    this.#bytes -= bytes
    this.#counters.waiting -= datagrams
    this.#counters.waitingBytes -= bytes
  }
}
