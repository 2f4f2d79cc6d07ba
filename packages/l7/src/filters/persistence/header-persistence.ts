import { hash } from 'node:crypto'
import { type Clock, type Duration, objectOption } from '@steelyard/core'
import type { HttpFilter } from '../../exchange/http-filter.ts'
import { fieldNameOption } from '../field-option.ts'
import { wordOption } from '../number-option.ts'
import type { SessionPersistence } from './session-persistence.ts'
import { sessionTable } from './session-table.ts'

/** How {@link headerPersistence} learns. */
export interface HeaderPersistenceOptions {
  /** The request's header by whose value clients are told apart. */
  readonly name: string
  /**
   * `request`: the first request with a value gives it the member that it is sent to. `response`: a member gives the
   * value itself, in a header of the same name or {@link HeaderPersistenceOptions.responseName}. `both`: either.
   * Default `request`.
   */
  readonly learn?: 'request' | 'response' | 'both'
  /** The response's header that `response` learns from. Default: the same name. */
  readonly responseName?: string
  /** How long a value is remembered after it was last seen. Default `1h`. */
  readonly timeout?: Duration
  /** Values there is room for; beyond it the one not seen for the longest time is forgotten. Default 100000. */
  readonly maxEntries?: number
  readonly clock?: Clock
}

/** Longer values are remembered by their SHA-256. */
const longest = 64

/**
 * Keeps all requests that have the same value in a header with one member: a tenant, a device, or a session that is
 * named by a header, such as `Mcp-Session-Id`.
 *
 * @example
 * ```ts
 * import { headerPersistence } from '@steelyard/l7'
 *
 * const byTenant = headerPersistence({ name: 'x-tenant', timeout: '10m' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function headerPersistence(
  options: HeaderPersistenceOptions,
  path = 'headerPersistence',
): SessionPersistence {
  objectOption(options, path)
  const name = fieldNameOption(options.name, `${path}.name`)
  const learn = wordOption(
    options.learn ?? 'request',
    ['request', 'response', 'both'],
    `${path}.learn`,
  )
  const responseName = fieldNameOption(options.responseName ?? name, `${path}.responseName`)
  const table = sessionTable(options, path, { timeout: '1h', maxEntries: 100_000 })

  const byRequest: Pick<HttpFilter, 'attempt'> = {
    // Before the answer: requests of one value that come together go together.
    attempt(x) {
      const value = keyOf(x.request.header(name))
      const { backend, pool } = x
      if (value !== undefined && backend !== undefined && pool !== undefined) {
        table.assign(pool, value, backend.id)
      }
      return undefined
    },
  }
  const byResponse: Pick<HttpFilter, 'responseHead'> = {
    responseHead(head, x) {
      const { backend, pool } = x
      if (backend === undefined || pool === undefined) return
      const value = keyOf(head.get(responseName))
      if (value !== undefined) table.assign(pool, value, backend.id)
    },
  }
  return {
    name: 'header-persistence',
    get size() {
      return table.size
    },
    export: table.export,
    import: table.import,
    prefer(x, pool) {
      const value = keyOf(x.request.header(name))
      return value === undefined ? undefined : table.lookup(pool, value)
    },
    ...(learn === 'response' ? {} : byRequest),
    ...(learn === 'request' ? {} : byResponse),
  }
}

function keyOf(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  return value.length <= longest ? value : hash('sha256', value, 'base64url')
}
