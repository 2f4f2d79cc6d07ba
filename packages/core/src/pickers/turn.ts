import type { Roster } from '../roster.ts'

/**
 * Whose turn it is in list order. It follows the member, not the index, when the roster changes.
 */
export class Turn {
  /** Index of the member whose turn it is; 0 while there are none. */
  index = 0
  #id: string | undefined
  #roster: Roster | undefined

  /** Keeps the turn with its member, or gives it to the one after when that has left. */
  follow(roster: Roster, start: () => number): void {
    if (this.#roster !== undefined && this.#roster.size > 0) {
      this.#id = this.#roster.backends[this.index]!.id
    }
    this.#roster = roster
    const { size } = roster
    if (this.#id === undefined) {
      this.index = size === 0 ? 0 : Math.min(size - 1, Math.floor(start() * size))
      return
    }
    const id = this.#id
    this.index = Math.max(
      0,
      roster.backends.findIndex((backend) => backend.id >= id),
    )
  }

  /** Member `index` had its turn. */
  passed(index: number): void {
    this.index = index + 1 === this.#roster!.size ? 0 : index + 1
  }
}

/** The first turn is the first member's. */
export function fromFirst(): number {
  return 0
}
