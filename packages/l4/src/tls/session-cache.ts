/** TLS sessions by backend, bounded; the one that was used longest ago goes first. */
export interface SessionCache {
  readonly size: number
  get(key: string): Buffer | undefined
  set(key: string, session: Buffer): void
  delete(key: string): void
}

/** Makes a {@link SessionCache}; a limit of 0 keeps nothing. */
export function sessionCache(limit: number): SessionCache {
  // A Map remembers the order of insertion.
  const sessions = new Map<string, Buffer>()
  return {
    get size() {
      return sessions.size
    },
    get(key) {
      const session = sessions.get(key)
      if (session === undefined) return undefined
      sessions.delete(key)
      sessions.set(key, session)
      return session
    },
    set(key, session) {
      if (limit === 0) return
      sessions.delete(key)
      sessions.set(key, session)
      if (sessions.size <= limit) return
      const oldest = sessions.keys().next()
      if (oldest.done !== true) sessions.delete(oldest.value)
    },
    delete(key) {
      sessions.delete(key)
    },
  }
}
