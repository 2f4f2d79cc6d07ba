import { isHttp } from './desired.ts'
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

/** A rule or policy of an HTTP listener. */
export interface PlacedRule extends DocumentObject {
  readonly kind: 'rule'
  readonly list: 'rules' | 'policies'
  readonly index: number
}

/** A listener's name for a pool. */
export interface PoolReference {
  readonly pool: string
  readonly path: readonly (string | number)[]
  /** Who needs it: the listener, or one of its rules. */
  readonly by: DocumentObject
}

type TerminatingTls = NonNullable<Extract<ListenerDraft, { protocol?: 'https' | undefined }>['tls']>

/** The options of a listener that ends TLS; `undefined` for one that does not. */
export function terminationOf(
  draft: ListenerDraft,
): Omit<TerminatingTls, 'alpn' | 'alpnMismatch'> | undefined {
  if (draft.protocol === 'https') return draft.tls
  return draft.protocol === 'tls' && draft.tls?.mode === 'terminate' ? draft.tls : undefined
}

/** The rules and policies of an HTTP listener, in document order. */
export function rulesOf({ name, path, draft }: PlacedListener): readonly PlacedRule[] {
  if (!isHttp(draft)) return []
  return (['rules', 'policies'] as const).flatMap((list) =>
    (draft[list] ?? []).flatMap((rule, index) =>
      rule === undefined
        ? []
        : [
            {
              kind: 'rule' as const,
              name: `${name}/${rule.name ?? index}`,
              path: [...path, list, index],
              list,
              index,
            },
          ],
    ),
  )
}

/** Names of pools that a listener refers to, each with its place; a pool may be named several times. */
export function poolReferencesOf(listener: PlacedListener): readonly PoolReference[] {
  const { draft, path } = listener
  const references: PoolReference[] = []
  const add = (pool: string | undefined, ...below: (string | number)[]): void => {
    if (pool !== undefined) references.push({ pool, path: [...path, ...below], by: listener })
  }
  add(draft.pool, 'pool')
  if (isHttp(draft)) {
    add(draft.filters?.mirror?.pool, 'filters', 'mirror', 'pool')
    for (const rule of rulesOf(listener)) references.push(...ruleReferences(draft, rule))
    return references
  }
  if (draft.protocol !== 'tls') return references
  draft.routes?.forEach((route, index) => add(route?.pool, 'routes', index, 'pool'))
  for (const rule of ['absentName', 'encryptedName'] as const) {
    const target = draft.tls?.[rule]
    if (typeof target === 'object') add(target.pool, 'tls', rule, 'pool')
  }
  return references
}

function ruleReferences(draft: ListenerDraft, rule: PlacedRule): readonly PoolReference[] {
  const references: PoolReference[] = []
  const add = (pool: string | undefined, ...below: (string | number)[]): void => {
    if (pool !== undefined) references.push({ pool, path: [...rule.path, ...below], by: rule })
  }
  if (!isHttp(draft)) return references
  if (rule.list === 'policies') {
    const { enabled, redirectPool } = draft.policies?.[rule.index] ?? {}
    if (enabled !== false) add(redirectPool, 'redirectPool')
    return references
  }
  const { pool, pools, filters, enabled } = draft.rules?.[rule.index] ?? {}
  if (enabled === false) return references
  add(pool, 'pool')
  pools?.forEach((one, index) => add(one?.pool, 'pools', index, 'pool'))
  add(filters?.mirror?.pool, 'filters', 'mirror', 'pool')
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
