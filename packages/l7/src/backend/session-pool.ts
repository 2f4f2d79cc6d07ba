import type { Socket } from 'node:net'
import type { Backend } from '@steelyard/core'
import type { BackendConnections } from './connections.ts'

/** HTTP/2 connections to members; beside HTTP/1.1 the other half of `auto`, which learns from handshakes. */
export interface SessionPool extends BackendConnections {
  /**
   * Is there a session to this member, at this address, that takes new streams or will? Then `seek` needs no
   * connection made by somebody else.
   */
  serves(backend: Backend): boolean
  /**
   * Takes over a connection to the member on which TLS agreed on `h2`; {@link SessionPool.serves} is true from now on,
   * and the next `seek` may use it. Nothing was read or written on it. Closes it when there is no room.
   */
  adopt(backend: Backend, socket: Socket): void
}
