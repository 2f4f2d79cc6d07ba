import type { MemberCondition, TransportErrorCode } from '@steelyard/core'

/** What the operator wants of the live sessions of a member in trouble. */
export interface FateRules {
  readonly whenDown: 'move' | 'keep'
  readonly whenDraining: 'move' | 'keep'
}

/** A member as seen by the rules: `removed` when it left the pool, or the pool was replaced. */
export type MemberStanding = MemberCondition | 'removed'

/** Why a member's live sessions must leave it; `undefined` while they may stay. */
export type Fate = 'member-down' | 'member-draining' | undefined

/**
 * What becomes of the live sessions of one member.
 *
 * @param chosen - it is in the roster: whatever its verdict, it is asked to take traffic.
 * @param others - somebody else would take the sessions. A draining member is well, so they leave it only
 *   for another; a member that is down loses them in any case.
 */
export function fateOf(
  standing: MemberStanding,
  chosen: boolean,
  others: boolean,
  rules: FateRules,
): Fate {
  if (chosen) return undefined
  switch (standing) {
    case 'down':
    case 'ejected':
    case 'disabled':
      return rules.whenDown === 'move' ? 'member-down' : undefined
    case 'draining':
    case 'removed':
      return rules.whenDraining === 'move' && others ? 'member-draining' : undefined
    // Well, but of the tier that is not in force: backups finish what they began.
    case 'up':
    case 'unknown':
      return undefined
    default:
      return standing satisfies never
  }
}

/** Have all replies come? `perDatagram` is infinite for no limit; with 0 no reply is waited for at all. */
export function repliesComplete(perDatagram: number, datagrams: number, replies: number): boolean {
  return perDatagram > 0 && datagrams > 0 && replies >= perDatagram * datagrams
}

/** Milliseconds until a session is idle; 0 or less when it is. */
export function idleLeftMs(now: number, lastActivity: number, idleMs: number): number {
  return idleMs - (now - lastActivity)
}

/** The longest payload of one datagram: 65,535 less the UDP header, and with IPv4 (RFC 791) less its own. */
export function payloadLimit(family: 4 | 6): number {
  return family === 4 ? 65_507 : 65_527
}

/** The family in which datagrams to an address travel: that of a v4-mapped IPv6 address is 4. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') && !(address.startsWith('::ffff:') && address.includes('.')) ? 6 : 4
}

/** Does this failure speak against the backend, rather than against us or one datagram? */
export function blamesBackend(code: TransportErrorCode): boolean {
  switch (code) {
    case 'connection-refused':
    case 'connection-reset':
    case 'host-unreachable':
    case 'network-unreachable':
    case 'name-not-found':
    case 'timed-out':
    // A firewall before it: ICMPv6 administratively prohibited, or a rule of our own for this destination.
    case 'permission-denied':
      return true
    default:
      return false
  }
}
