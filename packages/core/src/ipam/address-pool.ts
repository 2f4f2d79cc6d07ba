import { invalidOption } from '../errors.ts'
import { flagOption, listOption, objectOption } from '../option-shape.ts'
import { shown } from '../shown.ts'
import { type FreeList, freeList } from './free-list.ts'
import { parseRange } from './range.ts'
import type { Claim, Seat } from './sharing.ts'
import { type SpanList, subtract, union } from './span.ts'

/** An address pool as written. */
export interface AddressPoolOptions {
  /** Unique among the pools. */
  readonly name: string
  /**
   * What it gives out: single addresses, blocks and `first-last` ranges of one address family. Every address of a
   * block is used, its first and last too; see {@link AddressPoolOptions.skipNetworkAndBroadcast}. Ranges of one pool
   * may overlap.
   */
  readonly addresses: readonly string[]
  /** What of it is never given out, in the same forms. Default: nothing. */
  readonly exclude?: readonly string[]
  /**
   * Leaves out the network and broadcast address of each IPv4 block up to /30, and the first address of each IPv6
   * block up to /126. Ranges and single addresses mean what they say. Default `false`: routed addresses need neither.
   */
  readonly skipNetworkAndBroadcast?: boolean
  /** Gives nothing new out; what it gave stays. Default `false`. */
  readonly disabled?: boolean
  /** Is asked before all others by those who name neither pool nor address. One pool at most. Default `false`. */
  readonly default?: boolean
  /** Pools with a smaller number are asked earlier; equal ones in the order of definition. Default 100. */
  readonly priority?: number
  /** Serves those who name neither pool nor address. Default `true`. */
  readonly automatic?: boolean
}

/** A pool as read. */
export interface PoolDefinition {
  readonly name: string
  readonly family: 4 | 6
  /** What it gives out. */
  readonly spans: SpanList
  /** What it holds but never gives out. */
  readonly excluded: SpanList
  readonly disabled: boolean
  readonly default: boolean
  readonly priority: number
  readonly automatic: boolean
}

/** A pool at work: which of its addresses are in use, and by whom. */
export interface AddressPool {
  readonly definition: PoolDefinition
  readonly free: FreeList
  /** The addresses in use, by number. */
  readonly seats: ReadonlyMap<bigint, Seat>
  /** Those of {@link AddressPool.seats} that are shared under this key, or under `true`. */
  sharedUnder(key: string | true): Iterable<Seat>
  /** Gives an owner a place at an address of this pool, or another claim at its place. */
  put(number: bigint, owner: string, claim: Claim): void
  leave(number: bigint, owner: string): void
}

/**
 * Checks and reads a pool.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function definePool(options: AddressPoolOptions, path: string): PoolDefinition {
  const { name, addresses, exclude = [], priority = 100 } = objectOption(options, path)
  if (typeof name !== 'string' || name === '') {
    throw invalidOption(`${path}.name`, 'must be a text that is not empty')
  }
  if (listOption(addresses, `${path}.addresses`).length === 0) {
    throw invalidOption(`${path}.addresses`, 'must list at least one range of addresses')
  }
  listOption(exclude, `${path}.exclude`)
  if (!Number.isInteger(priority)) {
    throw invalidOption(`${path}.priority`, `${shown(priority)} is not a whole number`)
  }
  const flag = (name: 'skipNetworkAndBroadcast' | 'disabled' | 'default' | 'automatic'): boolean =>
    flagOption(options[name] ?? name === 'automatic', `${path}.${name}`)
  const skipNetworkAndBroadcast = flag('skipNetworkAndBroadcast')
  const ranges = addresses.map((text: string, index) =>
    parseRange(text, `${path}.addresses[${index}]`, skipNetworkAndBroadcast),
  )
  const { family } = ranges[0]!
  const stranger = ranges.findIndex((range) => range.family !== family)
  if (stranger >= 0) {
    throw invalidOption(
      `${path}.addresses[${stranger}]`,
      `${shown(addresses[stranger])} is IPv${10 - family}, the pool began with IPv${family}: make two pools`,
    )
  }
  const unwanted = exclude.map((text: string, index) =>
    parseRange(text, `${path}.exclude[${index}]`),
  )
  const written = union(ranges)
  const spans = subtract(written, union(unwanted.filter((range) => range.family === family)))
  if (spans.length === 0) {
    throw invalidOption(`${path}.exclude`, 'leaves no address in the pool')
  }
  return Object.freeze({
    name,
    family,
    spans,
    excluded: subtract(written, spans),
    disabled: flag('disabled'),
    default: flag('default'),
    priority,
    automatic: flag('automatic'),
  })
}

/** Makes an {@link AddressPool} with nothing in use. */
export function addressPool(definition: PoolDefinition): AddressPool {
  const free = freeList(definition.spans)
  const seats = new Map<bigint, Seat>()
  /** Whoever sits together has one key, so a seat stands here once at most. */
  const byKey = new Map<string | true, Set<Seat>>()

  function forgetKey(seat: Seat, { shared }: Claim): void {
    if (shared === false) return
    const under = byKey.get(shared)
    under?.delete(seat)
    if (under?.size === 0) byKey.delete(shared)
  }

  return {
    definition,
    free,
    seats,
    sharedUnder: (key) => byKey.get(key) ?? [],
    put(number, owner, claim) {
      let seat = seats.get(number)
      if (seat === undefined) {
        free.take(number)
        seat = { number, occupants: new Map() }
        seats.set(number, seat)
      }
      const before = seat.occupants.get(owner)
      if (before !== undefined) forgetKey(seat, before)
      seat.occupants.set(owner, claim)
      if (claim.shared === false) return
      const under = byKey.get(claim.shared)
      if (under === undefined) byKey.set(claim.shared, new Set([seat]))
      else under.add(seat)
    },
    leave(number, owner) {
      const seat = seats.get(number)
      const claim = seat?.occupants.get(owner)
      if (seat === undefined || claim === undefined) return
      seat.occupants.delete(owner)
      if (seat.occupants.size > 0) return
      forgetKey(seat, claim)
      seats.delete(number)
      free.give(number)
    },
  }
}
