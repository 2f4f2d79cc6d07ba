import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

let last = 0

/**
 * A loopback address of our own, so that the ports of one test process never meet those of another, nor
 * those that the system gives to clients, which are all on 127.0.0.1.
 */
export function ownAddress(): string {
  last += 1
  return `127.${64 + ((process.pid >> 7) % 128)}.${(process.pid & 127) * 2 + (last >> 8)}.${last & 255}`
}

/** A port that is free now, for daemons that do not take port 0. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** An address and port in the form of URLs and options. */
export function at(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
