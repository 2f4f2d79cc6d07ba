import { type Duration, objectOption, parseDuration } from '@steelyard/core'

/** How long each part of a TCP connection's life may take; `0` switches one off. */
export interface TcpTimeouts {
  /** To connect to one backend, TLS handshake with it included. Default `5s`. */
  readonly connect?: Duration
  /** Without a byte from or to the client. Default `10m`. */
  readonly client?: Duration
  /** Without a byte from or to the backend. Default `10m`. */
  readonly server?: Duration
  /** Without a byte after one side has sent FIN. Default `1m`. */
  readonly halfClosed?: Duration
  /** For the whole connection, whatever it does. Default `0`: none. */
  readonly total?: Duration
  /** For everything the client must send first: PROXY header, ClientHello, TLS handshake. Default `5s`. */
  readonly preread?: Duration
  /** Waiting for a member with room. Default `5s`. */
  readonly queue?: Duration
}

/** {@link TcpTimeouts} in milliseconds, complete. */
export type TimeoutsMs = Readonly<Record<keyof TcpTimeouts, number>>

const defaults: TimeoutsMs = Object.freeze({
  connect: 5000,
  client: 600_000,
  server: 600_000,
  halfClosed: 60_000,
  total: 0,
  preread: 5000,
  queue: 5000,
})

/**
 * Completes the timeouts.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function timeoutsMs(options: TcpTimeouts = {}, path = 'timeouts'): TimeoutsMs {
  objectOption(options, path)
  const complete: Record<keyof TcpTimeouts, number> = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof TcpTimeouts)[]) {
    const value = options[name]
    if (value !== undefined) complete[name] = parseDuration(value, `${path}.${name}`)
  }
  return Object.freeze(complete)
}
