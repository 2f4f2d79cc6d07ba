import { objectOption, parseSize, type Size } from '@steelyard/core'
import type { BodySink, BodyTransform } from '../exchange/body-transform.ts'
import { ExchangeError, type ExchangePhase } from '../exchange/exchange-error.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'

/** What {@link responseLimit} allows. */
export interface ResponseLimitOptions {
  /** The longest body that a member may send. */
  readonly maxBytes: Size
}

/**
 * Bounds the bodies of responses. One that says that it is longer is not begun (`bad-response`); one that turns out to
 * be is cut, so that the client can tell. Requests are bounded by the route's `maxBody`.
 *
 * @example
 * ```ts
 * import { responseLimit } from '@steelyard/l7'
 *
 * const bounded = responseLimit({ maxBytes: '100MiB' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function responseLimit(options: ResponseLimitOptions, path = 'responseLimit'): HttpFilter {
  objectOption(options, path)
  const maxBytes = parseSize(options.maxBytes, `${path}.maxBytes`)
  return {
    name: 'response-limit',
    responseHead(head, x) {
      if (x.backend === undefined || x.request.method === 'HEAD') return
      if (head.bodyLength > maxBytes) throw tooLong(maxBytes, 'response-head')
    },
    responseBody(head) {
      // What is known to fit was let in with its head, and no more comes than it said.
      if (head.bodyLength >= 0 && head.bodyLength <= maxBytes) return undefined
      return Object.assign((sink: BodySink) => new BoundedBody(sink, maxBytes), { unchanged: true })
    },
  }
}

function tooLong(maxBytes: number, phase: ExchangePhase): ExchangeError {
  return new ExchangeError(`the response's body is longer than ${maxBytes} bytes`, {
    code: 'bad-response',
    source: 'backend',
    phase,
  })
}

/** Passes a body on until it is too long. */
class BoundedBody implements BodyTransform {
  readonly #sink: BodySink
  readonly #limit: number
  #passed = 0
  #over = false

  constructor(sink: BodySink, limit: number) {
    this.#sink = sink
    this.#limit = limit
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true
    this.#passed += bytes.length
    if (this.#passed <= this.#limit) return this.#sink.data(bytes)
    this.#over = true
    this.#sink.failed(tooLong(this.#limit, 'response-body'))
    return true
  }

  end(): void {
    if (!this.#over) this.#sink.end()
  }

  drained(): void {
    this.#sink.ready()
  }

  destroy(): void {
    this.#over = true
  }
}
