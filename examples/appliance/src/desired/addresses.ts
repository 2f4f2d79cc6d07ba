import {
  type AddressPools,
  type AddressRequest,
  addressPools,
  isSteelyardError,
  parseRange,
} from '@steelyard/core'
import {
  type AddressPoolDraft,
  addressPoolsOf,
  type LoadBalancerDraft,
  listenersOf,
  loadBalancersOf,
  type Placed,
} from './document-objects.ts'
import type { FindingCode } from './finding-codes.ts'
import type { Inspection } from './inspection.ts'
import type { Path } from './path.ts'
import { lineOf } from './references.ts'

/** The address pools of a document, at work; those that are wrong or overlap an earlier one are left out. */
export function defineAddressPools(inspection: Inspection): AddressPools {
  const pools = addressPools()
  const defined = new Map<string, Placed<AddressPoolDraft>>()
  for (const pool of addressPoolsOf(inspection.draft)) {
    const { name, addresses, exclude } = pool.draft
    if (inspection.isLeftOut(pool.path) || name === undefined) continue
    if (!isWhole(addresses) || !isWhole(exclude)) continue
    const { skipNetworkAndBroadcast = false, disable = false } = pool.draft
    try {
      pools.define({ name, addresses, exclude, skipNetworkAndBroadcast, disabled: disable })
      defined.set(name, pool)
    } catch (error) {
      if (!isSteelyardError(error)) throw error
      if (error.code === 'address-pool-overlap') {
        overlap(inspection, pool, defined, error as unknown as Overlap)
      } else {
        const text = error.message.replace(/^[^:]*: /, '')
        const [, problem = text, hint = 'look at "addresses" and "exclude"'] =
          /^(.*?): (.*)$/s.exec(text) ?? []
        const place = placeOf(pool.path, error.path)
        inspection.report('address-pool-invalid', pool, place, problem, hint)
      }
    }
  }
  return pools
}

interface Overlap {
  readonly pools: readonly [string, string]
  /** What both hold, as `a` or `a-b`. */
  readonly addresses: readonly string[]
}

function overlap(
  inspection: Inspection,
  pool: Placed<AddressPoolDraft>,
  defined: ReadonlyMap<string, Placed<AddressPoolDraft>>,
  { pools, addresses }: Overlap,
): void {
  const other = defined.get(pools[0])
  const shared = parseRange(addresses[0]!)
  const index = pool.draft.addresses!.findIndex((text) => {
    const range = parseRange(text!)
    return (
      range.family === shared.family && range.first <= shared.last && shared.first <= range.last
    )
  })
  const line = other === undefined ? '' : `, defined on line ${lineOf(inspection, other)},`
  inspection.report(
    'address-pool-overlap',
    pool,
    [...pool.path, 'addresses', Math.max(0, index)],
    `the address pool "${pool.name}" and "${pools[0]}"${line} both hold ${addresses.slice(0, 3).join(', ')}${addresses.length > 3 ? ', …' : ''}`,
    'an address belongs to one pool: take it out of one of the two, or exclude it there',
  )
}

/**
 * Gives each load balancer its address, by its name. Addresses in use stay; then those that are fixed
 * are taken, and the rest get the first free ones, in document order.
 */
export function assignAddresses(
  inspection: Inspection,
  pools: AddressPools,
  inUse: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const known = new Set(pools.status().map(({ name }) => name))
  const wishes = loadBalancersOf(inspection.draft).flatMap((owner) => {
    if (inspection.isLeftOut(owner.path)) return []
    const request = requestOf(owner)
    if (request === undefined) return []
    // Whoever names a pool that could not be defined has that pool's finding.
    return request.pool !== undefined && !known.has(request.pool) ? [] : [{ owner, request }]
  })
  const isFixed = ({ request }: (typeof wishes)[number]): boolean => request.address !== undefined
  for (const { request } of wishes.filter((wish) => !isFixed(wish))) {
    const address = inUse.get(request.owner)
    if (address === undefined) continue
    pools.restore([{ address, request }])
    if (pools.assignment(request.owner)?.pool !== request.pool) pools.release(request.owner)
  }
  for (const { name, path } of loadBalancersOf(inspection.draft)) {
    const address = inUse.get(name)
    // It may go on in its running form, and nobody shall have its address meanwhile.
    const isLost = inspection.isLeftOut(path) && !wishes.some(({ owner }) => owner.name === name)
    if (address !== undefined && isLost) {
      pools.restore([{ address, request: { owner: name } }])
    }
  }
  const result = new Map<string, string>()
  for (const wish of wishes.filter(isFixed)) {
    const { owner, request } = wish
    // A disabled pool gives out nothing new, but what the document fixes was decided by its author.
    const [failure] = pools.restore([{ address: request.address!, request }])
    const pool = pools.assignment(request.owner)?.pool
    if (request.pool === undefined || (failure === undefined && pool === request.pool)) {
      result.set(owner.name, request.address!)
    } else if (failure !== undefined) {
      refused(inspection, owner, request, failure.error)
    } else {
      pools.release(request.owner)
      inspection.report(
        'vip-not-in-pool',
        owner,
        [...owner.path, 'vip', 'address'],
        `${request.address} belongs to the address pool "${pool}", not to "${request.pool}"`,
        `name "${pool}", or take an address of "${request.pool}"`,
      )
    }
  }
  for (const { owner, request } of wishes.filter((wish) => !isFixed(wish))) {
    try {
      result.set(owner.name, pools.assign(request).address)
    } catch (error) {
      refused(inspection, owner, request, error)
    }
  }
  return result
}

/** Who shares an address by fixing it shares with everybody who fixes it; ports are judged later, one by one. */
function requestOf(owner: Placed<LoadBalancerDraft>): AddressRequest | undefined {
  const { vip } = owner.draft
  if (vip === undefined) return undefined
  if (typeof vip === 'string') return { owner: owner.name, address: vip, shared: true, ports: [] }
  const { pool, address, share } = vip
  if (pool === undefined) return undefined
  if (address !== undefined)
    return { owner: owner.name, pool, address, shared: share ?? true, ports: [] }
  if (share === undefined) return { owner: owner.name, pool }
  const ports = listenersOf(owner).flatMap(({ draft: { port, protocol } }) =>
    port === undefined
      ? []
      : [{ protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const), port }],
  )
  return { owner: owner.name, pool, shared: share, ports }
}

const codes: Readonly<Record<string, readonly [FindingCode, string]>> = {
  'not-its-address': ['vip-not-in-pool', 'take an address of the pool, or add this one to it'],
  'wrong-family': ['vip-not-in-pool', 'take an address of the pool, or name another pool'],
  excluded: ['vip-excluded', 'take another address, or remove it from "exclude"'],
  disabled: [
    'address-pool-disabled',
    'name an address of it, which is allowed, or enable the pool',
  ],
  exhausted: ['address-pool-exhausted', 'add addresses to the pool, or share one'],
  'address-taken': ['vip-taken', 'take another address, or fix that of the other one elsewhere'],
  'port-taken': ['vip-taken', 'take another address, or another port'],
}

function refused(
  inspection: Inspection,
  owner: Placed<LoadBalancerDraft>,
  { pool, address }: AddressRequest,
  error: unknown,
): void {
  if (!isSteelyardError(error, 'address-unavailable')) throw error
  const { rejections } = error as unknown as {
    readonly rejections: readonly {
      readonly pool: string
      readonly reason: string
      readonly detail: string
    }[]
  }
  const rejection = rejections.find((one) => one.pool === pool) ?? rejections[0]
  const [code, hint] = codes[rejection?.reason ?? ''] ?? codes['exhausted']!
  inspection.report(
    code,
    owner,
    [...owner.path, 'vip', address === undefined ? 'pool' : 'address'],
    `the address pool "${rejection?.pool ?? pool}" ${rejection?.detail ?? 'has no address'}`,
    hint,
  )
}

function isWhole<Item>(list: readonly (Item | undefined)[] | undefined): list is readonly Item[] {
  return list !== undefined && !list.includes(undefined)
}

/** `addressPool.addresses[2]` below the pool's own path. */
function placeOf(path: Path, option = ''): Path {
  const [, key, index] = /\.(addresses|exclude)(?:\[(\d+)\])?$/.exec(option) ?? []
  if (key === undefined) return [...path, 'name']
  return index === undefined ? [...path, key] : [...path, key, Number(index)]
}
