import type { Http2Stream } from 'node:http2'

/**
 * Resets a stream with a code and lets go of it. Node's own `close` would end what we send by END_STREAM first, and
 * half a body would look like a whole one.
 */
export function resetStream(stream: Http2Stream, code: number): void {
  if (stream.destroyed) return
  stream._final = skip
  stream.close(code)
  stream.destroy()
}

function skip(done: (error?: Error | null) => void): void {
  done()
}
