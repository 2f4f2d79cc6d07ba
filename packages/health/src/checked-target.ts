import {
  type Clock,
  type HealthSubject,
  shown,
  type TimerWheel,
  type Verdict,
  WheelTimer,
} from '@steelyard/core'
import { contradicts, counted, needed, type Tally, tally } from './hysteresis.ts'
import type { LoopLateness } from './loop-lateness.ts'
import {
  failed,
  inconclusive,
  type ProbeContext,
  type ProbeResult,
  type ProbeTarget,
  type ScheduledProbe,
  thrown,
} from './probe.ts'
import type { ProbeGate } from './probe-gate.ts'
import { currentInterval, firstDelay, nextStart, phaseOf } from './schedule.ts'

/** A pool's member that hears of a target's verdicts. */
export interface Follower {
  readonly subject: HealthSubject
  readonly backendId: string
}

/** What all targets of a monitor share. */
export interface ProbeEngine {
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly gate: ProbeGate
  readonly lateness: LoopLateness
  readonly counters: ProbeCounters
  readonly random: () => number
  readonly jitter: number
  /** Share of the timeout that our loop may lose before failures for want of an answer do not count. */
  readonly lateShare: number
  readonly firstRoundMs: number
  /** How long a probe may take to settle after its signal aborted. */
  readonly graceMs: number
  readonly seed: number
}

/** Running totals; they only grow. */
export interface ProbeCounters {
  passed: number
  failed: number
  inconclusive: number
  /** Checks that had to wait for a place. */
  delayed: number
  /** Verdicts that flipped. */
  flips: number
  /** Milliseconds of delay, all delayed checks together. */
  delayMs: number
}

/**
 * One probe of one target, for all who follow it: when it runs, how its results are counted, and the
 * verdict. It begins with the first follower and is closed by the monitor after the last.
 */
export class CheckedTarget {
  readonly check: ScheduledProbe
  readonly target: ProbeTarget
  readonly followers: Set<Follower> = new Set()
  readonly #engine: ProbeEngine
  readonly #phase: number
  readonly #startTimer: WheelTimer = new WheelTimer(() => this.#due())
  readonly #deadlineTimer: WheelTimer = new WheelTimer(() => this.#timeUp())
  #tally: Tally = tally('unknown')
  #verdict: Verdict
  #begun = false
  /** Holds a place at the gate. */
  #probing = false
  #dueAt = 0
  #startedAt = 0
  #lostBefore = 0
  #abort: AbortController | undefined
  /** Tells the results of this run from those of one that was given up. */
  #run = 0
  /** The promise of an earlier run that has not settled yet, by its number; 0 for none. */
  #unsettled = 0
  #inconclusiveRow = 0
  /** Monotonic time of the last conclusive result, or of the first check. */
  #heardAt = 0
  overdue = false

  constructor(check: ScheduledProbe, target: ProbeTarget, engine: ProbeEngine) {
    this.check = check
    this.target = target
    this.#engine = engine
    const key = typeof check.key === 'string' ? check.key : check.name
    this.#phase = phaseOf(target.address, key, engine.seed)
    this.#verdict = {
      state: 'unknown',
      since: engine.clock.wallNow(),
      reason: 'not checked yet',
    }
  }

  get verdict(): Verdict {
    return this.#verdict
  }

  /** Joins those who hear of the verdict; the first one starts the checks, from the verdict that it holds. */
  follow(follower: Follower): void {
    this.followers.add(follower)
    const held = follower.subject.verdict(follower.backendId)
    if (!this.#begun) {
      this.#begin(held)
    } else if (this.#verdict.state === 'unknown' && held.state !== 'unknown') {
      this.#tally = tally(held.state)
      this.#verdict = held
      this.#report()
      return
    }
    if (this.#verdict !== held && this.#verdict.state !== 'unknown') this.#tell(follower)
  }

  /** Ends all checks now: what is in flight is aborted, its result ignored. */
  close(): void {
    this.#run += 1
    this.#engine.wheel.disarm(this.#startTimer)
    this.#engine.wheel.disarm(this.#deadlineTimer)
    this.#engine.gate.leave(this)
    this.followers.clear()
    if (this.#probing) {
      this.#probing = false
      this.#abort?.abort()
      this.#abort = undefined
      this.#leaveGate()
    }
    this.check.forget?.(this.target)
  }

  /** Milliseconds beyond three intervals without a conclusive result; not positive while all is well. */
  silence(now: number): number {
    const { schedule } = this.check
    const interval = currentInterval(schedule, this.#tally.state, this.#tally.against > 0)
    const allowed = 3 * interval + schedule.timeoutMs
    return now - this.#heardAt - allowed
  }

  /** It has its turn at the gate after all. */
  proceed(): void {
    this.#engine.counters.delayMs += this.#engine.clock.now() - this.#dueAt
    this.#start()
  }

  #begin(held: Verdict): void {
    const { clock, wheel, firstRoundMs } = this.#engine
    const { schedule } = this.check
    this.#begun = true
    let roundMs = firstRoundMs
    if (held.state !== 'unknown') {
      this.#verdict = held
      // Nothing is urgent about a target that is known: its turn in the ordinary interval will do.
      roundMs = schedule.intervalMs
    } else if (schedule.initial !== 'unknown') {
      this.#verdict = {
        state: schedule.initial,
        since: clock.wallNow(),
        reason: `counts as ${schedule.initial} until it is checked`,
      }
    }
    this.#tally = tally(this.#verdict.state)
    const delay = firstDelay(this.#phase, schedule.intervalMs, roundMs)
    this.#heardAt = clock.now() + delay
    this.#dueAt = this.#heardAt
    wheel.arm(this.#startTimer, delay)
  }

  #due(): void {
    const { clock, gate, counters } = this.#engine
    if (this.#unsettled !== 0) {
      this.#startedAt = clock.now()
      this.#lostBefore = this.#engine.lateness.lostMs()
      this.#judge(failed(`the ${this.check.name} probe of ${this.target.address} does not end`))
      return
    }
    this.#dueAt = clock.now()
    if (gate.enter(this)) this.#start()
    else counters.delayed += 1
  }

  #start(): void {
    const { clock, wheel, lateness } = this.#engine
    lateness.begin()
    this.#probing = true
    this.#run += 1
    const run = this.#run
    this.#startedAt = clock.now()
    this.#lostBefore = lateness.lostMs()
    this.#abort = new AbortController()
    wheel.arm(this.#deadlineTimer, this.check.schedule.timeoutMs)
    const context: ProbeContext = {
      signal: this.#abort.signal,
      timeoutMs: this.check.schedule.timeoutMs,
      clock,
      state: this.#tally.state,
    }
    let result: ProbeResult | Promise<ProbeResult>
    try {
      result = this.check.probe(this.target, context)
    } catch (error) {
      result = thrown(this.check.name, this.target, error)
    }
    if (!isPromise(result)) {
      this.#settle(run, result)
      return
    }
    this.#unsettled = run
    result.then(
      (value) => this.#settle(run, value),
      (error: unknown) => this.#settle(run, thrown(this.check.name, this.target, error)),
    )
  }

  #timeUp(): void {
    const { schedule, name } = this.check
    if (this.#abort !== undefined && !this.#abort.signal.aborted) {
      // Armed first: a probe that settles within the abort disarms it.
      this.#engine.wheel.arm(this.#deadlineTimer, this.#engine.graceMs)
      this.#abort.abort()
      return
    }
    const reason = `${name} check of ${this.target.address} timed out after ${schedule.timeoutMs}ms`
    this.#finish(failed(reason))
  }

  #settle(run: number, result: ProbeResult): void {
    if (this.#unsettled === run) this.#unsettled = 0
    if (run === this.#run && this.#probing) this.#finish(sound(result, this.check.name))
  }

  #finish(result: ProbeResult): void {
    this.#engine.wheel.disarm(this.#deadlineTimer)
    this.#probing = false
    this.#abort = undefined
    // Before the place is given away: the next one's start would count as time lost by this one.
    this.#judge(result)
    this.#leaveGate()
  }

  #leaveGate(): void {
    const { gate, lateness } = this.#engine
    gate.exit()
    if (gate.inFlight === 0) lateness.end()
  }

  #judge(result: ProbeResult): void {
    const { clock, counters } = this.#engine
    const now = clock.now()
    const latencyMs = Math.round((now - this.#startedAt) * 100) / 100
    const fair = this.#excused(result)
    if (fair.outcome === 'inconclusive') {
      counters.inconclusive += 1
      this.#inconclusiveRow += 1
      this.#verdict = {
        ...this.#verdict,
        reason: `last check inconclusive: ${fair.reason}`,
        lastCheck: 'inconclusive',
      }
    } else {
      this.#count(fair.outcome === 'ok', fair, latencyMs)
      this.#inconclusiveRow = 0
      this.#heardAt = now
    }
    const run = this.#run
    this.#report()
    // A listener may have closed this target.
    if (run === this.#run) this.#schedule()
  }

  /** A failure for want of an answer says nothing while our own loop was late. */
  #excused(result: ProbeResult): ProbeResult {
    if (result.outcome !== 'fail' || result.definite === true) return result
    const lost = this.#engine.lateness.lostMs() - this.#lostBefore
    if (lost <= this.#engine.lateShare * this.check.schedule.timeoutMs) return result
    return inconclusive(
      `our own event loop was ${Math.round(lost)}ms late: ${result.reason}`,
      result.evidence,
    )
  }

  #count(pass: boolean, result: ProbeResult, latencyMs: number): void {
    const { clock, counters } = this.#engine
    const { schedule } = this.check
    const before = this.#tally
    this.#tally = counted(before, pass, schedule)
    if (pass) counters.passed += 1
    else counters.failed += 1
    const flipped = this.#tally.state !== before.state
    if (flipped) counters.flips += 1
    const limit = needed(before.state, schedule)
    const counts = limit > 1 && contradicts(before.state, pass)
    this.#verdict = {
      state: this.#tally.state,
      since: flipped ? clock.wallNow() : this.#verdict.since,
      reason: counts ? `${result.reason} (${before.against + 1} of ${limit})` : result.reason,
      evidence: { latencyMs, ...result.evidence },
      lastCheck: pass ? 'passed' : 'failed',
    }
  }

  #schedule(): void {
    const { clock, wheel, jitter, random } = this.#engine
    const now = clock.now()
    this.#dueAt = nextStart({
      schedule: this.check.schedule,
      state: this.#tally.state,
      changing: this.#tally.against > 0,
      inconclusive: this.#inconclusiveRow,
      phase: this.#phase,
      startedAt: this.#startedAt,
      now,
      jitter,
      random,
    })
    wheel.arm(this.#startTimer, this.#dueAt - now)
  }

  #report(): void {
    for (const follower of [...this.followers]) {
      if (this.followers.has(follower)) this.#tell(follower)
    }
  }

  #tell(follower: Follower): void {
    try {
      follower.subject.report(follower.backendId, this.#verdict)
    } catch (error) {
      // One subject's listener must not keep the others from hearing; it stays as visible as any uncaught error.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

function isPromise(result: ProbeResult | Promise<ProbeResult>): result is Promise<ProbeResult> {
  return typeof (result as { then?: unknown } | undefined)?.then === 'function'
}

/** Probes are also written by others: whatever comes back becomes a result with a reason of bounded length. */
function sound(result: ProbeResult, name: string): ProbeResult {
  const outcome = (result as ProbeResult | undefined)?.outcome
  if (outcome !== 'ok' && outcome !== 'fail' && outcome !== 'inconclusive') {
    return failed(`the ${name} probe returned no result: use passed, failed or inconclusive`)
  }
  const reason = typeof result.reason === 'string' ? result.reason : shown(result.reason)
  return reason === result.reason && reason.length <= maxReason
    ? result
    : { ...result, reason: reason.length <= maxReason ? reason : `${reason.slice(0, maxReason)}…` }
}

const maxReason = 500
