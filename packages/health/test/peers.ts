import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { systemClock } from '@steelyard/core'
import type { CheckedAddress, CheckedPeer } from '@steelyard/testing'
import type { Check, ProbeContext, ProbeResult } from '../src/index.ts'

const vector = (name: string): string =>
  readFileSync(new URL(`vectors/tls/${name}`, import.meta.url), 'utf8')

/** A certificate for `check.test`, its key, and the authority that issued it. */
export const testCa: string = vector('ca.pem')
export const testIdentity: { readonly cert: string; readonly key: string } = {
  cert: vector('server.pem'),
  key: vector('server-key.pem'),
}

/** Runs a server on a free loopback port. */
async function serve(
  server: Server,
  host = '127.0.0.1',
): Promise<CheckedPeer & { readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    // Checks close by reset.
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

export type ServedPeer = Awaited<ReturnType<typeof serve>>

export function tcpPeer(
  accepted: (socket: Socket) => void = () => {},
  host?: string,
): Promise<ServedPeer> {
  return serve(
    createServer((socket) => accepted(socket.resume())),
    host,
  )
}

export function tlsPeer(
  options: TlsOptions = {},
  accepted: (socket: Socket) => void = () => {},
): Promise<ServedPeer> {
  const server = createTlsServer({ ...testIdentity, ...options }, (socket) => {
    socket.on('error', () => {})
    accepted(socket)
  })
  server.on('tlsClientError', () => {})
  return serve(server)
}

export function httpPeer(listener: RequestListener): Promise<ServedPeer> {
  return serve(createHttpServer(listener))
}

export function httpsPeer(
  listener: RequestListener,
  options: TlsOptions = {},
): Promise<ServedPeer> {
  const server = createHttpsServer({ ...testIdentity, ...options }, listener)
  server.on('tlsClientError', () => {})
  return serve(server)
}

/** A UDP peer on a free loopback port. */
export async function udpPeer(
  answer: (message: Buffer) => string | undefined,
): Promise<CheckedPeer & { readonly heard: Buffer[] }> {
  const socket = createSocket('udp4')
  const heard: Buffer[] = []
  socket.on('message', (message, { port, address }) => {
    heard.push(message)
    const text = answer(message)
    if (text !== undefined) socket.send(text, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  return {
    address: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    heard,
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** An address of TCP on which nobody listens: somebody did a moment ago. */
export async function nobody(): Promise<CheckedPeer> {
  const peer = await tcpPeer()
  await peer.close()
  return { ...peer, close() {} }
}

/** An address of UDP on which nobody listens. */
export async function nobodyUdp(): Promise<CheckedPeer> {
  const peer = await udpPeer(() => undefined)
  await peer.close()
  return { ...peer, close() {} }
}

/** Makes one check, with a signal to end its time. */
export function probe(
  check: Check,
  target: CheckedAddress,
  signal: AbortSignal = new AbortController().signal,
  context: Partial<ProbeContext> = {},
): Promise<ProbeResult> {
  const at = check.locate(target)
  const given = { signal, timeoutMs: 5000, clock: systemClock, state: 'unknown' as const }
  return Promise.resolve(check.probe(at, { ...given, ...context }))
}
