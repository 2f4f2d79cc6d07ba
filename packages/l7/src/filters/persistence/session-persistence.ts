import type { HttpFilter } from '../../exchange/http-filter.ts'
import type { SessionEntry } from './session-table.ts'

/** A filter that remembers sessions. */
export interface SessionPersistence extends HttpFilter {
  /** Sessions remembered now. */
  readonly size: number
  /** Everything remembered, for another process. */
  export(): readonly SessionEntry[]
  /**
   * Takes over what another process remembered; what is here already wins.
   *
   * @throws `invalid-option`
   */
  import(entries: readonly SessionEntry[]): void
}
