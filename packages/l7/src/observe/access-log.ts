import {
  functionOption,
  invalidOption,
  type Logger,
  nearestName,
  objectOption,
  partOption,
  shown,
  silentLog,
  textOption,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { shareOption } from '../filters/number-option.ts'
import { combinedLine, commonLine, type LogUser } from './common-line.ts'
import { type HaproxyLineOptions, haproxyLine } from './haproxy-line.ts'
import { type JsonFieldsOption, jsonLine } from './json-line.ts'
import type { LogLine } from './log-line.ts'
import type { LogSink } from './log-sink.ts'
import { recordTap } from './record-tap.ts'
import { templateLine } from './template-line.ts'

/** Formats that have a name. */
export type LogFormatName = 'json' | 'common' | 'combined' | 'haproxy'

/** How {@link accessLog} writes. */
export interface AccessLogOptions {
  /**
   * `json`: one object a line, see {@link jsonFields}; `common` and `combined`: those of NCSA; `haproxy`: see
   * {@link haproxyLine}; or a template with `%{variables}`, see {@link templateLine}. Default `json`.
   */
  readonly format?: LogFormatName | (string & {})
  /** Where the lines go; {@link bufferedSink} holds a bounded number of them. */
  readonly sink: LogSink
  /** For `json`: which fields. Default: all of {@link jsonFields}. */
  readonly fields?: JsonFieldsOption
  /** For `haproxy`: header fields to capture. Default: none. */
  readonly capture?: HaproxyLineOptions
  /** For `common` and `combined`: who the client is. Default: `-`. */
  readonly user?: LogUser
  /** The share of exchanges that is written, above 0 to 1. Default 1. */
  readonly sample?: number
  /** Exchanges that are written whatever {@link AccessLogOptions.sample} says, such as failed ones. Default: none. */
  readonly always?: (record: ExchangeRecord, x?: Exchange) => boolean
  /** Only these are written at all. Default: all. */
  readonly only?: (record: ExchangeRecord, x?: Exchange) => boolean
  /** Told, once in ten seconds at most, that the sink or a function of yours failed. Default: nobody. */
  readonly log?: Logger
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/** An access log, to be used as a filter, or for a whole balancer. */
export interface AccessLog extends HttpFilter {
  readonly done: (record: ExchangeRecord, x?: Exchange) => void
  /**
   * For `onExchange`: writes what {@link AccessLog.done} has not, such as requests that were refused by their head. It
   * may be used alone or beside the filter; no exchange is written twice.
   */
  readonly onExchange: (record: ExchangeRecord) => void
  /** Lines that the sink took. */
  readonly written: number
  /** Lines that the sink had no room for. */
  readonly dropped: number
  /** Exchanges without a line because the sink or a function of yours threw. */
  readonly failures: number
}

/**
 * Writes a line for each exchange that is over. It never waits for who reads them: lines that the sink has no room for
 * are lost, and counted.
 *
 * @example
 * ```ts
 * import { accessLog, bufferedSink } from '@steelyard/l7'
 *
 * const log = accessLog({ format: 'json', sink: bufferedSink(process.stdout) })
 * const options = { use: [log], onExchange: log.onExchange }
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function accessLog(options: AccessLogOptions, path = 'accessLog'): AccessLog {
  const { sink, only, always, sample = 1, random = Math.random } = objectOption(options, path)
  const line = lineOf(options, path)
  if (sink === undefined)
    throw invalidOption(`${path}.sink`, 'is needed: make one with bufferedSink()')
  partOption(sink, 'write', `${path}.sink`, 'make one with bufferedSink()')
  if (only !== undefined) functionOption(only, `${path}.only`)
  if (always !== undefined) functionOption(always, `${path}.always`)
  shareOption(sample, `${path}.sample`, 1)
  functionOption(random, `${path}.random`)
  const log = partOption(options.log, 'warn', `${path}.log`, 'it needs the methods of a logger')
  return new ExchangeLog(line, sink, { only, always, sample, random, log: log ?? silentLog })
}

interface Choice {
  readonly only: AccessLogOptions['only']
  readonly always: AccessLogOptions['always']
  readonly sample: number
  readonly random: () => number
  readonly log: Logger
}

const complaintEveryMs = 10_000

class ExchangeLog implements AccessLog {
  readonly name = 'access-log'
  written = 0
  dropped = 0
  failures = 0
  readonly done: (record: ExchangeRecord, x?: Exchange) => void
  readonly onExchange: (record: ExchangeRecord) => void
  readonly #choice: Choice
  #complained = Number.NEGATIVE_INFINITY

  constructor(line: LogLine, sink: LogSink, choice: Choice) {
    this.#choice = choice
    const { done, onExchange } = recordTap((record, x) => {
      try {
        if (!this.#wanted(record, x)) return
        if (sink.write(line(record, x))) this.written += 1
        else this.dropped += 1
      } catch (error) {
        this.#complain(error, record.time)
      }
    })
    this.done = done
    this.onExchange = onExchange
  }

  #wanted(record: ExchangeRecord, x: Exchange | undefined): boolean {
    const { only, always, sample, random } = this.#choice
    if (only !== undefined && !only(record, x)) return false
    return sample === 1 || random() < sample || always?.(record, x) === true
  }

  #complain(error: unknown, time: number): void {
    this.failures += 1
    if (Math.abs(time - this.#complained) < complaintEveryMs) return
    this.#complained = time
    this.#choice.log.warn({ error, failures: this.failures }, 'an access log could not write')
  }
}

const formats: Readonly<
  Record<LogFormatName, (options: AccessLogOptions, path: string) => LogLine>
> = {
  json: ({ fields }, path) => jsonLine(fields, `${path}.fields`),
  common: ({ user }) => commonLine(user),
  combined: ({ user }) => combinedLine(user),
  haproxy: ({ capture }, path) => haproxyLine(capture, `${path}.capture`),
}

function lineOf(options: AccessLogOptions, path: string): LogLine {
  const { fields, capture, user } = options
  const format = textOption(options.format ?? 'json', `${path}.format`)
  const only = (name: string, given: unknown, formatsOfIt: readonly string[]): void => {
    if (given === undefined || formatsOfIt.includes(format)) return
    throw invalidOption(`${path}.${name}`, `is for ${formatsOfIt.join(' and ')} only`)
  }
  only('fields', fields, ['json'])
  only('capture', capture, ['haproxy'])
  only('user', user, ['common', 'combined'])
  if (user !== undefined) functionOption(user, `${path}.user`)
  if (Object.hasOwn(formats, format)) return formats[format as LogFormatName](options, path)
  if (format.includes('%{')) return templateLine(format, `${path}.format`)
  const near = nearestName(format, Object.keys(formats))
  throw invalidOption(
    `${path}.format`,
    `there is no format ${shown(format)}: ${
      near === undefined
        ? `write ${Object.keys(formats).join(', ')}, or a template such as "%{client} %{status}"`
        : `did you mean ${near}?`
    }`,
  )
}
