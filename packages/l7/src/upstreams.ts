import { invalidOption } from '@steelyard/core'
import type { BackendConnections } from './backend/connections.ts'
import { type UpstreamHost, upstreamConnections } from './backend/upstream-connections.ts'
import type { UpstreamOptions } from './backend/upstream-options.ts'
import { upstreamSettings } from './backend/upstream-settings.ts'

/** The backend connections of one balancer: one set for each way of speaking to members, kept over reconfigurations. */
export class Upstreams {
  readonly #host: UpstreamHost
  #sets = new Map<string, BackendConnections>()

  constructor(host: UpstreamHost) {
    this.#host = host
  }

  /** Begins a new configuration: what {@link Upstreams.take} is not asked for again is let go by {@link UpstreamSelection.commit}. */
  select(): UpstreamSelection {
    const chosen = new Map<string, BackendConnections>()
    const made: BackendConnections[] = []
    return {
      take: (options, path) => {
        upstreamSettings(options, path)
        const key = keyOf(options, path)
        let set = chosen.get(key) ?? this.#sets.get(key)
        if (set === undefined) {
          set = upstreamConnections(options, this.#host, path)
          made.push(set)
        }
        chosen.set(key, set)
        return set
      },
      commit: () => {
        for (const [key, set] of this.#sets) if (chosen.get(key) !== set) set.close()
        this.#sets = chosen
      },
      abandon: () => {
        for (const set of made) set.close()
      },
    }
  }

  /** A member is gone or down: its idle connections are of no more use. */
  forget(backendId: string): void {
    for (const set of this.#sets.values()) set.forget(backendId)
  }

  /** A client's connection is over. */
  clientGone(clientId: number): void {
    for (const set of this.#sets.values()) set.clientGone?.(clientId)
  }

  get all(): readonly BackendConnections[] {
    return [...this.#sets.values()]
  }

  close(): void {
    for (const set of this.#sets.values()) set.close()
    this.#sets = new Map()
  }
}

/** One configuration in the making. */
export interface UpstreamSelection {
  take(options: UpstreamOptions, path: string): BackendConnections
  commit(): void
  abandon(): void
}

/** Equal options have equal keys: everything in them is data. */
function keyOf(options: UpstreamOptions, path: string): string {
  try {
    return JSON.stringify(options, (_, value: unknown) => {
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    })
  } catch {
    // A bigint, a circle, or a `toJSON` that throws.
    throw invalidOption(path, 'has something in it that is no data')
  }
}
