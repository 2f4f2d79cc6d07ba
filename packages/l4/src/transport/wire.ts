import type { Socket } from 'node:net'
import type { SocketAddress } from '@steelyard/core'
import type { TransportAction } from './transport-error.ts'

/** One address to connect to, resolved. */
export interface WireTarget {
  /** An IP address, or the path of a unix socket. */
  readonly address: string
  readonly port: number
  readonly family: 4 | 6 | 'unix'
  readonly localAddress: string | undefined
  readonly localPort: number
  /** Milliseconds of silence before TCP keep-alive probes; 0 for none. */
  readonly keepAliveMs: number
}

/**
 * The socket beneath a stream: it moves bytes and knows nothing of handlers or states. What it hears goes
 * to its {@link WireOwner}; `wireClosed` comes once after `close`, `reset`, never during a call.
 */
export interface Wire {
  /** Bytes taken by {@link Wire.write} that the kernel has not. */
  readonly pending: number
  /** Begins to connect, giving up an earlier attempt. */
  connect(target: WireTarget): void
  /** Takes all of the range; false when some of it waits in memory, and `wireDrained` will come. */
  write(bytes: Uint8Array): boolean
  /**
   * FIN after everything written, then `wireFinished`.
   *
   * @param last - the peer's FIN has come, so that closing says as much.
   */
  finish(last: boolean): void
  readStart(): void
  readStop(): void
  close(): void
  reset(): void
  local(): SocketAddress
  remote(): SocketAddress
  /** Gives the connection to a Node socket and is over. */
  detach(): Socket
}

/** Whom a {@link Wire} tells. */
export interface WireOwner {
  wireOpened(): void
  wireRead(bytes: Uint8Array): void
  wireEnded(): void
  wireDrained(): void
  wireFinished(): void
  /** @param failure - an errno or an error of Node. */
  wireFailed(failure: unknown, action: TransportAction): void
  wireClosed(): void
}
