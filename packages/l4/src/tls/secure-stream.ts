import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Stream } from '@steelyard/core'
import { adoptSocket } from '../transport/adopt-socket.ts'

/**
 * The stream of a TLS socket whose handshake is done; paused. Its ends are asked for now, because a TLS
 * socket that has failed no longer knows them.
 */
export function secureStream(
  socket: TLSSocket,
  carrier: Socket,
  source: 'client' | 'backend',
): Stream {
  const stream = adoptSocket(socket, { source, carrier })
  void [stream.local, stream.remote]
  return stream
}
