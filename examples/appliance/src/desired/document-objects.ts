import type { Draft } from './draft.ts'
import type { DocumentObject } from './inspection.ts'
import type { DocumentDraft, MeantDocument } from './schema.ts'

/** A listener as far as it is valid. */
export type ListenerDraft = Draft<MeantDocument['loadBalancers'][number]['listeners'][number]>

/** A pool as far as it is valid. */
export type PoolDraft = Draft<MeantDocument['pools'][number]>

/** A load balancer as far as it is valid. */
export type LoadBalancerDraft = Draft<MeantDocument['loadBalancers'][number]>

/** An address pool as far as it is valid. */
export type AddressPoolDraft = Draft<MeantDocument['addressPools'][number]>

/** An object of the document with its valid part. */
export interface Placed<Value> extends DocumentObject {
  readonly draft: Value
}

/** A listener with the load balancer that it belongs to. */
export interface PlacedListener extends Placed<ListenerDraft> {
  readonly owner: Placed<LoadBalancerDraft>
}

/** The pools, in document order. */
export function poolsOf(draft: DocumentDraft): readonly Placed<PoolDraft>[] {
  return placed('pool', 'pools', draft.pools)
}

/** The address pools, in document order. */
export function addressPoolsOf(draft: DocumentDraft): readonly Placed<AddressPoolDraft>[] {
  return placed('address-pool', 'addressPools', draft.addressPools)
}

/** The load balancers, in document order. */
export function loadBalancersOf(draft: DocumentDraft): readonly Placed<LoadBalancerDraft>[] {
  return placed('load-balancer', 'loadBalancers', draft.loadBalancers)
}

/** The listeners of one load balancer, in document order. */
export function listenersOf(owner: Placed<LoadBalancerDraft>): readonly PlacedListener[] {
  return (owner.draft.listeners ?? []).flatMap((listener, index) =>
    listener === undefined
      ? []
      : [
          {
            kind: 'listener' as const,
            name: `${owner.name}/${listener.name ?? index}`,
            path: [...owner.path, 'listeners', index],
            draft: listener,
            owner,
          },
        ],
  )
}

/** All listeners, in document order. */
export function allListenersOf(draft: DocumentDraft): readonly PlacedListener[] {
  return loadBalancersOf(draft).flatMap(listenersOf)
}

/** Names of pools that a listener refers to, each with its place; a pool may be named several times. */
export function poolReferencesOf(
  listener: PlacedListener,
): readonly { readonly pool: string; readonly path: readonly (string | number)[] }[] {
  const { draft, path } = listener
  const references: { pool: string; path: readonly (string | number)[] }[] = []
  const add = (pool: string | undefined, ...below: (string | number)[]): void => {
    if (pool !== undefined) references.push({ pool, path: [...path, ...below] })
  }
  add(draft.pool, 'pool')
  if (draft.protocol !== 'tls') return references
  draft.routes?.forEach((route, index) => add(route?.pool, 'routes', index, 'pool'))
  for (const rule of ['absentName', 'encryptedName'] as const) {
    const target = draft.tls?.[rule]
    if (typeof target === 'object') add(target.pool, 'tls', rule, 'pool')
  }
  return references
}

function placed<Value extends { readonly name?: string | undefined }>(
  kind: DocumentObject['kind'],
  key: string,
  list: readonly (Value | undefined)[] | undefined,
): readonly Placed<Value>[] {
  return (list ?? []).flatMap((draft, index) =>
    draft === undefined
      ? []
      : [{ kind, name: draft.name ?? `${key}[${index}]`, path: [key, index], draft }],
  )
}
