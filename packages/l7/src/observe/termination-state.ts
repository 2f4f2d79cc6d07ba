import type { ExchangeErrorCode, ExchangePhase } from '../exchange/exchange-error.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'

/**
 * First letter, by the error's code: `C` the client broke off, `c` it was too slow; `S` the member broke off or could
 * not be had, `s` it was too slow; `P` we refused; `R` something of ours is used up; `I` a fault of ours; `K` we were
 * stopped.
 */
const causes: Readonly<Record<ExchangeErrorCode, string>> = {
  'bad-request': 'P',
  'head-too-large': 'P',
  'body-too-large': 'P',
  'head-timeout': 'c',
  'body-timeout': 'c',
  'client-aborted': 'C',
  'misdirected-request': 'P',
  'loop-detected': 'P',
  unsupported: 'P',
  'no-route': 'P',
  'no-backend': 'S',
  'queue-full': 'R',
  'queue-timeout': 's',
  'circuit-open': 'P',
  overloaded: 'R',
  'hook-failed': 'I',
  'total-timeout': 's',
  shutdown: 'K',
  'connect-failed': 'S',
  'connect-timeout': 's',
  'backend-reset': 'S',
  'backend-closed': 'S',
  'bad-response': 'P',
  'server-error': 'S',
  'first-byte-timeout': 's',
  'idle-timeout': 's',
  'upgrade-refused': 'P',
}

/** Second letter: `R` the request, `Q` waiting for a member, `C` connecting, `H` waiting for the response, `D` data. */
const phases: Readonly<Record<ExchangePhase, string>> = {
  head: 'R',
  route: 'R',
  request: 'R',
  pick: 'Q',
  connect: 'C',
  'request-body': 'H',
  'response-head': 'H',
  'response-body': 'D',
  tunnel: 'D',
}

/**
 * How an exchange ended, in the two letters of HAProxy's logs (its Configuration Manual, section 8.5); `--` when all
 * went well.
 *
 * | letters | when |
 * | --- | --- |
 * | `--` | done |
 * | `LR` | answered here below 400: a redirect, a page, a preflight |
 * | `PR` | refused here: by a filter, a route, or the gate |
 * | `PT` | refused here after being held up |
 * | `CR` `CQ` `CC` `CH` `CD` | the client broke off while: sending, waiting for a member, connecting, waiting for the response, data flowed |
 * | `cR` `cH` `cD` | the client was too slow with its head, its body, or taking the response |
 * | `SC` | no member: none usable, or no connect |
 * | `sC` `sQ` | the connect, or the wait for a member, took too long |
 * | `SH` `SD` | the member broke off before, or in, the response |
 * | `sH` `sD` | the member was too slow with its response, or within it |
 * | `PH` | the member's response was not valid |
 * | `PQ` | its circuit was open |
 * | `RQ` `RR` | the queue was full; there was too much load |
 * | `I?` `K?` | a hook failed; the balancer was stopped; second letter by phase |
 */
export function terminationState(record: ExchangeRecord): string {
  const { error, reason, status, endedBy } = record
  if (error === undefined) {
    if (reason === 'done') return '--'
    if (endedBy === 'client') return record.times.firstByte < 0 ? 'CH' : 'CD'
    if (endedBy === 'backend') return record.times.firstByte < 0 ? 'SH' : 'SD'
    if (reason === 'tarpit') return 'PT'
    return status >= 200 && status < 400 ? 'LR' : 'PR'
  }
  const { code, phase, source } = error
  // No member that could be connected to is a failed connect in HAProxy's words.
  if (code === 'no-backend') return 'SC'
  const slowClient =
    source === 'client' && (code === 'idle-timeout' || code === 'total-timeout') ? 'c' : undefined
  return (slowClient ?? causes[code] ?? 'I') + (phases[phase] ?? '-')
}
