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
  readonly size: number
  /** `move`: clients of a draining member go elsewhere. `keep`: they stay as long as they come back in time. */
  readonly whenDraining: 'move' | 'keep'
  /** The member that this client had, if it was here in time; begins its timeout anew. */
  lookup(client: string): string | undefined
  assign(client: string, backendId: string): void
  /** Forgets every client of a member; called when it leaves the pool. */
  purge(backendId: string): void
  export(): readonly PersistenceEntry[]
  /** Takes over entries; those that are here already win. */
  import(entries: readonly PersistenceEntry[]): void
}
