import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@steelyard/core'

/** How long one direction may stay open when the other has ended. */
const halfCloseMs = 10_000

/**
 * Joins two sockets until both have ended: the end of one ends the other, which then has a while for what is under way.
 * Errors of either end both; both have listeners for them when this is called.
 *
 * @param idleMs - in which nothing moves, before both are cut; 0 for ever.
 * @param ended - once.
 * @returns a function that cuts both.
 */
export function joinSockets(
  client: Duplex,
  upstream: Socket,
  clock: Clock,
  idleMs: number,
  ended: () => void,
): () => void {
  let over = false
  let halfClosed: Disposable | undefined

  function finish(): void {
    if (over) return
    over = true
    halfClosed?.[Symbol.dispose]()
    client.destroy()
    upstream.destroy()
    ended()
  }

  function onEnd(): void {
    halfClosed ??= clock.after(halfCloseMs, finish)
  }

  for (const [socket, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    socket.on('end', onEnd)
    socket.on('error', finish)
    socket.on('close', () => {
      // What it sent before may still have to be written.
      if (other.destroyed || !other.writableEnded || other.writableFinished) finish()
      else other.once('finish', finish)
    })
    socket.pipe(other)
  }
  // Traffic in either direction goes through this one.
  upstream.setTimeout(idleMs, finish)
  return finish
}
