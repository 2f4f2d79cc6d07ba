import { conditionOf, type Member, takesTraffic } from './pool-member.ts'

/** How a pool stands: who may be picked, and what counts for the quorum. */
export interface Standing {
  /** The members in the rotation: the ordinary ones that are usable, or the backups when there are none. */
  readonly tier: readonly Member[]
  /** Those of the tier that a check, or the want of one, calls up. */
  readonly up: number
  /** Ordinary members that the operator wants in service: what a percentage is taken of. */
  readonly enabled: number
}

/** Judges a pool's members. Members that no check has judged yet take traffic, but do not count as up. */
export function standingOf(members: readonly Member[], whenEmpty: 'reject' | 'all'): Standing {
  const usable = members.filter(takesTraffic)
  const ordinary = usable.filter(({ backend: { backup } }) => !backup)
  const tier = ordinary.length > 0 ? ordinary : usable
  const wanted = members.filter(
    ({ backend: { state, weight } }) => state === 'enabled' && weight > 0,
  )
  return {
    tier: tier.length === 0 && whenEmpty === 'all' ? wanted : tier,
    up: tier.filter((member) => conditionOf(member) === 'up').length,
    enabled: wanted.filter(({ backend: { backup } }) => !backup).length,
  }
}
