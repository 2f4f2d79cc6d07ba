import { type TimerWheel, WheelTimer } from '@steelyard/core'
import type { RateStore } from './limiter-store.ts'
import type { RateDecision } from './rate-rule.ts'

/** A store of somebody else's, asked with care. */
export interface AskedStore {
  /** What it decides. Undefined when it failed, which `failed` was told: by throwing, rejecting, answering nonsense, or not in time. */
  take(
    key: string,
    cost: number,
    now: number,
    failed: (error: unknown) => void,
  ): RateDecision | undefined | Promise<RateDecision | undefined>
}

/** Makes an {@link AskedStore}. */
export function askedStore(store: RateStore, timeoutMs: number, wheel: TimerWheel): AskedStore {
  return {
    take(key, cost, now, failed) {
      try {
        const answer = store.take(key, cost, now)
        if (!isThenable(answer)) return decisionOf(answer)
        return inTime(answer, timeoutMs, wheel).catch((error: unknown) => {
          failed(error)
          return undefined
        })
      } catch (error) {
        failed(error)
        return undefined
      }
    },
  }
}

function inTime(
  answer: PromiseLike<RateDecision>,
  timeoutMs: number,
  wheel: TimerWheel,
): Promise<RateDecision> {
  return new Promise((resolve, reject) => {
    const timer = new WheelTimer(() =>
      reject(new Error(`the rate store did not answer within ${timeoutMs} ms`)),
    )
    wheel.arm(timer, timeoutMs)
    answer.then(
      (decision) => {
        wheel.disarm(timer)
        resolve(decision)
      },
      (error: unknown) => {
        wheel.disarm(timer)
        reject(error)
      },
    )
  }).then((decision) => decisionOf(decision as RateDecision))
}

function decisionOf(value: RateDecision): RateDecision {
  if (isDecision(value)) return value
  throw new TypeError('a rate store must answer with allowed, remaining, resetMs and retryMs')
}

/** Is it a decision? Stores in plain JavaScript may answer anything. */
export function isDecision(value: unknown): value is RateDecision {
  if (typeof value !== 'object' || value === null) return false
  const { allowed, remaining, resetMs, retryMs } = value as Partial<RateDecision>
  return (
    typeof allowed === 'boolean' &&
    typeof remaining === 'number' &&
    typeof resetMs === 'number' &&
    typeof retryMs === 'number'
  )
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}
