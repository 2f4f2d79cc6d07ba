import { addressAt } from './address-number.ts'
import type { AddressPool } from './address-pool.ts'
import type { AddressRequest, PortClaim } from './assignment.ts'
import { formatSpan } from './range.ts'
import { count } from './span.ts'

/** Somebody who has an address. */
export interface AddressOwner {
  readonly owner: string
  /** Absent for every port. */
  readonly ports?: readonly PortClaim[]
  readonly shared: boolean | string
}

/** A pool and its use. */
export interface AddressPoolStatus {
  readonly name: string
  readonly family: 4 | 6
  /** What it gives out, as `a` or `a-b`: without what is excluded. */
  readonly ranges: readonly string[]
  readonly first: string
  readonly last: string
  readonly disabled: boolean
  readonly default: boolean
  readonly priority: number
  readonly automatic: boolean
  /** Addresses that it gives out; `used + free`. A bigint: an IPv6 block has more than a number can count. */
  readonly size: bigint
  /** Addresses in use; one that several owners share counts once. */
  readonly used: bigint
  readonly free: bigint
  /** No address is free; a shared one may still take owners. */
  readonly exhausted: boolean
  /** The addresses in use, in rising order, with their owners by name. */
  readonly assignments: Readonly<Record<string, readonly AddressOwner[]>>
}

/** The status of one pool; `request` gives what an owner asked for. */
export function poolStatus(
  { definition, free, seats }: AddressPool,
  request: (owner: string) => AddressRequest,
): AddressPoolStatus {
  const { family, spans } = definition
  const inOrder = [...seats.values()].sort((a, b) => (a.number < b.number ? -1 : 1))
  return {
    name: definition.name,
    family,
    ranges: spans.map((span) => formatSpan(family, span)),
    first: addressAt(family, spans[0]!.first).text,
    last: addressAt(family, spans.at(-1)!.last).text,
    disabled: definition.disabled,
    default: definition.default,
    priority: definition.priority,
    automatic: definition.automatic,
    size: count(spans),
    used: BigInt(seats.size),
    free: free.size,
    exhausted: free.size === 0n,
    assignments: Object.fromEntries(
      inOrder.map(({ number, occupants }) => [
        addressAt(family, number).text,
        [...occupants.keys()].sort().map((owner) => {
          const { ports, shared = false } = request(owner)
          return { owner, ...(ports !== undefined && { ports }), shared }
        }),
      ]),
    ),
  }
}
