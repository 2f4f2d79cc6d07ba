/** Somebody in a {@link Crowd}. */
export interface CrowdMember {
  /** Where it stands; -1 outside. The crowd's to write. */
  place: number
}

/** A set whose members know where they stand, so that coming and going, which every exchange does, hashes nothing. */
export class Crowd<T extends CrowdMember> implements Iterable<T> {
  readonly #members: T[] = []

  get size(): number {
    return this.#members.length
  }

  add(member: T): void {
    if (member.place < 0) member.place = this.#members.push(member) - 1
  }

  delete(member: T): void {
    const { place } = member
    if (place < 0) return
    member.place = -1
    const last = this.#members.pop()!
    if (last === member) return
    this.#members[place] = last
    last.place = place
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#members[Symbol.iterator]()
  }
}
