import { hashText, type Pool } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { WeightedPool } from './action.ts'

/** Divides requests among pools. */
export interface Splitter {
  /**
   * The pool of this exchange: the one that its cookie names, else one drawn by weight. A pool with nobody to serve
   * passes its share on while another has somebody.
   */
  choose(x: Exchange): Pool
  /** Sets the cookie where it is new; absent without `sticky`. Its key is this splitter's own. */
  readonly filter: HttpFilter | undefined
}

/**
 * Makes a {@link Splitter}.
 *
 * The cookie's value is a hash of the pool's name, the same on every node; it lasts as long as the browser's session and
 * has `Path=/; HttpOnly; SameSite=Lax`, over https also `Secure`. Weight 0 gives a pool no new clients; those that have
 * its cookie stay.
 *
 * @param pools - at least one, and not all of weight 0.
 * @param sticky - the cookie's name; undefined draws each request anew.
 * @param random - uniform in [0, 1).
 */
export function splitter(
  pools: readonly WeightedPool[],
  sticky: string | undefined,
  random: () => number = Math.random,
): Splitter {
  const shares = pools.map(({ pool, weight = 1 }) => ({
    pool,
    weight,
    id: poolId(pool.name, sticky ?? ''),
  }))
  const draw = (): Pool => {
    let total = 0
    let usable = 0
    for (const { pool, weight } of shares) {
      total += weight
      if (isUsable(pool)) usable += weight
    }
    const among = usable > 0
    let left = random() * (among ? usable : total)
    let last = shares[0]!.pool
    for (const { pool, weight } of shares) {
      if (weight === 0 || (among && !isUsable(pool))) continue
      last = pool
      left -= weight
      if (left < 0) break
    }
    return last
  }
  if (sticky === undefined) return Object.freeze({ choose: draw, filter: undefined })
  // What an exchange is to be told about its pool is remembered under this.
  const key = {}
  return Object.freeze({
    choose(x: Exchange): Pool {
      const value = x.request.cookie(sticky)
      const kept = value === undefined ? undefined : shares.find(({ id }) => id === value)
      if (kept !== undefined && isUsable(kept.pool)) return kept.pool
      const drawn = draw()
      if (drawn !== kept?.pool) x.remember(key, drawn)
      return drawn
    },
    filter: Object.freeze<HttpFilter>({
      name: 'sticky-split',
      responseHead(head, x) {
        const drawn = x.recall(key)
        const share = drawn === undefined ? undefined : shares.find(({ pool }) => pool === drawn)
        if (share === undefined) return
        const secure = x.request.scheme === 'https' ? '; Secure' : ''
        head.add('set-cookie', `${sticky}=${share.id}; Path=/; HttpOnly; SameSite=Lax${secure}`)
      },
    }),
  })
}

function isUsable(pool: Pool): boolean {
  return pool.roster.current.size > 0
}

function poolId(name: string, cookie: string): string {
  return [1, 2]
    .map((seed) => hashText(`${cookie}\0${name}`, seed).toString(16).padStart(8, '0'))
    .join('')
}
