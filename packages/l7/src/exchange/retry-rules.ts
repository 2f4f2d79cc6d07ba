import {
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  parseSize,
  shown,
} from '@steelyard/core'
import type { RetryOptions } from '../routing/action.ts'

/** {@link RetryOptions}, ready to ask. */
export interface RetryRules {
  /** Attempts beyond the first. */
  readonly attempts: number
  readonly onConnect: boolean
  readonly onReset: boolean
  readonly onTimeout: boolean
  readonly nonIdempotent: boolean
  /** 0: the route's first-byte limit. */
  readonly perTryMs: number
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  readonly bodyBytes: number
  /** 0: none. */
  readonly hedgeMs: number
  /** Any status or gRPC status is among what is retried: each head has to be looked at. */
  readonly onStatus: boolean
  retriesStatus(status: number): boolean
  /** As the `grpc-status` field says it: a number in decimal. */
  retriesGrpc(status: string): boolean
}

/** gRPC status names by number. */
const grpcNames = [
  'ok',
  'cancelled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
] as const

/**
 * Reads {@link RetryOptions}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function retryRules(options: number | RetryOptions = {}, path = 'retries'): RetryRules {
  const given: RetryOptions =
    typeof options === 'number' ? { attempts: options } : objectOption(options, path)
  const { attempts = 1, on = ['connect', 'reset'], nonIdempotent = false } = given
  const backoff = objectOption(given.backoff ?? {}, `${path}.backoff`)
  if (!Number.isInteger(attempts) || attempts < 0 || attempts > 100) {
    throw invalidOption(
      typeof options === 'number' ? path : `${path}.attempts`,
      `${shown(attempts)} is not a number of retries: use 0 to 100`,
    )
  }
  const statuses = new Uint8Array(600)
  const grpc = new Set<string>()
  const words = new Set<string>()
  listOption(on, `${path}.on`).forEach((what, index) => {
    const at = `${path}.on[${index}]`
    if (typeof what === 'number') {
      if (!Number.isInteger(what) || what < 300 || what > 599) {
        throw invalidOption(at, `${shown(what)} is not a status to retry: use 300 to 599`)
      }
      statuses[what] = 1
      return
    }
    const name = typeof what === 'string' ? what : ''
    if (/^[345]xx$/.test(name)) {
      const from = Number(name[0]) * 100
      statuses.fill(1, from, from + 100)
    } else if (name === 'connect' || name === 'reset' || name === 'timeout') {
      words.add(name)
    } else {
      const number = grpcNames.indexOf(name as (typeof grpcNames)[number])
      if (number < 1) {
        throw invalidOption(
          at,
          `${shown(what)} is nothing to retry on: use connect, reset, timeout, a status, 5xx, or a gRPC status such as unavailable`,
        )
      }
      grpc.add(String(number))
    }
  })
  return Object.freeze({
    attempts,
    onConnect: words.has('connect'),
    onReset: words.has('reset'),
    onTimeout: words.has('timeout'),
    nonIdempotent: flagOption(nonIdempotent, `${path}.nonIdempotent`),
    perTryMs: parseDuration(given.perTry ?? 0, `${path}.perTry`),
    backoffBaseMs: parseDuration(backoff.base ?? '25ms', `${path}.backoff.base`),
    backoffMaxMs: parseDuration(backoff.max ?? '250ms', `${path}.backoff.max`),
    bodyBytes: parseSize(given.bodyBytes ?? '64KiB', `${path}.bodyBytes`),
    hedgeMs: parseDuration(given.hedge ?? 0, `${path}.hedge`),
    onStatus: grpc.size > 0 || statuses.includes(1),
    retriesStatus: (status: number) => statuses[status] === 1,
    retriesGrpc: (status: string) => grpc.has(status),
  })
}
