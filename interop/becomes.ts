import type { Pool } from '@steelyard/core'

/** Resolves with the reason when a member of the pool has this verdict, or when it gets it. */
export async function becomes(group: Pool, id: string, state: 'up' | 'down'): Promise<string> {
  const now = group.members().find(({ backend }) => backend.id === id)
  if (now?.verdict.state === state) return now.verdict.reason
  return new Promise((resolve) => {
    const listening = group.on('health', ({ backend, health, reason }) => {
      if (backend.id !== id || health !== state) return
      listening[Symbol.dispose]()
      resolve(reason)
    })
  })
}
