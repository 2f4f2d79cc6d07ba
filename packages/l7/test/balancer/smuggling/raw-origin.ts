import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type ReadRequests, readRequests } from './strict-http.ts'

/** A server that keeps every byte of every connection, and answers what it can read. */
export interface RawOrigin extends AsyncDisposable {
  readonly address: string
  /** What came on each connection, as latin1. */
  readonly connections: readonly { readonly text: string }[]
  /** The same, read strictly. */
  read(): ReadRequests[]
}

/** A connection of a {@link RawOrigin}. */
interface Connection {
  text: string
  answered: number
}

/** Makes the answer to a request; undefined for the one that says what was asked. */
export type RawAnswer = (id: string, target: string) => string | undefined

export function idOf(target: string): string {
  return /[?&]id=([\w.-]+)/.exec(target)?.[1] ?? ''
}

/** An answer that says whose it is. */
export function answerFor(id: string, method: string): string {
  const body = `answer to ${id}`
  return `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nX-Method: ${method}\r\nContent-Length: ${body.length}\r\n\r\n${method === 'HEAD' ? '' : body}`
}

/** Starts a {@link RawOrigin}. What it cannot read it never answers: {@link RawOrigin.read} will throw. */
export async function rawOrigin(answer: RawAnswer = () => undefined): Promise<RawOrigin> {
  const connections: Connection[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    const connection: Connection = { text: '', answered: 0 }
    connections.push(connection)
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      connection.text += bytes.toString('latin1')
      let seen: ReadRequests
      try {
        seen = readRequests(connection.text)
      } catch {
        socket.destroy()
        return
      }
      const { requests, begun } = seen
      const early = begun?.target.startsWith('/early') === true ? [begun] : []
      for (const { method, target } of [...requests, ...early].slice(connection.answered)) {
        const id = idOf(target)
        connection.answered += 1
        const own = answer(id, target)
        socket.write(own ?? answerFor(id, method), 'latin1')
        if (own?.endsWith(closes) === true) socket.end()
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    read: () => connections.map(({ text }) => readRequests(text)),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** At the end of an answer: the connection is closed behind it. */
export const closes = '\x01close'
