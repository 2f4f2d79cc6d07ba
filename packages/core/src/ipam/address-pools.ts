import { invalidOption, isSteelyardError, SteelyardError } from '../errors.ts'
import { parseAddress } from '../ip/address.ts'
import { listOption, objectOption } from '../option-shape.ts'
import { shown } from '../shown.ts'
import { addressAt, numberOf } from './address-number.ts'
import {
  type AddressPool,
  type AddressPoolOptions,
  addressPool,
  definePool,
  type PoolDefinition,
} from './address-pool.ts'
import {
  type AddressRequest,
  type Assignment,
  type AssignmentRecord,
  type Wish,
  wishOf,
} from './assignment.ts'
import { formatNames } from './name-list.ts'
import { refuseOverlap } from './overlap.ts'
import { type AddressPoolStatus, poolStatus } from './pool-status.ts'
import { AddressPoolInUseError, AddressUnavailableError } from './refusal.ts'
import { choose, takenBy } from './selection.ts'
import { conflictOf } from './sharing.ts'
import { holds } from './span.ts'

/** How address pools are made. */
export interface AddressPoolsOptions {
  /** The pools. Default: none; {@link AddressPools.define} and {@link AddressPools.replace} bring them. */
  readonly pools?: readonly AddressPoolOptions[]
}

/** How to change the pools. */
export interface AddressPoolChangeOptions {
  /** Takes addresses away from their owners when the change needs it. Default `false`. */
  readonly force?: boolean
}

/** A remembered assignment that cannot be had any more. */
export interface AssignmentRestoreFailure {
  readonly record: AssignmentRecord
  readonly error: SteelyardError
}

/**
 * Gives out addresses of pools (IPAM): to each owner one, the same one for as long as its wish allows. Pure: no clock,
 * no I/O; every method is done when it returns, and one that throws has changed nothing.
 */
export interface AddressPools {
  /**
   * Gives an owner an address. It keeps the one it has while that answers the request; otherwise the new one is
   * assigned before the old one is released, and a refusal leaves the old one in place.
   *
   * @throws `invalid-option`; {@link AddressUnavailableError} (`address-unavailable`), which says why of each pool.
   */
  assign(request: AddressRequest): Assignment
  /** Takes an owner's address back and tells which it was; `undefined` when it had none. */
  release(owner: string): Assignment | undefined
  /** What this owner holds. */
  assignment(owner: string): Assignment | undefined
  /**
   * Adds a pool, or replaces the one of the same name: its assignments stay. Gives the assignments that were cut off,
   * which only happens by force.
   *
   * @throws `invalid-option`; {@link AddressPoolOverlapError} (`address-pool-overlap`);
   * {@link AddressPoolInUseError} (`address-pool-in-use`) when it would cut off addresses in use.
   */
  define(pool: AddressPoolOptions, options?: AddressPoolChangeOptions): readonly Assignment[]
  /**
   * Makes these the pools, all at once, so that addresses may pass from one pool to another and pools may be renamed:
   * assignments follow their addresses. Gives and throws as {@link AddressPools.define} does.
   */
  replace(
    pools: readonly AddressPoolOptions[],
    options?: AddressPoolChangeOptions,
  ): readonly Assignment[]
  /** Removes a pool; one that does not exist is no error. Gives and throws as {@link AddressPools.define} does. */
  remove(name: string, options?: AddressPoolChangeOptions): readonly Assignment[]
  /** The pools with their use, in the order of definition. */
  status(): readonly AddressPoolStatus[]
  /** All assignments, by owner, to be given to {@link AddressPools.restore} after a restart. */
  export(): readonly AssignmentRecord[]
  /**
   * Takes over earlier assignments, also of disabled pools; those that are here already win. One that cannot be had
   * any more is left out and returned with the reason.
   */
  restore(records: readonly AssignmentRecord[]): readonly AssignmentRestoreFailure[]
}

/**
 * Makes {@link AddressPools}. After a restart, hand what was exported to {@link AddressPools.restore} before the first
 * {@link AddressPools.assign}.
 *
 * @throws as {@link AddressPools.replace} does.
 */
export function addressPools(options: AddressPoolsOptions = {}): AddressPools {
  const pools = new PoolSet()
  pools.replace(objectOption(options, 'addressPools').pools ?? [])
  return pools
}

/** What is known of an owner that has an address. */
interface Held {
  wish: Wish
  pool: AddressPool
  number: bigint
}

class PoolSet implements AddressPools {
  #pools: ReadonlyMap<string, AddressPool> = new Map()
  readonly #held = new Map<string, Held>()

  assign(request: AddressRequest): Assignment {
    const wish = wishOf(request)
    const { owner } = wish.request
    const held = this.#held.get(owner)
    if (held !== undefined && answers(held, wish)) {
      held.wish = wish
      held.pool.put(held.number, owner, wish.claim)
      return assignmentOf(held)
    }
    const choice = choose(this.#pools.values(), wish)
    if ('rejections' in choice) throw new AddressUnavailableError(owner, choice.rejections)
    const next: Held = { wish, ...choice }
    next.pool.put(next.number, owner, wish.claim)
    this.#held.set(owner, next)
    if (held === undefined) return assignmentOf(next)
    held.pool.leave(held.number, owner)
    return Object.freeze({ ...assignmentOf(next), previous: assignmentOf(held).address })
  }

  release(owner: string): Assignment | undefined {
    const held = this.#held.get(owner)
    if (held === undefined) return undefined
    this.#held.delete(owner)
    held.pool.leave(held.number, owner)
    return assignmentOf(held)
  }

  assignment(owner: string): Assignment | undefined {
    const held = this.#held.get(owner)
    return held && assignmentOf(held)
  }

  define(pool: AddressPoolOptions, options?: AddressPoolChangeOptions): readonly Assignment[] {
    const next = this.#definitions()
    const definition = definePool(pool, 'addressPool')
    next.set(definition.name, definition)
    return this.#install(next, options, () => 'addressPool')
  }

  replace(
    pools: readonly AddressPoolOptions[],
    options?: AddressPoolChangeOptions,
  ): readonly Assignment[] {
    const next = new Map<string, PoolDefinition>()
    const paths = new Map<string, string>()
    listOption(pools, 'addressPools').forEach((pool, index) => {
      const path = `addressPools[${index}]`
      const definition = definePool(pool, path)
      const { name } = definition
      if (next.has(name))
        throw invalidOption(`${path}.name`, `there is a pool ${shown(name)} already`)
      next.set(name, definition)
      paths.set(name, path)
    })
    return this.#install(next, options, (name) => paths.get(name) ?? 'addressPools')
  }

  remove(name: string, options?: AddressPoolChangeOptions): readonly Assignment[] {
    const next = this.#definitions()
    if (!next.delete(name)) return []
    return this.#install(next, options, () => 'addressPools')
  }

  status(): readonly AddressPoolStatus[] {
    return [...this.#pools.values()].map((pool) =>
      poolStatus(pool, (owner) => this.#held.get(owner)!.wish.request),
    )
  }

  export(): readonly AssignmentRecord[] {
    return [...this.#held.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, held]) => ({ address: assignmentOf(held).address, request: held.wish.request }))
  }

  restore(records: readonly AssignmentRecord[]): readonly AssignmentRestoreFailure[] {
    const failures: AssignmentRestoreFailure[] = []
    listOption(records, 'records').forEach((record, index) => {
      try {
        this.#restore(record, `records[${index}]`)
      } catch (error) {
        if (!isSteelyardError(error)) throw error
        failures.push({ record, error })
      }
    })
    return failures
  }

  #definitions(): Map<string, PoolDefinition> {
    return new Map([...this.#pools].map(([name, { definition }]) => [name, definition]))
  }

  /** Everything is judged before anything changes. */
  #install(
    next: ReadonlyMap<string, PoolDefinition>,
    options: AddressPoolChangeOptions = {},
    path: (name: string) => string,
  ): readonly Assignment[] {
    const definitions = [...next.values()]
    const [, second] = definitions.filter((definition) => definition.default)
    if (second !== undefined) {
      const names = definitions.filter((one) => one.default).map(({ name }) => shown(name))
      throw invalidOption(
        `${path(second.name)}.default`,
        `only one pool can be the default: choose among ${formatNames(names)}`,
      )
    }
    refuseOverlap(definitions, path)
    const home = ({ pool: { definition }, number }: Held): PoolDefinition | undefined => {
      const holdsIt = ({ family, spans }: PoolDefinition): boolean =>
        family === definition.family && holds(spans, number)
      const same = next.get(definition.name)
      return same !== undefined && holdsIt(same) ? same : definitions.find(holdsIt)
    }
    const lost = [...this.#held.values()].filter((held) => home(held) === undefined)
    const cutOff = lost.map(assignmentOf)
    if (lost.length > 0 && options.force !== true) {
      throw new AddressPoolInUseError(cutOff, path(lost[0]!.pool.definition.name))
    }
    for (const { wish } of lost) this.#held.delete(wish.request.owner)
    this.#pools = new Map(definitions.map((one) => [one.name, addressPool(one)]))
    for (const held of this.#held.values()) {
      held.pool = this.#pools.get(home(held)!.name)!
      held.pool.put(held.number, held.wish.request.owner, held.wish.claim)
    }
    return cutOff
  }

  #restore(record: AssignmentRecord, path: string): void {
    // Records come from a file: anything may stand there.
    if (record !== null) objectOption(record, path)
    const wish = wishOf(record?.request, `${path}.request`)
    const address = parseAddress(record.address, `${path}.address`)
    const { owner } = wish.request
    const held = this.#held.get(owner)
    if (held !== undefined) {
      const present = assignmentOf(held).address
      if (present === address.text) return
      throw new SteelyardError(
        `${shown(owner)} has ${present} now, so ${address.text} stays free`,
        {
          code: 'already-assigned',
          source: 'config',
          path,
        },
      )
    }
    const number = numberOf(address)
    const pool = [...this.#pools.values()].find(
      ({ definition: { family, spans } }) => family === address.family && holds(spans, number),
    )
    if (pool === undefined) {
      // Every pool refuses, in the words that somebody gets who asks for this very address.
      const choice = choose(this.#pools.values(), wishOf({ owner, address: address.text }))
      throw new AddressUnavailableError(owner, 'rejections' in choice ? choice.rejections : [])
    }
    const seat = pool.seats.get(number)
    const conflict = seat && conflictOf(seat, owner, wish.claim)
    if (conflict !== undefined) {
      const rejection = takenBy(pool.definition.name, address.text, conflict)
      throw new AddressUnavailableError(owner, [rejection])
    }
    pool.put(number, owner, wish.claim)
    this.#held.set(owner, { wish, pool, number })
  }
}

/** Does what the owner has do for this wish? */
function answers({ wish: before, pool, number }: Held, wish: Wish): boolean {
  const { owner, pool: named, family } = wish.request
  const { definition } = pool
  if (wish.number !== undefined) {
    if (wish.number !== number || wish.address!.family !== definition.family) return false
  }
  if (family !== undefined && family !== definition.family) return false
  // Who asked for this pool before keeps an address that has since passed to another pool.
  if (named !== undefined && named !== definition.name && named !== before.request.pool) {
    return false
  }
  return conflictOf(pool.seats.get(number)!, owner, wish.claim) === undefined
}

function assignmentOf({ wish: { request }, pool: { definition }, number }: Held): Assignment {
  const { owner, ports, shared = false } = request
  return Object.freeze({
    owner,
    address: addressAt(definition.family, number).text,
    family: definition.family,
    pool: definition.name,
    ...(ports !== undefined && { ports }),
    shared,
  })
}
