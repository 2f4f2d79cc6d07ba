import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
} from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import * as ours from '@steelyard/l7/http-proxy'

/** What programs call; http-proxy has the same. */
export type Create = typeof ours.createProxyServer

export const createOurs: Create = ours.createProxyServer

/** The module itself, by name; undefined where it is not installed. */
export const theirModule: string | undefined = (() => {
  try {
    return createRequire(import.meta.url).resolve('http-proxy')
  } catch {
    return undefined
  }
})()

export const notInstalled = 'http-proxy 1.18.1 is not installed: nothing is compared with it'

/** Theirs, or undefined. */
export async function loadTheirs(): Promise<Create | undefined> {
  if (theirModule === undefined) return undefined
  const loaded = (await import(theirModule)) as { default: { createProxyServer: Create } }
  return loaded.default.createProxyServer
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port
}

/** Servers and sockets of one test; all are gone when it is over. */
export class Bed implements AsyncDisposable {
  readonly #servers: Server[] = []

  async server(listener?: RequestListener): Promise<Server> {
    const server = createServer(listener)
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  /** A server whose URL is told. */
  async origin(listener: RequestListener = echo): Promise<string> {
    return `http://127.0.0.1:${portOf(await this.server(listener))}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
  }
}

/** Answers with what came. */
export const echo: RequestListener = (req, res) => {
  const pieces: Buffer[] = []
  req.on('data', (piece: Buffer) => pieces.push(piece))
  req.on('end', () => {
    res.setHeader('content-type', 'application/json')
    res.end(
      JSON.stringify({
        method: req.method,
        url: req.url,
        headers: req.headers,
        trailers: req.trailers,
        body: Buffer.concat(pieces).toString('latin1'),
      }),
    )
  })
}

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly trailers: NodeJS.Dict<string>
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly trailers: NodeJS.Dict<string>
  readonly body: string
}

/** One request on a connection of its own. */
export function call(port: number, options: RequestOptions = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, agent: false, ...options }, (res) => {
      collect(res).then(resolve, reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function collect(res: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = []
  for await (const piece of res) pieces.push(piece as Buffer)
  const { statusCode = 0, headers, rawHeaders, trailers } = res
  return {
    status: statusCode,
    headers,
    rawHeaders,
    trailers,
    body: Buffer.concat(pieces).toString(),
  }
}

/** What the echoing origin saw. */
export async function seen(
  port: number,
  options: RequestOptions = {},
  body?: string,
): Promise<Seen> {
  const answer = await call(port, options, body)
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
  return JSON.parse(answer.body) as Seen
}

/** Bytes as they are, and all that comes back until the connection ends. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    let text = ''
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
}

/** Waits until a condition holds, looking again in each turn of the loop. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 5_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await new Promise<void>((resolve) => void setImmediate(resolve))
  }
}

export function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
