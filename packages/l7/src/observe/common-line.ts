import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import { logText } from './escaped-text.ts'
import { type LogLine, requestLine } from './log-line.ts'
import { commonTime } from './log-time.ts'

/** Who the client has proven to be, for logs; undefined for nobody in particular. */
export type LogUser = (record: ExchangeRecord, x: Exchange | undefined) => string | undefined

/**
 * Makes lines of NCSA's common format: `host - user [time] "request" status bytes`. What is absent is `-`, a status
 * that nobody was told `000`; bytes are those of the body. Times are UTC.
 *
 * @param user - whom to name; nobody is believed for a mere Authorization header.
 */
export function commonLine(user?: LogUser): LogLine {
  const timeText = commonTime()
  return (record, x) => {
    const { client, time, status, bytesOut } = record
    const who = user?.(record, x)
    const host = word(client.path ?? client.address)
    return `${host} - ${word(who)} [${timeText(time)}] "${quoted(requestLine(record))}" ${
      status === 0 ? '000' : status
    } ${bytesOut === 0 ? '-' : bytesOut}`
  }
}

/** Makes lines of the combined format: the common one, `"referer"` and `"user agent"`. */
export function combinedLine(user?: LogUser): LogLine {
  const common = commonLine(user)
  return (record, x) => {
    const { request } = record
    return `${common(record, x)} "${quoted(request?.header('referer'))}" "${quoted(
      request?.header('user-agent'),
    )}"`
  }
}

function word(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : logText(text, ' ')
}

function quoted(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : logText(text)
}
