import type { Duplex } from 'node:stream'
import type { Clock, Logger, TimerWheel } from '@steelyard/core'
import type { ConnectionFacts } from '../../exchange/connection-facts.ts'
import type { GateSettings } from '../../gate/gate-options.ts'
import type { ClientHost } from '../client-leg.ts'
import { type H2Options, h2Settings } from './h2-options.ts'
import { H2Session, type SessionHost } from './h2-session.ts'

/** What an {@link H2Server} works with. */
export interface H2ServerParts {
  readonly gate: GateSettings
  readonly log: Logger
  readonly clock: Clock
  readonly wheel: TimerWheel
}

/** Speaks HTTP/2 with clients, on connections that somebody else has accepted. */
export interface H2Server {
  /**
   * Takes over a connection: a TLS socket whose handshake agreed on `h2`, or a plain socket whose client begins with
   * HTTP/2's preface (prior knowledge). Bytes that are in the socket come first. It closes the socket.
   */
  adopt(socket: Duplex, facts: ConnectionFacts): void
  /** Connections. */
  readonly sessions: number
  /** Streams on all of them. */
  readonly streams: number
  /** Tells every client by GOAWAY to open no more streams here; those that are open finish, and then the connection closes. New connections are retired at once. */
  drain(): void
  /** Ends all connections now. */
  cut(): void
}

/**
 * Makes an {@link H2Server}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function h2Server(
  options: H2Options,
  host: ClientHost,
  parts: H2ServerParts,
  path = 'h2',
): H2Server {
  const { gate, log, clock, wheel } = parts
  const sessions = new Set<H2Session>()
  let draining = false
  const shared: SessionHost = {
    settings: h2Settings(options, path),
    clients: host,
    gate,
    log,
    clock,
    wheel,
    left: (session) => void sessions.delete(session),
  }
  return {
    adopt(socket, facts) {
      try {
        const session = new H2Session(shared, socket, facts)
        sessions.add(session)
        if (draining) session.retire()
      } catch (error) {
        log.debug({ connection: facts.id, error }, 'http/2 connection: it cannot be begun')
        // Nobody listens to a socket that was given away.
        socket.on('error', () => {})
        socket.destroy()
      }
    },
    get sessions() {
      return sessions.size
    },
    get streams() {
      let streams = 0
      for (const session of sessions) streams += session.streams
      return streams
    },
    drain() {
      draining = true
      for (const session of sessions) session.retire()
    },
    cut() {
      draining = true
      for (const session of sessions) session.cut()
    },
  }
}
