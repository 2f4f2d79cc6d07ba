import type { MemberCondition } from '@steelyard/core'
import type { Question } from './question.ts'

/** Whether a listener would get the request. */
export interface ListenerTrial {
  readonly name: string
  readonly protocol: string
  readonly address: string
  readonly matched: boolean
  readonly because: string
}

/** How a rule fared. */
export interface RuleTrial {
  readonly name: string
  readonly matched: boolean
  readonly because: string
}

/** What a policy on the way says. */
export interface FilterWord {
  readonly name: string
  readonly of: 'listener' | 'rule'
  /** `passes`, `answers 401 (unauthorized)`, or why it was not asked. */
  readonly says: string
}

/** A member of the pool, and whether it could get the request. */
export interface Candidate {
  readonly id: string
  readonly address: string
  readonly condition: MemberCondition
  readonly reason: string
  readonly weight: number
  readonly backup: boolean
  readonly active: number
  readonly usable: boolean
}

/** A pool that the rule sends to. */
export interface PoolWord {
  readonly name: string
  readonly algorithm: string
  /** Of 1. */
  readonly share: number
  readonly available: boolean
  readonly candidates: readonly Candidate[]
  /** Who would get it; absent when nobody can, or when nobody can say. */
  readonly pick?: string
  readonly because: string
}

/** What would become of a request, and why. */
export interface Explanation {
  readonly request: Question
  /** `running`: pools as they are now. `document`: nobody runs, and all members count as up. */
  readonly by: 'running' | 'document'
  readonly listeners: readonly ListenerTrial[]
  readonly listener?: string
  /** It does not come to the rules: its form is refused. */
  readonly refused?: string
  readonly order?: string
  readonly rules: readonly RuleTrial[]
  readonly rule?: string
  readonly action?: string
  readonly filters: readonly FilterWord[]
  /** What the client is told, when that is said here and not by a member. */
  readonly answer?: {
    readonly status: number
    readonly location?: string
    readonly by: string
  }
  readonly pools: readonly PoolWord[]
  /** What members are sent, where it differs. */
  readonly notes: readonly string[]
}
