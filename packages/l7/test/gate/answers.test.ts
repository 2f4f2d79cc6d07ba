import { SteelyardError } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExchangeError, type ExchangeErrorCode } from '../../src/exchange/exchange-error.ts'
import { replyFor, replyForProblem, statusFor } from '../../src/gate/default-reply.ts'
import { badRequest, problem } from '../../src/gate/problem.ts'
import { proxyErrorType, proxyStatus, structuredString } from '../../src/gate/proxy-status.ts'

function failure(code: ExchangeErrorCode, cause?: unknown): ExchangeError {
  return new ExchangeError('10.0.0.1:8080 did something', {
    code,
    source: 'backend',
    phase: 'connect',
    cause,
  })
}

const statuses: [ExchangeErrorCode, number, string][] = [
  ['bad-request', 400, 'http_request_error'],
  ['head-too-large', 431, 'http_request_error'],
  ['body-too-large', 413, 'http_request_error'],
  ['head-timeout', 408, 'http_request_error'],
  ['body-timeout', 408, 'http_request_error'],
  ['client-aborted', 499, 'http_request_error'],
  ['misdirected-request', 421, 'http_request_error'],
  ['loop-detected', 508, 'proxy_loop_detected'],
  ['unsupported', 501, 'http_request_error'],
  ['no-route', 404, 'destination_not_found'],
  ['no-backend', 503, 'destination_unavailable'],
  ['queue-full', 503, 'connection_limit_reached'],
  ['queue-timeout', 503, 'connection_limit_reached'],
  ['circuit-open', 503, 'destination_unavailable'],
  ['overloaded', 503, 'proxy_internal_response'],
  ['hook-failed', 500, 'proxy_internal_error'],
  ['total-timeout', 504, 'http_response_timeout'],
  ['shutdown', 503, 'proxy_internal_response'],
  ['connect-failed', 502, 'destination_unavailable'],
  ['connect-timeout', 504, 'connection_timeout'],
  ['backend-reset', 502, 'connection_terminated'],
  ['backend-closed', 502, 'http_response_incomplete'],
  ['bad-response', 502, 'http_protocol_error'],
  ['server-error', 502, 'destination_unavailable'],
  ['first-byte-timeout', 504, 'http_response_timeout'],
  ['idle-timeout', 504, 'connection_read_timeout'],
  ['upgrade-refused', 502, 'http_upgrade_failed'],
]

describe('a failure', () => {
  it.each(statuses)('%s is answered by %d, and is %s', (code, status, type) => {
    const reply = replyFor(failure(code))
    expect(statusFor(code)).toBe(status)
    expect(reply).toMatchObject({ status, reason: code, errorPage: true })
    // A kind of failure, and nothing of who stands behind us.
    expect(reply.body).toMatch(/^[\w ]+: [\w ]+\n$/)
    expect(reply.body).not.toMatch(/10\.0|steelyard/i)
    expect(reply.headers!['retry-after'] !== undefined).toBe(status === 503)
    expect(proxyErrorType(failure(code))).toBe(type)
  })

  it('of a head has the status and the words of its problem', () => {
    const reply = replyForProblem(problem(417, 'unsupported', 'of expectations only one is known'))
    expect(reply).toMatchObject({
      status: 417,
      reason: 'unsupported',
      close: true,
      body: 'Expectation Failed: of expectations only one is known\n',
    })
    expect(replyForProblem(badRequest('x')).status).toBe(400)
  })

  it('by a method says which others there are', () => {
    const { headers } = replyForProblem(problem(405, 'unsupported', 'TRACE may not pass'))
    expect(headers!['allow']).toContain('GET')
    expect(headers!['allow']).not.toMatch(/TRACE|CONNECT/)
  })
})

describe('Proxy-Status', () => {
  const causedBy = (code: string, cause?: unknown): ExchangeError =>
    failure('connect-failed', new SteelyardError('x', { code, source: 'backend', cause }))

  it.each([
    ['name-not-found', 'dns_error'],
    ['connection-refused', 'connection_refused'],
    ['connection-reset', 'connection_terminated'],
    ['network-unreachable', 'destination_ip_unroutable'],
    ['timed-out', 'connection_timeout'],
    ['tls-verify-failed', 'tls_certificate_error'],
    ['tls-handshake-failed', 'tls_protocol_error'],
    ['too-many-files', 'proxy_internal_error'],
    ['something-else', 'destination_unavailable'],
  ])('tells %s by its registered type', (code, type) => {
    expect(proxyErrorType(causedBy(code))).toBe(type)
    // Also when it is the cause of a cause.
    expect(
      proxyErrorType(failure('connect-failed', new Error('x', { cause: causedBy(code) }))),
    ).toBe(type)
  })

  it('tells alerts', () => {
    const alert = Object.assign(new Error('x'), { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' })
    expect(proxyErrorType(causedBy('tls-handshake-failed', alert))).toBe('tls_alert_received')
  })

  it('ends with causes that go round', () => {
    const round = new Error('x')
    round.cause = round
    expect(proxyErrorType(failure('connect-failed', round))).toBe('destination_unavailable')
    expect(proxyErrorType(failure('connect-failed', 'a text'))).toBe('destination_unavailable')
    expect(proxyErrorType(failure('connect-failed', null))).toBe('destination_unavailable')
  })

  it('is a structured field', () => {
    const error = failure('first-byte-timeout')
    expect(proxyStatus(error, 'edge-1')).toBe(
      'edge-1; error=http_response_timeout; details="first-byte-timeout"',
    )
    expect(proxyStatus(error, '1 "edge"')).toMatch(/^"1 \\"edge\\""; error=/)
    expect(proxyStatus(error, '')).toMatch(/^""; error=/)
  })

  it('has only what a string may have', () => {
    expect(structuredString('a"b\\c\r\n\u00fc\u{1f600}')).toBe('"a\\"b\\\\c????"')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(structuredString(text)).toMatch(/^"(?:[ !#-[\]-~]|\\["\\])*"$/)
      }),
    )
  })
})
