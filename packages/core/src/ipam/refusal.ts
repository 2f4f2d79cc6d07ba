import { SteelyardError } from '../errors.ts'
import { shown } from '../shown.ts'
import type { Assignment } from './assignment.ts'
import { formatNames } from './name-list.ts'

/** Why a pool gave no address. */
export type AddressPoolRejectionReason =
  /** The request names a pool that does not exist. */
  | 'not-defined'
  /** The request names another pool. */
  | 'not-asked'
  | 'wrong-family'
  /** The requested address is not in its ranges. */
  | 'not-its-address'
  /** The requested address is in its ranges, but excluded. */
  | 'excluded'
  | 'disabled'
  /** It gives addresses only to those who name it, or one of them. */
  | 'not-automatic'
  | 'exhausted'
  /** The requested address is in use by somebody who does not share it, or not with this one. */
  | 'address-taken'
  /** The requested address is shared, but a port of it is in use. */
  | 'port-taken'

/** One pool's answer to a request that was refused. */
export interface AddressPoolRejection {
  readonly pool: string
  readonly reason: AddressPoolRejectionReason
  /** Ends the sentence `pool "x" `. */
  readonly detail: string
  /** Who stands in the way; empty unless the reason is that somebody does. */
  readonly owners: readonly string[]
}

/** No pool can give what was asked for; the message and {@link AddressUnavailableError.rejections} say why of each. */
export class AddressUnavailableError extends SteelyardError<'address-unavailable'> {
  readonly owner: string
  /** One for each pool, in the order they were asked. */
  readonly rejections: readonly AddressPoolRejection[]

  constructor(owner: string, rejections: readonly AddressPoolRejection[]) {
    super(`no address for ${shown(owner)}: ${sentence(rejections)}`, {
      code: 'address-unavailable',
      source: 'config',
    })
    this.owner = owner
    this.rejections = rejections
  }
}

/** Two pools hold the same addresses. */
export class AddressPoolOverlapError extends SteelyardError<'address-pool-overlap'> {
  readonly pools: readonly [string, string]
  /** What both hold, as `a` or `a-b`. */
  readonly addresses: readonly string[]

  constructor(pools: readonly [string, string], addresses: readonly string[], path: string) {
    super(
      `pools ${shown(pools[0])} and ${shown(pools[1])} both hold ${formatNames(addresses)}: an address belongs to one pool`,
      { code: 'address-pool-overlap', source: 'config', path },
    )
    this.pools = pools
    this.addresses = addresses
  }
}

/** A change of the pools would cut off addresses in use. */
export class AddressPoolInUseError extends SteelyardError<'address-pool-in-use'> {
  /** What would be lost. */
  readonly assignments: readonly Assignment[]

  constructor(assignments: readonly Assignment[], path: string) {
    const who = assignments.map(
      ({ owner, address, pool }) => `${address} of ${shown(pool)} by ${owner}`,
    )
    super(`addresses in use would be lost: ${formatNames(who)}; release them first, or force it`, {
      code: 'address-pool-in-use',
      source: 'config',
      path,
    })
    this.assignments = assignments
  }
}

function sentence(rejections: readonly AddressPoolRejection[]): string {
  if (rejections.length === 0) return 'no address pool is defined'
  // Whoever named a pool wants to hear of that one.
  const asked = rejections.filter(({ reason }) => reason !== 'not-asked')
  const told = asked.length > 0 ? asked : rejections
  const first = told.slice(0, 10).map(({ pool, detail }) => `pool ${shown(pool)} ${detail}`)
  const more = told.length - first.length
  return `${first.join('; ')}${more > 0 ? `; and ${more} more pools` : ''}`
}
