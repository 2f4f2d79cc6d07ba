import { invalidOption, shown } from '@steelyard/core'
import type { Reply } from '../exchange/reply.ts'
import { type FieldRecord, fieldRecordOption } from './field-option.ts'
import { wholeOption } from './number-option.ts'

/** What a client is told that a policy turns away. */
export interface RefusalOptions {
  /** 200 to 599. The default is the policy's own. */
  readonly status?: number
  /** Default: none, so that error pages may fill it. */
  readonly body?: string | Uint8Array
  /** Fields to add, such as `content-type` for the body. Default: none. */
  readonly responseHeaders?: FieldRecord
}

/** {@link RefusalOptions}, checked. */
export interface Refusal {
  /** Made once. */
  readonly reply: Reply
  /** The same with further fields, which win over those of the options. */
  with(headers: FieldRecord): Reply
  /** The same with Retry-After (RFC 9110 section 10.2.3) in whole seconds, 1 at least; without when it is never. */
  after(retryMs: number): Reply
}

/**
 * Reads {@link RefusalOptions}.
 *
 * @param reason - {@link Reply.reason}.
 * @throws `invalid-option` with the path of the field.
 */
export function refusal(
  options: RefusalOptions,
  path: string,
  status: number,
  reason: string,
): Refusal {
  const { body } = options
  if (body !== undefined && typeof body !== 'string' && !ArrayBuffer.isView(body)) {
    throw invalidOption(`${path}.body`, `${shown(body)} is neither a text nor bytes`)
  }
  const headers = fieldRecordOption(options.responseHeaders ?? {}, `${path}.responseHeaders`)
  const reply: Reply = Object.freeze({
    status: wholeOption(options.status ?? status, `${path}.status`, 200, 599, 'status'),
    headers,
    reason,
    ...(body === undefined ? {} : { body }),
  })
  const extended = (more: FieldRecord): Reply => ({ ...reply, headers: { ...headers, ...more } })
  return Object.freeze({
    reply,
    with: extended,
    after: (retryMs: number) =>
      Number.isFinite(retryMs) ? extended({ 'retry-after': String(seconds(retryMs)) }) : reply,
  })
}

/** Milliseconds as whole seconds, upwards, 1 at least. */
export function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000 - 1e-9))
}
