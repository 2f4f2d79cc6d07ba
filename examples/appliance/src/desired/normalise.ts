import {
  type Desired,
  type DesiredListener,
  type DesiredPolicy,
  type DesiredRule,
  type DesiredTlsListener,
  isHttp,
} from './desired.ts'
import { listenersOf, loadBalancersOf } from './document-objects.ts'
import type { Inspection } from './inspection.ts'
import { normaliseListener } from './normalise-listener.ts'
import { normalisePool } from './normalise-pool.ts'
import { formatPath, type Path } from './path.ts'
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
      .map(({ draft, path }): DesiredListener => {
        // The document is whole, and so are its parts.
        const listener = draft as MeantDocument['loadBalancers'][number]['listeners'][number]
        const whole = isHttp(listener) ? withoutFaulty(listener, path, inspection) : listener
        return normaliseListener(whole, {
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

type WrittenHttp = Extract<
  MeantDocument['loadBalancers'][number]['listeners'][number],
  { protocol: 'http' | 'https' | 'h2c' }
>

/**
 * A rule that cannot be as it is keeps its place and answers 503, so that nobody else gets what is meant for it; one
 * whose condition is not known is not there.
 */
function withoutFaulty<Listener extends WrittenHttp>(
  listener: Listener,
  path: Path,
  inspection: Inspection,
): Listener {
  const faulty = new Map(inspection.leftOut.map((one) => [one.path, one]))
  const kept = <Rule extends object>(list: 'rules' | 'policies', rules: readonly Rule[]): Rule[] =>
    rules.flatMap((rule, index) => {
      const fault = faulty.get(formatPath([...path, list, index]))
      if (fault === undefined) return [rule]
      return fault.code === 'condition-invalid' ? [] : [{ ...rule, unavailable: fault.reason }]
    })
  return {
    ...listener,
    rules: kept('rules', listener.rules),
    policies: kept('policies', listener.policies),
  }
}

/** The pools that a listener sends to, its default pool first. */
export function poolNamesOf(listener: DesiredListener): readonly string[] {
  return [
    ...new Set(
      isHttp(listener)
        ? [
            ...own(listener.pool),
            ...own(listener.filters?.mirror?.pool),
            ...listener.rules.flatMap(poolNamesOfRule),
            ...listener.policies.flatMap(poolNamesOfRule),
          ]
        : [...own(listener.pool), ...(listener.protocol === 'tls' ? poolNamesOfTls(listener) : [])],
    ),
  ]
}

/** The pools that a rule or policy sends to. */
export function poolNamesOfRule(rule: DesiredRule | DesiredPolicy): readonly string[] {
  if (!rule.enabled || rule.unavailable !== undefined) return []
  if ('action' in rule) return own(rule.redirectPool)
  const { pool, pools = [], filters } = rule
  return [...own(pool), ...pools.map((one) => one.pool), ...own(filters?.mirror?.pool)]
}

function poolNamesOfTls({ routes, tls }: DesiredTlsListener): readonly string[] {
  const rules = [tls.absentName, tls.encryptedName].flatMap((rule) =>
    typeof rule === 'object' ? [rule.pool] : [],
  )
  return [...routes.map(({ pool }) => pool), ...rules]
}

function own(pool: string | undefined): readonly string[] {
  return pool === undefined ? [] : [pool]
}
