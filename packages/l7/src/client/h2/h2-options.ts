import {
  type Duration,
  invalidOption,
  objectOption,
  parseDuration,
  parseSize,
  type Size,
  shown,
} from '@steelyard/core'

/** How HTTP/2 is spoken with clients. Everything has a limit. */
export interface H2Options {
  /** Streams that a client may have open at once. Default 128. */
  readonly maxConcurrentStreams?: number
  /** Streams in the life of a connection; it is then retired by GOAWAY. Default 10000; 0 for any number. */
  readonly maxStreams?: number
  /** Header fields of a request, each cookie crumb counted. Default 100. */
  readonly maxHeaderListPairs?: number
  /** Names and values of a request's header, 32 bytes added for each. Default 16 KiB. */
  readonly maxHeaderListSize?: Size
  /** Memory of a connection beyond its streams' bodies, in whole MB. Default 10 MB. */
  readonly maxSessionMemory?: Size
  /** What a client may send on one stream before we ask for more: the memory of a paused upload. Default 64 KiB. */
  readonly streamWindow?: Size
  /** The same on the whole connection. Default 1 MiB. */
  readonly connectionWindow?: Size
  /** Largest frame. Default 16 KiB, which is also the least. */
  readonly maxFrameSize?: Size
  /** Entries of one SETTINGS frame. Default 32. */
  readonly maxSettings?: number
  /** Frames that break the protocol in the life of a connection before it is ended. Default 200. */
  readonly maxInvalidFrames?: number
  /** Until a new connection has sent its SETTINGS. Default `10s`. */
  readonly settingsTimeout?: Duration
  /** A connection without streams. Default `75s`; 0 for ever. */
  readonly idleTimeout?: Duration
  /** A response of which the client takes nothing, for want of window or because it does not read. Default `30s`. */
  readonly stallTimeout?: Duration
  /** How long a connection that was ended may take to go. Default `2s`. */
  readonly lingerTimeout?: Duration
  /** The abuse score at which a connection is ended; at three quarters of it, it is retired. Default 100; 0 for never. */
  readonly abuseLimit?: number
  /** In which a full score fades. Default `60s`. */
  readonly abuseWindow?: Duration
}

/** {@link H2Options}, checked: bytes and milliseconds. */
export type H2Settings = { readonly [Name in keyof H2Options]-?: number }

/**
 * Checks {@link H2Options}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function h2Settings(options: H2Options = {}, path = 'h2'): H2Settings {
  objectOption(options, path)
  const count = (name: keyof H2Options, preset: number, least: number, most: number): number => {
    const value = options[name] ?? preset
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) {
      return value
    }
    throw invalidOption(
      `${path}.${name}`,
      `${shown(value)}: use a whole number from ${least} to ${most}`,
    )
  }
  const size = (name: keyof H2Options, preset: number, least: number, most: number): number => {
    const bytes = parseSize(options[name] ?? preset, `${path}.${name}`)
    if (bytes >= least && bytes <= most) return bytes
    throw invalidOption(`${path}.${name}`, `${bytes} bytes: use ${least} to ${most}`)
  }
  const time = (name: keyof H2Options, preset: string, least: number): number => {
    const ms = parseDuration(options[name] ?? preset, `${path}.${name}`)
    if (ms >= least) return ms
    throw invalidOption(`${path}.${name}`, `${ms}ms: use ${least}ms or more`)
  }
  return Object.freeze({
    maxConcurrentStreams: count('maxConcurrentStreams', 128, 1, 10_000),
    maxStreams: count('maxStreams', 10_000, 0, 1_000_000_000),
    maxHeaderListPairs: count('maxHeaderListPairs', 100, 1, 10_000),
    maxHeaderListSize: size('maxHeaderListSize', 16_384, 1024, 1_048_576),
    maxSessionMemory: size('maxSessionMemory', 10_000_000, 1_000_000, 1_000_000_000),
    streamWindow: size('streamWindow', 65_536, 1024, 16_777_216),
    connectionWindow: size('connectionWindow', 1_048_576, 65_535, 1_073_741_824),
    maxFrameSize: size('maxFrameSize', 16_384, 16_384, 16_777_215),
    maxSettings: count('maxSettings', 32, 1, 1000),
    maxInvalidFrames: count('maxInvalidFrames', 200, 1, 100_000),
    settingsTimeout: time('settingsTimeout', '10s', 1),
    idleTimeout: time('idleTimeout', '75s', 0),
    stallTimeout: time('stallTimeout', '30s', 1),
    lingerTimeout: time('lingerTimeout', '2s', 1),
    abuseLimit: count('abuseLimit', 100, 0, 1_000_000),
    abuseWindow: time('abuseWindow', '60s', 1000),
  })
}
