import { collide, endpointBinding } from './binding.ts'
import {
  type Desired,
  type DesiredHttpListener,
  type DesiredListener,
  type DesiredPolicy,
  type DesiredRule,
  isHttp,
} from './desired.ts'
import { frozen } from './frozen.ts'
import type { Quarantined } from './inspection.ts'
import { poolNamesOf, poolNamesOfRule } from './normalise.ts'

/**
 * A mistake in an object must not end what runs well: what is left out goes on in its running form, as
 * long as it is in nobody's way. Gives the result frozen.
 */
export function keepRunning(
  fresh: Desired,
  leftOut: readonly Quarantined[],
  running: Desired | undefined,
): { readonly desired: Desired; readonly quarantined: readonly Quarantined[] } {
  if (running === undefined) return { desired: frozen(fresh), quarantined: frozen(leftOut) }
  const pools = { ...fresh.pools }
  const addressPools = { ...fresh.addressPools }
  const loadBalancers = { ...fresh.loadBalancers }
  const listeners = { ...fresh.listeners }
  const kept = new Set<string>()
  const names = new Set(leftOut.map(({ kind, name }) => `${kind} ${name}`))

  const keepPool = (name: string): boolean => {
    if (!Object.hasOwn(pools, name) && Object.hasOwn(running.pools, name)) {
      pools[name] = running.pools[name]!
      kept.add(`pool ${name}`)
    }
    return Object.hasOwn(pools, name)
  }
  /** Rules that cannot be as they are written go on in their running form, at their new place. */
  const withEarlierRules = <Listener extends DesiredHttpListener>(
    listener: Listener,
    before: DesiredHttpListener,
  ): Listener => {
    const earlier = <Rule extends DesiredRule | DesiredPolicy>(
      rule: Rule,
      olds: readonly Rule[],
    ): Rule => {
      if (isUsable(rule)) return rule
      const old = olds.find(({ name }) => name === rule.name)
      if (old === undefined || !isUsable(old) || !poolNamesOfRule(old).every(keepPool)) return rule
      kept.add(`rule ${listener.id}/${rule.name}`)
      return old
    }
    return {
      ...listener,
      rules: listener.rules.map((rule) => earlier(rule, before.rules)),
      policies: listener.policies.map((policy) => earlier(policy, before.policies)),
    }
  }
  const keepListener = (listener: DesiredListener): void => {
    const { id, loadBalancer } = listener
    if (Object.hasOwn(listeners, id) || isInTheWay(listener, Object.values(listeners))) return
    if (!isUdp(listener) && collide(endpointBinding(fresh.admin.listen), listener.binding)) return
    if (!poolNamesOf(listener).every(keepPool)) return
    listeners[id] = listener
    kept.add(`listener ${id}`)
    if (Object.hasOwn(loadBalancers, loadBalancer)) return
    loadBalancers[loadBalancer] = running.loadBalancers[loadBalancer]!
    kept.add(`load-balancer ${loadBalancer}`)
  }

  for (const pool of Object.values(running.addressPools)) {
    const key = `address-pool ${pool.name}`
    if (!names.has(key) || Object.hasOwn(addressPools, pool.name)) continue
    addressPools[pool.name] = pool
    kept.add(key)
  }
  for (const listener of Object.values(listeners)) {
    const before = running.listeners[listener.id]
    if (!isHttp(listener) || before === undefined || !isHttp(before)) continue
    listeners[listener.id] = withEarlierRules(listener, before)
  }
  for (const listener of Object.values(running.listeners)) {
    const isLeftOut =
      names.has(`listener ${listener.id}`) || names.has(`load-balancer ${listener.loadBalancer}`)
    if (isLeftOut) keepListener(listener)
  }
  for (const pool of Object.values(running.pools)) {
    if (names.has(`pool ${pool.name}`)) keepPool(pool.name)
  }
  return {
    desired: frozen({ ...fresh, pools, addressPools, loadBalancers, listeners }),
    quarantined: frozen(
      leftOut.map((one) => ({ ...one, kept: kept.has(`${one.kind} ${one.name}`) })),
    ),
  }
}

function isUsable(rule: DesiredRule | DesiredPolicy): boolean {
  return rule.unavailable === undefined
}

function isInTheWay(listener: DesiredListener, others: readonly DesiredListener[]): boolean {
  return others.some(
    (other) => isUdp(other) === isUdp(listener) && collide(other.binding, listener.binding),
  )
}

function isUdp({ protocol }: DesiredListener): boolean {
  return protocol === 'udp'
}
