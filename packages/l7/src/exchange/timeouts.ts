import { type Duration, invalidOption, objectOption, parseDuration, shown } from '@steelyard/core'

/** How long each part of an exchange may take; 0 switches a limit off, except `head`. */
export interface ExchangeTimeouts {
  /** The whole of a request's head, from its first byte; on a new connection from the accept. Default `10s`. */
  readonly head?: Duration
  /** A connection between two requests. Default `75s`. */
  readonly keepAlive?: Duration
  /** No byte of the request's body came, though it was wanted. Default `20s`. */
  readonly body?: Duration
  /** Bytes a second that a request's body must have on average, counted after the first `body` interval: holds off slow senders. Default 256; 0 for any. */
  readonly bodyRate?: number
  /** Waiting for a member with room. Default `10s`. */
  readonly queue?: Duration
  /** One connect, its TLS handshake included. Default `5s`. */
  readonly connect?: Duration
  /** From the request's being sent to the response's head. Default `60s`. */
  readonly firstByte?: Duration
  /** Between two pieces of the response's body, either way. Default `60s`. */
  readonly idle?: Duration
  /** The whole exchange, tunnels excepted. Default 0: no limit. */
  readonly total?: Duration
  /** A tunnel in which nothing moves. Default `1h`. */
  readonly tunnel?: Duration
}

/** {@link ExchangeTimeouts} in milliseconds. */
export interface TimeoutSettings {
  readonly head: number
  readonly keepAlive: number
  readonly body: number
  readonly bodyRate: number
  readonly queue: number
  readonly connect: number
  readonly firstByte: number
  readonly idle: number
  readonly total: number
  readonly tunnel: number
}

const defaults: Required<ExchangeTimeouts> = {
  head: '10s',
  keepAlive: '75s',
  body: '20s',
  bodyRate: 256,
  queue: '10s',
  connect: '5s',
  firstByte: '60s',
  idle: '60s',
  total: 0,
  tunnel: '1h',
}

/**
 * Reads {@link ExchangeTimeouts}; what is not named is as in `base`.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function timeoutSettings(
  options: ExchangeTimeouts = {},
  path = 'timeouts',
  base?: TimeoutSettings,
): TimeoutSettings {
  const given = objectOption(options, path)
  const read = (name: Exclude<keyof ExchangeTimeouts, 'bodyRate'>): number => {
    const value = given[name]
    if (value === undefined) return base?.[name] ?? parseDuration(defaults[name])
    return parseDuration(value, `${path}.${name}`)
  }
  return Object.freeze({
    head: read('head'),
    keepAlive: read('keepAlive'),
    body: read('body'),
    bodyRate: rateOption(given.bodyRate ?? base?.bodyRate ?? defaults.bodyRate, `${path}.bodyRate`),
    queue: read('queue'),
    connect: read('connect'),
    firstByte: read('firstByte'),
    idle: read('idle'),
    total: read('total'),
    tunnel: read('tunnel'),
  })
}

function rateOption(value: number, path: string): number {
  if (typeof value === 'number' && value >= 0 && value < Infinity) return value
  throw invalidOption(path, `${shown(value)} is no rate: use bytes a second, 0 for any`)
}
