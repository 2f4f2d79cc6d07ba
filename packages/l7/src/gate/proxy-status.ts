import { isSteelyardError } from '@steelyard/core'
import type { ExchangeError, ExchangeErrorCode } from '../exchange/exchange-error.ts'
import { isToken } from '../wire/checked-field.ts'

/** A type of IANA's registry of proxy errors (RFC 9209 section 2.3). */
export type ProxyErrorType =
  | 'dns_timeout'
  | 'dns_error'
  | 'destination_not_found'
  | 'destination_unavailable'
  | 'destination_ip_prohibited'
  | 'destination_ip_unroutable'
  | 'connection_refused'
  | 'connection_terminated'
  | 'connection_timeout'
  | 'connection_read_timeout'
  | 'connection_write_timeout'
  | 'connection_limit_reached'
  | 'tls_protocol_error'
  | 'tls_certificate_error'
  | 'tls_alert_received'
  | 'http_request_error'
  | 'http_request_denied'
  | 'http_response_incomplete'
  | 'http_response_header_section_size'
  | 'http_response_header_size'
  | 'http_response_body_size'
  | 'http_response_trailer_section_size'
  | 'http_response_trailer_size'
  | 'http_response_transfer_coding'
  | 'http_response_content_coding'
  | 'http_response_timeout'
  | 'http_upgrade_failed'
  | 'http_protocol_error'
  | 'proxy_internal_response'
  | 'proxy_internal_error'
  | 'proxy_configuration_error'
  | 'proxy_loop_detected'

const types: Readonly<Record<ExchangeErrorCode, ProxyErrorType>> = {
  'bad-request': 'http_request_error',
  'head-too-large': 'http_request_error',
  'body-too-large': 'http_request_error',
  'head-timeout': 'http_request_error',
  'body-timeout': 'http_request_error',
  'client-aborted': 'http_request_error',
  'misdirected-request': 'http_request_error',
  'loop-detected': 'proxy_loop_detected',
  unsupported: 'http_request_error',
  'no-route': 'destination_not_found',
  'no-backend': 'destination_unavailable',
  'queue-full': 'connection_limit_reached',
  'queue-timeout': 'connection_limit_reached',
  'circuit-open': 'destination_unavailable',
  overloaded: 'proxy_internal_response',
  'hook-failed': 'proxy_internal_error',
  'total-timeout': 'http_response_timeout',
  shutdown: 'proxy_internal_response',
  'connect-failed': 'destination_unavailable',
  'connect-timeout': 'connection_timeout',
  'backend-reset': 'connection_terminated',
  'backend-closed': 'http_response_incomplete',
  'bad-response': 'http_protocol_error',
  'server-error': 'destination_unavailable',
  'first-byte-timeout': 'http_response_timeout',
  'idle-timeout': 'connection_read_timeout',
  'upgrade-refused': 'http_upgrade_failed',
}

/** What an underlying failure says more exactly, by its code. */
const causes: ReadonlyMap<string, ProxyErrorType> = new Map<string, ProxyErrorType>([
  ['name-not-found', 'dns_error'],
  ['connection-refused', 'connection_refused'],
  ['connection-reset', 'connection_terminated'],
  ['connection-aborted', 'connection_terminated'],
  ['broken-pipe', 'connection_terminated'],
  ['host-unreachable', 'destination_ip_unroutable'],
  ['network-unreachable', 'destination_ip_unroutable'],
  ['address-not-available', 'proxy_configuration_error'],
  ['permission-denied', 'destination_ip_prohibited'],
  ['too-many-files', 'proxy_internal_error'],
  ['address-in-use', 'proxy_internal_error'],
  ['timed-out', 'connection_timeout'],
  ['tls-handshake-failed', 'tls_protocol_error'],
  ['tls-handshake-timeout', 'connection_timeout'],
  ['tls-verify-failed', 'tls_certificate_error'],
])

/** The registered type of a failure. */
export function proxyErrorType(error: ExchangeError): ProxyErrorType {
  const { code } = error
  if (code === 'connect-failed' || code === 'backend-reset' || code === 'backend-closed') {
    const refined = ofCause(error.cause)
    if (refined !== undefined) return refined
  }
  return types[code]
}

/** Causes are followed this deep. */
const deepest = 5

function ofCause(cause: unknown): ProxyErrorType | undefined {
  let at = cause
  for (let depth = 0; depth < deepest && at !== undefined && at !== null; depth++) {
    if (isSteelyardError(at)) {
      const type = causes.get(at.code)
      if (type === 'tls_protocol_error' && isAlert(at.cause)) return 'tls_alert_received'
      if (type !== undefined) return type
    }
    at = (at as { cause?: unknown }).cause
  }
  return undefined
}

/** OpenSSL names the alerts of the other side so. */
function isAlert(cause: unknown): boolean {
  const code = (cause as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' && /^ERR_SSL_.*ALERT/.test(code)
}

/**
 * The value of Proxy-Status for a failure (RFC 9209): our name, the registered type, and our own code as details.
 * Nothing of addresses and names behind us is in it.
 *
 * @param pseudonym - our name for the outside
 */
export function proxyStatus(error: ExchangeError, pseudonym: string): string {
  return `${item(pseudonym)}; error=${proxyErrorType(error)}; details=${structuredString(error.code)}`
}

function item(name: string): string {
  // A token of structured fields begins with a letter or `*` and may have `:` and `/`.
  return /^[A-Za-z*]/.test(name) && isToken(name.replaceAll(/[:/]/g, '-'))
    ? name
    : structuredString(name)
}

/** A String of structured fields (RFC 9651 section 3.3.3): printable ASCII in quotes; other characters become `?`. */
export function structuredString(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/gu, '?').replaceAll(/["\\]/g, '\\$&')}"`
}
