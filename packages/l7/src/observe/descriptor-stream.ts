import { write } from 'node:fs'
import { type Clock, invalidOption, shown } from '@steelyard/core'
import type { LineStream } from './buffered-sink.ts'

/** How soon a full pipe is tried again. */
const retryMs = 20

/**
 * A file descriptor as a {@link LineStream}: Node's thread pool writes, so that a slow disk holds nobody up. A
 * non-blocking pipe that is full is tried again until it takes the rest.
 *
 * @throws `invalid-option` for what is no descriptor.
 */
export function descriptorStream(fd: number, clock: Clock, path: string): LineStream {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) {
    throw invalidOption(path, `${shown(fd)} is no file descriptor`)
  }
  return {
    write(piece, done) {
      let at = 0
      const next = (): void => {
        write(fd, piece, at, piece.length - at, null, (error, count) => {
          if (error !== null) {
            if (error.code === 'EAGAIN') clock.after(retryMs, next)
            else if (error.code === 'EINTR') next()
            else done(error)
            return
          }
          at += count
          if (at < piece.length) next()
          else done()
        })
      }
      next()
    },
  }
}
