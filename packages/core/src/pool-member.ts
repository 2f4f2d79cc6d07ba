import type { Backend } from './backend.ts'
import { slowStartFactor } from './slow-start.ts'
import type { Verdict } from './verdict.ts'

/** What a pool remembers of one member. */
export interface Member {
  backend: Backend
  readonly slot: number
  verdict: Verdict
  /** Why passive outlier detection took it out; absent while it did not. */
  ejection: string | undefined
  /** Monotonic time of its last recovery, for the slow start; absent when it never failed. */
  recoveredAt: number | undefined
}

/** Why a member takes no new traffic, or that it does. */
export type MemberCondition = 'up' | 'unknown' | 'down' | 'ejected' | 'draining' | 'disabled'

/** A member's place in the world, worst reason first. */
export function conditionOf(member: Member): MemberCondition {
  if (member.backend.state === 'disabled') return 'disabled'
  if (member.verdict.state === 'down') return 'down'
  if (member.ejection !== undefined) return 'ejected'
  if (member.backend.state === 'draining' || member.backend.weight === 0) return 'draining'
  return member.verdict.state
}

/** May it get new connections, if its tier is asked? A member that no check has judged yet may. */
export function takesTraffic(member: Member): boolean {
  const condition = conditionOf(member)
  return condition === 'up' || condition === 'unknown'
}

/** Has the operator taken it out of service, so that it only ends what it has? */
export function isWithdrawn({ state, weight }: Backend): boolean {
  return state !== 'enabled' || weight === 0
}

/** The weight in force. */
export function weightOf(member: Member, now: number, slowStartMs: number): number {
  return member.backend.weight * warmth(member, now, slowStartMs)
}

/** The connection limit in force; 0 for none. */
export function limitOf(member: Member, now: number, slowStartMs: number): number {
  const { maxConnections } = member.backend
  if (maxConnections === 0) return 0
  return Math.max(1, Math.floor(maxConnections * warmth(member, now, slowStartMs)))
}

/** Is it in its slow start? */
export function isWarming(member: Member, now: number, slowStartMs: number): boolean {
  return warmth(member, now, slowStartMs) < 1
}

function warmth(member: Member, now: number, slowStartMs: number): number {
  return member.recoveredAt === undefined
    ? 1
    : slowStartFactor(now - member.recoveredAt, slowStartMs)
}
