import {
  type Duration,
  invalidOption,
  objectOption,
  parseDuration,
  shown,
  textOption,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Drop, Reply, Verdict } from '../exchange/reply.ts'
import { fieldNameOption, fieldValueOption } from '../filters/field-option.ts'
import { wholeOption } from '../filters/number-option.ts'
import type { AnswerAction, Template } from './action.ts'
import { oneOrMore } from './one-or-more.ts'
import {
  type CompiledTemplate,
  constantText,
  fieldText,
  rendered,
  templateParts,
} from './template.ts'

/** What {@link respond} answers besides the status. */
export interface RespondOptions {
  /** Values may have variables; see `template`. Default: none. */
  readonly headers?: Readonly<Record<string, Template | readonly Template[]>>
  /** Sent as it is: variables are not looked for, as a body's syntax is not known. Default: none, so that error pages may fill it. */
  readonly body?: string | Uint8Array
  /** Default: `text/plain; charset=utf-8` for a text. */
  readonly contentType?: string
  /** A word for logs and metrics. Default: the action's own. */
  readonly reason?: string
  /** For this route, inside those of the balancer. */
  readonly use?: readonly HttpFilter[]
}

/** How {@link maintenance} answers. */
export interface MaintenanceOptions extends RespondOptions {
  /** When to come again: Retry-After, in whole seconds. Default: not said. */
  readonly retryAfter?: Duration
}

/**
 * Answers with this status, 200 to 599.
 *
 * @throws `invalid-option` for a body where the status has none, and for fields that frame the message.
 */
export function respond(status: number, options: RespondOptions = {}): AnswerAction {
  return answering(status, options, 'respond', 'respond', 'replied')
}

/** Refuses: as {@link respond}, but tried first in the order `octavia`. */
export function reject(status = 403, options: RespondOptions = {}): AnswerAction {
  if (typeof status === 'number' && status < 400) {
    throw invalidOption('reject.status', `${shown(status)} is no refusal: use 400 to 599`)
  }
  return answering(status, options, 'reject', 'reject', 'rejected')
}

/** Ends the client's connection, or its HTTP/2 stream, without an answer. */
export function drop(): AnswerAction {
  const verdict: Drop = Object.freeze({ drop: true, reason: 'dropped' })
  return Object.freeze({ kind: 'answer', summary: 'drop', rank: 'reject', answer: () => verdict })
}

/**
 * Holds the client up for a time, then refuses. It costs a connection meanwhile, ours too: limits of connections apply.
 *
 * @param status - Default 500, as HAProxy's: it tells the client nothing.
 */
export function tarpit(delay: Duration, status = 500): AnswerAction {
  parseDuration(delay, 'tarpit.delay')
  const reply: Reply = Object.freeze({
    status: wholeOption(status, 'tarpit.status', 400, 599, 'status that refuses'),
    after: delay,
    close: true,
    reason: 'tarpitted',
  })
  return Object.freeze({
    kind: 'answer',
    summary: `tarpit ${delay}, then ${status}`,
    rank: 'reject',
    answer: () => reply,
  })
}

/** Answers 503 with a page that says so. */
export function maintenance(options: MaintenanceOptions = {}): AnswerAction {
  const { retryAfter, ...rest } = objectOption(options, 'maintenance')
  const seconds =
    retryAfter === undefined
      ? undefined
      : Math.max(1, Math.ceil(parseDuration(retryAfter, 'maintenance.retryAfter') / 1000))
  const page =
    rest.body === undefined
      ? { body: maintenancePage, contentType: 'text/html; charset=utf-8' }
      : {}
  return answering(
    503,
    {
      ...page,
      ...rest,
      headers: {
        'cache-control': 'no-store',
        ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
        ...objectOption(rest.headers ?? {}, 'maintenance.headers'),
      },
    },
    'respond',
    'maintenance',
    'maintenance',
  )
}

const maintenancePage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Down for maintenance</title>
<h1>Down for maintenance</h1>
<p>The service will be back soon.</p>
</html>
`

/**
 * Answers by a function of the embedder's own: a reply, a drop, or a promise of one. Nothing at all is 404.
 *
 * @param name - for `explain` and logs. Default: the function's.
 */
export function handle(
  handler: (x: Exchange) => Verdict | Promise<Verdict>,
  name?: string,
): AnswerAction {
  if (typeof handler !== 'function') {
    throw invalidOption('handle', `${shown(handler)} is not a function`)
  }
  const called = textOption(name ?? handler.name, 'handle.name')
  const nothing: Reply = Object.freeze({ status: 404, reason: 'not-handled' })
  return Object.freeze({
    kind: 'answer',
    summary: called === '' ? 'handle' : `handle by ${called}`,
    rank: 'respond',
    answer: (x: Exchange) => {
      const verdict = handler(x)
      return verdict instanceof Promise
        ? verdict.then((late) => late ?? nothing)
        : (verdict ?? nothing)
    },
  })
}

function answering(
  status: number,
  options: RespondOptions,
  rank: AnswerAction['rank'],
  word: string,
  defaultReason: string,
): AnswerAction {
  const {
    headers = {},
    body,
    contentType,
    reason = defaultReason,
    use,
  } = objectOption(options, word)
  wholeOption(status, `${word}.status`, 200, 599, 'final status')
  if (
    body !== undefined &&
    typeof body !== 'string' &&
    !(ArrayBuffer.isView(body) && body instanceof Uint8Array)
  ) {
    throw invalidOption(`${word}.body`, `${shown(body)} is neither a text nor bytes`)
  }
  if (body !== undefined && (status === 204 || status === 205 || status === 304)) {
    throw invalidOption(`${word}.body`, `a response with status ${status} has no body`)
  }
  const fields = compileFields(headers, `${word}.headers`)
  if (contentType !== undefined) {
    const type = fieldValueOption(contentType, `${word}.contentType`)
    fields.set('content-type', { constant: true, values: [() => type] })
  }
  textOption(reason, `${word}.reason`)
  const fixed = { status, reason, ...(body === undefined ? {} : { body }) }
  const constant = [...fields.values()].every((field) => field.constant)
  const reply = constant ? Object.freeze({ ...fixed, headers: headersFor(fields) }) : undefined
  return Object.freeze({
    kind: 'answer',
    summary: `${word} ${status}`,
    rank,
    ...(use === undefined ? {} : { use }),
    answer:
      reply === undefined
        ? (x: Exchange): Reply => ({ ...fixed, headers: headersFor(fields, x) })
        : () => reply,
  })
}

/** The values of one field. */
interface ReplyField {
  readonly constant: boolean
  readonly values: readonly CompiledTemplate[]
}

function compileFields(
  headers: NonNullable<RespondOptions['headers']>,
  path: string,
): Map<string, ReplyField> {
  const fields = new Map<string, ReplyField>()
  for (const [name, value] of Object.entries(objectOption(headers, path))) {
    const field = fieldNameOption(name, path).toLowerCase()
    const parts = oneOrMore(value).map((one) => templateParts(one, `${path}.${name}`))
    fields.set(field, {
      constant: parts.every((one) => constantText(one) !== undefined),
      values: parts.map((one) => rendered(one, fieldText)),
    })
  }
  return fields
}

/** Constant templates ask for no exchange. */
function headersFor(
  fields: ReadonlyMap<string, ReplyField>,
  x?: Exchange,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, { values }] of fields) {
    const texts = values.map((value) => value(x as Exchange))
    headers[name] = texts.length === 1 ? texts[0]! : texts
  }
  return headers
}
