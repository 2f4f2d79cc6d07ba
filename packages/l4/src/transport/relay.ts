import type {
  ByteBudget,
  Relay,
  RelayEnd,
  RelayOptions,
  Stream,
  StreamHandler,
  TransportError,
} from '@steelyard/core'
import { rethrow } from './stream.ts'

/**
 * Joins any two streams, of whatever transports, until both are closed; see `Transport.relay`. At most
 * one read of each side waits in memory. What `done` throws is rethrown in a microtask.
 */
export function relayStreams(a: Stream, b: Stream, options: RelayOptions): Relay {
  return new StreamRelay(a, b, options)
}

/** One direction's way from its reader to its writer. */
interface Lane {
  readonly from: Stream
  readonly to: Stream
  readonly budget: ByteBudget | undefined
  bytes: number
  /** Read, and waiting for the budget. */
  held: Uint8Array | undefined
  waiting: Disposable | undefined
  /** The writer has asked to wait. */
  full: boolean
  /** The reader's FIN has come. */
  ended: boolean
  /** The reader is closed. */
  closed: boolean
}

class StreamRelay implements Relay, StreamHandler {
  readonly #a: Stream
  readonly #forth: Lane
  readonly #back: Lane
  readonly #done: (end: RelayEnd) => void
  #by: RelayEnd['by'] | undefined = undefined
  #error: TransportError | undefined = undefined
  #firstEnded: 'a' | 'b' | undefined = undefined
  #over = false

  constructor(a: Stream, b: Stream, { done, limitAtoB, limitBtoA }: RelayOptions) {
    this.#a = a
    this.#done = done
    this.#forth = lane(a, b, limitAtoB)
    this.#back = lane(b, a, limitBtoA)
    a.handler = this
    b.handler = this
    // A FIN or a close that came before the relay is told by nobody any more.
    for (const each of [this.#forth, this.#back]) {
      const { from } = each
      if (from.state === 'closed') queueMicrotask(() => this.closed(from, undefined))
      else if (from.ended) this.ended(from)
      else from.resume()
    }
  }

  get bytesAtoB(): number {
    return this.#forth.bytes
  }

  get bytesBtoA(): number {
    return this.#back.bytes
  }

  get endedA(): boolean {
    return this.#forth.ended
  }

  get endedB(): boolean {
    return this.#back.ended
  }

  stop(how: 'reset' | 'destroy'): void {
    if (this.#over) return
    this.#by ??= 'owner'
    for (const { from } of [this.#forth, this.#back]) {
      if (how === 'reset') from.reset()
      else from.destroy()
    }
  }

  data(stream: Stream, bytes: Uint8Array): void {
    const lane = stream === this.#a ? this.#forth : this.#back
    if (lane.budget === undefined) {
      lane.bytes += bytes.length
      if (lane.to.write(bytes)) return
      lane.full = true
      stream.pause()
    } else {
      this.#ration(lane, bytes)
    }
  }

  ended(stream: Stream): void {
    const isA = stream === this.#a
    const lane = isA ? this.#forth : this.#back
    lane.ended = true
    this.#firstEnded ??= isA ? 'a' : 'b'
    if (lane.held === undefined) lane.to.end()
  }

  drained(stream: Stream): void {
    const lane = stream === this.#a ? this.#back : this.#forth
    if (!lane.full) return
    lane.full = false
    if (lane.held !== undefined) this.#spend(lane)
    else lane.from.resume()
  }

  closed(stream: Stream, error: TransportError | undefined): void {
    const isA = stream === this.#a
    const own = isA ? this.#forth : this.#back
    const other = isA ? this.#back : this.#forth
    if (own.closed) return
    own.closed = true
    if (error !== undefined && this.#by === undefined) {
      this.#error = error
      this.#by = isA ? 'a' : 'b'
    }
    discard(other)
    // Both FINs came: what is held or queued for the other side still goes out, and then it closes by itself.
    const orderly = error === undefined && own.ended && other.ended
    if (!orderly) {
      this.#by ??= isA ? 'a' : 'b'
      discard(own)
      if (error === undefined) own.to.destroy()
      else own.to.reset()
    }
    if (other.closed) this.#finish()
  }

  #ration(lane: Lane, bytes: Uint8Array): void {
    if (lane.held !== undefined) {
      lane.held = Buffer.concat([lane.held, bytes])
      return
    }
    const allowed = lane.budget!.take(bytes.length)
    if (allowed > 0) {
      lane.bytes += allowed
      lane.full = !lane.to.write(allowed === bytes.length ? bytes : bytes.subarray(0, allowed))
    }
    if (allowed < bytes.length) {
      lane.held = Uint8Array.prototype.slice.call(bytes, allowed)
      if (!lane.full) this.#await(lane)
    }
    if (lane.full || lane.held !== undefined) lane.from.pause()
  }

  /** Writes what is held as far as the budget and the writer go. */
  #spend(lane: Lane): void {
    const { held } = lane
    if (held === undefined || lane.to.state === 'closed') return
    const allowed = lane.budget!.take(held.length)
    if (allowed > 0) {
      lane.bytes += allowed
      lane.held = allowed === held.length ? undefined : held.subarray(allowed)
      lane.full = !lane.to.write(held.subarray(0, allowed))
    }
    if (lane.held !== undefined) {
      if (!lane.full) this.#await(lane)
    } else if (lane.ended) {
      lane.to.end()
    } else if (!lane.full) {
      lane.from.resume()
    }
  }

  #await(lane: Lane): void {
    lane.waiting = lane.budget!.whenAvailable(() => {
      lane.waiting = undefined
      this.#spend(lane)
    })
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    discard(this.#forth)
    discard(this.#back)
    const by = this.#by ?? this.#firstEnded ?? 'a'
    try {
      this.#done(this.#error === undefined ? { by } : { by, error: this.#error })
    } catch (error) {
      rethrow(error)
    }
  }
}

function lane(from: Stream, to: Stream, budget: ByteBudget | undefined): Lane {
  return {
    from,
    to,
    budget,
    bytes: 0,
    held: undefined,
    waiting: undefined,
    full: false,
    ended: false,
    closed: false,
  }
}

function discard(lane: Lane): void {
  lane.held = undefined
  lane.waiting?.[Symbol.dispose]()
  lane.waiting = undefined
}
