import type { Transform } from 'node:stream'
import zlib from 'node:zlib'
import type { Clock } from '@steelyard/core'
import type { BodySink, BodyTransform, BodyTransformer } from '../../exchange/body-transform.ts'

/** Content codings (RFC 9110 section 8.4.1, RFC 7932, RFC 8878) that a body can be compressed with. */
export type ContentCoding = 'gzip' | 'br' | 'zstd'

/** The codings that this Node.js has, the best first: zstd costs the least time, gzip is the oldest. */
export function supportedCodings(): readonly ContentCoding[] {
  return typeof zlib.createZstdCompress === 'function' ? ['zstd', 'br', 'gzip'] : ['br', 'gzip']
}

/** How a body is compressed. */
export interface ZlibTransformOptions {
  readonly coding: ContentCoding
  readonly level: number
  readonly clock: Clock
  /** Bytes that were written reach the sink after this many milliseconds at the latest; 0 for at once. */
  readonly flushMs: number
  /** Length of the whole body: nothing needs to be flushed once it is there. -1 when nobody knows. */
  readonly length: number
  /** Called once, when it is over in whatever way. */
  readonly closed?: () => void
}

type Compressor = Transform & { flush(kind: number, done: () => void): void }

/**
 * Compresses a body on its way. What waits is bounded, both ways: a sink that says false stops the compressor, a full
 * compressor stops the writer. Work is done off the event loop.
 */
export function zlibTransformer(options: ZlibTransformOptions): BodyTransformer {
  return (sink) => new ZlibTransform(options, sink)
}

class ZlibTransform implements BodyTransform {
  readonly #options: ZlibTransformOptions
  readonly #stream: Compressor
  readonly #flushKind: number
  #written = 0
  /** The writer was told to wait. */
  #full = false
  /** Something was written after the last flush. */
  #unflushed = false
  #flushing = false
  #timer: Disposable | undefined = undefined
  #ended = false
  #over = false

  constructor(options: ZlibTransformOptions, sink: BodySink) {
    this.#options = options
    const { stream, flushKind } = compressor(options)
    this.#stream = stream
    this.#flushKind = flushKind
    stream.on('data', (bytes: Uint8Array) => {
      if (this.#over) return
      try {
        if (!sink.data(bytes)) stream.pause()
      } catch (error) {
        // Nobody else is above us to catch it.
        this.destroy()
        sink.failed(error)
      }
    })
    stream.on('drain', () => {
      if (this.#over || !this.#full || this.#ended) return
      this.#full = false
      sink.ready()
    })
    stream.on('end', () => {
      if (this.#over) return
      this.#close()
      sink.end()
    })
    // Stays for good: what fails after the end has nobody to tell, and must not be thrown.
    stream.on('error', (error) => {
      if (this.#over) return
      this.#close()
      sink.failed(error)
    })
  }

  write(bytes: Uint8Array): boolean {
    if (this.#over || this.#ended || bytes.length === 0) return true
    const { length, flushMs, clock } = this.#options
    this.#written += bytes.length
    const more = this.#stream.write(new Uint8Array(bytes))
    // What was compressed at once may have ended everything.
    if (this.#over) return true
    this.#unflushed = true
    if (this.#written !== length) {
      if (flushMs === 0) this.#flush()
      else this.#timer ??= clock.after(flushMs, () => this.#expired())
    }
    this.#full = !more
    return more
  }

  end(): void {
    if (this.#over || this.#ended) return
    this.#ended = true
    this.#rest()
    this.#stream.end()
  }

  drained(): void {
    if (!this.#over) this.#stream.resume()
  }

  destroy(): void {
    if (this.#over) return
    this.#close()
    this.#stream.destroy()
  }

  #expired(): void {
    this.#timer = undefined
    this.#flush()
  }

  #flush(): void {
    // One at a time: a sink that takes nothing must not collect flushes.
    if (this.#flushing || this.#ended || this.#over) return
    this.#unflushed = false
    this.#flushing = true
    this.#stream.flush(this.#flushKind, () => {
      this.#flushing = false
      if (this.#unflushed && this.#options.flushMs === 0) this.#flush()
    })
  }

  #rest(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  #close(): void {
    this.#over = true
    this.#rest()
    this.#options.closed?.()
  }
}

function compressor({ coding, level }: ZlibTransformOptions): {
  readonly stream: Compressor
  readonly flushKind: number
} {
  const { constants } = zlib
  // Windows of half a megabyte and less: there is one for each response that is under way.
  switch (coding) {
    case 'gzip':
      return { stream: zlib.createGzip({ level }), flushKind: constants.Z_SYNC_FLUSH }
    case 'br':
      return {
        stream: zlib.createBrotliCompress({
          params: {
            [constants.BROTLI_PARAM_QUALITY]: level,
            [constants.BROTLI_PARAM_LGWIN]: 18,
          },
        }),
        flushKind: constants.BROTLI_OPERATION_FLUSH,
      }
    case 'zstd':
      return {
        stream: zlib.createZstdCompress({
          params: {
            [constants.ZSTD_c_compressionLevel]: level,
            [constants.ZSTD_c_windowLog]: 19,
          },
        }),
        flushKind: constants.ZSTD_e_flush,
      }
    default:
      return coding satisfies never
  }
}
