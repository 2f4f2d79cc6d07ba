import { ResponseHead } from '../wire/response-head.ts'
import type { ErrorPages } from './error-pages.ts'
import type { Exchange } from './exchange.ts'
import { ResponseEdits } from './field-edits.ts'
import type { Reply } from './reply.ts'

/** An answer of our own, ready to be sent. */
export interface OwnAnswer {
  readonly head: ResponseHead
  readonly body: Uint8Array
}

const nothing = new Uint8Array(0)

/**
 * Makes an answer of a reply, with an error page where there is one.
 *
 * @param failed - it answers a failure, and its text is only ours
 * @param complain - told what was wrong with the embedder's part of it, which is then left out
 */
export function ownAnswer(
  reply: Reply,
  failed: boolean,
  x: Exchange,
  pages: ErrorPages | undefined,
  complain: (error: unknown, what: string) => void,
): OwnAnswer {
  const head = new ResponseHead(512, 16)
  let { status, body } = reply
  let contentType: string | undefined
  if (reply.errorPage ?? (status >= 400 && (body === undefined || failed))) {
    try {
      const page = pages?.pageFor(status, x)
      if (page !== undefined) ({ body, contentType, status = status } = page)
    } catch (error) {
      complain(error, 'an error page')
    }
  }
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    complain(new TypeError('a status is a whole number from 200 to 599'), 'an answer')
    status = 500
  }
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    complain(new TypeError('a body is a text or bytes'), 'an answer')
    body = undefined
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? nothing)
  head.status = status
  const edits = new ResponseEdits().on(head, bytes.length)
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    try {
      for (const one of typeof value === 'string' ? [value] : value) edits.add(name, one)
    } catch (error) {
      complain(error, 'a field of an answer')
    }
  }
  try {
    if (contentType !== undefined) edits.set('content-type', contentType)
  } catch (error) {
    complain(error, 'the type of an error page')
  }
  if (typeof body === 'string' && !edits.has('content-type')) {
    edits.set('content-type', 'text/plain; charset=utf-8')
  }
  return { head, body: bytes }
}
