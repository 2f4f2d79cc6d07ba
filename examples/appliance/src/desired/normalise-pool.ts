import type { DesiredHeader, DesiredHealth, DesiredMember, DesiredPool } from './desired.ts'
import type { Draft } from './draft.ts'
import { algorithmSchema } from './schema/algorithm.ts'
import { memberSchema } from './schema/member.ts'
import { poolSchema } from './schema/pool.ts'
import type { MeantDocument } from './schema.ts'
import { meaningOf } from './validate.ts'

type WrittenPool = MeantDocument['pools'][number]
type Algorithm = DesiredPool['algorithm']

/** A pool as the runtime wants it; `members` are those that are not left out. */
export function normalisePool(
  pool: WrittenPool,
  members: readonly WrittenPool['members'][number][],
): DesiredPool {
  const { algorithm, members: _, health, proxyProtocol, ...rest } = pool
  return {
    ...rest,
    algorithm: algorithmOf(algorithm) as Algorithm,
    members: Object.fromEntries(members.map(memberOf).map((member) => [member.id, member])),
    ...(health === undefined ? {} : { health: healthOf(health) }),
    ...(proxyProtocol === undefined ? {} : { proxyProtocol: headerOf(proxyProtocol) }),
  }
}

/** An algorithm with its options, if it was written as a name only. */
export function algorithmOf(algorithm: Draft<WrittenPool['algorithm']>): Draft<Algorithm> {
  if (typeof algorithm !== 'string') return algorithm
  return meaningOf(algorithmSchema, { type: algorithm }) as Algorithm
}

/** How long a check may take. */
export function timeoutOf(health: {
  readonly timeout?: number | undefined
  readonly interval?: number | undefined
}): number {
  return health.timeout ?? Math.min(2000, health.interval ?? 5000)
}

function memberOf(member: WrittenPool['members'][number]): DesiredMember {
  const whole = typeof member === 'string' ? meaningOf(memberSchema, { address: member }) : member
  const { id, ...rest } = whole as Exclude<typeof member, string>
  return { id: id ?? rest.address, ...rest }
}

function healthOf(health: NonNullable<WrittenPool['health']>): DesiredHealth {
  return { ...health, timeout: timeoutOf(health) }
}

function headerOf(header: NonNullable<WrittenPool['proxyProtocol']>): DesiredHeader {
  if (typeof header !== 'string') return header
  return meaningOf(poolSchema.properties.proxyProtocol, { version: header }) as Exclude<
    typeof header,
    string
  >
}
