import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'

/** A real TCP server: it answers each line with its name, and counts. */
export interface Backend extends AsyncDisposable {
  readonly name: string
  readonly port: number
  /** `127.0.0.1:port`. */
  readonly address: string
  /** Connections that asked at least one thing since the start; those of health checks ask nothing. */
  readonly served: number
  /** Connections open now, health checks included. */
  readonly open: number
  /** Dies as a process does: it closes its port, and its connections are reset. */
  kill(): void
  /** Listens again where it did. */
  revive(): Promise<void>
}

/** Starts a backend on a loopback port of the system's choice. */
export async function backend(name: string, line = `${name}\n`): Promise<Backend> {
  const sockets = new Set<Socket>()
  let server: Server
  let port = 0
  let served = 0

  async function listen(): Promise<void> {
    server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket)
      let asked = false
      socket.on('data', (bytes) => {
        if (!asked) served += 1
        asked = true
        for (const byte of bytes) if (byte === 10) socket.write(line)
      })
      socket.on('end', () => socket.end())
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    })
    server.listen({ port, host: '127.0.0.1', backlog: 4096 })
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  function kill(): void {
    server.close()
    for (const socket of sockets) socket.resetAndDestroy()
  }

  await listen()
  return {
    name,
    port,
    address: `127.0.0.1:${port}`,
    get served() {
      return served
    },
    get open() {
      return sockets.size
    },
    kill,
    revive: listen,
    async [Symbol.asyncDispose]() {
      kill()
    },
  }
}
