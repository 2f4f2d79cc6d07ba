import { lstat, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { SteelyardError } from '@steelyard/core'
import type { Endpoint } from '@steelyard/core/ip'

/**
 * Lets a server listen at an address, or on a unix socket that is for its owner and group only; a socket
 * file that a crash has left behind is taken over.
 *
 * @throws `address-in-use`, or `io` with the reason.
 */
export async function listenAt(server: Server, endpoint: Endpoint): Promise<void> {
  if (endpoint.path !== undefined) await removeStale(endpoint.path)
  await bound(server, endpoint)
}

/** A socket file that nobody listens on any more is in the way of a restart; any other file stays. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket() || (await answers(path))) {
    const problem = found.isSocket()
      ? 'is in use: does another steelyard run?'
      : 'is there and is no socket'
    throw new SteelyardError(`${path} ${problem}`, { code: 'address-in-use', source: 'system' })
  }
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}

function bound(server: Server, endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new SteelyardError(
          `the admin endpoint cannot listen on ${endpoint.text}: ${cause.message}`,
          {
            code: cause.code === 'EADDRINUSE' ? 'address-in-use' : 'io',
            source: 'system',
            cause,
          },
        ),
      )
    })
    if (endpoint.path === undefined) server.listen(endpoint.port, endpoint.host, resolve)
    else listenPrivately(server, endpoint.path, resolve)
  })
}

/** From the first moment on the socket is for its owner and group only. */
function listenPrivately(server: Server, path: string, done: () => void): void {
  const before = process.umask(0o117)
  try {
    server.listen(path, done)
  } finally {
    process.umask(before)
  }
}
