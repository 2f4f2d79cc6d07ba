import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { SteelyardError, type TransportError } from '@steelyard/core'

/**
 * Makes room for a unix socket after a bind found its path taken: removes the file when it is a socket
 * with nobody behind it.
 *
 * @throws {TransportError} `address-in-use` when the file is not ours to remove.
 */
export async function clearStalePath(path: string): Promise<void> {
  const file = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return
  if (!file.isSocket()) {
    throw taken(
      `listen unix:${path}: the path is taken by a file that is not a socket; remove it or choose another`,
    )
  }
  if (await isServed(path)) {
    throw taken(
      `listen unix:${path}: another process listens there; stop it or choose another path`,
    )
  }
  await unlink(path)
}

function taken(message: string): TransportError {
  return new SteelyardError(message, { code: 'address-in-use', source: 'system', retryable: true })
}

function isServed(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ path })
  socket.once('connect', () => {
    socket.destroy()
    resolve(true)
  })
  // Anything but a refusal may be a server that is full or not for us: leave it its path.
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  return promise
}
