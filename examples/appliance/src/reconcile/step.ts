import type {
  Desired,
  DesiredAddressPool,
  DesiredAdmin,
  DesiredListener,
  DesiredLoadBalancer,
  DesiredNode,
  DesiredPool,
} from '../desired/desired.ts'
import type { Change } from './change.ts'

/**
 * What a step means for connections that are open. `untouched`: none notices. `new`: only connections
 * opened later are handled in the new way. `drained`: some of them may go on for the drain time, and are
 * then cut.
 */
export type Effect = 'untouched' | 'new' | 'drained'

interface Base {
  /** The object's name; of a listener `load balancer/listener`. */
  readonly name: string
  /** One line for people. */
  readonly text: string
  readonly connections: Effect
  /** What differs; empty for what comes or goes as a whole. */
  readonly changes: readonly Change[]
}

type Comes<Kind extends string, Value> = Base & {
  readonly action: 'add'
  readonly kind: Kind
  readonly to: Value
}

type Differs<Kind extends string, Value> = Base & {
  readonly action: 'edit'
  readonly kind: Kind
  readonly from: Value
  readonly to: Value
}

type Goes<Kind extends string, Value> = Base & {
  readonly action: 'remove'
  readonly kind: Kind
  readonly from: Value
}

type Any<Kind extends string, Value> = Comes<Kind, Value> | Differs<Kind, Value> | Goes<Kind, Value>

/** A listener begins to listen. */
export type StartListener = Base & {
  readonly action: 'start'
  readonly kind: 'listener'
  readonly to: DesiredListener
}

/**
 * A listener gets other options where it is; its socket stays open. Options that only a new socket can
 * take are in `atNextStart`, and wait for it.
 */
export type EditListener = Differs<'listener', DesiredListener> & {
  readonly atNextStart: readonly string[]
}

/** A listener stops listening, and its connections drain. */
export type StopListener = Base & {
  readonly action: 'stop'
  readonly kind: 'listener'
  readonly from: DesiredListener
  /** The listener that needs its place; then it is stopped before that one starts. */
  readonly makesWayFor?: string
}

/** One step from what runs to what is desired. */
export type Step =
  | Differs<'node', DesiredNode>
  | Differs<'admin', DesiredAdmin>
  | Any<'address-pool', DesiredAddressPool>
  | Any<'load-balancer', DesiredLoadBalancer>
  | Any<'pool', DesiredPool>
  | StartListener
  | EditListener
  | StopListener

/** What runs when nothing was applied yet. */
export function nothing({ node, admin }: Pick<Desired, 'node' | 'admin'>): Desired {
  return { node, admin, addressPools: {}, loadBalancers: {}, listeners: {}, pools: {} }
}
