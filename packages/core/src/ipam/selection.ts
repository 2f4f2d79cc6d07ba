import { shown } from '../shown.ts'
import type { AddressPool } from './address-pool.ts'
import type { Wish } from './assignment.ts'
import { formatSpans } from './range.ts'
import type { AddressPoolRejection, AddressPoolRejectionReason } from './refusal.ts'
import { type Conflict, conflictOf, type Seat } from './sharing.ts'
import { holds } from './span.ts'

/** The address found, or why each pool has none. */
export type Choice =
  | { readonly pool: AddressPool; readonly number: bigint }
  | { readonly rejections: readonly AddressPoolRejection[] }

/**
 * Finds an address for a wish: in the pool it names, or the pool of the address it names, or else in the default pool
 * first and the others by priority, always the lowest address that will do. A pool without a free address is passed
 * over as long as another one has one.
 */
export function choose(pools: Iterable<AddressPool>, wish: Wish): Choice {
  const inOrder = [...pools].sort(
    ({ definition: a }, { definition: b }) =>
      Number(b.default) - Number(a.default) || a.priority - b.priority,
  )
  const rejections = new Map<string, AddressPoolRejection>()
  const candidates = inOrder.filter((pool) => {
    const rejection = ineligible(pool, wish)
    if (rejection !== undefined) rejections.set(pool.definition.name, rejection)
    return rejection === undefined
  })
  for (const find of wish.number === undefined ? automatic(wish) : [requested]) {
    for (const pool of candidates) {
      const number = find(pool, wish)
      if (number !== undefined) return { pool, number }
    }
  }
  for (const pool of candidates) rejections.set(pool.definition.name, shortage(pool, wish))
  const { pool: named } = wish.request
  const missing =
    named === undefined || rejections.has(named)
      ? []
      : [{ pool: named, reason: 'not-defined', detail: 'is not defined', owners: [] } as const]
  return {
    rejections: [...missing, ...inOrder.map(({ definition }) => rejections.get(definition.name)!)],
  }
}

type Find = (pool: AddressPool, wish: Wish) => bigint | undefined

/** Who has a key belongs together; whoever else shares only does so when there is nothing left. */
function automatic({ claim: { shared } }: Wish): readonly Find[] {
  if (shared === false) return [unused]
  return shared === true ? [unused, besideOthers] : [besideOthers, unused]
}

const unused: Find = ({ free }) => free.lowest

const requested: Find = ({ seats }, { number, request: { owner }, claim }) => {
  const seat = seats.get(number!)
  return seat === undefined || conflictOf(seat, owner, claim) === undefined ? number : undefined
}

const besideOthers: Find = (pool, { claim, request: { owner } }) => {
  let best: Seat | undefined
  for (const seat of claim.shared === false ? [] : pool.sharedUnder(claim.shared)) {
    if (best !== undefined && seat.number > best.number) continue
    if (conflictOf(seat, owner, claim) === undefined) best = seat
  }
  return best?.number
}

/** Why a pool is not even asked. */
function ineligible({ definition }: AddressPool, wish: Wish): AddressPoolRejection | undefined {
  const { name, family, spans, excluded } = definition
  const { request, address, number } = wish
  const reject = (reason: AddressPoolRejectionReason, detail: string): AddressPoolRejection => ({
    pool: name,
    reason,
    detail,
    owners: [],
  })
  const wanted = address?.family ?? request.family
  if (request.pool !== undefined && request.pool !== name) {
    return reject('not-asked', `was not asked: the request names ${shown(request.pool)}`)
  }
  if (wanted !== undefined && wanted !== family) {
    return reject('wrong-family', `holds IPv${family} addresses, not IPv${wanted}`)
  }
  if (address !== undefined && !holds(spans, number!)) {
    return holds(excluded, number!)
      ? reject('excluded', `excludes ${address.text}`)
      : reject('not-its-address', `holds ${formatSpans(family, spans)}, not ${address.text}`)
  }
  if (definition.disabled) return reject('disabled', 'is disabled')
  if (!definition.automatic && request.pool === undefined && address === undefined) {
    return reject('not-automatic', 'serves only those who name it')
  }
  return undefined
}

/** Why a pool that was asked has nothing to give. */
function shortage(
  pool: AddressPool,
  { claim, request, address, number }: Wish,
): AddressPoolRejection {
  const { name } = pool.definition
  if (address !== undefined) {
    const conflict = conflictOf(pool.seats.get(number!)!, request.owner, claim)!
    return takenBy(name, address.text, conflict)
  }
  const used = pool.seats.size
  const inUse = `is exhausted: ${used === 1 ? 'its one address is' : `all ${used} addresses are`} in use`
  if (claim.shared === false) return { pool: name, reason: 'exhausted', detail: inUse, owners: [] }
  const mates = [...pool.sharedUnder(claim.shared)]
  const conflict = mates[0] && conflictOf(mates[0], request.owner, claim)
  if (conflict === undefined) {
    const key = claim.shared === true ? '' : ` under the key ${shown(claim.shared)}`
    return { pool: name, reason: 'exhausted', detail: `${inUse}, none is shared${key}`, owners: [] }
  }
  const more = mates.length > 1 ? `, and none of ${mates.length - 1} more will do` : ''
  return {
    pool: name,
    reason: 'exhausted',
    detail: `${inUse}, and of one that it could share ${conflict.detail}${more}`,
    owners: conflict.owners,
  }
}

/** A pool's answer when the address asked for is in use. */
export function takenBy(pool: string, address: string, conflict: Conflict): AddressPoolRejection {
  const { reason, detail, owners } = conflict
  return { pool, reason, detail: `cannot give ${address}: ${detail}`, owners }
}
