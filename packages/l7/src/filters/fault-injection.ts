import {
  type Clock,
  clockOption,
  type Duration,
  functionOption,
  invalidOption,
  listOption,
  objectOption,
  parseDuration,
  systemClock,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Verdict } from '../exchange/reply.ts'
import { fieldNameOption } from './field-option.ts'
import { shareOption, wholeOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** Requests that are held up before they go on. */
export interface FaultDelay {
  /** How many of a hundred requests, above 0 to 100. Default 100. */
  readonly percent?: number
  /** How long. Either this, or {@link FaultDelay.range}. */
  readonly fixed?: Duration
  /** At least and at most how long; uniform in between. */
  readonly range?: readonly [least: Duration, most: Duration]
}

/** Requests that are not served. */
export interface FaultAbort extends RefusalOptions {
  /** How many of a hundred requests, above 0 to 100. Default 100. */
  readonly percent?: number
  /** Ends the client's connection or stream without an answer, instead of answering. Default `false`. */
  readonly drop?: boolean
}

/** What {@link faultInjection} does. */
export interface FaultInjectionOptions {
  /** Default: none. One of delay and abort is needed. A request that both hit is held up first. */
  readonly delay?: FaultDelay
  /** Answers 503 unless it says otherwise. Default: none. */
  readonly abort?: FaultAbort
  /** Only requests with this header, and, when a value is given, with this value. Default: all. */
  readonly header?: { readonly name: string; readonly value?: string }
  /** Requests held up at one time; those beyond go on at once. Default 10000. */
  readonly maxDelayed?: number
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
  readonly clock?: Clock
}

/** A filter that makes faults, and its state. */
export interface FaultInjection extends HttpFilter {
  /** Requests that are held up now. */
  readonly delayed: number
}

/**
 * Makes faults on purpose, to see how clients bear them: delays and aborts (`fault-injected`) for a share of the
 * requests.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function faultInjection(
  options: FaultInjectionOptions,
  path = 'faultInjection',
): FaultInjection {
  const { delay, abort, header } = objectOption(options, path)
  if (delay === undefined && abort === undefined) {
    throw invalidOption(path, 'makes no fault: give it a delay or an abort')
  }
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const random = functionOption(options.random ?? Math.random, `${path}.random`)
  const most = wholeOption(
    options.maxDelayed ?? 10_000,
    `${path}.maxDelayed`,
    1,
    1_000_000,
    'bound',
  )
  const delayOf = delay === undefined ? undefined : delays(delay, `${path}.delay`, random)
  const abortOf = abort === undefined ? undefined : aborts(abort, `${path}.abort`, random)
  const concerns = header === undefined ? undefined : headerTest(header, `${path}.header`)
  const filterKey = {}
  let delayed = 0

  function hold(x: Exchange, ms: number, verdict: Verdict): Promise<Verdict> {
    delayed += 1
    return new Promise((resolve) => {
      const held: Held = {
        timer: clock.after(ms, () => {
          delayed -= 1
          x.remember(filterKey, undefined)
          resolve(verdict)
        }),
        release: () => {
          delayed -= 1
          held.timer[Symbol.dispose]()
          resolve(undefined)
        },
      }
      x.remember(filterKey, held)
    })
  }

  return {
    name: 'fault-injection',
    get delayed() {
      return delayed
    },
    request(x) {
      if (concerns !== undefined && !concerns(x)) return undefined
      const ms = delayOf === undefined ? 0 : delayOf()
      const verdict = abortOf?.()
      if (verdict !== undefined) x.flag('fault-abort')
      if (ms === 0 || delayed >= most) return verdict
      x.flag('fault-delay')
      return hold(x, ms, verdict)
    },
    done(_record, x) {
      const held = x.recall(filterKey) as Held | undefined
      if (held === undefined) return
      x.remember(filterKey, undefined)
      held.release()
    },
  }
}

interface Held {
  readonly timer: Disposable
  readonly release: () => void
}

function delays(options: FaultDelay, path: string, random: () => number): () => number {
  const percent = shareOption(objectOption(options, path).percent ?? 100, `${path}.percent`, 100)
  const { fixed, range } = options
  if ((fixed === undefined) === (range === undefined)) {
    throw invalidOption(path, 'needs either "fixed" or "range"')
  }
  if (range !== undefined && listOption<Duration>(range, `${path}.range`).length !== 2) {
    throw invalidOption(`${path}.range`, 'must be a list of two durations, such as ["50ms", "2s"]')
  }
  const least =
    range === undefined
      ? parseDuration(fixed as Duration, `${path}.fixed`)
      : parseDuration(range[0], `${path}.range[0]`)
  const most = range === undefined ? least : parseDuration(range[1], `${path}.range[1]`)
  if (most < least) throw invalidOption(`${path}.range`, 'ends before it begins')
  return () => (random() * 100 < percent ? least + (most - least) * random() : 0)
}

function aborts(options: FaultAbort, path: string, random: () => number): () => Verdict {
  const percent = shareOption(objectOption(options, path).percent ?? 100, `${path}.percent`, 100)
  const { drop = false } = options
  if (typeof drop !== 'boolean') throw invalidOption(`${path}.drop`, 'must be true or false')
  const verdict: Verdict = drop
    ? Object.freeze({ drop: true, reason: 'fault-injected' })
    : refusal(options, path, 503, 'fault-injected').reply
  return () => (random() * 100 < percent ? verdict : undefined)
}

function headerTest(
  header: { readonly name: string; readonly value?: string },
  path: string,
): (x: Exchange) => boolean {
  const name = fieldNameOption(objectOption(header, path).name, `${path}.name`)
  const { value } = header
  if (value === undefined) return (x) => x.request.header(name) !== undefined
  if (typeof value !== 'string') throw invalidOption(`${path}.value`, 'must be a text')
  return (x) => x.request.headerAll(name).includes(value)
}
