import type { ErrorSource } from '@steelyard/core'
import {
  ExchangeError,
  type ExchangeErrorCode,
  type ExchangePhase,
} from '../../src/exchange/exchange-error.ts'

export function exchangeError(
  code: ExchangeErrorCode,
  source: ErrorSource,
  phase: ExchangePhase,
  message = 'it failed',
): ExchangeError {
  return new ExchangeError(message, { code, source, phase })
}
