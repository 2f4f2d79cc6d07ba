import { listOption, objectOption } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import { tokenOption } from '../filters/field-option.ts'
import { haproxyText, haproxyWord } from './escaped-text.ts'
import { type LogLine, requestLine } from './log-line.ts'
import { haproxyTime } from './log-time.ts'
import { retriesOf } from './log-variable.ts'
import { terminationState } from './termination-state.ts'

/** What stands in a HAProxy-like line besides the fixed fields. */
export interface HaproxyLineOptions {
  /** Header fields of the request to capture, in braces. Default: none, and no braces. */
  readonly request?: readonly string[]
  /** Of the response. */
  readonly response?: readonly string[]
}

/**
 * Makes lines like those of HAProxy's `option httplog` (its Configuration Manual, section 8.2.3), which tools for that
 * can read:
 *
 * `client:port [time] listener pool/member Tq/Tw/Tc/Tr/Ta status bytes - - XX-- act/fe/be/srv/retries srvq/beq {} {} "request"`
 *
 * - Timers in whole milliseconds, -1 for a phase that was not reached: `Tq` the request's head, `Tw` waiting for a
 *   member, `Tc` the connect, `Tr` until the response's head, `Ta` all, from the head's first byte. Time is UTC, when
 *   the head began.
 * - Status -1 when the client was told none. Bytes are those of the body alone.
 * - `XX` is {@link terminationState}; both cookie letters are `-`.
 * - Of the connections that HAProxy counts, those of the pool are told, and its queue; the others are not known to an
 *   exchange and 0. In a line that is made of the record alone all are.
 * - `<NOSRV>` where no member was picked, `<BADREQ>` where there was no readable request.
 * - What might forge a field is `#HH`.
 *
 * @throws `invalid-option` for names that are none of header fields.
 */
export function haproxyLine(options: HaproxyLineOptions = {}, path = 'capture'): LogLine {
  const { request = [], response = [] } = objectOption(options, path)
  const requestFields = fieldNames(request, `${path}.request`)
  const responseFields = fieldNames(response, `${path}.response`)
  const timeText = haproxyTime()
  const captured = (
    names: readonly string[],
    read: (name: string) => string | undefined,
  ): string =>
    names.length === 0 ? '' : `{${names.map((name) => haproxyText(read(name) ?? '')).join('|')}} `
  return (record, x) => {
    const { client, listener, pool, backend, times, status, bytesOut, request } = record
    const head = times.head < 0 ? 0 : times.head
    const queued = x?.pool?.queue.size ?? 0
    return `${word(client.path ?? client.address)}:${client.port} [${timeText(record.time - head)}] ${word(
      listener,
    )} ${pool === undefined ? '<NOSRV>' : word(pool)}/${
      backend === undefined ? '<NOSRV>' : word(backend)
    } ${whole(request === undefined ? -1 : times.head)}/${whole(times.queue)}/${whole(times.connect)}/${whole(
      times.firstByte,
    )}/${whole(head + Math.max(0, times.total))} ${status === 0 ? -1 : status} ${bytesOut} - - ${terminationState(
      record,
    )}-- ${connections(record, x)} 0/${queued} ${captured(requestFields, (name) =>
      request?.header(name),
    )}${captured(responseFields, (name) => record.responseHeader(name))}"${haproxyText(
      requestLine(record) ?? '<BADREQ>',
    )}"`
  }
}

function connections(record: ExchangeRecord, x: Exchange | undefined): string {
  return `0/0/${x?.pool?.load.sum() ?? 0}/0/${retriesOf(record)}`
}

function whole(ms: number): number {
  return ms < 0 ? -1 : Math.round(ms)
}

function word(text: string): string {
  return text === '' ? '-' : haproxyWord(text)
}

function fieldNames(names: readonly string[], path: string): readonly string[] {
  return listOption(names, path).map((name, index) => tokenOption(name, `${path}[${index}]`))
}
