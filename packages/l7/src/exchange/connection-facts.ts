import type { SocketAddress } from '@steelyard/core'
import type { TlsFacts } from '@steelyard/l4'

/** What is known of a client's connection, the same for all its requests. */
export interface ConnectionFacts {
  /** Unique in this process. */
  readonly id: number
  /** The client: from a trusted PROXY header if there was one, else the peer of the socket. */
  readonly client: SocketAddress
  /** What it connected to; from the PROXY header the same way. */
  readonly local: SocketAddress
  /** The peer of the socket. */
  readonly peer: SocketAddress
  /** Absent when it speaks plainly. */
  readonly tls: TlsFacts | undefined
  /** {@link ConnectionFacts.client} is one of `trustedProxies`: what it says about its own client is believed. */
  readonly trusted: boolean
  /** Is the certificate that this client was shown good for the host? Else the answer is 421 (RFC 9110 section 15.5.20). Absent without TLS. */
  readonly covers: ((host: string) => boolean) | undefined
  /** What is told to backends about it, prepared for the settings in force. @internal */
  prepared?: { readonly settings: object; readonly lines: unknown }
}
