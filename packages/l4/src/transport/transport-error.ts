import { getSystemErrorName } from 'node:util'
import {
  type ErrorSource,
  SteelyardError,
  type TransportError,
  type TransportErrorCode,
} from '@steelyard/core'

/** What the transport was about when it failed; it stands in the message. */
export type TransportAction =
  | 'connect'
  | 'read'
  | 'write'
  | 'listen'
  | 'accept'
  | 'bind'
  | 'send'
  | 'receive'

const codes: Readonly<Record<string, TransportErrorCode>> = {
  EADDRINUSE: 'address-in-use',
  EADDRNOTAVAIL: 'address-not-available',
  ENODEV: 'address-not-available',
  EACCES: 'permission-denied',
  EPERM: 'permission-denied',
  // Node's permission model, where it is switched on.
  ERR_ACCESS_DENIED: 'permission-denied',
  ECONNREFUSED: 'connection-refused',
  // A unix socket that is not there has nobody behind it.
  ENOENT: 'connection-refused',
  ECONNRESET: 'connection-reset',
  ECONNABORTED: 'connection-aborted',
  EHOSTUNREACH: 'host-unreachable',
  EHOSTDOWN: 'host-unreachable',
  ENETUNREACH: 'network-unreachable',
  ENETDOWN: 'network-unreachable',
  ENOTFOUND: 'name-not-found',
  EAI_AGAIN: 'name-not-found',
  EAI_FAIL: 'name-not-found',
  EAI_NODATA: 'name-not-found',
  EAI_NONAME: 'name-not-found',
  EAI_ADDRFAMILY: 'name-not-found',
  ETIMEDOUT: 'timed-out',
  EMFILE: 'too-many-files',
  ENFILE: 'too-many-files',
  EMSGSIZE: 'message-too-long',
  EPIPE: 'broken-pipe',
  ERR_STREAM_DESTROYED: 'closed',
  ERR_STREAM_PREMATURE_CLOSE: 'closed',
  ERR_SOCKET_CLOSED: 'closed',
}

const phrases: Readonly<Record<TransportErrorCode, string>> = {
  'address-in-use': 'the address is in use',
  'address-not-available': 'the address is not available on this machine',
  'permission-denied': 'permission denied',
  'connection-refused': 'connection refused',
  'connection-reset': 'connection reset by the peer',
  'connection-aborted': 'connection aborted',
  'host-unreachable': 'host unreachable',
  'network-unreachable': 'network unreachable',
  'name-not-found': 'the name was not found',
  'timed-out': 'timed out',
  'too-many-files': 'no file descriptor is left',
  'message-too-long': 'the datagram is too long',
  'broken-pipe': 'the peer no longer reads',
  aborted: 'aborted',
  closed: 'the socket was closed',
  io: 'input or output failed',
}

/** Failures of this machine, whoever the peer is. */
const ours: ReadonlySet<TransportErrorCode> = new Set([
  'address-in-use',
  'address-not-available',
  'permission-denied',
  'too-many-files',
  'message-too-long',
  'aborted',
])

/** Trying again cannot help before somebody changes something. */
const lasting: ReadonlySet<TransportErrorCode> = new Set([
  'permission-denied',
  'message-too-long',
  'aborted',
  'closed',
])

/** Actions after which nothing has reached the peer, so that a retry repeats nothing. */
const harmless: ReadonlySet<TransportAction> = new Set(['connect', 'listen', 'bind', 'accept'])

/**
 * Puts a failure of the system into the words of every transport.
 *
 * @param failure - a negative errno as libuv has it, or the error that Node made of it.
 * @param where - the address or path, for the message.
 * @param source - whose fault it is when it is not this machine's.
 */
export function transportError(
  failure: unknown,
  action: TransportAction,
  where: string,
  source: ErrorSource,
): TransportError {
  const name = errnoName(failure)
  const code = codes[name] ?? 'io'
  return new SteelyardError(`${action} ${where}: ${phrases[code]} (${name})`, {
    code,
    source: ours.has(code) ? 'system' : source,
    retryable: harmless.has(action) && !lasting.has(code),
    cause: failure,
  })
}

/** The failure of something that a signal gave up. */
export function aborted(action: TransportAction, where: string, reason: unknown): TransportError {
  return new SteelyardError(`${action} ${where}: ${phrases.aborted}`, {
    code: 'aborted',
    source: 'system',
    cause: reason,
  })
}

/** The failure of a stream whose handler threw. */
export function handlerFailure(cause: unknown): TransportError {
  return new SteelyardError('the handler of the stream threw; the stream was destroyed', {
    code: 'io',
    source: 'system',
    cause,
  })
}

function errnoName(failure: unknown): string {
  if (typeof failure === 'number') return failure < 0 ? getSystemErrorName(failure) : `${failure}`
  const code = (failure as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : 'unknown'
}
