import type { HttpFilter } from '@steelyard/l7'

/**
 * The filters of a listener. Those whose options stay the same over a reload are kept, with the quotas, circuits and
 * sessions in them.
 */
export interface FilterStock {
  /** The filter of this place and these options; made when there is none yet. */
  take<Filter extends HttpFilter>(place: string, options: unknown, make: () => Filter): Filter
  /** Forgets what was not taken since the last time, and closes it. */
  commit(): void
  /** Forgets what was made since the last time. */
  abandon(): void
}

interface Kept {
  readonly filter: HttpFilter
  readonly parts: readonly object[]
}

/** Makes an empty {@link FilterStock}. */
export function filterStock(): FilterStock {
  let kept = new Map<string, Kept>()
  let chosen = new Map<string, Kept>()
  return {
    take(place, options, make) {
      const parts: object[] = []
      // Pools and other live objects count as themselves, everything else by what it says.
      const key = `${place} ${JSON.stringify(options, (_name, value: unknown) => {
        if (!isLive(value)) return value
        parts.push(value)
        return `#${parts.length}`
      })}`
      const found = chosen.get(key) ?? kept.get(key)
      const isSame =
        found !== undefined &&
        found.parts.length === parts.length &&
        found.parts.every((part, index) => part === parts[index])
      const entry = isSame ? found : { filter: make(), parts }
      chosen.set(key, entry)
      return entry.filter as ReturnType<typeof make>
    },
    commit() {
      for (const [key, { filter }] of kept) if (chosen.get(key)?.filter !== filter) close(filter)
      kept = chosen
      chosen = new Map()
    },
    abandon() {
      for (const [key, { filter }] of chosen) if (kept.get(key)?.filter !== filter) close(filter)
      chosen = new Map()
    },
  }
}

function isLive(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    (prototype !== Object.prototype && prototype !== null) ||
    typeof (value as { pick?: unknown }).pick === 'function'
  )
}

function close(filter: HttpFilter): void {
  if ('close' in filter && typeof filter.close === 'function') filter.close()
}
