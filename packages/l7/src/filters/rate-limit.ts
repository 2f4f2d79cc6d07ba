import {
  type Clock,
  clockOption,
  type Duration,
  functionOption,
  invalidOption,
  objectOption,
  parseDuration,
  partOption,
  SteelyardError,
  shown,
  systemClock,
  type TimerWheel,
  timerWheel,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Verdict } from '../exchange/reply.ts'
import { fieldValueOption } from './field-option.ts'
import { wholeOption, wordOption } from './number-option.ts'
import { askedStore, isDecision } from './rate-limit/asked-store.ts'
import { localRates, type RateStore, type WhenFull } from './rate-limit/limiter-store.ts'
import { announcement, type RateFields } from './rate-limit/rate-fields.ts'
import type { RateAlgorithmName, RateDecision, RateRule } from './rate-limit/rate-rule.ts'
import { type WaitingTurn, waitingLines } from './rate-limit/waiting-lines.ts'
import { type RefusalOptions, refusal } from './refusal.ts'
import { keyReader, type RequestKey, type WhenKeyAbsent } from './request-key.ts'

/** Who may wait when the quota is used up. */
export interface RateQueueOptions {
  /** Requests that wait under one key; those beyond are turned away. */
  readonly length: number
  /** How long a request waits at most. Default `10s`. */
  readonly timeout?: Duration
  /** Requests that wait under all keys together. Default 1024. */
  readonly total?: number
}

/** How {@link rateLimit} counts and what it says. */
export interface RateLimitOptions extends RefusalOptions {
  /** How many requests may pass in each {@link RateLimitOptions.window} in the long run; a whole number from 1. */
  readonly limit: number
  /** Default `1s`. */
  readonly window?: Duration
  /**
   * `token-bucket`: evenly, with a burst; at most `limit + burst` in any window. `sliding-window`: at most `limit` in
   * any window, wherever it begins, and as fast as they come. Default `token-bucket`.
   */
  readonly algorithm?: RateAlgorithmName
  /** What a bucket holds: how many may come at once after a quiet time. Not for `sliding-window`. Default: `limit`. */
  readonly burst?: number
  /** What is counted together. Default `client`: by address, IPv6 by /64. */
  readonly key?: RequestKey
  /** Requests without such a header, cookie or claim. Default `client`: leaving it out gains nothing. */
  readonly whenAbsent?: WhenKeyAbsent
  /** What a request takes of the quota. Default 1; 0 passes uncounted. */
  readonly cost?: number | ((x: Exchange) => number)
  /** Requests that wait for their turn instead of being turned away; a number is {@link RateQueueOptions.length}. Default 0: none. */
  readonly queue?: number | RateQueueOptions
  /**
   * What clients are told with each response: `draft`: RateLimit and RateLimit-Policy
   * (draft-ietf-httpapi-ratelimit-headers-10); `legacy`: X-RateLimit-Limit, -Remaining and -Reset (seconds to go).
   * Retry-After goes with refusals in any case. Default `draft`.
   */
  readonly headers?: RateFields
  /** The policy's name in RateLimit fields, shared stores and logs. Default `default`. */
  readonly name?: string
  /** Keys remembered at one time; each takes 150 bytes (token bucket) to 300 (sliding window). Default 100000. Not with a store of your own. */
  readonly maxKeys?: number
  /** What happens when there are more. Default `forget`: the key not seen for the longest time begins anew. */
  readonly whenFull?: WhenFull
  /** A shared store instead of this process's memory; a function is given the rule. Default: memory. */
  readonly store?: RateStore | ((rule: RateRule) => RateStore)
  /** When the store fails: let requests pass, or answer 503. Default `allow`. */
  readonly onStoreFailure?: 'allow' | 'deny'
  /** A store that has not answered by then has failed. Default `250ms`. */
  readonly storeTimeout?: Duration
  readonly clock?: Clock
  /** Wakes those who wait. Default: its own, which ticks only while somebody waits. */
  readonly wheel?: TimerWheel
}

/** A filter that bounds a rate, and its state. */
export interface RateLimit extends HttpFilter {
  readonly rule: RateRule
  /** Keys remembered in this process. */
  readonly keys: number
  /** Requests that wait. */
  readonly waiting: number
}

/**
 * Bounds how many requests pass, by any key. Answers 429 (`rate-limited`, RFC 6585 section 4) with Retry-After when
 * the quota is used up, or lets a bounded number wait for their turn.
 *
 * @example
 * ```ts
 * import { rateLimit } from '@steelyard/l7'
 *
 * const perKey = rateLimit({
 *   limit: 100,
 *   window: '1m',
 *   burst: 20,
 *   key: { header: 'x-api-key' },
 *   queue: 5,
 * })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function rateLimit(options: RateLimitOptions, path = 'rateLimit'): RateLimit {
  objectOption(options, path)
  const rule = ruleOf(options, path)
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const name = fieldValueOption(options.name ?? 'default', `${path}.name`)
  if (!/^[\x20-\x7e]{1,128}$/.test(name)) {
    throw invalidOption(`${path}.name`, `${shown(name)} is no name: use printable ASCII`)
  }
  const whenAbsent = options.whenAbsent ?? 'client'
  const reader = keyReader(options.key ?? 'client', whenAbsent, path)
  const turnedAway = refusal(options, path, 429, 'rate-limited')
  const failed = refusal({}, path, 503, 'rate-limit-store-failed')
  const onStoreFailure = wordOption(
    options.onStoreFailure ?? 'allow',
    ['allow', 'deny'],
    `${path}.onStoreFailure`,
  )
  const whenFailed = onStoreFailure === 'deny' ? failedClosed : failedOpen
  const local = localRates(
    rule,
    wholeOption(options.maxKeys ?? 100_000, `${path}.maxKeys`, 1, 10_000_000, 'bound'),
    wordOption(options.whenFull ?? 'forget', ['forget', 'deny'], `${path}.whenFull`),
  )
  const shared = storeOf(options, rule, path)
  const storeTimeoutMs = parseDuration(options.storeTimeout ?? '250ms', `${path}.storeTimeout`)
  const cost = costOf(options.cost ?? 1, path)
  const tell = announcement(options.headers ?? 'draft', name, rule, path)
  const queue = queueOf(options.queue ?? 0, path)

  const wheel =
    partOption(options.wheel, 'arm', `${path}.wheel`, 'make one with timerWheel()') ??
    timerWheel({ clock })
  const asked = shared === undefined ? undefined : askedStore(shared, storeTimeoutMs, wheel)

  function take(
    x: Exchange,
    key: string | number,
    amount: number,
  ): RateDecision | Promise<RateDecision> {
    if (asked === undefined) return local.take(key, amount, clock.now())
    const decision = asked.take(`${name}:${reader.text(key)}`, amount, clock.now(), (error) =>
      x.log.warn({ error, policy: name, id: x.id }, 'the rate store failed'),
    )
    return decision instanceof Promise
      ? decision.then((answer) => answer ?? whenFailed)
      : (decision ?? whenFailed)
  }

  const lines = waitingLines({ ...queue, wheel, take })
  const filterKey = {}

  function refuse(x: Exchange, decision: RateDecision): Verdict {
    if (decision === failedClosed) {
      x.flag('rate-limit-store-failed')
      return failed.reply
    }
    x.flag('rate-limited')
    x.remember(filterKey, decision)
    return turnedAway.after(decision.retryMs)
  }

  function decided(
    x: Exchange,
    key: string | number,
    amount: number,
    decision: RateDecision,
  ): Verdict | Promise<Verdict> {
    if (decision.allowed) {
      if (decision === failedOpen) x.flag('rate-limit-store-failed')
      else if (tell !== undefined) x.remember(filterKey, decision)
      return undefined
    }
    if (queue.length === 0 || decision === failedClosed || decision.retryMs === Infinity) {
      return refuse(x, decision)
    }
    return wait(x, key, amount, decision)
  }

  function wait(
    x: Exchange,
    key: string | number,
    amount: number,
    denied: RateDecision | undefined,
  ): Verdict | Promise<Verdict> {
    const turn = lines.join(x, key, amount, denied)
    if (turn === undefined) return refuse(x, denied ?? unknown)
    x.remember(filterKey, turn)
    return turn.end.then((end) => {
      if (end === 'gone') return undefined
      x.remember(filterKey, undefined)
      if (end === 'timeout') return refuse(x, denied ?? unknown)
      if (!end.allowed) return refuse(x, end)
      x.flag('rate-queued')
      if (end === failedOpen) x.flag('rate-limit-store-failed')
      else if (tell !== undefined) x.remember(filterKey, end)
      return undefined
    })
  }

  return {
    name: 'rate-limit',
    rule,
    get keys() {
      return local.size
    },
    get waiting() {
      return lines.size
    },
    request(x) {
      const key = reader.of(x)
      if (key === undefined) return whenAbsent === 'refuse' ? turnedAway.reply : undefined
      const amount = typeof cost === 'number' ? cost : checkedCost(cost(x))
      if (amount === 0) return undefined
      if (queue.length > 0 && lines.has(key)) return wait(x, key, amount, undefined)
      const decision = take(x, key, amount)
      return decision instanceof Promise
        ? decision.then((answer) => decided(x, key, amount, answer))
        : decided(x, key, amount, decision)
    },
    ...(tell === undefined
      ? {}
      : {
          responseHead(head: ResponseEditor, x: Exchange): void {
            const decision = x.recall(filterKey)
            if (isDecision(decision)) tell(head, decision)
          },
        }),
    ...(queue.length === 0
      ? {}
      : {
          done(_record: unknown, x: Exchange): void {
            const turn = x.recall(filterKey)
            if (isTurn(turn)) turn.leave()
          },
        }),
  }
}

const failedOpen: RateDecision = Object.freeze({
  allowed: true,
  remaining: 0,
  resetMs: 0,
  retryMs: 0,
})
const failedClosed: RateDecision = Object.freeze({
  allowed: false,
  remaining: 0,
  resetMs: 0,
  retryMs: Number.POSITIVE_INFINITY,
})
/** Turned away from a full line, or after a wait, without having been measured: soon is all that is known. */
const unknown: RateDecision = Object.freeze({
  allowed: false,
  remaining: 0,
  resetMs: 1000,
  retryMs: 1000,
})

function ruleOf(options: RateLimitOptions, path: string): RateRule {
  const algorithm = wordOption(
    options.algorithm ?? 'token-bucket',
    ['token-bucket', 'sliding-window'],
    `${path}.algorithm`,
  )
  const limit = wholeOption(options.limit, `${path}.limit`, 1, 1_000_000_000, 'limit')
  const windowMs = parseDuration(options.window ?? '1s', `${path}.window`)
  if (windowMs < 1 || windowMs > 366 * 86_400_000) {
    throw invalidOption(`${path}.window`, 'must be from 1ms to 366d')
  }
  if (algorithm === 'sliding-window' && options.burst !== undefined) {
    throw invalidOption(
      `${path}.burst`,
      'a sliding window has no burst: all of its limit may come at once',
    )
  }
  const burst = wholeOption(options.burst ?? limit, `${path}.burst`, 1, 1_000_000_000, 'burst')
  return Object.freeze({ algorithm, limit, windowMs, burst })
}

function storeOf({ store }: RateLimitOptions, rule: RateRule, path: string): RateStore | undefined {
  let made: RateStore | undefined
  try {
    made = typeof store === 'function' ? store(rule) : store
  } catch (cause) {
    throw new SteelyardError('the function that makes the store failed', {
      code: 'invalid-option',
      source: 'config',
      path: `${path}.store`,
      cause,
    })
  }
  return partOption(made, 'take', `${path}.store`, 'it needs a method take(key, cost, now)')
}

function costOf(
  cost: number | ((x: Exchange) => number),
  path: string,
): number | ((x: Exchange) => number) {
  if (typeof cost !== 'number') return functionOption(cost, `${path}.cost`)
  if (cost >= 0 && cost <= 1_000_000_000) return cost
  throw invalidOption(`${path}.cost`, `${shown(cost)} is no cost: use a number from 0`)
}

/** What an embedder's function made. */
function checkedCost(cost: number): number {
  if (typeof cost === 'number' && cost >= 0) return cost
  throw new TypeError(`a rate limit's cost must be a number from 0, not ${shown(cost)}`)
}

function queueOf(
  queue: number | RateQueueOptions,
  path: string,
): { length: number; total: number; timeoutMs: number } {
  const given = typeof queue === 'number' ? { length: queue } : objectOption(queue, `${path}.queue`)
  const at = typeof queue === 'number' ? `${path}.queue` : `${path}.queue.length`
  const timeoutMs = parseDuration(given.timeout ?? '10s', `${path}.queue.timeout`)
  if (timeoutMs === 0) throw invalidOption(`${path}.queue.timeout`, 'must be more than 0')
  return {
    length: wholeOption(given.length, at, 0, 100_000, 'length'),
    total: wholeOption(given.total ?? 1024, `${path}.queue.total`, 1, 1_000_000, 'bound'),
    timeoutMs,
  }
}

function isTurn(value: unknown): value is WaitingTurn {
  return typeof value === 'object' && value !== null && 'leave' in value
}
