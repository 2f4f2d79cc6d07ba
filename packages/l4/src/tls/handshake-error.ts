import { SteelyardError } from '@steelyard/core'

/** Why TLS did not come about. */
export type TlsErrorCode =
  | 'tls-handshake-failed'
  | 'tls-handshake-timeout'
  | 'tls-verify-failed'
  | 'aborted'

/** A failure of TLS with a client or a backend. */
export type TlsError = SteelyardError<TlsErrorCode>

/** The handshake failed: the peer's bytes, the two sides' settings, or the connection beneath. */
export function handshakeFailed(
  source: 'client' | 'backend',
  problem: string,
  cause?: unknown,
): TlsError {
  return tlsError(
    'tls-handshake-failed',
    source,
    `TLS handshake with the ${source}: ${problem}`,
    cause,
  )
}

/** The peer took too long. */
export function handshakeTimeout(source: 'client' | 'backend', ms: number): TlsError {
  return tlsError(
    'tls-handshake-timeout',
    source,
    `TLS handshake with the ${source}: not done within ${ms}ms`,
  )
}

/** The peer's certificate is missing or not to be trusted. */
export function verifyFailed(
  source: 'client' | 'backend',
  problem: string,
  cause?: unknown,
): TlsError {
  return tlsError(
    'tls-verify-failed',
    source,
    `the certificate of the ${source} was not accepted: ${problem}`,
    cause,
  )
}

/** The owner gave the handshake up. */
export function handshakeAborted(peer: 'client' | 'backend', reason: unknown): TlsError {
  return new SteelyardError(`TLS handshake with the ${peer}: aborted`, {
    code: 'aborted',
    source: 'system',
    cause: reason,
  })
}

function tlsError(
  code: TlsErrorCode,
  source: 'client' | 'backend',
  text: string,
  cause?: unknown,
): TlsError {
  // Nothing of the client's has gone to a backend before its handshake is over.
  const retryable = source === 'backend'
  return new SteelyardError(text, {
    code,
    source,
    retryable,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** OpenSSL's reason without its file names, or the message of any other error. */
export function reasonOf(error: unknown): string {
  const { reason, message } = error as { reason?: unknown; message?: unknown }
  if (typeof reason === 'string') return reason
  return typeof message === 'string' ? message : String(error)
}
