import type { Socket } from 'node:net'

/**
 * Is the socket connected with itself? A connect to a free port of this very host, from the range that source ports are taken from, may be
 * given that port as its source: TCP then connects the socket with itself (RFC 9293, simultaneous
 * open), and a dead backend would look alive.
 */
export function isSelfConnected(socket: Socket): boolean {
  return (
    socket.localPort !== undefined &&
    socket.localPort === socket.remotePort &&
    socket.localAddress === socket.remoteAddress
  )
}
