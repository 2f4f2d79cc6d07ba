import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'

/** What a backend has seen of a request; its answer as JSON. */
export interface Seen {
  readonly name: string
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A real HTTP server with a WebSocket echo at every path. */
export interface HttpBackend extends AsyncDisposable {
  readonly name: string
  readonly address: string
  /** Requests answered since the start, those of health checks not counted. */
  readonly served: number
  /** Dies as a process does: its port is closed and its connections are reset. */
  kill(): void
  /** Listens again where it did. */
  revive(): Promise<void>
}

/** Starts a backend. `/slow` takes 300 ms, `/status/N` answers N, `/healthz` is for checks. */
export async function httpBackend(name: string): Promise<HttpBackend> {
  const sockets = new Set<Socket>()
  const counts = { served: 0 }
  let server: Server | undefined
  let port = 0

  async function listen(): Promise<void> {
    const made = createServer((request, response) => void answer(name, request, response, counts))
    const echo = new WebSocketServer({ server: made })
    echo.on('connection', (socket, request) => {
      socket.on('message', (data: Buffer) =>
        socket.send(`${name} ${request.url} ${data.toString()}`),
      )
    })
    made.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    made.keepAliveTimeout = 60_000
    made.listen({ port, host: '127.0.0.1', backlog: 4096 })
    await once(made, 'listening')
    port = (made.address() as AddressInfo).port
    server = made
  }

  function kill(): void {
    server?.close()
    server = undefined
    for (const socket of sockets) socket.resetAndDestroy()
  }

  await listen()
  return {
    name,
    address: `127.0.0.1:${port}`,
    get served() {
      return counts.served
    },
    kill,
    revive: listen,
    async [Symbol.asyncDispose]() {
      kill()
    },
  }
}

async function answer(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  counts: { served: number },
): Promise<void> {
  const { method = '', url = '', headers } = request
  if (url === '/healthz') return void response.end('ok')
  let body = ''
  request.setEncoding('utf8')
  try {
    for await (const piece of request) body += String(piece)
  } catch {
    return
  }
  counts.served += 1
  const status = /^\/status\/(\d{3})$/.exec(url)?.[1]
  if (status !== undefined) response.statusCode = Number(status)
  response.setHeader('content-type', 'application/json')
  const send = (): void => void response.end(JSON.stringify({ name, method, url, headers, body }))
  if (url.startsWith('/slow')) setTimeout(send, 300)
  else send()
}
