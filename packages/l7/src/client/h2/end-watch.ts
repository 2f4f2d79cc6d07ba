import type { Http2Stream } from 'node:http2'
import { Readable } from 'node:stream'

/**
 * Node ends the readable side of a stream the same way whether END_STREAM came or RST_STREAM with NO_ERROR did. It
 * marks the stream as closed before the latter, so whoever watches the moment of the end can tell a body that is
 * whole from one that was cut.
 */
type WatchedStream = Http2Stream & { [whole]?: boolean }

const whole = Symbol('whole')
const { push } = Readable.prototype

function watchedPush(this: WatchedStream, chunk: unknown): boolean {
  if (chunk === null && !this.closed && !this.destroyed) this[whole] = true
  return push.call(this, chunk)
}

/** Begins to watch a stream whose END_STREAM has not come. */
export function watchEnd(stream: Http2Stream): void {
  stream.push = watchedPush
}

/** Notes that END_STREAM came before the stream was watched. */
export function markEnd(stream: Http2Stream): void {
  ;(stream as WatchedStream)[whole] = true
}

/** Has END_STREAM come? False after a reset, with whatever code, that came first. */
export function endCame(stream: Http2Stream): boolean {
  return (stream as WatchedStream)[whole] === true
}
