import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** A UDP server that answers each datagram with its name and the datagram itself. */
export interface DatagramBackend extends AsyncDisposable {
  readonly name: string
  readonly address: string
  /** Datagrams that came, those of health checks left out. */
  readonly received: number
  /** Closes its port. */
  kill(): void
  /** Binds it again. */
  revive(): Promise<void>
}

/** What health checks send. */
export const ping = 'ping?'

/** Starts one; with `echo` it answers with the very same bytes, without its name. */
export async function datagramBackend(
  name: string,
  options: { readonly echo?: boolean } = {},
): Promise<DatagramBackend> {
  let socket: Socket
  let port = 0
  let received = 0
  let open = false
  async function bind(): Promise<void> {
    socket = createSocket({
      type: 'udp4',
      recvBufferSize: 4 * 1024 ** 2,
      sendBufferSize: 4 * 1024 ** 2,
    })
    socket.on('message', (message, from) => {
      if (message.toString('latin1') !== ping) received += 1
      const answer =
        options.echo === true ? message : Buffer.concat([Buffer.from(`${name}:`), message])
      socket.send(answer, from.port, from.address)
    })
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    open = true
    port = socket.address().port
  }
  function kill(): void {
    if (open) socket.close()
    open = false
  }
  await bind()
  return {
    name,
    address: `127.0.0.1:${port}`,
    get received() {
      return received
    },
    kill,
    revive: bind,
    async [Symbol.asyncDispose]() {
      kill()
    },
  }
}

/** A UDP client with a port of its own. */
export interface DatagramClient extends Disposable {
  /** Sends, and gives the answer; undefined when none came in time. Empty datagrams may be answers. */
  ask(message: Buffer | string, withinMs?: number): Promise<Buffer | undefined>
}

/** Makes a client of a port. */
export async function datagramClient(port: number): Promise<DatagramClient> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: 1024 ** 2,
    sendBufferSize: 1024 ** 2,
  })
  let arrived: ((message: Buffer) => void) | undefined
  socket.on('message', (message) => arrived?.(message))
  socket.on('error', () => {
    // A port that nobody has any more: no answer comes, and that is what is counted.
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    ask(message, withinMs = 3000) {
      return new Promise((resolve) => {
        const deadline = setTimeout(() => settle(undefined), withinMs)
        function settle(answer: Buffer | undefined): void {
          clearTimeout(deadline)
          arrived = undefined
          resolve(answer)
        }
        arrived = settle
        socket.send(message, port, '127.0.0.1')
      })
    },
    [Symbol.dispose]() {
      socket.close()
    },
  }
}
