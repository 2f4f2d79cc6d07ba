import type {
  AddressPoolOptions,
  AddressPoolRejectionReason,
  AddressRequest,
  PortClaim,
} from '../../src/index.ts'

/** A pool whose addresses are written out one by one. */
export interface NaivePool extends AddressPoolOptions {
  /** What it gives out, in rising order. */
  readonly gives: readonly string[]
  readonly excluded: readonly string[]
  readonly family: 4 | 6
}

interface Held {
  readonly request: AddressRequest
  readonly address: string
}

/** What the real one is compared with: lists, loops, and nothing clever. */
export class NaiveAddressPools {
  pools: NaivePool[] = []
  readonly held = new Map<string, Held>()

  /** The address, or the reasons by pool. */
  assign(request: AddressRequest): string | Map<string, AddressPoolRejectionReason> {
    const now = this.held.get(request.owner)
    if (now !== undefined && this.#answers(now, request)) {
      this.held.set(request.owner, { request, address: now.address })
      return now.address
    }
    const found = this.#find(request)
    if (typeof found === 'string') this.held.set(request.owner, { request, address: found })
    return found
  }

  poolOf(address: string): NaivePool | undefined {
    return this.pools.find(({ gives }) => gives.includes(address))
  }

  /** Owners that would lose their address if these were the pools. */
  lost(pools: readonly NaivePool[]): string[] {
    const all = new Set(pools.flatMap(({ gives }) => gives))
    return [...this.held.values()]
      .filter(({ address }) => !all.has(address))
      .map(({ request }) => request.owner)
  }

  used(pool: NaivePool): string[] {
    return pool.gives.filter((address) => this.#at(address).length > 0)
  }

  #at(address: string): AddressRequest[] {
    return [...this.held.values()].filter((h) => h.address === address).map((h) => h.request)
  }

  #answers({ request: before, address }: Held, request: AddressRequest): boolean {
    const pool = this.poolOf(address)!
    return (
      (request.address === undefined || request.address === address) &&
      (request.family === undefined || request.family === pool.family) &&
      (request.pool === undefined || request.pool === pool.name || request.pool === before.pool) &&
      this.#fits(address, request)
    )
  }

  #fits(address: string, request: AddressRequest): boolean {
    return this.#at(address).every(
      (other) =>
        other.owner === request.owner ||
        ((request.shared ?? false) !== false &&
          other.shared === request.shared &&
          !clash(other.ports, request.ports)),
    )
  }

  #find(request: AddressRequest): string | Map<string, AddressPoolRejectionReason> {
    const order = this.pools
      .map((pool, index) => ({ pool, index }))
      .sort(
        (a, b) =>
          Number(b.pool.default ?? false) - Number(a.pool.default ?? false) ||
          (a.pool.priority ?? 100) - (b.pool.priority ?? 100) ||
          a.index - b.index,
      )
      .map(({ pool }) => pool)
    const reasons = new Map<string, AddressPoolRejectionReason>()
    if (request.pool !== undefined && !order.some(({ name }) => name === request.pool)) {
      reasons.set(request.pool, 'not-defined')
    }
    const open = order.filter((pool) => {
      const reason = closed(pool, request)
      if (reason !== undefined) reasons.set(pool.name, reason)
      return reason === undefined
    })
    const { address } = request
    if (address !== undefined) {
      for (const { name } of open) {
        if (this.#fits(address, request)) return address
        const willing = this.#at(address).every(
          ({ owner, shared }) =>
            owner === request.owner || ((shared ?? false) !== false && shared === request.shared),
        )
        reasons.set(name, willing ? 'port-taken' : 'address-taken')
      }
      return reasons
    }
    const fresh = open.flatMap((pool) => pool.gives.filter((one) => this.#at(one).length === 0))
    const beside = open.flatMap((pool) =>
      this.used(pool).filter(
        (one) =>
          this.#at(one).some(
            ({ shared }) => (shared ?? false) !== false && shared === request.shared,
          ) && this.#fits(one, request),
      ),
    )
    const [first] =
      typeof request.shared === 'string' ? [...beside, ...fresh] : [...fresh, ...beside]
    if (first !== undefined) return first
    for (const { name } of open) reasons.set(name, 'exhausted')
    return reasons
  }
}

function closed(pool: NaivePool, request: AddressRequest): AddressPoolRejectionReason | undefined {
  const { address } = request
  const family = address === undefined ? request.family : address.includes(':') ? 6 : 4
  if (request.pool !== undefined && request.pool !== pool.name) return 'not-asked'
  if (family !== undefined && family !== pool.family) return 'wrong-family'
  if (address !== undefined && pool.excluded.includes(address)) return 'excluded'
  if (address !== undefined && !pool.gives.includes(address)) return 'not-its-address'
  if (pool.disabled === true) return 'disabled'
  if (pool.automatic === false && request.pool === undefined && address === undefined) {
    return 'not-automatic'
  }
  return undefined
}

function clash(a: readonly PortClaim[] | undefined, b: readonly PortClaim[] | undefined): boolean {
  if (a === undefined || b === undefined) return a?.length !== 0 && b?.length !== 0
  return a.some((x) => b.some((y) => x.protocol === y.protocol && x.port === y.port))
}
