import { nearestName } from '@steelyard/core'
import { isHttp } from './desired.ts'
import {
  addressPoolsOf,
  listenersOf,
  loadBalancersOf,
  type Placed,
  poolReferencesOf,
  poolsOf,
  rulesOf,
} from './document-objects.ts'
import type { DocumentObject, Inspection } from './inspection.ts'
import { nodeAt } from './tree.ts'

/** Names are unique among their kind; the first in the document has the name. */
export function findDuplicateNames(inspection: Inspection): void {
  const { draft } = inspection
  unique(inspection, addressPoolsOf(draft), 'address pools')
  unique(inspection, poolsOf(draft), 'pools')
  const loadBalancers = loadBalancersOf(draft)
  unique(inspection, loadBalancers, 'load balancers')
  for (const owner of loadBalancers) {
    const listeners = listenersOf(owner)
    unique(inspection, listeners, `listeners of "${owner.name}"`)
    for (const listener of listeners) {
      const { draft } = listener
      if (!isHttp(draft)) continue
      const rules = rulesOf(listener).map(({ list, index, ...rule }) => ({
        ...rule,
        draft: { name: draft[list]?.[index]?.name },
      }))
      unique(inspection, rules, `rules of "${listener.name}"`)
    }
  }
}

function unique(
  inspection: Inspection,
  objects: readonly Placed<{ readonly name?: string | undefined }>[],
  kind: string,
): void {
  const first = new Map<string, DocumentObject>()
  for (const object of objects) {
    const { name } = object.draft
    if (name === undefined) continue
    const other = first.get(name)
    if (other === undefined) {
      first.set(name, object)
      continue
    }
    inspection.report(
      'duplicate-name',
      object,
      [...object.path, 'name'],
      `two ${kind} are named "${name}"; the first is on line ${lineOf(inspection, other)}`,
      'give one of them another name',
    )
  }
}

/** Each pool that a listener names exists; a listener whose pool is left out is left out too. */
export function findUnknownPools(inspection: Inspection): void {
  const { draft } = inspection
  const pools = poolsOf(draft)
  const byName = firstByName(pools)
  // A pool whose name is not known may be the one that is meant.
  const isComplete = allNamed(draft.pools, pools)
  for (const listener of loadBalancersOf(draft).flatMap(listenersOf)) {
    for (const { pool, path, by } of poolReferencesOf(listener)) {
      const found = byName.get(pool)
      if (found !== undefined) {
        if (inspection.isLeftOut(found.path)) inspection.follow(by, found)
      } else if (isComplete) {
        inspection.report(
          'unknown-pool',
          by,
          path,
          `there is no pool "${pool}"`,
          known('pools', pool, byName.keys()),
        )
      }
    }
  }
}

/** Each address pool that a load balancer names exists; one whose address pool is left out is left out too. */
export function findUnknownAddressPools(inspection: Inspection): void {
  const { draft } = inspection
  const pools = addressPoolsOf(draft)
  const byName = firstByName(pools)
  const isComplete = allNamed(draft.addressPools, pools)
  for (const loadBalancer of loadBalancersOf(draft)) {
    const { vip } = loadBalancer.draft
    if (typeof vip !== 'object' || vip.pool === undefined) continue
    const found = byName.get(vip.pool)
    if (found !== undefined) {
      if (inspection.isLeftOut(found.path)) inspection.follow(loadBalancer, found)
    } else if (isComplete) {
      inspection.report(
        'unknown-address-pool',
        loadBalancer,
        [...loadBalancer.path, 'vip', 'pool'],
        `there is no address pool "${vip.pool}"`,
        known('address pools', vip.pool, byName.keys()),
      )
    }
  }
}

/** Objects by name; of two with one name the first. */
export function firstByName<Value>(
  objects: readonly Placed<Value>[],
): ReadonlyMap<string, Placed<Value>> {
  const result = new Map<string, Placed<Value>>()
  for (const object of objects) if (!result.has(object.name)) result.set(object.name, object)
  return result
}

/** The line of an object, for messages. */
export function lineOf({ source, tree }: Inspection, { path }: DocumentObject): number {
  return source.position(nodeAt(tree, path).span.start).line
}

function allNamed(
  list: readonly unknown[] | undefined,
  objects: readonly Placed<{ readonly name?: string | undefined }>[],
): boolean {
  return list?.length === objects.length && objects.every(({ draft }) => draft.name !== undefined)
}

function known(kind: string, name: string, names: Iterable<string>): string {
  const all = [...names]
  const guess = nearestName(name, all)
  if (guess !== undefined) return `did you mean "${guess}"?`
  if (all.length === 0) return `there are no ${kind}: define one under that name`
  const listed = all.slice(0, 8).join(', ')
  return `define it, or use one of the ${kind} ${listed}${all.length > 8 ? ', …' : ''}`
}
