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

/** How many milliseconds late this process is with its work: the port by which load shedding knows that there is too much. */
export type LoadSignal = () => number

/** How {@link eventLoopDelay} measures. */
export interface EventLoopDelayOptions {
  /** How often it looks. Default `20ms`. */
  readonly interval?: Duration
  /** Over what time measurements are averaged; the delay of this moment counts at once when it is longer. Default `200ms`. */
  readonly smoothing?: Duration
  readonly clock?: Clock
  /** Whose ticks are measured. Default: its own. */
  readonly wheel?: TimerWheel
}

/** It goes on to look for so many intervals after it was asked last, so that what nobody asks rests. */
const watch = 50

/**
 * The delay of our own event loop as a {@link LoadSignal}: how late the ticks of a timer wheel come, averaged.
 * It needs no start and no stop: it looks only while somebody asks, and a little longer.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option`
 */
export function eventLoopDelay(
  options: EventLoopDelayOptions = {},
  path = 'eventLoopDelay',
): LoadSignal {
  const clock = clockOption(objectOption(options, path).clock ?? systemClock, `${path}.clock`)
  const intervalMs = parseDuration(options.interval ?? '20ms', `${path}.interval`)
  const smoothingMs = parseDuration(options.smoothing ?? '200ms', `${path}.smoothing`)
  if (intervalMs < 1) throw invalidOption(`${path}.interval`, 'must be 1ms or more')
  const wheel =
    partOption(options.wheel, 'arm', `${path}.wheel`, 'make one with timerWheel()') ??
    timerWheel({ clock })
  /** What one look weighs. */
  const weight = 1 - Math.exp(-intervalMs / Math.max(1, smoothingMs))
  let average = 0
  let looks = 0
  /** When the next look is due, up to the wheel's resolution. */
  let dueAt = 0

  const timer: WheelTimer = new WheelTimer(() => {
    average += (wheel.latenessMs - average) * weight
    looks += 1
    if (looks < watch) look()
    else average = 0
  })

  function look(): void {
    dueAt = clock.now() + intervalMs
    wheel.arm(timer, intervalMs)
  }

  return () => {
    looks = 0
    if (!timer.armed) {
      look()
      return 0
    }
    // A stalled loop runs the sockets' callbacks before the timers have noticed: two ticks are no delay yet.
    const overdue = clock.now() - dueAt - tolerance
    return overdue > average ? overdue : average
  }
}

/** Two ticks of a wheel with the default resolution. */
const tolerance = 20
