import type { BodySink, BodyTransform } from '../../exchange/body-transform.ts'

/** Of a body that is thrown away, read at most: then its connection is given up, which costs less. */
const mostDropped = 65_536

/** Another body instead of the one that comes. */
export class ReplacedBody implements BodyTransform {
  readonly #sink: BodySink
  #page: Uint8Array
  #dropped = 0
  #over = false

  constructor(sink: BodySink, page: Uint8Array) {
    this.#sink = sink
    this.#page = page
  }

  write(bytes: Uint8Array): boolean {
    this.#send()
    this.#dropped += bytes.length
    // Waiting for the end lets the connection serve again.
    if (this.#dropped > mostDropped) this.end()
    return true
  }

  end(): void {
    this.#send()
    if (this.#over) return
    this.#over = true
    this.#sink.end()
  }

  drained(): void {
    // A page is small: it was taken at once.
  }

  destroy(): void {
    this.#over = true
  }

  #send(): void {
    if (this.#over || this.#page.length === 0) return
    const page = this.#page
    this.#page = none
    this.#sink.data(page)
  }
}

const none = new Uint8Array(0)
