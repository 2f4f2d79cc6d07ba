import { type ClientNetwork, type ClientNetworks, clientNetworks } from './client-network.ts'
import { type Clock, systemClock } from './clock.ts'
import { type Duration, parseDuration } from './duration.ts'
import { invalidOption } from './errors.ts'
import { clockOption, listOption, objectOption } from './option-shape.ts'
import { shown } from './shown.ts'

/** One remembered client, as exported for a hand-over. */
export interface PersistenceEntry {
  /** The client's network after the mask, as text. */
  readonly client: string
  readonly backendId: string
  /** Milliseconds that it has left. */
  readonly remainingMs: number
}

/** Clients keep their member for a while after they were last seen. */
export interface PersistenceTable {
  /** Clients remembered now. */
  readonly size: number
  /** `move`: clients of a draining member go elsewhere. `keep`: they stay as long as they come back in time. */
  readonly whenDraining: 'move' | 'keep'
  /** The member that this client had, if it was here in time; begins its timeout anew. */
  lookup(client: string): string | undefined
  /** Remembers a client's member, instead of the one it had; begins its timeout anew. */
  assign(client: string, backendId: string): void
  /** Forgets every client of a member; called when it leaves the pool. */
  purge(backendId: string): void
  /** Everything remembered, the client that was not seen for the longest time first. */
  export(): readonly PersistenceEntry[]
  /** Takes over entries; those that are here already win, and none lives longer than this table's timeout. */
  import(entries: readonly PersistenceEntry[]): void
}

/** How a persistence table is made. */
export interface PersistenceTableOptions {
  /** How long a client is remembered after it was last seen. Default `5m`. */
  readonly timeout?: Duration
  /** IPv4 clients in one block of this prefix length are one client. Default 32: each for itself. */
  readonly ipv4Prefix?: number
  /** The same for IPv6. Default 128; a site is usually 64 to 48. */
  readonly ipv6Prefix?: number
  /** Clients there is room for; beyond it the one not seen for the longest time is forgotten. Default 100000. */
  readonly maxEntries?: number
  /** See {@link PersistenceTable.whenDraining}. Default `move`. */
  readonly whenDraining?: 'move' | 'keep'
  readonly clock?: Clock
}

/**
 * Makes a {@link PersistenceTable} by source address. All spellings of an address are one client; a text that is no
 * address, such as a unix socket's, stands for itself. It sets no timer: what has expired is removed when it is asked
 * for, and a little at every call.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function persistenceTable(options: PersistenceTableOptions = {}): PersistenceTable {
  return new SourceTable(options)
}

/** A remembered client; a link of the ring from the oldest to the newest. */
interface Entry {
  readonly network: ClientNetwork
  backendId: string
  /** Monotonic. All have the same timeout, so the order of last use is the order of expiry. */
  expiresAt: number
  older: Entry
  newer: Entry
}

/** Expired entries removed in passing, at most: each call adds one at most, so this keeps up. */
const sweepStep = 16

class SourceTable implements PersistenceTable {
  readonly whenDraining: 'move' | 'keep'
  readonly #timeoutMs: number
  readonly #maxEntries: number
  readonly #networks: ClientNetworks
  readonly #clock: Clock
  readonly #entries = new Map<ClientNetwork, Entry>()
  readonly #byBackend = new Map<string, Set<Entry>>()
  /** Closes the ring: its `newer` is the oldest entry, its `older` the newest. */
  readonly #ring: Entry = ring()

  constructor(options: PersistenceTableOptions) {
    const {
      maxEntries = 100_000,
      whenDraining = 'move',
      clock = systemClock,
    } = objectOption(options, 'persistence')
    this.#timeoutMs = parseDuration(options.timeout ?? '5m', 'persistence.timeout')
    if (this.#timeoutMs === 0) throw invalidOption('persistence.timeout', 'must be more than 0')
    this.#networks = clientNetworks(
      prefix(options.ipv4Prefix ?? 32, 32, 'persistence.ipv4Prefix'),
      prefix(options.ipv6Prefix ?? 128, 128, 'persistence.ipv6Prefix'),
    )
    if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > 10_000_000) {
      throw invalidOption(
        'persistence.maxEntries',
        `${shown(maxEntries)} is no bound: use a whole number from 1 to 10000000`,
      )
    }
    if (whenDraining !== 'move' && whenDraining !== 'keep') {
      throw invalidOption(
        'persistence.whenDraining',
        `${shown(whenDraining)} is none of move, keep`,
      )
    }
    this.#maxEntries = maxEntries
    this.whenDraining = whenDraining
    this.#clock = clockOption(clock, 'persistence.clock')
  }

  get size(): number {
    this.#sweep(this.#clock.now(), this.#entries.size)
    return this.#entries.size
  }

  lookup(client: string): string | undefined {
    const now = this.#clock.now()
    this.#sweep(now, sweepStep)
    const entry = this.#entries.get(this.#networks.of(client))
    if (entry === undefined) return undefined
    if (entry.expiresAt <= now) {
      this.#forget(entry)
      return undefined
    }
    this.#touch(entry, now)
    return entry.backendId
  }

  assign(client: string, backendId: string): void {
    const now = this.#clock.now()
    this.#sweep(now, sweepStep)
    const network = this.#networks.of(client)
    const entry = this.#entries.get(network)
    if (entry !== undefined) {
      this.#touch(entry, now)
      if (entry.backendId === backendId) return
      this.#leaveBackend(entry)
      entry.backendId = backendId
      this.#joinBackend(entry)
      return
    }
    if (this.#entries.size >= this.#maxEntries) this.#forget(this.#ring.newer)
    this.#add(network, backendId, now + this.#timeoutMs)
  }

  purge(backendId: string): void {
    for (const entry of this.#byBackend.get(backendId) ?? []) {
      unlink(entry)
      this.#entries.delete(entry.network)
    }
    this.#byBackend.delete(backendId)
  }

  export(): readonly PersistenceEntry[] {
    const now = this.#clock.now()
    this.#sweep(now, this.#entries.size)
    const result: PersistenceEntry[] = []
    for (let entry = this.#ring.newer; entry !== this.#ring; entry = entry.newer) {
      const { network, backendId, expiresAt } = entry
      result.push({ client: this.#networks.text(network), backendId, remainingMs: expiresAt - now })
    }
    return result
  }

  import(entries: readonly PersistenceEntry[]): void {
    const now = this.#clock.now()
    this.#sweep(now, this.#entries.size)
    const taken = new Map<ClientNetwork, { backendId: string; expiresAt: number }>()
    listOption(entries, 'entries').forEach((entry, index) => {
      const { client, backendId, remainingMs } = objectOption(entry, `entries[${index}]`)
      const texts = typeof client === 'string' && typeof backendId === 'string'
      if (!texts || typeof remainingMs !== 'number' || !(remainingMs >= 0)) {
        throw invalidOption(
          `entries[${index}]`,
          'needs a client, a backendId, and remainingMs from 0',
        )
      }
      const network = this.#networks.of(client)
      const expiresAt = now + Math.min(remainingMs, this.#timeoutMs)
      if (expiresAt <= now || this.#entries.has(network)) return
      const before = taken.get(network)
      // A coarser mask makes one client of several: the one seen last speaks for it.
      if (before === undefined || before.expiresAt < expiresAt) {
        taken.set(network, { backendId, expiresAt })
      }
    })
    for (const [network, { backendId, expiresAt }] of taken)
      this.#add(network, backendId, expiresAt)
    const inOrder: Entry[] = []
    for (let entry = this.#ring.newer; entry !== this.#ring; entry = entry.newer)
      inOrder.push(entry)
    for (const entry of inOrder.sort((a, b) => a.expiresAt - b.expiresAt)) {
      unlink(entry)
      link(entry, this.#ring)
    }
    while (this.#entries.size > this.#maxEntries) this.#forget(this.#ring.newer)
  }

  #sweep(now: number, most: number): void {
    for (let i = 0; i < most; i++) {
      const oldest = this.#ring.newer
      if (oldest === this.#ring || oldest.expiresAt > now) return
      this.#forget(oldest)
    }
  }

  #touch(entry: Entry, now: number): void {
    entry.expiresAt = now + this.#timeoutMs
    if (entry.newer === this.#ring) return
    unlink(entry)
    link(entry, this.#ring)
  }

  #add(network: ClientNetwork, backendId: string, expiresAt: number): void {
    const entry: Entry = { network, backendId, expiresAt, older: this.#ring, newer: this.#ring }
    link(entry, this.#ring)
    this.#entries.set(network, entry)
    this.#joinBackend(entry)
  }

  #forget(entry: Entry): void {
    unlink(entry)
    this.#entries.delete(entry.network)
    this.#leaveBackend(entry)
  }

  #joinBackend(entry: Entry): void {
    const clients = this.#byBackend.get(entry.backendId)
    if (clients === undefined) this.#byBackend.set(entry.backendId, new Set([entry]))
    else clients.add(entry)
  }

  #leaveBackend(entry: Entry): void {
    const clients = this.#byBackend.get(entry.backendId)
    clients?.delete(entry)
    if (clients?.size === 0) this.#byBackend.delete(entry.backendId)
  }
}

function ring(): Entry {
  const self = { network: '', backendId: '', expiresAt: 0 } as Entry
  self.older = self
  self.newer = self
  return self
}

function link(entry: Entry, end: Entry): void {
  entry.older = end.older
  entry.newer = end
  end.older.newer = entry
  end.older = entry
}

function unlink(entry: Entry): void {
  entry.older.newer = entry.newer
  entry.newer.older = entry.older
}

function prefix(value: number, bits: number, path: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= bits) return value
  throw invalidOption(path, `${shown(value)} is no prefix length: use 0 to ${bits}`)
}
