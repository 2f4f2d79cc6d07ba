import type { Explanation } from '../explain/explanation.ts'
import type { Question } from '../explain/question.ts'
import type { NodeStatus } from './status.ts'

/** What may be changed of a member at run time; it stays in force until undone, over reloads too. */
export interface MemberOverride {
  readonly state?: 'enabled' | 'draining' | 'disabled'
  readonly weight?: number
  /** Open connections are cut after this many milliseconds. */
  readonly cutAfterMs?: number
}

/** An answer: what to print, and whether it went well. */
export interface Outcome {
  readonly ok: boolean
  /** Machine-readable body. */
  readonly body: unknown
}

/** Whether the node should get traffic, and what there is to say about it. */
export interface Readiness {
  readonly ready: boolean
  readonly notes: readonly string[]
}

/** What the admin endpoint asks of the running node. */
export interface AdminTarget {
  /** Ready is a node that runs; an object that had to be left out does not take the others out of service. */
  readiness(): Readiness
  status(): NodeStatus
  metrics(): string
  plan(document: Uint8Array): Promise<Outcome>
  /** Throws `draining` when the node is about to stop. */
  apply(document: Uint8Array): Promise<Outcome>
  /** What would become of a request; nothing is sent. */
  explain(question: Question): Promise<Explanation>
  /** Throws `no-such-pool` or `no-such-backend`. */
  override(pool: string, member: string, change: MemberOverride): Outcome
  /** Undoes every override of the member. */
  undo(pool: string, member: string): Outcome
}
