import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP server on a free loopback port that counts and can die. */
export interface Peer extends AsyncDisposable {
  readonly name: string
  readonly port: number
  readonly address: string
  /** Connections so far. */
  readonly accepted: number
  readonly open: ReadonlySet<Socket>
  /** Stops listening and resets what is open. */
  die(): Promise<void>
  /** Listens again on the same port. */
  revive(): Promise<void>
}

/** Starts a {@link Peer}; `serve` gets each connection, with half-open allowed. */
export async function peer(name: string, serve: (socket: Socket) => void): Promise<Peer> {
  let server: Server | undefined
  let port = 0
  let accepted = 0
  const open = new Set<Socket>()
  async function listen(): Promise<void> {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted += 1
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      socket.on('error', () => socket.destroy())
      serve(socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  async function die(): Promise<void> {
    const dying = server
    server = undefined
    if (dying === undefined) return
    const closed = once(dying, 'close')
    dying.close()
    for (const socket of open) socket.resetAndDestroy()
    await closed
  }
  await listen()
  return {
    name,
    get port() {
      return port
    },
    get address() {
      return `127.0.0.1:${port}`
    },
    get accepted() {
      return accepted
    },
    open,
    die,
    revive: listen,
    [Symbol.asyncDispose]: die,
  }
}

/** Answers each chunk with its name in front, and FIN with FIN. */
export function echo(name: string): Promise<Peer> {
  return peer(name, (socket) => {
    socket.on('data', (chunk) => socket.write(`${name}:${chunk.toString()}`))
    socket.on('end', () => socket.end())
  })
}

/** Sends everything back as it came. */
export function mirror(name = 'mirror'): Promise<Peer> {
  return peer(name, (socket) => void socket.pipe(socket))
}

/** Connects, sends, and gives everything that came until the end; rejects when the connection fails. */
export async function ask(port: number, text: string, host = '127.0.0.1'): Promise<string> {
  const socket = connect({ port, host, allowHalfOpen: true })
  socket.end(text)
  return everything(socket)
}

/** All bytes until FIN, as text. */
export async function everything(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

/** An open connection that answered once, so that it is known to be through. */
export async function talk(port: number, text = 'hi'): Promise<{ socket: Socket; answer: string }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(text)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return { socket, answer: chunk.toString() }
}

/** Resolves with how a socket ended: `end`, or the error's code. */
export function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('end', () => resolve('end'))
    socket.once('close', () => resolve('close'))
    socket.resume()
  })
}
