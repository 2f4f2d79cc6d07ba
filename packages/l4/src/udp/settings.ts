import {
  type Clock,
  type Duration,
  flagOption,
  functionOption,
  invalidOption,
  type Logger,
  type Metrics,
  objectOption,
  type Pool,
  parseDuration,
  parseSize,
  type Size,
  shown,
  type TimerWheel,
  type Transport,
} from '@steelyard/core'
import type { Acl } from '../acl.ts'
import { listenTarget, listenText } from '../listen.ts'
import { poolOption } from '../pool-option.ts'
import { type SourceAddresses, sourceAddresses } from '../tcp/source-addresses.ts'
import type { FateRules } from './session-rules.ts'
import type { UdpSessionRecord } from './udp-session-record.ts'
import type { WaitingLimits } from './waiting-room.ts'

/**
 * Where a UDP balancer listens: `host:port`, `[v6]:port`, `:port` for every address, or the details. On
 * a host with several addresses bind the one that clients use: from a wildcard the system chooses the
 * replies' source address, and it may choose another than the client spoke to.
 */
export type UdpListen = string | UdpListenTarget

/** The details of a {@link UdpListen}: an address, or an inherited descriptor of a bound socket. */
export interface UdpListenTarget {
  readonly host?: string
  readonly port?: number
  readonly fd?: number
  /** SO_REUSEPORT, so that several processes or workers share the port. Default `false`. */
  readonly reusePort?: boolean
  /** Only IPv6 on `::`. Default `false`. */
  readonly ipv6Only?: boolean
  /** Asked of the kernel, which caps it at `net.core.rmem_max`: bursts wait here. Default `4MiB`. */
  readonly receiveBuffer?: Size
  /** Asked of the kernel, which caps it at `net.core.wmem_max`. Default: the system's. */
  readonly sendBuffer?: Size
}

/** What waits while backend sockets open; what is beyond is dropped. */
export interface UdpBuffers {
  /** Datagrams a session. Default 16. */
  readonly datagrams?: number
  /** Bytes a session. Default `64KiB`. */
  readonly bytes?: Size
  /** Bytes of all sessions together. Default `16MiB`. */
  readonly total?: Size
}

/** What may be changed while a UDP balancer runs; see {@link UdpBalancer.reconfigure}. */
export interface UdpReconfiguration {
  /** Who gets the datagrams. */
  readonly pool?: Pool
  /** Asked with the client's address before anything else. Default: everybody may come. */
  readonly acl?: Acl
  /**
   * What keeps clients on their member. `client`: an address and port. `source`: an address; all its
   * ports go to one member, each over a socket of its own, so that replies find the right port. Default
   * `client`.
   */
  readonly sessionKey?: 'client' | 'source'
  /** A session ends when nothing came either way for so long. Default `60s`. */
  readonly idleTimeout?: Duration
  /**
   * Replies to one datagram of the client: the session ends when all have come for all its datagrams.
   * 0 is fire and forget: replies are dropped. Default `unlimited`.
   */
  readonly expectedReplies?: number | 'unlimited'
  /**
   * Picks a member for each datagram anew; replies still find their client. A client then has one session
   * for each member that it was sent to, and persistence does not count. Default `false`.
   */
  readonly perPacket?: boolean
  /**
   * Sessions at one time; datagrams of new clients are dropped beyond. Each needs a descriptor and a port
   * of its source address, of which a system has about 28,000: more need several `sourceAddresses`.
   * Default 65536.
   */
  readonly maxSessions?: number
  readonly buffers?: UdpBuffers
  /**
   * Live sessions of a member that went down, was ejected or disabled. `move`: over at once; the client's
   * next datagram goes to another member. `keep`: they stay as long as they are not idle. Default `move`.
   */
  readonly whenDown?: 'move' | 'keep'
  /**
   * Live sessions of a member that drains or left the pool. `keep`: they stay as long as they are not
   * idle. `move`: over at once if another member takes traffic. Default `keep`.
   */
  readonly whenDraining?: 'keep' | 'move'
  /** Source addresses for datagrams to backends, used in turn. Default: the system chooses. */
  readonly sourceAddresses?: readonly string[] | undefined
}

/** How a UDP balancer is made. */
export interface UdpBalancerOptions extends UdpReconfiguration {
  readonly listen: UdpListen
  readonly pool: Pool
  /** For logs, metrics and records. Default: the listening address. */
  readonly name?: string
  /** What moves the datagrams. Default `nodeTransport()`. */
  readonly transport?: Transport
  /** How long `stop` serves the sessions there are. Default `10s`. */
  readonly drain?: Duration
  /** Called with the summary record of each finished session. */
  readonly onSession?: (record: UdpSessionRecord) => void
  readonly clock?: Clock
  readonly wheel?: TimerWheel
  readonly log?: Logger
  readonly metrics?: Metrics
}

/** The options in force, complete and ready for the data path. */
export interface UdpSettings extends FateRules, WaitingLimits {
  readonly pool: Pool
  readonly acl: Acl | undefined
  readonly bySource: boolean
  readonly idleMs: number
  /** Infinite for `unlimited`. */
  readonly expectedReplies: number
  readonly perPacket: boolean
  readonly maxSessions: number
  readonly sourceAddresses: SourceAddresses | undefined
}

/** Where to bind, ready for the transport, and its text for people. */
export interface UdpBinding {
  readonly text: string
  readonly target: {
    readonly host?: string
    readonly port?: number
    readonly fd?: number
    readonly reusePort?: boolean
    readonly ipv6Only?: boolean
    readonly receiveBuffer: number
    readonly sendBuffer?: number
  }
}

/**
 * Completes the options.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function udpSettings(options: UdpReconfiguration & { readonly pool: Pool }): UdpSettings {
  const { expectedReplies = 'unlimited' } = objectOption(options, 'udpBalancer')
  const buffers = objectOption(options.buffers ?? {}, 'buffers')
  const perPacket = flagOption(options.perPacket ?? false, 'perPacket')
  const sessionKey = oneOf('sessionKey', options.sessionKey ?? 'client', ['client', 'source'])
  if (perPacket && sessionKey === 'source') {
    throw invalidOption(
      'sessionKey',
      '"source" keeps a client on one member and "perPacket" picks each datagram anew: use one of them',
    )
  }
  const idleMs = parseDuration(options.idleTimeout ?? '60s', 'idleTimeout')
  if (idleMs === 0) {
    throw invalidOption('idleTimeout', 'a UDP session has no other end: use more than 0')
  }
  return Object.freeze({
    pool: poolOption(options.pool, 'pool'),
    acl: options.acl === undefined ? undefined : functionOption(options.acl, 'acl'),
    bySource: sessionKey === 'source',
    idleMs,
    expectedReplies:
      expectedReplies === 'unlimited'
        ? Number.POSITIVE_INFINITY
        : whole('expectedReplies', expectedReplies, 0),
    perPacket,
    maxSessions: whole('maxSessions', options.maxSessions ?? 65_536, 1),
    bufferDatagrams: whole('buffers.datagrams', buffers.datagrams ?? 16, 1),
    bufferBytes: parseSize(buffers.bytes ?? '64KiB', 'buffers.bytes'),
    bufferTotal: parseSize(buffers.total ?? '16MiB', 'buffers.total'),
    whenDown: oneOf('whenDown', options.whenDown ?? 'move', ['move', 'keep']),
    whenDraining: oneOf('whenDraining', options.whenDraining ?? 'keep', ['move', 'keep']),
    sourceAddresses:
      options.sourceAddresses === undefined ? undefined : sourceAddresses(options.sourceAddresses),
  })
}

/**
 * Reads a {@link UdpListen}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function udpBinding(listen: UdpListen): UdpBinding {
  const details: UdpListenTarget = typeof listen === 'string' ? {} : objectOption(listen, 'listen')
  const { receiveBuffer = '4MiB', sendBuffer, ...where } = details
  const target = listenTarget(typeof listen === 'string' ? listen : where)
  if (target.path !== undefined) {
    throw invalidOption('listen', 'UDP needs an address and a port, not a socket path')
  }
  const { host, port, fd, reusePort, ipv6Only } = target
  return Object.freeze({
    text: listenText(target),
    target: Object.freeze({
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
      ...(fd === undefined ? {} : { fd }),
      ...(reusePort === undefined ? {} : { reusePort }),
      ...(ipv6Only === undefined ? {} : { ipv6Only }),
      receiveBuffer: parseSize(receiveBuffer, 'listen.receiveBuffer'),
      ...(sendBuffer === undefined
        ? {}
        : { sendBuffer: parseSize(sendBuffer, 'listen.sendBuffer') }),
    }),
  })
}

function whole(path: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least && value <= 0x7fffffff) return value
  throw invalidOption(path, `${shown(value)} is not a count: use a whole number from ${least}`)
}

function oneOf<Word extends string>(path: string, value: Word, words: readonly Word[]): Word {
  if (words.includes(value)) return value
  throw invalidOption(path, `${shown(value)} is none of ${words.join(', ')}`)
}
