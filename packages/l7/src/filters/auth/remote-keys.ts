import type { Clock } from '@steelyard/core'
import {
  type CryptoKey,
  createLocalJWKSet,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose'

/** Finds the key that a token was signed with. */
export type KeyFinder = (
  header: JWSHeaderParameters,
  token: FlattenedJWSInput,
) => Promise<CryptoKey>

/** How {@link remoteKeys} keeps a set of keys that lives elsewhere. Times in milliseconds. */
export interface RemoteKeysOptions {
  /** Gets the set as JSON. Bounded in time and size by itself. */
  readonly fetchKeys: () => Promise<unknown>
  /** It is fetched anew when it is older. */
  readonly freshMs: number
  /** An older one is good for so much longer while it cannot be fetched. */
  readonly staleMs: number
  /** The least time between two fetches for keys that are not in the set, and the most between two that failed. */
  readonly cooldownMs: number
  readonly clock: Clock
  /** A fetch in the background failed. */
  readonly failed: (error: unknown) => void
}

/** After the first failure; it doubles with each that follows. */
const firstPauseMs = 1000

/**
 * A {@link KeyFinder} over a JSON Web Key Set (RFC 7517) of an issuer. It is fetched when it is first needed, and anew
 * in the background; a key that it does not have has it fetched at once, but not more often than the cool-down allows,
 * so that forged tokens do not become a load on the issuer.
 */
export function remoteKeys(options: RemoteKeysOptions): KeyFinder {
  const { fetchKeys, freshMs, staleMs, cooldownMs, clock, failed } = options
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let fetchedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let failures = 0
  let lastError: unknown
  let pending: Promise<void> | undefined

  const mayTry = (): boolean => {
    const pause =
      failures === 0 ? 0 : Math.min(cooldownMs, firstPauseMs * 2 ** Math.min(failures - 1, 20))
    return clock.now() - triedAt >= pause
  }

  function reload(): Promise<void> {
    if (pending !== undefined) return pending
    triedAt = clock.now()
    pending = (async () => {
      try {
        keys = createLocalJWKSet((await fetchKeys()) as JSONWebKeySet)
        fetchedAt = clock.now()
        failures = 0
      } catch (error) {
        failures += 1
        lastError = error
        throw error
      } finally {
        pending = undefined
      }
    })()
    return pending
  }

  async function ready(): Promise<void> {
    const age = clock.now() - fetchedAt
    if (keys !== undefined && age < freshMs) return
    if (keys !== undefined && age < freshMs + staleMs) {
      if (pending === undefined && mayTry()) reload().catch(failed)
      return
    }
    if (pending === undefined && !mayTry()) throw lastError
    await reload()
  }

  return async (header, token) => {
    await ready()
    try {
      return await keys!(header, token)
    } catch (error) {
      const unknown = (error as { code?: unknown }).code === 'ERR_JWKS_NO_MATCHING_KEY'
      if (!unknown || (pending === undefined && clock.now() - triedAt < cooldownMs)) throw error
    }
    try {
      await reload()
    } catch (error) {
      // The set that we have is still good: it is the token that has no key.
      failed(error)
    }
    return keys!(header, token)
  }
}
