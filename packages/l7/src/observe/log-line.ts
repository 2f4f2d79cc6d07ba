import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'

/**
 * Makes one line, without its end, of a record: printable ASCII only, whatever the client sent. The exchange is absent
 * where only the record is known, as for requests that were refused by their head.
 */
export type LogLine = (record: ExchangeRecord, x: Exchange | undefined) => string

/** What the client asked for, as in its request line; undefined when its head could not be read. */
export function requestLine({ request }: ExchangeRecord): string | undefined {
  return request === undefined
    ? undefined
    : `${request.method} ${request.target} ${request.version === 'HTTP/2' ? 'HTTP/2.0' : request.version}`
}
