import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { SteelyardError, type TransportError } from '@steelyard/core'

/**
 * Makes room for a unix socket after a bind found its path taken: removes the file when it is a socket
 * with nobody behind it.
 *
 * @returns why the path is not free, or undefined when it is.
 */
export async function clearStalePath(path: string): Promise<TransportError | undefined> {
  const file = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return undefined
  if (!file.isSocket()) {
    return taken(
      `listen unix:${path}: the path is taken by a file that is not a socket; remove it or choose another`,
    )
  }
  if (await isServed(path)) {
    return taken(
      `listen unix:${path}: another process listens there; stop it or choose another path`,
    )
  }
  await unlink(path)
  return undefined
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
