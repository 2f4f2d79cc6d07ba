/** What a {@link FlowTable} keeps; the table owns `hash` and `next`. */
export interface FlowEntry<Entry> {
  /** The client's address, as the transport spells it. */
  readonly address: string
  /** The client's port, or 0 where only the address counts. */
  readonly port: number
  /** What else tells entries of one client apart: the member's slot in one-packet mode, else -1. */
  readonly lane: number
  hash: number
  next: Entry | undefined
}

/**
 * Entries by client address, port and lane: a chained hash table that is asked with the three values as
 * they came, so that looking up a datagram's session makes no key. The seed keeps senders, who choose
 * their addresses and ports, from choosing their buckets too.
 */
export class FlowTable<Entry extends FlowEntry<Entry>> {
  readonly #seed: number
  #buckets: (Entry | undefined)[]
  size = 0

  /** @param seed - any 32-bit number that clients do not know. */
  constructor(seed: number) {
    this.#seed = seed | 0
    this.#buckets = new Array<Entry | undefined>(smallest).fill(undefined)
  }

  find(address: string, port: number, lane: number): Entry | undefined {
    const hash = this.#hash(address, port, lane)
    let entry = this.#buckets[hash & (this.#buckets.length - 1)]
    while (entry !== undefined && !matches(entry, hash, address, port, lane)) entry = entry.next
    return entry
  }

  /** Adds an entry; there must be none with the same three values. */
  add(entry: Entry): void {
    if (this.size >= this.#buckets.length) this.#resize(this.#buckets.length * 2)
    entry.hash = this.#hash(entry.address, entry.port, entry.lane)
    this.#link(entry)
    this.size += 1
  }

  /** Takes this very entry out; false when it is not in. */
  remove(entry: Entry): boolean {
    const at = entry.hash & (this.#buckets.length - 1)
    let previous: Entry | undefined
    for (let here = this.#buckets[at]; here !== undefined; here = here.next) {
      if (here === entry) {
        if (previous === undefined) this.#buckets[at] = entry.next
        else previous.next = entry.next
        entry.next = undefined
        this.size -= 1
        if (this.#buckets.length > smallest && this.size * 8 < this.#buckets.length) {
          this.#resize(this.#buckets.length / 2)
        }
        return true
      }
      previous = here
    }
    return false
  }

  /** All entries now; a copy, so that the table may change while they are gone through. */
  entries(): Entry[] {
    const all: Entry[] = []
    for (const first of this.#buckets) {
      for (let entry = first; entry !== undefined; entry = entry.next) all.push(entry)
    }
    return all
  }

  #link(entry: Entry): void {
    const at = entry.hash & (this.#buckets.length - 1)
    entry.next = this.#buckets[at]
    this.#buckets[at] = entry
  }

  #resize(length: number): void {
    const all = this.entries()
    this.#buckets = new Array<Entry | undefined>(length).fill(undefined)
    for (const entry of all) this.#link(entry)
  }

  #hash(address: string, port: number, lane: number): number {
    let hash = this.#seed ^ Math.imul(port + 1, 0x9e3779b1) ^ Math.imul(lane + 2, 0x85ebca6b)
    for (let i = 0; i < address.length; i++) {
      hash = Math.imul(hash ^ address.charCodeAt(i), 0xcc9e2d51)
      hash = (hash << 13) | (hash >>> 19)
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return (hash ^ (hash >>> 16)) >>> 0
  }
}

/** Buckets of an empty table; always a power of two. */
const smallest = 64

function matches(
  entry: FlowEntry<unknown>,
  hash: number,
  address: string,
  port: number,
  lane: number,
): boolean {
  return (
    entry.hash === hash && entry.port === port && entry.lane === lane && entry.address === address
  )
}
