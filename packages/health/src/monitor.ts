import {
  type Clock,
  clockOption,
  type Duration,
  type Emitter,
  type EventSource,
  emitter,
  functionOption,
  type HealthSubject,
  invalidOption,
  type Logger,
  type Metrics,
  noMetrics,
  objectOption,
  parseDuration,
  partOption,
  SteelyardError,
  shown,
  silentLog,
  systemClock,
  timerWheel,
  type Verdict,
} from '@steelyard/core'
import { attachment } from './attachment.ts'
import { CheckedTarget, type ProbeEngine } from './checked-target.ts'
import { loopLateness } from './loop-lateness.ts'
import { type MonitorStats, publishStats } from './monitor-stats.ts'
import type { ProbeTarget, ScheduledProbe } from './probe.ts'
import { probeGate } from './probe-gate.ts'

/** How a monitor is made. */
export interface MonitorOptions {
  /** Probes that run at a time; more wait in order of arrival, counted as delayed. Default 1000. */
  readonly concurrency?: number
  /** A new target has its first check within this time, at a moment of its own. Default `1s`. */
  readonly firstRound?: Duration
  /** Share of the interval by which each check is moved to either side. Default 0.05; below 0.25. */
  readonly jitter?: number
  /**
   * Share of a check's timeout that our own event loop may lose: beyond it, a failure for want of an
   * answer is inconclusive. Default 0.2.
   */
  readonly lateShare?: number
  /** Moves the phases: give each node its own, so that several nodes do not check a target in step. Default 0. */
  readonly seed?: number
  readonly clock?: Clock
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number
  readonly log?: Logger
  readonly metrics?: Metrics
}

/** What a monitor tells. Verdicts are told by the pools. */
export interface MonitorEvents {
  /** A target has had no conclusive result for three intervals: its verdict is stale; hold it, or count the target as failed. */
  readonly overdue: MonitoredTarget & { readonly silentMs: number }
  /** A target that was overdue has had a conclusive result. */
  readonly resumed: MonitoredTarget
}

/** A target under one check. */
export interface MonitoredTarget {
  /** Where it is checked. */
  readonly address: string
  /** The check's kind, such as `tcp`. */
  readonly check: string
  readonly verdict: Verdict
  /** The pools that hear of it. */
  readonly pools: readonly string[]
}

/**
 * Checks any number of targets by one timer wheel, and shares what two pools ask alike. It rests while
 * nothing is attached. Disposing it aborts what is in flight and lets go of all subjects.
 */
export interface Monitor extends EventSource<MonitorEvents>, Disposable {
  /**
   * Checks the subject's targets, those that come later too, and reports to it, until disposed.
   * Detaching and attaching again in the same turn of the event loop with the same check interrupts
   * nothing: counts, connections and probes in flight live on.
   *
   * @throws `stopped` when the monitor is disposed.
   */
  attach(subject: HealthSubject, check: ScheduledProbe): Disposable
  readonly stats: MonitorStats
  targets(): readonly MonitoredTarget[]
}

/**
 * Makes a monitor. Share one among all pools of a process; checks make their own when they are given none.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function healthMonitor(options: MonitorOptions = {}): Monitor {
  return new HealthMonitor(options)
}

const tickMs = 10
/** How long a probe may take to settle after its signal aborted. */
const graceMs = 50
const watchMs = 1000

class HealthMonitor implements Monitor {
  readonly #engine: ProbeEngine
  readonly #log: Logger
  readonly #events: Emitter<MonitorEvents> = emitter<MonitorEvents>()
  /** By the check's key, then by the address. */
  readonly #targets = new Map<string | symbol, Map<string, CheckedTarget>>()
  readonly #attachments = new Set<Disposable>()
  readonly #metrics: Disposable
  #size = 0
  #watchdog: Disposable | undefined
  #disposed = false

  constructor(options: MonitorOptions) {
    const concurrency = objectOption(options, 'monitor').concurrency ?? 1000
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 1_000_000) {
      throw invalidOption(
        'monitor.concurrency',
        `${shown(concurrency)} is not a limit: use a whole number from 1 to 1000000`,
      )
    }
    const clock = clockOption(options.clock ?? systemClock, 'monitor.clock')
    const wheel = timerWheel({ clock, tickMs })
    this.#engine = {
      clock,
      wheel,
      gate: probeGate(concurrency),
      lateness: loopLateness(clock, wheel, tickMs),
      counters: { passed: 0, failed: 0, inconclusive: 0, delayed: 0, delayMs: 0, flips: 0 },
      random: functionOption(options.random ?? Math.random, 'monitor.random'),
      jitter: share(options.jitter ?? 0.05, 0.25, 'monitor.jitter'),
      lateShare: share(options.lateShare ?? 0.2, 1, 'monitor.lateShare'),
      firstRoundMs: parseDuration(options.firstRound ?? '1s', 'monitor.firstRound'),
      graceMs,
      seed: seed(options.seed ?? 0) | 0,
    }
    this.#log = partOption(
      options.log ?? silentLog,
      'warn',
      'monitor.log',
      'it has the methods of a Logger',
    )
    this.#metrics = publishStats(
      partOption(
        options.metrics ?? noMetrics,
        'collect',
        'monitor.metrics',
        'it has the methods of Metrics',
      ),
      () => this.stats,
    )
  }

  on<Name extends keyof MonitorEvents>(
    name: Name,
    listener: (event: MonitorEvents[Name]) => void,
  ): Disposable {
    return this.#events.on(name, listener)
  }

  attach(subject: HealthSubject, check: ScheduledProbe): Disposable {
    if (this.#disposed) {
      throw new SteelyardError('the health monitor is disposed and checks nothing any more', {
        code: 'stopped',
        source: 'config',
      })
    }
    const attached = attachment(subject, check, {
      obtain: (target) => this.#obtain(check, target),
      left: (target) => this.#left(target),
      closed: (self) => void this.#attachments.delete(self),
    })
    this.#attachments.add(attached)
    attached.open()
    return attached
  }

  get stats(): MonitorStats {
    const { gate, counters } = this.#engine
    const { passed, failed, inconclusive } = counters
    let overdue = 0
    for (const target of this.#each()) if (target.overdue) overdue += 1
    return {
      targets: this.#size,
      inFlight: gate.inFlight,
      queued: gate.queued,
      overdue,
      checks: passed + failed + inconclusive,
      ...counters,
    }
  }

  targets(): readonly MonitoredTarget[] {
    return [...this.#each()].map(described)
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    for (const attachment of [...this.#attachments]) attachment[Symbol.dispose]()
    for (const target of [...this.#each()]) this.#close(target)
    this.#engine.wheel[Symbol.dispose]()
    this.#metrics[Symbol.dispose]()
  }

  *#each(): Generator<CheckedTarget> {
    for (const byAddress of this.#targets.values()) yield* byAddress.values()
  }

  #obtain(check: ScheduledProbe, target: ProbeTarget): CheckedTarget {
    let byAddress = this.#targets.get(check.key)
    if (byAddress === undefined) this.#targets.set(check.key, (byAddress = new Map()))
    const known = byAddress.get(target.address)
    if (known !== undefined) return known
    const fresh = new CheckedTarget(check, target, this.#engine)
    byAddress.set(target.address, fresh)
    this.#size += 1
    if (this.#size === 1) this.#watch()
    return fresh
  }

  #left(target: CheckedTarget): void {
    if (target.followers.size > 0) return
    // Who detaches may attach again at once, to swap a check for its equal: then nothing is interrupted.
    queueMicrotask(() => {
      if (target.followers.size === 0) this.#close(target)
    })
  }

  #close(target: CheckedTarget): void {
    const byAddress = this.#targets.get(target.check.key)
    if (byAddress?.get(target.target.address) !== target) return
    byAddress.delete(target.target.address)
    if (byAddress.size === 0) this.#targets.delete(target.check.key)
    this.#size -= 1
    target.close()
    if (this.#size > 0) return
    this.#watchdog?.[Symbol.dispose]()
    this.#watchdog = undefined
  }

  /** On the clock itself, not on the wheel: it also notices when the wheel stands still. */
  #watch(): void {
    const { clock } = this.#engine
    const due = clock.now() + watchMs
    this.#watchdog = clock.after(watchMs, () => {
      const now = clock.now()
      // After a stall the probes need a moment to catch up before anybody may complain of them.
      if (now - due < watchMs / 2) this.#inspect(now)
      if (this.#size > 0) this.#watch()
    })
  }

  #inspect(now: number): void {
    for (const target of [...this.#each()]) {
      const silentMs = target.silence(now)
      if (target.overdue === silentMs > 0) continue
      target.overdue = silentMs > 0
      const event = described(target)
      if (target.overdue) {
        this.#log.warn({ ...event, silentMs }, 'health check overdue')
        this.#events.emit('overdue', { ...event, silentMs })
      } else {
        this.#log.info({ ...event }, 'health check resumed')
        this.#events.emit('resumed', event)
      }
    }
  }
}

function described(target: CheckedTarget): MonitoredTarget {
  return {
    address: target.target.address,
    check: target.check.name,
    verdict: target.verdict,
    pools: [...new Set([...target.followers].map(({ subject }) => subject.name))],
  }
}

function seed(value: number): number {
  if (typeof value === 'number') return value
  throw invalidOption('monitor.seed', `${shown(value)} is not a number`)
}

function share(value: number, below: number, path: string): number {
  if (typeof value === 'number' && value >= 0 && value < below) return value
  throw invalidOption(
    path,
    `${shown(value)} is no share: use a number from 0 up to, not including, ${below}`,
  )
}
