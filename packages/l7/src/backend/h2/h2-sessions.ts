import type { Socket } from 'node:net'
import {
  type Backend,
  type Clock,
  invalidOption,
  type Logger,
  type TimerWheel,
  type Transport,
} from '@steelyard/core'
import { ExchangeError } from '../../exchange/exchange-error.ts'
import type { LegSearch, LegSeeker } from '../backend-leg.ts'
import { type ConnectionStats, connectionCounters } from '../connection-stats.ts'
import type { LegDemand } from '../connections.ts'
import { dialler } from '../dial.ts'
import type { SessionPool } from '../session-pool.ts'
import type { UpstreamOptions } from '../upstream-options.ts'
import { upstreamSettings } from '../upstream-settings.ts'
import { type MemberHost, MemberSessions } from './member-sessions.ts'

/** What {@link h2Sessions} works with. */
export interface H2SessionsHost {
  readonly transport: Transport
  readonly wheel: TimerWheel
  readonly clock: Clock
  readonly log: Logger
  /** 0 up to 1: for the jitter of idle times and lifetimes. */
  readonly random: () => number
}

/** For the SETTINGS of a connection that somebody else has made. */
const adoptedSettingsMs = 10_000

/**
 * Makes the HTTP/2 connections to the members of pools: shared by many requests, up to `maxStreams` and what the
 * member allows on each, up to `maxSessions` to each member; beyond that requests wait, for no longer than a connect
 * may take. Without TLS HTTP/2 is spoken by prior knowledge.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function h2Sessions(
  options: UpstreamOptions,
  host: H2SessionsHost,
  path = 'upstream',
): SessionPool {
  const settings = upstreamSettings(options, path)
  if (settings.sendProxy !== undefined) {
    throw invalidOption(
      `${path}.sendProxy`,
      'a connection that many clients share has no one address to tell: use protocol http/1.1',
    )
  }
  const members = new Map<string, MemberSessions>()
  /** Also those that only finish what they have. */
  const all = new Set<MemberSessions>()
  const counters = connectionCounters()
  const { transport, wheel, clock, log, random } = host
  const memberHost: MemberHost = {
    settings,
    wheel,
    clock,
    log,
    random,
    counters,
    dialler: dialler(settings, { transport, wheel, clock }, path, ['h2']),
    release: (stream) => transport.release(stream),
    memberGone(member) {
      all.delete(member)
      if (members.get(member.backend.id) === member) members.delete(member.backend.id)
    },
  }
  let closed = false
  const memberOf = (backend: Backend): MemberSessions => {
    const known = members.get(backend.id)
    if (known !== undefined) {
      if (known.backend.address === backend.address) return known
      known.close('forgotten')
    }
    const member = new MemberSessions(memberHost, backend)
    members.set(backend.id, member)
    all.add(member)
    return member
  }
  const total = (part: 'open' | 'idle'): number => {
    let sum = 0
    for (const member of all) sum += member[part]
    return sum
  }
  return {
    seek(backend: Backend, seeker: LegSeeker, demand: LegDemand): LegSearch | undefined {
      if (!closed) return memberOf(backend).seek(seeker, demand)
      seeker.unconnected(
        new ExchangeError('connections to backends are being closed', {
          code: 'shutdown',
          source: 'system',
          phase: 'connect',
        }),
      )
      return undefined
    },
    serves(backend) {
      const member = members.get(backend.id)
      return member !== undefined && member.backend.address === backend.address && member.serves
    },
    adopt(backend: Backend, socket: Socket) {
      if (!closed) return memberOf(backend).adopt(socket, adoptedSettingsMs)
      socket.on('error', () => {})
      socket.destroy()
    },
    idle(backendId) {
      if (backendId === undefined) return total('idle')
      return members.get(backendId)?.idle ?? 0
    },
    get open() {
      return total('open')
    },
    forget(backendId) {
      const member = members.get(backendId)
      if (member === undefined) return
      members.delete(backendId)
      member.close('forgotten')
    },
    stats(): ConnectionStats {
      return {
        opened: counters.opened,
        reused: counters.reused,
        connectFailures: counters.connectFailures,
        closed: { ...counters.closed },
        connecting: counters.connecting,
        open: total('open'),
        idle: total('idle'),
      }
    },
    close() {
      closed = true
      members.clear()
      for (const member of all) member.close('shutdown')
    },
  }
}
