import type { Desired, DesiredListener } from './desired.ts'
import { listenersOf, loadBalancersOf } from './document-objects.ts'
import type { Inspection } from './inspection.ts'
import { normaliseListener } from './normalise-listener.ts'
import { normalisePool } from './normalise-pool.ts'
import type { MeantDocument } from './schema.ts'

/**
 * A valid document without what is left out, as the runtime wants it.
 *
 * @param addresses - of load balancers, by name.
 */
export function normalise(
  document: MeantDocument,
  inspection: Inspection,
  addresses: ReadonlyMap<string, string>,
): Desired {
  const { node, admin } = document
  const kept = <Item>(key: 'pools' | 'addressPools', items: readonly Item[]): [Item, number][] =>
    items
      .map((item, index): [Item, number] => [item, index])
      .filter(([, index]) => !inspection.isLeftOut([key, index]))
  const pools = kept('pools', document.pools)
  const members = (index: number): MeantDocument['pools'][number]['members'] =>
    document.pools[index]!.members.filter(
      (_, at) => !inspection.isLeftOut(['pools', index, 'members', at]),
    )
  const loadBalancers = loadBalancersOf(document).filter(({ path }) => !inspection.isLeftOut(path))
  const listeners = loadBalancers.flatMap((owner) =>
    listenersOf(owner)
      .filter(({ path, draft }) => {
        const isOn = owner.draft.enabled !== false && draft.enabled !== false
        return isOn && !inspection.isLeftOut(path)
      })
      .map(({ draft }): DesiredListener => {
        // The document is whole, and so are its parts.
        const listener = draft as MeantDocument['loadBalancers'][number]['listeners'][number]
        return normaliseListener(listener, {
          loadBalancer: owner.name,
          address: addresses.get(owner.name),
        })
      }),
  )
  return {
    node,
    admin,
    addressPools: Object.fromEntries(
      kept('addressPools', document.addressPools).map(([pool]) => [pool.name, pool]),
    ),
    loadBalancers: Object.fromEntries(
      loadBalancers.map(({ name, draft: { enabled = true, vip } }) => {
        const address = addresses.get(name)
        const written = vip as MeantDocument['loadBalancers'][number]['vip']
        return [
          name,
          {
            name,
            enabled,
            ...(written === undefined ? {} : { vip: written }),
            ...(address === undefined ? {} : { address }),
          },
        ]
      }),
    ),
    listeners: Object.fromEntries(listeners.map((listener) => [listener.id, listener])),
    pools: Object.fromEntries(
      pools.map(([pool, index]) => [pool.name, normalisePool(pool, members(index))]),
    ),
  }
}

/** The pools that a listener sends to, its default pool first. */
export function poolNamesOf(listener: {
  readonly protocol: string
  readonly pool?: string
  readonly routes?: readonly { readonly pool: string }[]
  readonly tls?: { readonly absentName: unknown; readonly encryptedName: unknown }
}): readonly string[] {
  const rules = [listener.tls?.absentName, listener.tls?.encryptedName].flatMap((rule) =>
    typeof rule === 'object' && rule !== null && 'pool' in rule ? [String(rule.pool)] : [],
  )
  const routes = listener.routes?.map(({ pool }) => pool) ?? []
  return [
    ...new Set([...(listener.pool === undefined ? [] : [listener.pool]), ...routes, ...rules]),
  ]
}
