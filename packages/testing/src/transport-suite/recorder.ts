import type { Stream, StreamHandler, TransportError } from '@steelyard/core'

type Event = 'opened' | 'data' | 'ended' | 'drained' | 'closed'

/** A stream handler that writes down what it hears, and that a test can wait on. */
export interface Recorder extends StreamHandler {
  /** In order; runs of `data` count once. */
  readonly events: readonly Event[]
  /** All bytes so far. */
  readonly bytes: Buffer
  readonly length: number
  readonly failure: TransportError | undefined
  /** How often `closed` came. */
  readonly closes: number
  /** Waits for the next event of this name, or returns at once when one came and nobody took it. */
  heard(event: Event): Promise<void>
  /** Waits until this many bytes came in all. */
  received(length: number): Promise<void>
  /** Runs at each `data`, before it is written down. */
  onData: ((stream: Stream, bytes: Uint8Array) => void) | undefined
  onEnded: ((stream: Stream) => void) | undefined
}

/** @param keep - whether to keep the bytes, or to count them alone. */
export function recorder(keep = true): Recorder {
  const events: Event[] = []
  const chunks: Buffer[] = []
  const untaken = new Map<Event, number>()
  const waiting = new Map<Event, (() => void)[]>()
  const thresholds: { length: number; resolve: () => void }[] = []
  let length = 0
  let closes = 0
  let failure: TransportError | undefined
  const tell = (event: Event): void => {
    if (event !== 'data' || events.at(-1) !== 'data') events.push(event)
    const waiter = waiting.get(event)?.shift()
    if (waiter === undefined) untaken.set(event, (untaken.get(event) ?? 0) + 1)
    else waiter()
  }
  return {
    events,
    onData: undefined,
    onEnded: undefined,
    get bytes() {
      return Buffer.concat(chunks)
    },
    get length() {
      return length
    },
    get failure() {
      return failure
    },
    get closes() {
      return closes
    },
    heard(event) {
      const count = untaken.get(event) ?? 0
      if (count > 0) {
        untaken.set(event, count - 1)
        return Promise.resolve()
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.set(event, [...(waiting.get(event) ?? []), resolve])
      return promise
    },
    received(wanted) {
      if (length >= wanted) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      thresholds.push({ length: wanted, resolve })
      return promise
    },
    opened() {
      tell('opened')
    },
    data(stream, bytes) {
      this.onData?.(stream, bytes)
      if (keep) chunks.push(Buffer.from(bytes))
      length += bytes.length
      tell('data')
      for (const [index, threshold] of [...thresholds.entries()].reverse()) {
        if (length < threshold.length) continue
        thresholds.splice(index, 1)
        threshold.resolve()
      }
    },
    ended(stream) {
      tell('ended')
      this.onEnded?.(stream)
    },
    drained() {
      tell('drained')
    },
    closed(_stream, error) {
      closes++
      failure = error
      tell('closed')
    },
  }
}
