import { type Duration, hashText, invalidOption, parseDuration, shown } from '@steelyard/core'

/** When to check, and how many results it takes. */
export interface ScheduleOptions {
  /** Time from one check to the next. Default `5s`; `10ms` at least. */
  readonly every?: Duration
  /** The same as `every`, in the words of configuration files; give one of the two. */
  readonly interval?: Duration
  /** Interval while results contradict the state and rise or fall is counted. Default: the interval. */
  readonly fastInterval?: Duration
  /** Interval while the target is down. Default: the interval. */
  readonly downInterval?: Duration
  /** A check that takes longer fails. Default `2s`, or the interval when that is shorter; never longer than the interval. */
  readonly timeout?: Duration
  /** Passes in a row that bring a target up. Default 2. */
  readonly rise?: number
  /** Failures in a row that take a target down. Default 3. */
  readonly fall?: number
  /**
   * State before the first result. From `unknown` the first conclusive result decides at once; `up` and
   * `down` have to be counted out as ever. A verdict carried over a reload goes before. Default `unknown`.
   */
  readonly initial?: 'unknown' | 'up' | 'down'
}

/** {@link ScheduleOptions}, checked and complete. */
export interface Schedule {
  readonly intervalMs: number
  readonly fastIntervalMs: number
  readonly downIntervalMs: number
  readonly timeoutMs: number
  readonly rise: number
  readonly fall: number
  readonly initial: 'unknown' | 'up' | 'down'
}

const dayMs = 86_400_000

/**
 * Checks and completes a schedule.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function schedule(options: ScheduleOptions, path: string): Schedule {
  if (options.every !== undefined && options.interval !== undefined) {
    throw invalidOption(`${path}.interval`, 'says the same as "every": give one of the two')
  }
  const named = options.interval === undefined ? 'every' : 'interval'
  const intervalMs = span(options.every ?? options.interval ?? 5000, `${path}.${named}`)
  const timeoutMs =
    options.timeout === undefined
      ? Math.min(2000, intervalMs)
      : parseDuration(options.timeout, `${path}.timeout`)
  if (timeoutMs < 1 || timeoutMs > intervalMs) {
    throw invalidOption(
      `${path}.timeout`,
      `${timeoutMs}ms must be from 1ms up to the interval, ${intervalMs}ms: checks of one target never overlap`,
    )
  }
  const initial = options.initial ?? 'unknown'
  if (initial !== 'unknown' && initial !== 'up' && initial !== 'down') {
    throw invalidOption(`${path}.initial`, `${shown(initial)} is none of unknown, up, down`)
  }
  return Object.freeze({
    intervalMs,
    fastIntervalMs: span(options.fastInterval ?? intervalMs, `${path}.fastInterval`),
    downIntervalMs: span(options.downInterval ?? intervalMs, `${path}.downInterval`),
    timeoutMs,
    rise: count(options.rise ?? 2, `${path}.rise`),
    fall: count(options.fall ?? 3, `${path}.fall`),
    initial,
  })
}

/** Where in the interval a target has its turn: the same part of it, from 0 up to 1, for as long as the process lives. */
export function phaseOf(address: string, key: string, seed: number): number {
  return hashText(`${address} ${key}`, seed) / 0x1_0000_0000
}

/** Delay before the very first check: spread over the first round, which is never longer than the interval. */
export function firstDelay(phase: number, intervalMs: number, firstRoundMs: number): number {
  return phase * Math.min(intervalMs, firstRoundMs)
}

/** What {@link nextStart} goes by. Times are monotonic milliseconds. */
export interface Turn {
  readonly schedule: Schedule
  readonly state: 'up' | 'down' | 'unknown'
  /** Results contradict the state: rise or fall is being counted. */
  readonly changing: boolean
  /** Inconclusive results in a row, this one included. */
  readonly inconclusive: number
  readonly phase: number
  /** When the last check began. */
  readonly startedAt: number
  readonly now: number
  /** Share of the interval, to either side. */
  readonly jitter: number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * When the next check begins.
 *
 * A steady target keeps to a grid, `(k + phase) × interval`, each time moved by the jitter: so a stall
 * that makes many targets late does not leave them in step for ever. While rise or fall is counted, the
 * fast interval runs from the last start. After an inconclusive result the check is repeated soon,
 * spread out; when that was no better twice, the ordinary turn comes first, for the fault is ours.
 */
export function nextStart(turn: Turn): number {
  const { schedule, startedAt, now, jitter, random } = turn
  const sway = (2 * random() - 1) * jitter
  if (turn.inconclusive > 0 && turn.inconclusive <= 2) {
    const soon = Math.min(schedule.fastIntervalMs, schedule.intervalMs, 1000)
    return now + soon * (0.5 + random() / 2)
  }
  if (turn.changing && turn.inconclusive === 0) {
    return Math.max(now, startedAt + schedule.fastIntervalMs * (1 + sway))
  }
  const interval = currentInterval(schedule, turn.state, false)
  const offset = turn.phase * interval
  // From half an interval on, so that a check that began late in its turn is not repeated at once.
  const earliest = Math.max(startedAt + interval / 2, now)
  const turns = Math.ceil((earliest - offset) / interval)
  return Math.max(now, turns * interval + offset + sway * interval)
}

/** The interval in force. */
export function currentInterval(
  schedule: Schedule,
  state: 'up' | 'down' | 'unknown',
  changing: boolean,
): number {
  if (changing) return schedule.fastIntervalMs
  return state === 'down' ? schedule.downIntervalMs : schedule.intervalMs
}

function span(value: Duration, path: string): number {
  const ms = parseDuration(value, path)
  if (ms >= 10 && ms <= dayMs) return ms
  throw invalidOption(path, `${ms}ms is no interval for checks: use 10ms to 1d`)
}

function count(value: number, path: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value
  throw invalidOption(path, `${shown(value)} is not a count: use a whole number from 1 to 1000`)
}
