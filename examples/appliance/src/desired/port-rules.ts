import { type Binding, bindingOf, bindingText, collide, endpointBinding } from './binding.ts'
import {
  allListenersOf,
  type Placed,
  type PoolDraft,
  poolReferencesOf,
  poolsOf,
} from './document-objects.ts'
import type { Inspection } from './inspection.ts'
import { firstByName, lineOf } from './references.ts'

type Protocol = 'tcp' | 'udp'

interface Place {
  readonly protocol: Protocol
  readonly binding: Binding
  /** For people, with its line. */
  readonly holder: string
}

/**
 * Two listeners of one L4 protocol cannot be in one place; the first in the document has it. TCP and TLS
 * are one protocol here, UDP is another, and a wildcard address takes all of its families.
 *
 * @param addresses - of load balancers, by name.
 */
export function findPortConflicts(
  inspection: Inspection,
  addresses: ReadonlyMap<string, string>,
): void {
  const taken = new Map<string, Place[]>()
  const add = (place: Place): void => {
    const key = keyOf(place)
    taken.set(key, [...(taken.get(key) ?? []), place])
  }
  const admin = inspection.draft.admin?.listen
  if (admin !== undefined) {
    add({ protocol: 'tcp', binding: endpointBinding(admin), holder: 'the admin endpoint' })
  }
  for (const listener of allListenersOf(inspection.draft)) {
    const { draft, owner, path } = listener
    const isOff = draft.enabled === false || owner.draft.enabled === false
    if (isOff || inspection.isLeftOut(path) || inspection.isLeftOut(owner.path)) continue
    const binding = bindingOf(draft, addresses.get(owner.name))
    if (binding === undefined || draft.protocol === undefined) continue
    const protocol: Protocol = draft.protocol === 'udp' ? 'udp' : 'tcp'
    const holder = `the listener "${listener.name}" on line ${lineOf(inspection, listener)}`
    const place = { protocol, binding, holder }
    const other = taken.get(keyOf(place))?.find((one) => collide(one.binding, binding))
    if (other === undefined) {
      add(place)
      continue
    }
    inspection.report(
      'port-conflict',
      listener,
      [...path, draft.listen === undefined ? 'port' : 'listen'],
      `${protocol.toUpperCase()} ${bindingText(binding)} is taken by ${other.holder}${
        bindingText(other.binding) === bindingText(binding)
          ? ''
          : `, which has ${bindingText(other.binding)}`
      }`,
      'choose another port or address',
    )
  }
}

function keyOf({ protocol, binding }: Place): string {
  if (binding.kind === 'address') return `${protocol} ${binding.port}`
  return binding.kind === 'unix' ? `unix ${binding.path}` : `fd ${binding.fd}`
}

/** A listener that has itself among the members of its pool would forward to itself without end. */
export function findLoops(inspection: Inspection, addresses: ReadonlyMap<string, string>): void {
  const pools = firstByName(poolsOf(inspection.draft))
  for (const listener of allListenersOf(inspection.draft)) {
    const { draft, owner, path } = listener
    if (inspection.isLeftOut(path) || inspection.isLeftOut(owner.path)) continue
    const binding = bindingOf(draft, addresses.get(owner.name))
    if (binding === undefined) continue
    for (const reference of poolReferencesOf(listener)) {
      const pool = pools.get(reference.pool)
      const member = pool === undefined ? undefined : memberAt(pool, binding)
      if (member === undefined) continue
      inspection.report(
        'forwarding-loop',
        reference.by,
        reference.path,
        `the listener is on ${bindingText(binding)}, and so is the member ${member} of its pool "${reference.pool}"`,
        'remove the member, or listen elsewhere: connections would go round without end',
      )
      break
    }
  }
}

function memberAt(pool: Placed<PoolDraft>, binding: Binding): string | undefined {
  for (const member of pool.draft.members ?? []) {
    const address = typeof member === 'string' ? member : member?.address
    if (address === undefined) continue
    const place = endpointBinding(address)
    const isHere =
      binding.kind === 'address' && place.kind === 'address'
        ? place.port === binding.port &&
          (place.host === binding.host || takesLoopback(binding, place.host))
        : bindingText(place) === bindingText(binding)
    if (isHere) return address
  }
  return undefined
}

/** Does a wildcard listener take what is sent to this loopback address? */
function takesLoopback({ host, ipv6Only }: Binding & { kind: 'address' }, to: string): boolean {
  if (host !== '::' && host !== '0.0.0.0') return false
  if (to === '::1') return host === '::'
  if (to.startsWith('127.')) return !ipv6Only
  return to === 'localhost'
}
