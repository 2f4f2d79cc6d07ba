/** What was verified lately, so that it need not be verified for each request. */
export interface VerifiedCache<T> {
  readonly size: number
  get(key: string, now: number): T | undefined
  /** Beyond the bound the one used least recently goes. */
  set(key: string, value: T, expiresAt: number): void
}

/** Makes a {@link VerifiedCache}; with a bound of 0 it remembers nothing. */
export function verifiedCache<T>(most: number): VerifiedCache<T> {
  const entries = new Map<string, { readonly value: T; readonly expiresAt: number }>()
  return {
    get size() {
      return entries.size
    },
    get(key, now) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      entries.delete(key)
      if (entry.expiresAt <= now) return undefined
      // Maps keep their order: what was used goes to the end.
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, expiresAt) {
      if (most === 0) return
      entries.delete(key)
      if (entries.size >= most) {
        for (const oldest of entries.keys()) {
          entries.delete(oldest)
          break
        }
      }
      entries.set(key, { value, expiresAt })
    },
  }
}
