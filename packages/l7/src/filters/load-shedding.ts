import {
  type Duration,
  functionOption,
  invalidOption,
  objectOption,
  parseDuration,
  shown,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { eventLoopDelay, type LoadSignal } from './load-signal.ts'
import { shareOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** How dear a request is: `low` is shed at half the delay, `high` at twice the delay, `critical` never. */
export type LoadPriority = 'critical' | 'high' | 'normal' | 'low'

/** When {@link loadShedding} turns requests away. */
export interface LoadSheddingOptions extends RefusalOptions {
  /** How late we are. Default: {@link eventLoopDelay}. */
  readonly signal?: LoadSignal
  /** Nothing is shed up to this delay. Default `50ms`. */
  readonly from?: Duration
  /** The most is shed from this delay on; in between, the share grows evenly. Default `250ms`. */
  readonly to?: Duration
  /** The share that is shed at most, above 0 to 1. Default 1. */
  readonly most?: number
  /** By route name, or by a function; what is not named is `normal`. Default: all are `normal`. */
  readonly priority?: Readonly<Record<string, LoadPriority>> | ((x: Exchange) => LoadPriority)
  /** What Retry-After says. Default `2s`. */
  readonly retryAfter?: Duration
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
}

/** A filter that sheds load, and its state. */
export interface LoadShedding extends HttpFilter {
  /** The share of requests of normal priority that is shed at this moment, 0 to 1. */
  readonly share: number
}

/**
 * Turns a share of the requests away while this process is late with its work, so that the rest is served in time.
 * Answers 503 (`overloaded`) with Retry-After.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function loadShedding(
  options: LoadSheddingOptions = {},
  path = 'loadShedding',
): LoadShedding {
  const signal = functionOption(
    objectOption(options, path).signal ?? eventLoopDelay(),
    `${path}.signal`,
  )
  const from = parseDuration(options.from ?? '50ms', `${path}.from`)
  const to = parseDuration(options.to ?? '250ms', `${path}.to`)
  if (to <= from) throw invalidOption(`${path}.to`, 'must be longer than "from"')
  const most = shareOption(options.most ?? 1, `${path}.most`, 1)
  const random = functionOption(options.random ?? Math.random, `${path}.random`)
  const scaleOf = scalesOf(options.priority ?? {}, `${path}.priority`)
  const away = refusal(options, path, 503, 'overloaded').after(
    parseDuration(options.retryAfter ?? '2s', `${path}.retryAfter`),
  )

  const share = (delayMs: number): number =>
    delayMs <= from ? 0 : most * Math.min(1, (delayMs - from) / (to - from))

  return {
    name: 'load-shedding',
    get share() {
      return share(signal())
    },
    request(x) {
      const delayMs = signal()
      // Most of the time nothing is late: below half of it not even `low` is shed.
      if (!(delayMs * 2 > from)) return undefined
      const shed = share(delayMs * scaleOf(x))
      if (shed === 0 || random() >= shed) return undefined
      x.flag('shed')
      return away
    },
  }
}

/** What the delay is multiplied by. */
const scales: Readonly<Record<LoadPriority, number>> = Object.freeze({
  critical: 0,
  high: 0.5,
  normal: 1,
  low: 2,
})

function scalesOf(
  priority: NonNullable<LoadSheddingOptions['priority']>,
  path: string,
): (x: Exchange) => number {
  if (typeof priority === 'function') {
    // A word that is none must not make a request unsheddable.
    return (x) => scales[priority(x)] ?? 1
  }
  const byRoute = new Map<string, number>()
  for (const [route, word] of Object.entries(objectOption(priority, path))) {
    if (typeof word !== 'string' || !Object.hasOwn(scales, word)) {
      throw invalidOption(
        `${path}.${route}`,
        `${shown(word)} is none of ${Object.keys(scales).join(', ')}`,
      )
    }
    byRoute.set(route, scales[word])
  }
  if (byRoute.size === 0) return () => 1
  return (x) => (x.route === undefined ? 1 : (byRoute.get(x.route) ?? 1))
}
