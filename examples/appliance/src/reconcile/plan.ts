import { bindingText, collide } from '../desired/binding.ts'
import type { Desired, DesiredListener } from '../desired/desired.ts'
import { type JsonSchema, jsonOf } from '../desired/json-schema.ts'
import { addressPoolSchema } from '../desired/schema/address-pool.ts'
import { adminSchema } from '../desired/schema/admin.ts'
import { loadBalancerSchema } from '../desired/schema/load-balancer.ts'
import { nodeSchema } from '../desired/schema/node.ts'
import { changesBetween } from './change.ts'
import { editListener, isUdp, listenerKey, listenerText } from './plan-listener.ts'
import { editPool, poolText } from './plan-pool.ts'
import { same } from './same.ts'
import { nothing, type StartListener, type Step, type StopListener } from './step.ts'

/**
 * The steps from what runs to what is desired, in an order that makes before it breaks: pools come
 * before the listeners that use them and go after them, new listeners start before old ones stop. A
 * listener whose protocol and place stay is edited there, whatever else of it differs, its name
 * included. What does not differ has no step. Pure.
 *
 * @param running - what runs; `undefined` for a node that has just started.
 */
export function plan(desired: Desired, running: Desired | undefined): readonly Step[] {
  const before = running ?? nothing(desired)
  const pools = collection(before.pools, desired.pools, {
    kind: 'pool',
    describe: poolText,
    edit: editPool,
  })
  const addressPools = collection(before.addressPools, desired.addressPools, {
    kind: 'address-pool',
    describe: ({ addresses }) => addresses.join(', '),
    edit: (from, to) => ({ changes: changesBetween(jsonOf(addressPoolSchema), from, to) }),
  })
  const loadBalancers = collection(before.loadBalancers, desired.loadBalancers, {
    kind: 'load-balancer',
    describe: ({ address }) => address ?? 'without an address',
    edit: (from, to) => ({ changes: changesBetween(jsonOf(loadBalancerSchema), from, to) }),
  })
  const listeners = listenerSteps(before, desired)
  return [
    ...single('node', jsonOf(nodeSchema), before.node, desired.node),
    ...single('admin', jsonOf(adminSchema), before.admin, desired.admin),
    ...addressPools.made,
    ...pools.made,
    ...loadBalancers.made,
    ...listeners,
    ...loadBalancers.removed,
    ...pools.removed,
    ...addressPools.removed,
  ] as readonly Step[]
}

function single<Value extends object>(
  kind: 'node' | 'admin',
  schema: JsonSchema,
  from: Value,
  to: Value,
): readonly object[] {
  const changes = changesBetween(schema, from, to)
  if (changes.length === 0) return []
  return [
    { action: 'edit', kind, name: kind, text: kind, connections: 'untouched', changes, from, to },
  ]
}

interface Describer<Value> {
  readonly kind: 'pool' | 'address-pool' | 'load-balancer'
  describe(value: Value): string
  edit(from: Value, to: Value): Partial<Pick<Step, 'connections'>> & Pick<Step, 'changes'>
}

/** Additions and edits, and apart from them removals, of objects by name. */
function collection<Value>(
  from: Readonly<Record<string, Value>>,
  to: Readonly<Record<string, Value>>,
  { kind, describe, edit }: Describer<Value>,
): { readonly made: readonly object[]; readonly removed: readonly object[] } {
  const noun = kind.replace('-', ' ')
  const step = (name: string, value: Value): object => ({
    kind,
    name,
    text: `${noun} ${name}  ${describe(value)}`,
    connections: 'untouched',
    changes: [],
  })
  const added = Object.entries(to)
    .filter(([name]) => !Object.hasOwn(from, name))
    .map(([name, value]) => ({ ...step(name, value), action: 'add', to: value }))
  const edited = Object.entries(to)
    .filter(([name, value]) => Object.hasOwn(from, name) && !same(from[name], value))
    .map(([name, value]) => ({
      ...step(name, value),
      text: `${noun} ${name}`,
      ...edit(from[name]!, value),
      action: 'edit',
      from: from[name],
      to: value,
    }))
  const removed = Object.entries(from)
    .filter(([name]) => !Object.hasOwn(to, name))
    .map(([name, value]) => ({ ...step(name, value), action: 'remove', from: value }))
  return { made: [...added, ...edited], removed }
}

/** Starts, edits, stops; a stop comes early only where its place is needed. */
function listenerSteps(before: Desired, desired: Desired): readonly Step[] {
  const old = new Map(Object.values(before.listeners).map((one) => [listenerKey(one), one]))
  const wanted = Object.values(desired.listeners)
  const edits = wanted.flatMap((to) => {
    const from = old.get(listenerKey(to))
    return from === undefined || same(from, to) ? [] : [editListener(from, to)]
  })
  const stays = new Set(wanted.map(listenerKey))
  const leaving = new Set([...old.values()].filter((one) => !stays.has(listenerKey(one))))
  const starts = wanted
    .filter((one) => !old.has(listenerKey(one)))
    .flatMap((to): Step[] => {
      const inTheWay = [...leaving].filter(
        (one) => isUdp(one) === isUdp(to) && collide(one.binding, to.binding),
      )
      for (const one of inTheWay) leaving.delete(one)
      return [...inTheWay.map((one) => stop(one, to)), start(to)]
    })
  return [...starts, ...edits, ...[...leaving].map((one) => stop(one))]
}

function start(to: DesiredListener): StartListener {
  return {
    action: 'start',
    kind: 'listener',
    name: to.id,
    text: `listener ${to.id}  ${listenerText(to)}`,
    connections: 'untouched',
    changes: [],
    to,
  }
}

function stop(from: DesiredListener, needed?: DesiredListener): StopListener {
  return {
    action: 'stop',
    kind: 'listener',
    name: from.id,
    text: `listener ${from.id}  ${from.protocol} ${bindingText(from.binding)}`,
    connections: 'drained',
    changes: [],
    from,
    ...(needed === undefined ? {} : { makesWayFor: needed.id }),
  }
}
