import type { ServerResponse } from 'node:http'
import type { ErrorSource } from '@steelyard/core'
import {
  ExchangeError,
  type ExchangeErrorCode,
  type ExchangePhase,
} from '../exchange/exchange-error.ts'
import type { Reply } from '../exchange/reply.ts'
import { replyFor } from '../gate/default-reply.ts'

/**
 * What listeners and callbacks get: Node's own error where there was one, so that `code` is what http-proxy's users
 * look for (`ECONNREFUSED`, `ECONNRESET`, `HPE_…`, `CERT_…`), and beside it what we know.
 */
export interface ProxyError extends NodeJS.ErrnoException {
  /** Our word for it, as in `docs/errors.md`: `connect-failed`, `first-byte-timeout`, `bad-response` … */
  reason: ExchangeErrorCode | 'invalid-option'
  /** Whose fault it is. */
  source: ErrorSource
  /** How far the exchange had come. */
  phase: ExchangePhase
}

/** Writes into an error what we know. What is no error becomes the cause of one. */
export function proxyError(
  thrown: unknown,
  reason: ProxyError['reason'],
  source: ErrorSource,
  phase: ExchangePhase,
): ProxyError {
  const error =
    thrown instanceof Error && Object.isExtensible(thrown)
      ? thrown
      : new Error(`thrown: ${typeof thrown}`, { cause: thrown })
  // `source` of a SteelyardError may be read-only to types, and is the same.
  return Object.assign(error as ProxyError, { reason, source, phase })
}

/** A new one, with Node's code for it. */
export function newProxyError(
  message: string,
  code: string,
  reason: ProxyError['reason'],
  source: ErrorSource,
  phase: ExchangePhase,
): ProxyError {
  return proxyError(Object.assign(new Error(message), { code }), reason, source, phase)
}

/** The answer that nobody else gives. */
export function defaultReply(error: ProxyError): Reply {
  const { reason, source, phase } = error
  const code = reason === 'invalid-option' ? 'hook-failed' : reason
  return replyFor(new ExchangeError(error.message, { code, source, phase, cause: error }))
}

/** Sends an answer of our own. */
export function sendReply(res: ServerResponse, reply: Reply, close: boolean): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  const body = Buffer.from(reply.body ?? '')
  res.writeHead(reply.status, {
    ...(reply.headers as Record<string, string>),
    'content-length': body.length,
    ...(close && res.req.httpVersionMajor === 1 ? { connection: 'close' } : {}),
  })
  res.end(res.req.method === 'HEAD' ? undefined : body)
}

/** Our word for an error of Node's. */
export function reasonOf(error: NodeJS.ErrnoException, phase: ExchangePhase): ExchangeErrorCode {
  if (phase === 'connect') return 'connect-failed'
  const code = error.code ?? ''
  if (code.startsWith('HPE_')) return 'bad-response'
  return error.message === 'socket hang up' ? 'backend-closed' : 'backend-reset'
}
