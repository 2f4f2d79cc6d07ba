import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Where a client connects to, and from where. */
export interface Way {
  readonly host: string
  readonly port: number
  readonly localAddress?: string
}

/** Sends, ends, and gives all that came until the end, with the own address and port. */
export async function ask(
  way: Way,
  text: string | Uint8Array,
): Promise<{ readonly answer: string; readonly from: string; readonly port: number }> {
  const socket = await open(way)
  const { localAddress: from = '', localPort: port = 0 } = socket
  socket.end(text)
  return { answer: (await everything(socket)).toString('latin1'), from, port }
}

/** A connection that is open. */
export async function open(way: Way): Promise<Socket> {
  const socket = connect({ ...way, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** All bytes until FIN. */
export async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** An HTTP/1.0 request for a path, as bytes. */
export function get(url: string, host = 'test'): string {
  return `GET ${url} HTTP/1.0\r\nHost: ${host}\r\n\r\n`
}

/** The body of an HTTP answer. */
export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}
