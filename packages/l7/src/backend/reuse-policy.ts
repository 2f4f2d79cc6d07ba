import type { ReusePolicy } from './upstream-options.ts'

/** What a policy looks at. */
export interface ReuseFacts {
  /** The request's method says so, and its body, if it has one, can be sent again. */
  readonly idempotent: boolean
  /** It is the first request of the client's connection, so that the client need not expect to have to retry. */
  readonly firstOfClient: boolean
  /** An attempt failed already because its connection, which had served before, was closed at the same time. */
  readonly raced?: boolean
}

/**
 * Which connections a request may go on: new ones alone (`none`), also those that have been reused before (`proven`),
 * or also those that have served once (`any`).
 */
export type Reuse = 'none' | 'proven' | 'any'

/**
 * Decides by a {@link ReusePolicy}. A request that lost the race against a closing connection once goes on a new one,
 * because the other idle ones are likely to be closed as well.
 */
export function mayReuse(policy: ReusePolicy, facts: ReuseFacts): Reuse {
  if (policy === 'never' || facts.raced === true) return 'none'
  if (policy === 'always' || facts.idempotent || !facts.firstOfClient) return 'any'
  return policy === 'aggressive' ? 'proven' : 'none'
}
