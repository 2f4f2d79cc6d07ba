import { createHash } from 'node:crypto'

/** What a server that speaks WebSocket over HTTP/1.1 answers to a key (RFC 6455 section 4.2.2); HTTP/2 has no such proof. */
export function webSocketAccept(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}
