import { type ErrorSource, SteelyardError } from '@steelyard/core'

/** How far an exchange had come. */
export type ExchangePhase =
  | 'head'
  | 'route'
  | 'request'
  | 'pick'
  | 'connect'
  | 'request-body'
  | 'response-head'
  | 'response-body'
  | 'tunnel'

/** Why an exchange failed; also the machine's word in logs. */
export type ExchangeErrorCode =
  // what the client sent or did
  | 'bad-request'
  | 'head-too-large'
  | 'body-too-large'
  | 'head-timeout'
  | 'body-timeout'
  | 'client-aborted'
  | 'misdirected-request'
  | 'loop-detected'
  | 'unsupported'
  // what stands between
  | 'no-route'
  | 'no-backend'
  | 'queue-full'
  | 'queue-timeout'
  | 'circuit-open'
  | 'overloaded'
  | 'hook-failed'
  | 'total-timeout'
  | 'shutdown'
  // what the backend did
  | 'connect-failed'
  | 'connect-timeout'
  | 'backend-reset'
  | 'backend-closed'
  | 'bad-response'
  | 'server-error'
  | 'first-byte-timeout'
  | 'idle-timeout'
  | 'upgrade-refused'

/** What an {@link ExchangeError} needs beyond the message. */
export interface ExchangeErrorInit {
  readonly code: ExchangeErrorCode
  readonly source: ErrorSource
  readonly phase: ExchangePhase
  /** The backend surely did nothing with the request, or the connection was reused and nothing came back. */
  readonly replayable?: boolean
  /** The backend surely did nothing with the request, and said so or was never told: whatever the method, it may be sent again. */
  readonly untouched?: boolean
  readonly cause?: unknown
}

/** A failure of one exchange: whose fault, in which phase, and whether the request may be sent again. */
export class ExchangeError extends SteelyardError<ExchangeErrorCode> {
  readonly phase: ExchangePhase
  /** See {@link ExchangeErrorInit.replayable}. */
  readonly replayable: boolean
  /** See {@link ExchangeErrorInit.untouched}. */
  readonly untouched: boolean

  constructor(message: string, init: ExchangeErrorInit) {
    const { code, source, untouched = false, replayable = untouched, cause } = init
    super(message, {
      code,
      source,
      retryable: replayable,
      ...(cause === undefined ? {} : { cause }),
    })
    this.phase = init.phase
    this.replayable = replayable
    this.untouched = untouched
  }
}
