import { flagOption, objectOption } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { RequestEditor, ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { fieldNameOption } from './field-option.ts'
import { wordOption } from './number-option.ts'

/** How {@link requestId} names requests. */
export interface RequestIdOptions {
  /** Default `X-Request-ID`. */
  readonly header?: string
  /** Whose id is kept: `trusted`: of peers in `trustedProxies`; `always`: of anybody; `never`: of nobody. Default `trusted`. */
  readonly keep?: 'trusted' | 'always' | 'never'
  /** Tells the client too. Default `true`. */
  readonly respond?: boolean
}

/** An id from elsewhere goes into logs: letters, digits and a few signs, and not too many. */
const wellFormed = /^[A-Za-z0-9+/=_.:~-]{1,128}$/

/**
 * Gives each request an id that follows it to the backend and back: the one that came, if whoever sent it is
 * trusted and it is well formed (1 to 128 letters, digits, and `+/=_.:~-`), else {@link Exchange.id}.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function requestId(options: RequestIdOptions = {}, path = 'requestId'): HttpFilter {
  const header = fieldNameOption(
    objectOption(options, path).header ?? 'X-Request-ID',
    `${path}.header`,
  )
  const keep = wordOption(options.keep ?? 'trusted', ['trusted', 'always', 'never'], `${path}.keep`)
  const respond = flagOption(options.respond ?? true, `${path}.respond`)
  const idOf = (x: Exchange): string => {
    if (keep === 'never' || (keep === 'trusted' && !x.connection.trusted)) return x.id
    const lines = x.request.headerAll(header)
    const [given] = lines
    return lines.length === 1 && given !== undefined && wellFormed.test(given) ? given : x.id
  }
  return {
    name: 'request-id',
    upstreamHead(head: RequestEditor, x: Exchange): void {
      head.set(header, idOf(x))
    },
    ...(respond
      ? {
          responseHead(head: ResponseEditor, x: Exchange): void {
            head.set(header, idOf(x))
          },
        }
      : {}),
  }
}
