import type { ExchangeRecord } from '../../exchange/exchange-record.ts'

/** What an exchange says of the backend that served it last. */
export interface AttemptResult {
  readonly error: boolean
  /** From the request's being sent to the response's head; or up to the failure. */
  readonly latencyMs: number
}

/**
 * Judges the last attempt of an exchange; undefined when it says nothing of the backend: none was reached, or the
 * client went away before the backend was due.
 *
 * @param isError - is it the backend's failure? Default: status 500 and above, or a failure that is the backend's.
 */
export function attemptResult(
  record: ExchangeRecord,
  slowMs: number,
  isError: (record: ExchangeRecord) => boolean = backendFailed,
): AttemptResult | undefined {
  const { attempts, backend, times, error, backendStatus, endedBy } = record
  if (attempts === 0 || backend === undefined) return undefined
  const latencyMs = times.firstByte >= 0 ? times.firstByte : waited(record)
  const failed = isError(record)
  if (failed || backendStatus > 0) return { error: failed, latencyMs }
  // Clients lose patience first with backends that hang: that must not hide them.
  if (latencyMs >= slowMs) return { error: false, latencyMs }
  return endedBy === 'client' || error?.source !== 'backend'
    ? undefined
    : { error: false, latencyMs }
}

/** Flomesh's rule for statuses, and what our own errors say of their source. */
function backendFailed({ backendStatus, error }: ExchangeRecord): boolean {
  return backendStatus >= 500 || error?.source === 'backend'
}

/** No head came: as long as it took without the phases that are not the backend's. */
function waited({ times }: ExchangeRecord): number {
  return Math.max(0, times.total - Math.max(0, times.queue))
}
