import { bindingText } from '../desired/binding.ts'
import { type DesiredListener, isHttp } from '../desired/desired.ts'
import { type JsonSchema, jsonOf } from '../desired/json-schema.ts'
import { poolNamesOf } from '../desired/normalise.ts'
import { octaviaPolicySchema, ruleSchema } from '../desired/schema/http/rule.ts'
import { listenerSchema } from '../desired/schema/listener.ts'
import { type Change, changesBetween } from './change.ts'
import { same } from './same.ts'
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
  const changes = [
    ...changesBetween(jsonOf(listenerSchema), withoutRules(from), withoutRules(to)),
    ...(isHttp(from) && isHttp(to)
      ? [
          ...ruleChanges('rule', jsonOf(ruleSchema), from.rules, to.rules),
          ...ruleChanges('policy', jsonOf(octaviaPolicySchema), from.policies, to.policies),
        ]
      : []),
  ]
  if (from.id === to.id) return changes
  const text = `name ${from.id} → ${to.id}`
  return [{ path: 'name', text, from: from.id, to: to.id }, ...changes]
}

function withoutRules(listener: DesiredListener): object {
  const { id: _, name: __, loadBalancer: ___, ...rest } = listener
  if (!isHttp(rest)) return rest
  const { rules: ____, policies: _____, ...others } = rest
  return others
}

interface NamedRule {
  readonly name: string
}

/** Rules by name: which come, go and differ in what, and whether they stand in another order. */
function ruleChanges(
  noun: 'rule' | 'policy',
  schema: JsonSchema,
  before: readonly NamedRule[],
  after: readonly NamedRule[],
): readonly Change[] {
  const old = new Map(before.map((rule) => [rule.name, rule]))
  const fresh = new Map(after.map((rule) => [rule.name, rule]))
  const path = (name: string): string => `${noun === 'rule' ? 'rules' : 'policies'}.${name}`
  const changes = [...new Set([...old.keys(), ...fresh.keys()])].flatMap(
    (name): readonly Change[] => {
      const from = old.get(name)
      const to = fresh.get(name)
      if (from === undefined) return [{ path: path(name), text: `${noun} ${name} added`, to }]
      if (to === undefined) return [{ path: path(name), text: `${noun} ${name} removed`, from }]
      return changesBetween(schema, from, to).map((change) => ({
        ...change,
        path: `${path(name)}.${change.path}`,
        text: `${noun} ${name}: ${change.text}`,
      }))
    },
  )
  const stay = (rules: readonly NamedRule[]): string[] =>
    rules.map(({ name }) => name).filter((name) => old.has(name) && fresh.has(name))
  if (same(stay(before), stay(after))) return changes
  const list = noun === 'rule' ? 'rules' : 'policies'
  return [...changes, { path: list, text: `${list}: other order` }]
}
