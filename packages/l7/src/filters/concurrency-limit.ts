import {
  type Clock,
  clockOption,
  type Duration,
  invalidOption,
  objectOption,
  parseDuration,
  partOption,
  systemClock,
  type TimerWheel,
  timerWheel,
  WheelTimer,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Verdict } from '../exchange/reply.ts'
import { wholeOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'
import { keyReader, type RequestKey, type WhenKeyAbsent } from './request-key.ts'

/** Who may wait for one of those in flight to end. */
export interface ConcurrencyQueueOptions {
  /** Requests that wait under one key; those beyond are turned away. */
  readonly length: number
  /** How long a request waits at most. Default `10s`. */
  readonly timeout?: Duration
  /** Requests that wait under all keys together. Default 1024. */
  readonly total?: number
}

/** How {@link concurrencyLimit} counts. */
export interface ConcurrencyLimitOptions extends RefusalOptions {
  /** Exchanges in flight under one key; a whole number from 1. */
  readonly limit: number
  /** What is counted together. Default `route`. */
  readonly key?: RequestKey
  /** Requests without such a header, cookie or claim. Default `client`. */
  readonly whenAbsent?: WhenKeyAbsent
  /** Requests that wait for room instead of being turned away; a number is {@link ConcurrencyQueueOptions.length}. Default 0: none. */
  readonly queue?: number | ConcurrencyQueueOptions
  /** What Retry-After says to those turned away. Default `1s`; 0 for none. */
  readonly retryAfter?: Duration
  readonly clock?: Clock
  /** Ends the waits that last too long. Default: its own, which ticks only while somebody waits. */
  readonly wheel?: TimerWheel
}

/** A filter that bounds what is in flight, and its state. */
export interface ConcurrencyLimit extends HttpFilter {
  /** Exchanges in flight under all keys. */
  readonly inFlight: number
  /** Requests that wait. */
  readonly waiting: number
  /** Keys with something in flight; no other is remembered. */
  readonly keys: number
}

/**
 * Bounds how many exchanges are in flight at one time, by any key. Each holds its place until it is over, however it
 * ends. Beyond the limit it answers 503 (`overloaded`) with Retry-After, or lets a bounded number wait, first come
 * first served.
 *
 * @example
 * ```ts
 * import { concurrencyLimit } from '@steelyard/l7'
 *
 * const perClient = concurrencyLimit({ limit: 10, key: 'client', queue: { length: 5, timeout: '2s' } })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function concurrencyLimit(
  options: ConcurrencyLimitOptions,
  path = 'concurrencyLimit',
): ConcurrencyLimit {
  objectOption(options, path)
  const limit = wholeOption(options.limit, `${path}.limit`, 1, 0x7fffffff, 'limit')
  const whenAbsent = options.whenAbsent ?? 'client'
  const reader = keyReader(options.key ?? 'route', whenAbsent, path)
  const { queue = 0 } = options
  const room = typeof queue === 'number' ? { length: queue } : objectOption(queue, `${path}.queue`)
  const length = wholeOption(
    room.length,
    typeof queue === 'number' ? `${path}.queue` : `${path}.queue.length`,
    0,
    100_000,
    'length',
  )
  const total = wholeOption(room.total ?? 1024, `${path}.queue.total`, 1, 1_000_000, 'bound')
  const timeoutMs = parseDuration(room.timeout ?? '10s', `${path}.queue.timeout`)
  if (timeoutMs === 0) throw invalidOption(`${path}.queue.timeout`, 'must be more than 0')
  const turnedAway = refusal(options, path, 503, 'overloaded')
  const retryMs = parseDuration(options.retryAfter ?? '1s', `${path}.retryAfter`)
  const away = retryMs === 0 ? turnedAway.reply : turnedAway.after(retryMs)
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const wheel =
    partOption(options.wheel, 'arm', `${path}.wheel`, 'make one with timerWheel()') ??
    timerWheel({ clock })

  const places = new Map<string | number, Place>()
  const filterKey = {}
  let inFlight = 0
  let waiting = 0

  function refuse(x: Exchange): Verdict {
    x.flag('concurrency-limited')
    return away
  }

  function enter(x: Exchange, place: Place): void {
    place.active += 1
    inFlight += 1
    x.remember(filterKey, place)
  }

  function wait(x: Exchange, place: Place): Promise<Verdict> {
    return new Promise((resolve) => {
      const waiter: Waiter = new Waiter(x, place, resolve, () => {
        leave(waiter)
        x.remember(filterKey, undefined)
        resolve(refuse(x))
      })
      place.waiters.add(waiter)
      waiting += 1
      x.remember(filterKey, waiter)
      wheel.arm(waiter.timer, timeoutMs)
    })
  }

  function leave(waiter: Waiter): void {
    wheel.disarm(waiter.timer)
    waiter.place.waiters.delete(waiter)
    waiting -= 1
  }

  function release(place: Place): void {
    place.active -= 1
    inFlight -= 1
    for (const waiter of place.waiters) {
      leave(waiter)
      waiter.x.flag('concurrency-queued')
      enter(waiter.x, place)
      waiter.resolve(undefined)
      return
    }
    if (place.active === 0) places.delete(place.key)
  }

  return {
    name: 'concurrency-limit',
    get inFlight() {
      return inFlight
    },
    get waiting() {
      return waiting
    },
    get keys() {
      return places.size
    },
    request(x) {
      // The same filter may stand in the balancer and in the route: an exchange has one place.
      if (x.recall(filterKey) !== undefined) return undefined
      const key = reader.of(x)
      if (key === undefined) return whenAbsent === 'refuse' ? refuse(x) : undefined
      let place = places.get(key)
      if (place === undefined) {
        place = new Place(key)
        places.set(key, place)
      }
      if (place.active < limit) return enter(x, place)
      if (place.waiters.size >= length || waiting >= total) return refuse(x)
      return wait(x, place)
    },
    done(_record, x) {
      const held = x.recall(filterKey)
      if (held === undefined) return
      x.remember(filterKey, undefined)
      if (held instanceof Waiter) {
        leave(held)
        held.resolve(undefined)
      } else {
        release(held as Place)
      }
    },
  }
}

/** What goes on under one key. It exists while something is in flight: nobody waits where nothing is. */
class Place {
  readonly key: string | number
  active = 0
  readonly waiters: Set<Waiter> = new Set()

  constructor(key: string | number) {
    this.key = key
  }
}

class Waiter {
  readonly x: Exchange
  readonly place: Place
  readonly resolve: (verdict: Verdict) => void
  readonly timer: WheelTimer

  constructor(
    x: Exchange,
    place: Place,
    resolve: (verdict: Verdict) => void,
    timedOut: () => void,
  ) {
    this.x = x
    this.place = place
    this.resolve = resolve
    this.timer = new WheelTimer(timedOut)
  }
}
