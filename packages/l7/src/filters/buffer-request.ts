import { objectOption, parseSize, type Size } from '@steelyard/core'
import type { BodySink, BodyTransform } from '../exchange/body-transform.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { ExchangeError } from '../exchange/exchange-error.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { refusal } from './refusal.ts'

/** How much {@link bufferRequest} holds. */
export interface BufferRequestOptions {
  /** The longest body; a longer request ends with 413 (`body-too-large`). Default `1MiB`. */
  readonly maxBytes?: Size
  /**
   * What the bodies of all requests may take together; beyond it requests are answered with 503 (`overloaded`) before
   * their body is read. A body whose length is not known counts as `maxBytes`. Default `64MiB`.
   */
  readonly memoryBytes?: Size
}

/** A filter that holds request bodies, and its state. */
export interface BufferRequest extends HttpFilter {
  /** Bytes that are set aside for the requests under way. */
  readonly reserved: number
}

/** After a refusal for want of memory: bodies come and go within moments. */
const retryAfterMs = 1000

/**
 * Holds a request until its body is whole before a member is troubled with it, as HAProxy's `wait-for-body` and
 * nginx's `proxy_request_buffering` do: slow clients then cost memory here, and no worker there. The member is told
 * the length, and the request may be sent again to another one.
 *
 * Requests without a body, and upgrades, pass at once. Not for streams that are answered while they are being sent,
 * such as gRPC with client streaming.
 *
 * @example
 * ```ts
 * import { bufferRequest } from '@steelyard/l7'
 *
 * const whole = bufferRequest({ maxBytes: '256KiB', memoryBytes: '32MiB' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function bufferRequest(
  options: BufferRequestOptions = {},
  path = 'bufferRequest',
): BufferRequest {
  objectOption(options, path)
  const maxBytes = parseSize(options.maxBytes ?? '1MiB', `${path}.maxBytes`)
  const memoryBytes = parseSize(options.memoryBytes ?? '64MiB', `${path}.memoryBytes`)
  const tooLong = refusal({}, path, 413, 'body-too-large').reply
  const full = refusal({}, path, 503, 'overloaded').after(retryAfterMs)
  const key = {}
  let reserved = 0

  return {
    name: 'buffer-request',
    get reserved() {
      return reserved
    },

    request(x) {
      const length = lengthOf(x)
      if (length === 0) return undefined
      if (length > maxBytes) return tooLong
      const needed = length < 0 ? maxBytes : length
      if (reserved + needed > memoryBytes) {
        x.flag('no-buffer')
        return full
      }
      reserved += needed
      x.remember(key, { bytes: needed, gathered: false } satisfies Reservation)
      return undefined
    },

    gather(x) {
      const held = reservationOf(x, key)
      if (held === undefined) return undefined
      held.gathered = true
      return held.bytes
    },

    /** For an engine, or a driver of filters, that does not gather. */
    requestBody(x) {
      const held = reservationOf(x, key)
      if (held === undefined || held.gathered) return undefined
      return Object.assign((sink: BodySink) => new HeldBody(sink, held.bytes), { unchanged: true })
    },

    done(_record, x) {
      const held = reservationOf(x, key)
      if (held === undefined) return
      reserved -= held.bytes
      x.remember(key, undefined)
    },
  }
}

/** What is set aside for one request. */
interface Reservation {
  readonly bytes: number
  /** The engine holds the body itself. */
  gathered: boolean
}

function reservationOf(x: Exchange, key: object): Reservation | undefined {
  return x.recall(key) as Reservation | undefined
}

function lengthOf({ request }: Exchange): number {
  return request.header('upgrade') === undefined && request.method !== 'CONNECT'
    ? request.bodyLength
    : 0
}

/** Keeps a body in one piece until its end. */
class HeldBody implements BodyTransform {
  readonly #sink: BodySink
  readonly #limit: number
  #bytes = new Uint8Array(0)
  #used = 0
  #over = false

  constructor(sink: BodySink, limit: number) {
    this.#sink = sink
    this.#limit = limit
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over) return true
    const end = this.#used + bytes.length
    if (end > this.#limit) {
      this.destroy()
      this.#sink.failed(
        new ExchangeError(`the request's body is longer than ${this.#limit} bytes`, {
          code: 'body-too-large',
          source: 'client',
          phase: 'request-body',
        }),
      )
      return true
    }
    if (end > this.#bytes.length) this.#grow(end)
    this.#bytes.set(bytes, this.#used)
    this.#used = end
    return true
  }

  end(): void {
    if (this.#over) return
    const bytes = this.#bytes.subarray(0, this.#used)
    this.destroy()
    // All at once: it is in memory in any case, and the next one keeps a copy.
    if (bytes.length > 0) this.#sink.data(bytes)
    this.#sink.end()
  }

  drained(): void {
    // Nothing is held back for want of room.
  }

  destroy(): void {
    this.#over = true
    this.#bytes = new Uint8Array(0)
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(least, this.#bytes.length * 2)))
    grown.set(this.#bytes.subarray(0, this.#used))
    this.#bytes = grown
  }
}
