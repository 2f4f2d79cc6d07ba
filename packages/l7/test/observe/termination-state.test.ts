import { describe, expect, it } from 'vitest'
import { terminationState } from '../../src/observe/termination-state.ts'
import { exchangeError } from './errors.ts'
import { fakeRecord, fakeRefusal, times } from './fakes.ts'

const early = { ...times, firstByte: -1, response: -1 }

describe('the termination state', () => {
  it.each([
    ['--', fakeRecord()],
    ['LR', fakeRecord({ status: 302, reason: 'https-redirect', endedBy: 'balancer' })],
    ['PR', fakeRecord({ status: 429, reason: 'rate-limited', endedBy: 'balancer' })],
    ['PR', fakeRecord({ status: 0, reason: 'dropped', endedBy: 'balancer' })],
    ['PT', fakeRecord({ status: 403, reason: 'tarpit', endedBy: 'balancer' })],
    ['CH', fakeRecord({ status: 0, reason: 'gone', endedBy: 'client', times: early })],
    ['SD', fakeRecord({ reason: 'gone', endedBy: 'backend' })],
  ] as const)('is %s without an error', (state, record) => {
    expect(terminationState(record)).toBe(state)
  })

  it.each([
    ['PR', 'bad-request', 'client', 'head'],
    ['cR', 'head-timeout', 'client', 'head'],
    ['PR', 'no-route', 'config', 'route'],
    ['CQ', 'client-aborted', 'client', 'pick'],
    ['CC', 'client-aborted', 'client', 'connect'],
    ['CH', 'client-aborted', 'client', 'request-body'],
    ['CD', 'client-aborted', 'client', 'response-body'],
    ['cH', 'body-timeout', 'client', 'request-body'],
    ['cD', 'idle-timeout', 'client', 'response-body'],
    ['sD', 'idle-timeout', 'backend', 'response-body'],
    ['SC', 'no-backend', 'backend', 'pick'],
    ['SC', 'connect-failed', 'backend', 'connect'],
    ['sC', 'connect-timeout', 'backend', 'connect'],
    ['RQ', 'queue-full', 'backend', 'pick'],
    ['sQ', 'queue-timeout', 'backend', 'pick'],
    ['PQ', 'circuit-open', 'backend', 'pick'],
    ['RR', 'overloaded', 'system', 'request'],
    ['SH', 'backend-reset', 'backend', 'response-head'],
    ['SD', 'backend-closed', 'backend', 'response-body'],
    ['PH', 'bad-response', 'backend', 'response-head'],
    ['sH', 'first-byte-timeout', 'backend', 'response-head'],
    ['KD', 'shutdown', 'system', 'response-body'],
    ['IR', 'hook-failed', 'config', 'request'],
  ] as const)('is %s for %s of the %s in %s', (state, code, source, phase) => {
    expect(terminationState(fakeRefusal({ error: exchangeError(code, source, phase) }))).toBe(state)
  })
})
