import type { Clock, Stream, StreamHandler } from '@steelyard/core'

const lingerMs = 1000

/**
 * Says a last word and closes: what the peer still sends is read and dropped for a second at most,
 * because a close with unread bytes becomes a reset, which would destroy the word on its way.
 */
export function lastWord(stream: Stream, bytes: Uint8Array, clock: Clock): void {
  const timer = clock.after(lingerMs, () => stream.destroy())
  const handler: StreamHandler = {
    data() {},
    // Both directions are over then, and the stream closes by itself.
    ended() {},
    drained() {},
    closed: () => timer[Symbol.dispose](),
  }
  stream.handler = handler
  stream.write(bytes)
  stream.end()
  stream.resume()
}
