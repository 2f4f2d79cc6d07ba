import type { Roster } from './roster.ts'
import type { Tried } from './tried.ts'

/**
 * What the number given to {@link Selector.pick} is made of: nothing, the client's address, its address
 * and port, or whatever the caller of an L7 balancer chose. Who picks computes it, once a connection.
 */
export type PickKey = 'none' | 'source' | 'source-port' | 'request'

/** A balancing algorithm: opens a selector with its own state for each pool. */
export interface Picker {
  /** The name used in configuration and status, such as `round-robin`. */
  readonly name: string
  readonly key: PickKey
  open(options: SelectorOptions): Selector
}

/** What a selector may use besides its roster. */
export interface SelectorOptions {
  /** Uniform in [0, 1). Tests pass a seeded one. */
  readonly random: () => number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** An algorithm at work in one pool. */
export interface Selector {
  /** New members, health or weights: rebuild what depends on them. Not on the hot path. */
  update(roster: Roster): void
  /**
   * The slot of the best member that the roster {@link Roster.admits | admits}, or -1. Asked again with
   * the slots tried so far it gives the next candidate, so a retry walks on. Allocates nothing.
   *
   * @param key - unsigned 32-bit hash of what {@link Picker.key} names; 0 for `none`.
   */
  pick(key: number, tried: Tried): number
  /** How long a member took to connect or to answer, for algorithms that learn from it. */
  observe?(slot: number, latencyMs: number): void
}

/** Makes a {@link Picker} of a plain function over the roster. */
export function picker(
  name: string,
  pick: (roster: Roster, key: number, tried: Tried) => number,
  key: PickKey = 'none',
): Picker {
  return Object.freeze({
    name,
    key,
    open(): Selector {
      let members: Roster | undefined
      return {
        update(roster) {
          members = roster
        },
        pick: (hash, tried) => (members === undefined ? -1 : pick(members, hash, tried)),
      }
    },
  })
}
