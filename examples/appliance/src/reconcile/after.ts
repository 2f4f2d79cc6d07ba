import type { Desired, DesiredListener } from '../desired/desired.ts'
import { listenerKey } from './plan-listener.ts'
import type { Step } from './step.ts'

/**
 * What runs after a step was done. Whoever applies a plan keeps this up step by step, so that after a
 * failure it is known what runs in truth, and the next plan begins there.
 */
export function after(running: Desired, step: Step): Desired {
  switch (step.kind) {
    case 'node':
      return { ...running, node: step.to }
    case 'admin':
      return { ...running, admin: step.to }
    case 'address-pool':
      return { ...running, addressPools: put(running.addressPools, step) }
    case 'load-balancer':
      return { ...running, loadBalancers: put(running.loadBalancers, step) }
    case 'pool':
      return { ...running, pools: put(running.pools, step) }
    case 'listener': {
      const listeners = { ...running.listeners }
      if (step.action !== 'start') drop(listeners, step.from)
      if (step.action !== 'stop') listeners[step.to.id] = step.to
      return { ...running, listeners }
    }
    default:
      return step satisfies never
  }
}

function put<Value>(
  values: Readonly<Record<string, Value>>,
  step: { readonly name: string } & (
    | { readonly action: 'add' | 'edit'; readonly to: Value }
    | { readonly action: 'remove' }
  ),
): Readonly<Record<string, Value>> {
  if (step.action !== 'remove') return { ...values, [step.name]: step.to }
  const { [step.name]: _, ...rest } = values
  return rest
}

/** Another listener may have the name by now. */
function drop(listeners: Record<string, DesiredListener>, from: DesiredListener): void {
  const present = listeners[from.id]
  if (present !== undefined && listenerKey(present) === listenerKey(from)) delete listeners[from.id]
}
