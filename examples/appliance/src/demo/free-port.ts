import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** A loopback port that is free for TCP now: the wished one if it is. */
export async function freeTcpPort(wish: number): Promise<number> {
  for (const port of [wish, 0]) {
    const server = createServer()
    try {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    } catch {
      // Taken: let the system choose.
    } finally {
      server.close()
    }
  }
  throw new Error('no port is free')
}

/** The same for UDP. */
export async function freeUdpPort(wish: number): Promise<number> {
  for (const port of [wish, 0]) {
    const socket = createSocket('udp4')
    try {
      socket.bind(port, '127.0.0.1')
      await once(socket, 'listening')
      return socket.address().port
    } catch {
      // Taken: let the system choose.
    } finally {
      socket.close()
    }
  }
  throw new Error('no port is free')
}
