import {
  type Backend,
  backend,
  type Cell,
  type Clock,
  cell,
  type HealthSubject,
  type Verdict,
} from '@steelyard/core'
import { type ManualClock, manualClock, seededRandom } from '@steelyard/testing'
import {
  type Check,
  type CustomCheckOptions,
  check,
  failed,
  healthMonitor,
  type Monitor,
  type MonitorOptions,
  type ProbeContext,
  type ProbeResult,
  type ProbeTarget,
  passed,
} from '../src/index.ts'

/** A manual clock whose loop can stand still: time passes, and nothing runs until it is over. */
export interface StallingClock extends ManualClock {
  stall(ms: number): void
}

export function stallingClock(): StallingClock {
  const manual = manualClock()
  let stalled = 0
  return {
    now: () => manual.now() + stalled,
    wallNow: () => manual.wallNow() + stalled,
    after: (delayMs, task) => manual.after(delayMs, task),
    advance: (ms) => manual.advance(ms),
    get pending() {
      return manual.pending
    },
    stall(ms) {
      stalled += ms
    },
  }
}

/** A subject that notes what it hears. */
export interface NotingSubject extends HealthSubject {
  readonly targets: Cell<readonly Backend[]>
  readonly heard: { readonly id: string; readonly verdict: Verdict; readonly at: number }[]
  /** Replaces what is checked; `id=address` or an address. */
  set(...members: readonly string[]): void
  states(): Record<string, string>
  onReport: (id: string, verdict: Verdict) => void
}

export function notingSubject(clock: Clock, name: string, ...members: string[]): NotingSubject {
  const held = new Map<string, Verdict>()
  const parse = (member: string): Backend => {
    const [id, address] = member.split('=')
    return backend({ id: id!, address: address ?? id! })
  }
  const subject: NotingSubject = {
    name,
    targets: cell(members.map(parse)),
    heard: [],
    onReport: () => {},
    set: (...next) => subject.targets.set(next.map(parse)),
    verdict: (id) => held.get(id) ?? { state: 'unknown', since: 0, reason: 'not checked yet' },
    report(id, verdict) {
      held.set(id, verdict)
      subject.heard.push({ id, verdict, at: clock.now() })
      subject.onReport(id, verdict)
    },
    states: () =>
      Object.fromEntries([...held].map(([id, { state }]) => [id, state] as const).sort()),
  }
  return subject
}

/** A probe that was begun. */
export interface Begun {
  readonly address: string
  readonly at: number
  readonly context: ProbeContext
}

/** A check whose answers the test decides. */
export interface FakeCheck {
  readonly check: Check
  readonly begun: Begun[]
  readonly forgotten: string[]
  /** Called for each probe. Default: passes at once. */
  answer: (target: ProbeTarget, context: ProbeContext) => ProbeResult | Promise<ProbeResult>
  /** When this address was probed. */
  times(address: string): number[]
}

export function fakeCheck(clock: Clock, options: CustomCheckOptions = {}): FakeCheck {
  const fake: FakeCheck = {
    begun: [],
    forgotten: [],
    answer: () => passed('fine'),
    times: (address) => fake.begun.filter((each) => each.address === address).map(({ at }) => at),
    check: check(
      'fake',
      (target, context) => {
        fake.begun.push({ address: target.address, at: clock.now(), context })
        return fake.answer(target, context)
      },
      { key: 'fake', forget: (target) => void fake.forgotten.push(target.address), ...options },
    ),
  }
  return fake
}

/** Answers after a while, or says that it was cut off. */
export function answersAfter(
  clock: Clock,
  ms: number,
  result: ProbeResult = passed('fine'),
): FakeCheck['answer'] {
  return (target, { signal }) =>
    new Promise((resolve) => {
      const timer = clock.after(ms, () => resolve(result))
      signal.addEventListener('abort', () => {
        timer[Symbol.dispose]()
        resolve(failed(`waited in vain for ${target.address}`))
      })
    })
}

/** A monitor on a clock of the test's own. */
export interface MonitorRig {
  readonly clock: StallingClock
  readonly monitor: Monitor
  /** Lets time pass in ticks, with promises settling in between; 0 lets promises settle. */
  pass(ms: number): Promise<void>
}

export function monitorRig(options: MonitorOptions = {}): MonitorRig {
  const clock = stallingClock()
  const monitor = healthMonitor({ clock, random: seededRandom(1), ...options })
  return {
    clock,
    monitor,
    async pass(ms) {
      let left = ms
      do {
        clock.advance(Math.min(10, left))
        left -= 10
        // A few turns of the microtask queue: as many as the longest chain of promises here.
        for (let turn = 0; turn < 6; turn++) await Promise.resolve()
      } while (left > 0)
    },
  }
}
