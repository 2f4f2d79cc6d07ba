import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ErrorSource, SocketAddress, Stream, StreamHandler } from '@steelyard/core'
import { SocketWire } from './socket-wire.ts'
import { NodeStream, rethrow, unowned } from './stream.ts'

/** How a socket becomes a stream. */
export interface AdoptOptions {
  /** Whose fault the failures of the connection are. Default `peer`. */
  readonly source?: ErrorSource
  /** Default: one that ignores everything, until the owner sets another. */
  readonly handler?: StreamHandler
  /** The stream's own end, where it is known better than the socket knows. Default: what the socket says now. */
  readonly local?: SocketAddress
  /** The other end; the same. */
  readonly remote?: SocketAddress
  /** The TCP socket under a TLS socket, so that `reset` can send RST; without it `reset` closes. */
  readonly carrier?: Socket
  /** Told what a handler threw. Default: it is rethrown in a microtask, as an uncaught error. */
  readonly onHandlerError?: (error: unknown) => void
}

/**
 * Makes a stream of an open Node socket, TLS or not; it is paused. The socket is the stream's from now
 * on: nobody else reads, writes or closes it. Bytes that are in the socket come first.
 */
export function adoptSocket(socket: Socket | TLSSocket, options: AdoptOptions = {}): Stream {
  const { source = 'peer', handler = unowned, carrier, onHandlerError = rethrow } = options
  const stream = new NodeStream({
    handler,
    state: 'open',
    paused: true,
    source,
    report: onHandlerError,
  })
  const init = carrier === undefined ? { noDelay: false } : { noDelay: false, carrier }
  const wire = new SocketWire(stream, init, socket)
  stream.attach(wire)
  stream.presume(options.local ?? wire.local(), options.remote ?? wire.remote())
  return stream
}
