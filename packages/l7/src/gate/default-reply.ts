import type { ExchangeError, ExchangeErrorCode } from '../exchange/exchange-error.ts'
import type { Reply } from '../exchange/reply.ts'
import type { HeadProblem } from '../wire/head-problem.ts'
import { methods } from '../wire/method.ts'
import { reasonOf } from '../wire/reason.ts'

interface Answer {
  readonly status: number
  /** What the client is told: the kind of failure, and nothing of what stands behind us. */
  readonly text: string
  /** Seconds after which it may try again, where that may help. */
  readonly retryAfter?: number
  /** The connection is in no state to go on. */
  readonly close?: true
}

const answers: Readonly<Record<ExchangeErrorCode, Answer>> = {
  'bad-request': { status: 400, text: 'the request is not valid HTTP', close: true },
  'head-too-large': { status: 431, text: 'the request head is too large', close: true },
  'body-too-large': { status: 413, text: 'the request body is too large', close: true },
  'head-timeout': { status: 408, text: 'the request head did not come in time', close: true },
  'body-timeout': { status: 408, text: 'the request body did not come in time', close: true },
  // Nobody is left to read it: for records.
  'client-aborted': { status: 499, text: 'the client has gone', close: true },
  'misdirected-request': { status: 421, text: 'this connection is not for this host' },
  'loop-detected': { status: 508, text: 'the request goes round in circles' },
  unsupported: { status: 501, text: 'this is not supported here', close: true },
  'no-route': { status: 404, text: 'nothing is served here' },
  'no-backend': { status: 503, text: 'no server is available', retryAfter: 5 },
  'queue-full': { status: 503, text: 'too many requests are waiting', retryAfter: 1 },
  'queue-timeout': { status: 503, text: 'no server had room in time', retryAfter: 1 },
  'circuit-open': { status: 503, text: 'the servers are given a rest', retryAfter: 5 },
  overloaded: { status: 503, text: 'there is too much load', retryAfter: 1 },
  'hook-failed': { status: 500, text: 'the request could not be processed' },
  'total-timeout': { status: 504, text: 'the request took too long' },
  shutdown: { status: 503, text: 'this server is going down', retryAfter: 1, close: true },
  'connect-failed': { status: 502, text: 'the server could not be reached' },
  'connect-timeout': { status: 504, text: 'the server could not be reached in time' },
  'backend-reset': { status: 502, text: 'the server broke the connection' },
  'backend-closed': { status: 502, text: 'the server closed the connection' },
  'bad-response': { status: 502, text: 'the server gave an answer that is not valid HTTP' },
  'server-error': { status: 502, text: 'the server failed' },
  'first-byte-timeout': { status: 504, text: 'the server did not answer in time' },
  'idle-timeout': { status: 504, text: 'the server stopped answering' },
  'upgrade-refused': { status: 502, text: 'the server did not change the protocol as asked' },
}

/** Methods that a 405 tells of. */
const allowed = methods.filter((name) => name !== 'TRACE' && name !== 'CONNECT').join(', ')

/** Made once: an outage costs no objects. */
const replies: ReadonlyMap<ExchangeErrorCode, Reply> = new Map(
  Object.entries(answers).map(([code, { status, text, retryAfter, close }]) => [
    code as ExchangeErrorCode,
    makeReply(code, status, text, retryAfter, close),
  ]),
)

/** The status that a failure is answered by, unless somebody decides otherwise. */
export function statusFor(code: ExchangeErrorCode): number {
  return answers[code].status
}

/** The answer to a failure, unless an error page or a hook has a better one: a line of text that names its kind. */
export function replyFor(error: ExchangeError): Reply {
  return replies.get(error.code)!
}

/** The answer to a head that may not pass: its own status and message, which hold nothing of the client's. */
export function replyForProblem({ status, code, message }: HeadProblem): Reply {
  return makeReply(code, status, message, undefined, true)
}

function makeReply(
  reason: string,
  status: number,
  text: string,
  retryAfter: number | undefined,
  close: true | undefined,
): Reply {
  return Object.freeze({
    status,
    reason,
    headers: Object.freeze({
      'content-type': 'text/plain; charset=utf-8',
      // Some of these statuses may be cached unless it is said that they may not (RFC 9110 section 15.1).
      'cache-control': 'no-store',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
      ...(status === 405 ? { allow: allowed } : {}),
    }),
    body: `${reasonOf(status) || 'Error'}: ${text}\n`,
    errorPage: true,
    ...(close === true ? { close } : {}),
  })
}
