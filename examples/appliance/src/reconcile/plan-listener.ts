import { bindingText } from '../desired/binding.ts'
import type { DesiredListener } from '../desired/desired.ts'
import { jsonOf } from '../desired/json-schema.ts'
import { poolNamesOf } from '../desired/normalise.ts'
import { listenerSchema } from '../desired/schema/listener.ts'
import { type Change, changesBetween } from './change.ts'
import type { EditListener } from './step.ts'

/** Options that a socket takes when it is opened, and not later. */
const socketOptions = ['reusePort', 'backlog', 'udp.buffers.receive', 'udp.buffers.send']

/** Two listeners with the same key are one socket: protocol and place. */
export function listenerKey({ protocol, binding }: DesiredListener): string {
  const only = binding.kind === 'address' && binding.ipv6Only ? ' ipv6-only' : ''
  return `${protocol} ${bindingText(binding)}${only}`
}

/** TCP and TLS are one L4 protocol, UDP is the other. */
export function isUdp({ protocol }: DesiredListener): boolean {
  return protocol === 'udp'
}

/** `tcp 127.0.0.10:6379 → redis`. */
export function listenerText(listener: DesiredListener): string {
  const pools = poolNamesOf(listener).join(', ')
  return `${listener.protocol} ${bindingText(listener.binding)} → ${pools}`
}

/** The step that gives a listener other options where it is. */
export function editListener(from: DesiredListener, to: DesiredListener): EditListener {
  const changes = listenerChanges(from, to)
  const atNextStart = changes.map(({ path }) => path).filter((path) => socketOptions.includes(path))
  return {
    action: 'edit',
    kind: 'listener',
    name: to.id,
    text: `listener ${to.id}  ${to.protocol} ${bindingText(to.binding)}`,
    connections: changes.some(({ path }) => isForTraffic(path)) ? 'new' : 'untouched',
    changes,
    atNextStart,
    from,
    to,
  }
}

/** A new name, or what waits for the next start, does not change how connections are handled. */
function isForTraffic(path: string): boolean {
  return path !== 'name' && path !== 'drain' && !socketOptions.includes(path)
}

function listenerChanges(from: DesiredListener, to: DesiredListener): readonly Change[] {
  const changes = changesBetween(jsonOf(listenerSchema), withoutId(from), withoutId(to))
  if (from.id === to.id) return changes
  const text = `name ${from.id} → ${to.id}`
  return [{ path: 'name', text, from: from.id, to: to.id }, ...changes]
}

function withoutId(listener: DesiredListener): object {
  const { id: _, name: __, loadBalancer: ___, ...rest } = listener
  return rest
}
