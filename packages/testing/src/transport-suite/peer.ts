import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/** Everything that a plain socket hears until the other side's FIN. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.resume()
  if (!socket.readableEnded) await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** Reads until this many bytes have come, and leaves the socket paused. */
export async function readSome(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let got = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const take = (chunk: Buffer): void => {
    chunks.push(chunk)
    got += chunk.length
    if (got < length) return
    socket.pause()
    settle()
    resolve(Buffer.concat(chunks))
  }
  const fail = (error?: Error): void => {
    settle()
    reject(error ?? new Error(`the connection ended after ${got} of ${length} bytes`))
  }
  const settle = (): void => {
    socket.off('data', take)
    socket.off('end', fail)
    socket.off('error', fail)
  }
  socket.on('data', take)
  socket.on('end', fail)
  socket.on('error', fail)
  socket.resume()
  return promise
}

/** How a plain socket came to its end: `end` for a FIN, else the error's code. */
export async function ending(socket: Socket): Promise<string> {
  if (socket.errored !== null) return (socket.errored as NodeJS.ErrnoException).code ?? 'error'
  if (socket.readableEnded) return 'end'
  if (socket.closed) return 'close'
  const { promise, resolve } = Promise.withResolvers<string>()
  socket.once('end', () => resolve('end'))
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  socket.once('close', () => resolve('close'))
  socket.resume()
  return promise
}

/** Before 1.52 libuv tells a reset that arrives behind unread bytes as an orderly end. */
export const hidesResets: boolean = /^1\.(?:[0-4]?\d|5[01])\./.test(process.versions.uv)

/** Lets the loop turn a few times, so that what was going to happen has happened. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
