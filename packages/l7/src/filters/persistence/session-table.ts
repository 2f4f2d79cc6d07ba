import {
  type Clock,
  clockOption,
  type Duration,
  invalidOption,
  listOption,
  objectOption,
  type PersistenceTable,
  type Pool,
  parseDuration,
  persistenceTable,
  systemClock,
  textOption,
} from '@steelyard/core'
import { wholeOption } from '../number-option.ts'
import { watchMembers } from './member-watch.ts'

/** One remembered session, as exported for a hand-over. */
export interface SessionEntry {
  /** The pool's name. */
  readonly pool: string
  /** The cookie's or header's value. */
  readonly key: string
  readonly backendId: string
  /** Milliseconds that it has left. */
  readonly remainingMs: number
}

/** How long sessions are remembered, and how many. */
export interface SessionTableOptions {
  /** How long a session is remembered after it was last seen. */
  readonly timeout?: Duration
  /** Sessions there is room for; beyond it the one not seen for the longest time is forgotten. */
  readonly maxEntries?: number
  readonly clock?: Clock
}

/** Which member has which session, for each pool; forgets those of members that leave. */
export interface SessionTable {
  readonly size: number
  /** Begins the session's timeout anew. */
  lookup(pool: Pool, key: string): string | undefined
  /** Remembers the member, instead of the one it had; begins its timeout anew. */
  assign(pool: Pool, key: string, backendId: string): void
  /** Everything remembered, the session that was not seen for the longest time first. */
  export(): SessionEntry[]
  /** Takes over entries; those that are here already win, and none lives longer than this table's timeout. */
  import(entries: readonly SessionEntry[]): void
}

/**
 * Makes a {@link SessionTable}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function sessionTable(
  options: SessionTableOptions,
  path: string,
  defaults: { readonly timeout: Duration; readonly maxEntries: number },
): SessionTable {
  const timeoutMs = parseDuration(options.timeout ?? defaults.timeout, `${path}.timeout`)
  if (timeoutMs === 0) throw invalidOption(`${path}.timeout`, 'must be more than 0')
  const table = persistenceTable({
    timeout: timeoutMs,
    maxEntries: wholeOption(
      options.maxEntries ?? defaults.maxEntries,
      `${path}.maxEntries`,
      1,
      10_000_000,
      'bound',
    ),
    clock: clockOption(options.clock ?? systemClock, `${path}.clock`),
  })
  const watched = new WeakMap<Pool, Purger>()
  const watch = (pool: Pool): void => {
    if (watched.has(pool)) return
    const purger: Purger = { table, pool: pool.name }
    watched.set(pool, purger)
    watchMembers(pool, purger, (follower, { backend, change }) => {
      if (change === 'removed') follower.table.purge(scoped(follower.pool, backend.id))
    })
  }
  return {
    get size() {
      return table.size
    },
    lookup(pool, key) {
      const found = table.lookup(scoped(pool.name, key))
      return found === undefined ? undefined : unscoped(found)[1]
    },
    assign(pool, key, backendId) {
      watch(pool)
      table.assign(scoped(pool.name, key), scoped(pool.name, backendId))
    },
    export: () =>
      table.export().map(({ client, backendId, remainingMs }) => {
        const [pool, key] = unscoped(client)
        return { pool, key, backendId: unscoped(backendId)[1], remainingMs }
      }),
    import(entries) {
      table.import(
        listOption(entries, 'entries').map((entry, index) => {
          const at = `entries[${index}]`
          const { pool, key, backendId, remainingMs } = objectOption(entry, at)
          textOption(pool, `${at}.pool`)
          return {
            client: scoped(pool, textOption(key, `${at}.key`)),
            backendId: scoped(pool, textOption(backendId, `${at}.backendId`)),
            remainingMs,
          }
        }),
      )
    },
  }
}

/** What hears of a pool's members, for as long as the table's owner lives. */
interface Purger {
  readonly table: PersistenceTable
  readonly pool: string
}

/** One text of two, which is never an address: core's table would take its spellings for one. */
function scoped(pool: string, name: string): string {
  return `${pool.length}/${pool}/${name}`
}

function unscoped(text: string): [pool: string, name: string] {
  const slash = text.indexOf('/')
  const end = slash + 1 + Number(text.slice(0, slash))
  return [text.slice(slash + 1, end), text.slice(end + 1)]
}
