import { functionOption, invalidOption } from '@steelyard/core'
import type { Exchange } from '../../exchange/exchange.ts'
import { fieldNameOption, tokenOption } from '../field-option.ts'

/** What a pool with a picker keyed by `request` hashes, as a function; for `ForwardOptions.hashKey`. Undefined leaves it to the path. */
export type HashKey = (x: Exchange) => string | undefined

/** What {@link keyFrom} can make. */
export interface HashKeys {
  /** The value of a header. */
  header(name: string): HashKey
  /** The value of a cookie. */
  cookie(name: string): HashKey
  /** The value of a query parameter. */
  query(name: string): HashKey
  /** The client's address. */
  client(): HashKey
  host(): HashKey
  /** The path, without the query. */
  path(): HashKey
  /** Path and query, as caches do. */
  target(): HashKey
  /** The first `count` segments of the path: `/a/b` of `/a/b/c` for 2. */
  segments(count: number): HashKey
  /** The first of these that the request has. */
  firstOf(...keys: HashKey[]): HashKey
  /** All of these together; undefined only when the request has none of them. */
  joined(...keys: HashKey[]): HashKey
}

/**
 * Keys for consistent hashing: requests with the same key go to the same member, with nothing to remember.
 *
 * @example
 * ```ts
 * import { keyFrom } from '@steelyard/l7'
 *
 * const byUser = keyFrom.firstOf(keyFrom.header('x-user'), keyFrom.cookie('uid'), keyFrom.client())
 * ```
 *
 * @throws `invalid-option` for what is no name.
 */
export const keyFrom: HashKeys = Object.freeze({
  header(name: string): HashKey {
    fieldNameOption(name, 'keyFrom.header')
    return ({ request }) => request.header(name)
  },
  cookie(name: string): HashKey {
    tokenOption(name, 'keyFrom.cookie')
    return ({ request }) => request.cookie(name)
  },
  query(name: string): HashKey {
    if (typeof name !== 'string' || name === '') {
      throw invalidOption('keyFrom.query', 'needs the name of a parameter')
    }
    return ({ request }) => request.queryParameter(name)
  },
  client(): HashKey {
    return ({ request }) => request.client
  },
  host(): HashKey {
    return ({ request }) => request.host
  },
  path(): HashKey {
    return ({ request }) => request.path
  },
  target(): HashKey {
    return ({ request }) => request.target
  },
  segments(count: number): HashKey {
    if (!Number.isInteger(count) || count < 1 || count > 1000) {
      throw invalidOption('keyFrom.segments', 'needs a whole number from 1 to 1000')
    }
    return ({ request }) => {
      const { path } = request
      let end = 0
      for (let i = 0; i < count && end >= 0; i++) end = path.indexOf('/', end + 1)
      return end < 0 ? path : path.slice(0, end)
    }
  },
  firstOf(...keys: HashKey[]): HashKey {
    checked(keys, 'keyFrom.firstOf')
    return (x) => {
      for (const key of keys) {
        const value = key(x)
        if (value !== undefined && value !== '') return value
      }
      return undefined
    }
  },
  joined(...keys: HashKey[]): HashKey {
    checked(keys, 'keyFrom.joined')
    return (x) => {
      const values = keys.map((key) => key(x))
      if (values.every((value) => value === undefined)) return undefined
      // With its length in front, no part can run into the next one.
      return values.map((value = '') => `${value.length}:${value}`).join('')
    }
  },
})

function checked(keys: readonly HashKey[], path: string): void {
  if (keys.length === 0) throw invalidOption(path, 'needs one key at least')
  keys.forEach((key, index) => functionOption(key, `${path}[${index}]`))
}
