import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createH2c, createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { UpstreamOptions } from '@steelyard/l7'
import { at, ownAddress } from '../loopback.ts'
import type { Issued } from './authority.ts'

/** An HTTP server that others wrote, as member of a pool. */
export interface HttpOrigin extends AsyncDisposable {
  readonly name: string
  readonly address: string
  /** How it is to be spoken to. */
  readonly upstream: UpstreamOptions
  /** Requests that it has seen so far. */
  seen(): Promise<number>
}

/** What Node's servers speak. */
export type NodeSpeech = 'http/1.1' | 'h2c' | 'https' | 'h2'

/** What {@link nodeOrigin} tells of a request besides. */
export interface Heard {
  readonly method: string
  readonly url: string
  readonly version: string
  readonly headers: IncomingMessage['headers']
  readonly trailers: IncomingMessage['trailers']
  readonly bytes: number
  /** SHA-256 of the body. */
  readonly hash: string
}

/** A server of `node:http`, `node:https` or `node:http2`, with all requests that it has heard whole. */
export interface NodeOrigin extends HttpOrigin {
  readonly server: Server
  readonly heard: Heard[]
  readonly sockets: ReadonlySet<Socket>
}

type Answer = (request: IncomingMessage, response: ServerResponse, heard: Heard) => void

/**
 * Starts a server of Node. By default it answers with what it heard, as JSON.
 *
 * @param trust - for TLS: a certificate for its address, and the authority that issued it
 */
export async function nodeOrigin(
  speech: NodeSpeech,
  answer: Answer = tell,
  trust?: { readonly issued: Issued; readonly ca: string },
): Promise<NodeOrigin> {
  const heard: Heard[] = []
  let seen = 0
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    seen += 1
    request.on('error', () => {})
    response.on('error', () => {})
    void hear(request).then(
      (what) => {
        heard.push(what)
        answer(request, response, what)
      },
      () => {},
    )
  }
  const server = serverOf(speech, listener, trust?.issued)
  const sockets = new Set<Socket>()
  for (const event of ['connection', 'secureConnection']) {
    server.on(event, (socket: Socket) => {
      socket.on('error', () => {})
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
  }
  const host = ownAddress()
  server.listen(0, host)
  await once(server, 'listening')
  const tls = trust === undefined ? {} : { tls: { ca: trust.ca, serverName: 'origin.test' } }
  return {
    name: `node ${speech}`,
    address: at(host, (server.address() as AddressInfo).port),
    upstream: { ...tls, protocol: speech === 'h2c' ? 'h2' : trust ? 'auto' : 'http/1.1' },
    server,
    heard,
    sockets,
    seen: async () => seen,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function serverOf(
  speech: NodeSpeech,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  issued: Issued | undefined,
): Server {
  // The compatibility layer of node:http2 is made to be given the listeners of node:http.
  const compatible = listener as never
  const identity = { cert: issued?.cert ?? '', key: issued?.key ?? '' }
  switch (speech) {
    case 'http/1.1':
      return createServer({ keepAliveTimeout: 60_000 }, listener)
    case 'h2c':
      return createH2c(compatible)
    case 'https':
      return createHttps({ ...identity, keepAliveTimeout: 60_000 }, listener)
    default:
      return createSecureServer({ ...identity, allowHTTP1: true }, compatible)
  }
}

async function hear(request: IncomingMessage): Promise<Heard> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    hash.update(piece)
    bytes += piece.length
  }
  const { method = '', url = '', httpVersion: version, headers, trailers } = request
  return { method, url, version, headers, trailers, bytes, hash: hash.digest('hex') }
}

function tell(_request: IncomingMessage, response: ServerResponse, heard: Heard): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(heard))
}
