import type { BodySink, BodyTransform } from '../../exchange/body-transform.ts'

/** Who looks at a body. */
export interface TapHearer {
  /** The range is lent for the call. */
  take(bytes: Uint8Array): void
  /** That was all. */
  whole(): void
}

/** Passes a body on as it came, and lets somebody look. */
export class BodyTap implements BodyTransform {
  readonly #sink: BodySink
  readonly #tap: TapHearer

  constructor(sink: BodySink, tap: TapHearer) {
    this.#sink = sink
    this.#tap = tap
  }

  write(bytes: Uint8Array): boolean {
    this.#tap.take(bytes)
    return this.#sink.data(bytes)
  }

  end(): void {
    this.#tap.whole()
    this.#sink.end()
  }

  drained(): void {
    this.#sink.ready()
  }

  destroy(): void {
    // The copy is dropped when the exchange is over.
  }
}
