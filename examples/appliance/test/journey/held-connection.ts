import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** A client connection that stays open and can be asked again and again. */
export interface HeldConnection extends Disposable {
  readonly socket: Socket
  /** Who answers. */
  ask(): Promise<string>
  /** How it ended: `end` for FIN, else the error's code; pending while it is open. */
  readonly closed: Promise<string>
}

/** Opens a connection. */
export async function holdConnection(where: NetConnectOpts | number): Promise<HeldConnection> {
  const socket = connect(typeof where === 'number' ? { port: where, host: '127.0.0.1' } : where)
  return heldSocket(socket, 'connect')
}

/** Takes a client socket that is about to connect. */
export async function heldSocket(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
): Promise<HeldConnection> {
  let error: string | undefined
  socket.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    error = code ?? message
  })
  const closed = once(socket, 'close').then(
    () => error ?? 'end',
    () => error ?? 'end',
  )
  let buffered = ''
  let wake = (): void => {}
  socket.on('data', (chunk) => {
    buffered += chunk.toString('latin1')
    wake()
  })
  const refused = (how: string): never => {
    throw new Error(`the connection was not made: ${how}`)
  }
  await Promise.race([
    once(socket, ready).catch(({ code, message }: NodeJS.ErrnoException) =>
      refused(code ?? message),
    ),
    closed.then(refused),
  ])
  return {
    socket,
    closed,
    async ask() {
      socket.write('who?\n')
      const ended = closed.then((how) => {
        throw new Error(`the connection ended: ${how}`)
      })
      ended.catch(() => {
        // Told by the race below, if anybody waits there.
      })
      while (!buffered.includes('\n')) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await Promise.race([promise, ended])
      }
      const line = buffered.slice(0, buffered.indexOf('\n'))
      buffered = buffered.slice(line.length + 1)
      return line
    },
    [Symbol.dispose]() {
      socket.destroy()
    },
  }
}
