import { isSteelyardError, type Report } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import {
  check,
  failed,
  healthMonitor,
  inconclusive,
  type ProbeResult,
  passed,
  refused,
} from '../src/index.ts'
import { answersAfter, fakeCheck, monitorRig, notingSubject } from './monitor-rig.ts'

const many = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`)

describe('when checks run', () => {
  it('spreads the first round over a second and checks everybody in it', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '30s' })
    monitor.attach(notingSubject(clock, 'web', ...many(1000)), fake.check)
    await pass(1020)
    expect(new Set(fake.begun.map(({ address }) => address)).size).toBe(1000)
    expect(fake.begun.length).toBe(1000)
    const slots = new Map<number, number>()
    for (const { at } of fake.begun) slots.set(at, (slots.get(at) ?? 0) + 1)
    // 10 a tick expected.
    expect(slots.size).toBeGreaterThan(90)
    expect(Math.max(...slots.values())).toBeLessThan(30)
  })

  it('keeps each target at its own phase, jittered by 5 % of the interval', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '10s' })
    const addresses = many(50)
    monitor.attach(notingSubject(clock, 'web', ...addresses), fake.check)
    await pass(101_000)
    const jitters: number[] = []
    for (const address of addresses) {
      const times = fake.times(address).slice(1)
      expect(times.length).toBeGreaterThanOrEqual(9)
      // One and the same point of the interval, within the jitter and the wheel's tick.
      const phases = times.map((at) => at % 10_000)
      const middle = [...phases].sort((a, b) => a - b)[Math.floor(phases.length / 2)]!
      for (const phase of phases) {
        const apart = Math.abs(phase - middle)
        expect(Math.min(apart, 10_000 - apart)).toBeLessThanOrEqual(1020)
      }
      times.slice(1).forEach((at, index) => jitters.push(at - times[index]!))
    }
    expect(Math.min(...jitters)).toBeGreaterThanOrEqual(8990)
    expect(Math.max(...jitters)).toBeLessThanOrEqual(11_010)
    expect(Math.max(...jitters) - Math.min(...jitters)).toBeGreaterThan(1000)
  })

  it('changes pace: fast while counting, slow while down', async () => {
    const { clock, monitor, pass } = monitorRig({ jitter: 0 })
    const fake = fakeCheck(clock, {
      every: '10s',
      fastInterval: '1s',
      downInterval: '20s',
      rise: 2,
      fall: 3,
    })
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(30_000)
    expect(subject.states()).toEqual({ 'a:80': 'up' })
    fake.begun.length = 0
    fake.answer = () => failed('no')
    await pass(15_000)
    const [first, second, third, ...rest] = fake.times('a:80')
    expect([second! - first!, third! - second!, rest.length]).toEqual([1000, 1000, 0])
    expect(subject.states()['a:80']).toBe('down')
    fake.begun.length = 0
    await pass(60_000)
    const times = fake.times('a:80')
    expect(times.length).toBe(3)
    expect(times[1]! - times[0]!).toBe(20_000)
    fake.begun.length = 0
    fake.answer = () => passed('fine')
    await pass(22_000)
    const back = fake.times('a:80')
    expect(back[1]! - back[0]!).toBe(1000)
    expect(subject.states()['a:80']).toBe('up')
  })

  it('never lets probes of one target overlap, though they take as long as the interval', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '100ms', timeout: '100ms' })
    let open = 0
    let most = 0
    fake.answer = (_target, { signal }) => {
      open += 1
      most = Math.max(most, open)
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          open -= 1
          resolve(failed('too slow'))
        })
      })
    }
    monitor.attach(notingSubject(clock, 'web', 'a:80'), fake.check)
    await pass(2000)
    expect(fake.begun.length).toBeGreaterThan(10)
    expect(most).toBe(1)
  })
})

describe('verdicts', () => {
  it('say what, since when, why and how often', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', rise: 2, fall: 3 })
    const subject = notingSubject(clock, 'web', '10.0.0.3:80')
    monitor.attach(subject, fake.check)
    await pass(1010)
    const up = subject.heard[0]!
    expect(up.verdict).toMatchObject({ state: 'up', reason: 'fine', lastCheck: 'passed' })
    expect(up.verdict.evidence).toEqual({ latencyMs: 0 })
    subject.heard.length = 0
    fake.answer = () => refused('connect to 10.0.0.3:80 refused', { code: 'ECONNREFUSED' })
    await pass(4200)
    expect(
      subject.heard.slice(0, 4).map(({ verdict: { state, reason } }) => [state, reason]),
    ).toEqual([
      ['up', 'connect to 10.0.0.3:80 refused (1 of 3)'],
      ['up', 'connect to 10.0.0.3:80 refused (2 of 3)'],
      ['down', 'connect to 10.0.0.3:80 refused (3 of 3)'],
      ['down', 'connect to 10.0.0.3:80 refused'],
    ])
    const [one, , three, four] = subject.heard.map(({ verdict }) => verdict)
    expect(one).toMatchObject({ since: up.verdict.since, lastCheck: 'failed' })
    expect(three!.since).toBeGreaterThan(up.verdict.since)
    expect(four!.since).toBe(three!.since)
    expect(three!.evidence).toEqual({ latencyMs: 0, code: 'ECONNREFUSED' })
    expect(monitor.stats).toMatchObject({ flips: 2, overdue: 0, targets: 1 })
  })

  it('measure the latency of each check', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    fake.answer = answersAfter(clock, 30)
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(1100)
    expect(subject.heard[0]!.verdict.evidence).toEqual({ latencyMs: 30 })
  })

  it('begin as they were held, with since, and are not told again', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '10s', fall: 2 })
    fake.answer = () => failed('no')
    const subject = notingSubject(clock, 'web', 'a:80')
    subject.report('a:80', { state: 'up', since: 42, reason: 'from before' })
    subject.heard.length = 0
    monitor.attach(subject, fake.check)
    expect(subject.heard).toEqual([])
    await pass(10_020)
    expect(subject.heard[0]!.verdict).toMatchObject({
      state: 'up',
      since: 42,
      reason: 'no (1 of 2)',
    })
    await pass(10_020)
    expect(subject.states()['a:80']).toBe('down')
  })

  it('that are carried over are no reason to hurry', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '10s' })
    const subject = notingSubject(clock, 'web', ...many(100))
    for (const id of many(100)) subject.report(id, { state: 'up', since: 1, reason: 'before' })
    monitor.attach(subject, fake.check)
    await pass(1000)
    expect(fake.begun.length).toBeLessThan(25)
    await pass(9020)
    expect(fake.begun.length).toBeGreaterThanOrEqual(100)
  })

  it.each([
    ['up' as const, 'no', 'up'],
    ['down' as const, 'yes', 'down'],
  ])('begin as initial "%s" says, and have to be counted out', async (initial, says, after) => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '10s', initial, rise: 2, fall: 2 })
    fake.answer = () => (says === 'yes' ? passed(says) : failed(says))
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    expect(subject.heard[0]!.verdict).toMatchObject({
      state: initial,
      reason: `counts as ${initial} until it is checked`,
    })
    await pass(1010)
    expect(subject.states()['a:80']).toBe(after)
    await pass(15_000)
    expect(subject.states()['a:80']).toBe(after === 'up' ? 'down' : 'up')
  })
})

describe('sharing', () => {
  it('asks once what two pools ask alike, and tells both; a late comer hears at once', async () => {
    const { clock, monitor, pass } = monitorRig()
    const one = fakeCheck(clock, { every: '1s' })
    const same = fakeCheck(clock, { every: '1s' })
    const other = fakeCheck(clock, { every: '2s' })
    const a = notingSubject(clock, 'a', 'x=10.0.0.1:80', '10.0.0.2:80')
    const b = notingSubject(clock, 'b', 'y=10.0.0.1:80')
    monitor.attach(a, one.check)
    monitor.attach(b, same.check)
    expect(monitor.stats.targets).toBe(2)
    await pass(1010)
    expect(same.begun).toEqual([])
    expect(one.begun.length).toBe(2)
    expect([a.states(), b.states()]).toEqual([{ '10.0.0.2:80': 'up', x: 'up' }, { y: 'up' }])
    const c = notingSubject(clock, 'c', 'z=10.0.0.1:80')
    monitor.attach(c, fakeCheck(clock, { every: '1s' }).check)
    expect(c.states()).toEqual({ z: 'up' })
    expect(monitor.targets().find(({ address }) => address === '10.0.0.1:80')?.pools).toEqual([
      'a',
      'b',
      'c',
    ])
    monitor.attach(b, other.check)
    expect(monitor.stats.targets).toBe(3)
  })

  it('adopts the verdict that a second pool holds while it has none of its own', async () => {
    const { clock, monitor } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    const a = notingSubject(clock, 'a', '10.0.0.1:80')
    const b = notingSubject(clock, 'b', '10.0.0.1:80')
    b.report('10.0.0.1:80', { state: 'down', since: 7, reason: 'known' })
    monitor.attach(a, fake.check)
    monitor.attach(b, fake.check)
    expect(a.states()).toEqual({ '10.0.0.1:80': 'down' })
    expect(a.heard.at(-1)!.verdict.since).toBe(7)
  })

  it('probes until the last one goes', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    const first = monitor.attach(notingSubject(clock, 'a', 'a:80'), fake.check)
    const second = monitor.attach(notingSubject(clock, 'b', 'a:80'), fake.check)
    await pass(1010)
    first[Symbol.dispose]()
    await pass(1100)
    expect(fake.begun.length).toBeGreaterThan(1)
    expect(fake.forgotten).toEqual([])
    second[Symbol.dispose]()
    await pass(10)
    expect(fake.forgotten).toEqual(['a:80'])
    expect([clock.pending, monitor.stats.targets]).toEqual([0, 0])
  })

  it('does not share checks that have no key', () => {
    const { clock, monitor } = monitorRig()
    const probe = (): ProbeResult => passed('fine')
    monitor.attach(notingSubject(clock, 'a', 'a:80'), check('own', probe, { every: '1s' }))
    monitor.attach(notingSubject(clock, 'b', 'a:80'), check('own', probe, { every: '1s' }))
    expect(monitor.stats.targets).toBe(2)
  })
})

describe('the limit of probes at a time', () => {
  it('holds, serves in order of arrival, and counts who waited', async () => {
    const { clock, monitor, pass } = monitorRig({ concurrency: 2, jitter: 0 })
    const fake = fakeCheck(clock, { every: '10s', timeout: '1s' })
    let open = 0
    let most = 0
    fake.answer = () => {
      most = Math.max(most, ++open)
      return new Promise((resolve) => {
        clock.after(400, () => {
          open -= 1
          resolve(passed('fine'))
        })
      })
    }
    const subject = notingSubject(clock, 'web', ...many(10))
    monitor.attach(subject, fake.check)
    await pass(1010)
    expect(monitor.stats).toMatchObject({ inFlight: 2 })
    expect(monitor.stats.queued).toBeGreaterThan(2)
    await pass(2000)
    expect(Object.values(subject.states())).toEqual(new Array(10).fill('up'))
    expect(most).toBe(2)
    const { stats } = monitor
    expect(stats).toMatchObject({ inFlight: 0, queued: 0, passed: 10, failed: 0 })
    expect(stats.delayed).toBeGreaterThanOrEqual(6)
    expect(stats.delayMs).toBeGreaterThan(1000)
  })

  it('lets thousands pass one place in a row, and forgets those that leave the queue', async () => {
    const { clock, monitor, pass } = monitorRig({ concurrency: 1, firstRound: '10ms' })
    const fake = fakeCheck(clock, { every: '60s', timeout: '5s' })
    let release: (result: ProbeResult) => void = () => {}
    fake.answer = () =>
      fake.begun.length === 1 ? new Promise((resolve) => (release = resolve)) : passed('fine')
    const subject = notingSubject(clock, 'web', ...many(5000))
    monitor.attach(subject, fake.check)
    await pass(100)
    expect(monitor.stats.queued).toBe(4999)
    const [blocker] = fake.begun
    subject.set(...many(4000), blocker!.address)
    await pass(10)
    release(passed('fine'))
    await pass(10)
    expect(monitor.stats).toMatchObject({ queued: 0, inFlight: 0 })
    expect(fake.begun.length).toBe(subject.targets.current.length)
  })
})

describe('time', () => {
  it('is up: the signal aborts, and the probe says what it waited for', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '200ms', fall: 1 })
    fake.answer = answersAfter(clock, 5000)
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(1250)
    const [{ context, at }] = fake.begun as [(typeof fake.begun)[0]]
    expect(context.signal.aborted).toBe(true)
    expect(context.timeoutMs).toBe(200)
    expect(subject.heard[0]!.verdict.reason).toBe('waited in vain for a:80')
    expect(subject.heard[0]!.at - at).toBeLessThanOrEqual(210)
  })

  it('is up for probes that do not listen: decided without them, and never two at once', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '200ms', fall: 3 })
    let settle: (result: ProbeResult) => void = () => {}
    fake.answer = () => new Promise((resolve) => (settle = resolve))
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(1300)
    expect(subject.heard[0]!.verdict.reason).toBe('fake check of a:80 timed out after 200ms')
    await pass(3000)
    expect(fake.begun.length).toBe(1)
    expect(subject.heard.at(-1)!.verdict.reason).toBe('the fake probe of a:80 does not end')
    expect(monitor.stats.inFlight).toBe(0)
    // Once it does end, its answer is no news, and checking goes on.
    const heard = subject.heard.length
    settle(passed('late'))
    await pass(0)
    expect(subject.heard.length).toBe(heard)
    fake.answer = () => passed('fine')
    await pass(1100)
    expect(subject.heard.at(-1)!.verdict.reason).toMatch(/^fine/)
  })

  it('that our own loop lost does not count against a target', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms', fall: 1 })
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(1010)
    fake.answer = answersAfter(clock, 5000)
    fake.begun.length = 0
    while (fake.begun.length === 0) await pass(10)
    subject.heard.length = 0
    clock.stall(2000)
    await pass(20)
    expect(subject.heard).toHaveLength(1)
    const { verdict } = subject.heard[0]!
    expect(verdict).toMatchObject({ state: 'up', lastCheck: 'inconclusive' })
    expect(verdict.reason).toMatch(
      /^last check inconclusive: our own event loop was 19\d\dms late: waited in vain/,
    )
    expect(monitor.stats).toMatchObject({ inconclusive: 1, failed: 0 })
    // And it is asked again soon.
    fake.answer = () => passed('fine')
    fake.begun.length = 0
    await pass(1010)
    expect(fake.begun.length).toBeGreaterThanOrEqual(1)
    expect(subject.heard.at(-1)!.verdict.lastCheck).toBe('passed')
  })

  it('lost in small pieces counts when it sums up to the share', async () => {
    const { clock, monitor, pass } = monitorRig({ lateShare: 0.2 })
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms', fall: 1, initial: 'up' })
    fake.answer = answersAfter(clock, 5000)
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    while (fake.begun.length === 0) await pass(10)
    for (let i = 0; i < 5; i++) {
      clock.stall(60)
      await pass(20)
    }
    await pass(300)
    expect(subject.heard.at(-1)!.verdict.lastCheck).toBe('inconclusive')
    expect(subject.states()['a:80']).toBe('up')
  })

  it('lost is seen also by a socket that is heard before the late timers run', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms', fall: 1, initial: 'up' })
    const { promise, resolve } = Promise.withResolvers<ProbeResult>()
    fake.answer = () => promise
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    while (fake.begun.length === 0) await pass(10)
    clock.stall(400)
    resolve(failed('was reset by the peer'))
    await pass(0)
    expect(subject.heard.at(-1)!.verdict).toMatchObject({ state: 'up', lastCheck: 'inconclusive' })
  })

  it('lost is no excuse for a peer that said no', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms', fall: 1, initial: 'up' })
    const subject = notingSubject(clock, 'web', 'a:80')
    fake.answer = answersAfter(clock, 10, refused('connect to a:80 refused'))
    monitor.attach(subject, fake.check)
    while (fake.begun.length === 0) await pass(10)
    clock.stall(2000)
    await pass(20)
    expect(subject.states()['a:80']).toBe('down')
  })

  it('lost in stalls of two seconds takes nobody down, at any moment of the probes', async () => {
    const { clock, monitor, pass } = monitorRig({ concurrency: 50 })
    const fake = fakeCheck(clock, { every: '1s', timeout: '100ms', fall: 1 })
    fake.answer = answersAfter(clock, 30)
    const subject = notingSubject(clock, 'web', ...many(300))
    monitor.attach(subject, fake.check)
    await pass(1500)
    for (let stall = 0; stall < 10; stall++) {
      clock.stall(2000)
      await pass(1000 + 7 * stall)
    }
    await pass(2000)
    const down = subject.heard.filter(({ verdict }) => verdict.state === 'down')
    expect(down).toEqual([])
    expect(monitor.stats.inconclusive).toBeGreaterThan(0)
    // The turns are spread again: no tick has more than a few.
    fake.begun.length = 0
    await pass(3000)
    const slots = new Map<number, number>()
    for (const { at } of fake.begun) slots.set(at, (slots.get(at) ?? 0) + 1)
    expect(Math.max(...slots.values())).toBeLessThan(20)
    expect(fake.begun.length).toBeGreaterThan(800)
  })
})

describe('silence', () => {
  it('of three intervals raises an event, and its end another', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '100ms' })
    fake.answer = () => inconclusive('no descriptor left')
    const events: string[] = []
    monitor.on('overdue', ({ address, check, pools, silentMs }) => {
      events.push(`overdue ${check} ${address} ${pools.join()} ${silentMs > 0}`)
    })
    monitor.on('resumed', ({ address }) => events.push(`resumed ${address}`))
    monitor.attach(notingSubject(clock, 'web', 'a:80'), fake.check)
    await pass(3000)
    expect(events).toEqual([])
    await pass(3000)
    expect(events).toEqual(['overdue fake a:80 web true'])
    expect(monitor.stats.overdue).toBe(1)
    fake.answer = () => passed('fine')
    await pass(3000)
    expect(events).toEqual(['overdue fake a:80 web true', 'resumed a:80'])
    expect(monitor.stats.overdue).toBe(0)
  })

  it('of our own making, in a stall, raises none', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '100ms' })
    const events: string[] = []
    monitor.on('overdue', ({ address }) => events.push(address))
    monitor.attach(notingSubject(clock, 'web', 'a:80'), fake.check)
    // The watchdog is due in the very tick after the stall, before any probe could be made.
    await pass(1990)
    clock.stall(10_000)
    await pass(5000)
    expect(events).toEqual([])
  })
})

describe('membership', () => {
  it('is followed without touching those that stay', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '900ms' })
    fake.answer = answersAfter(clock, 600)
    const subject = notingSubject(clock, 'web', 'a:80', 'b:80')
    monitor.attach(subject, fake.check)
    while (fake.begun.length < 2) await pass(10)
    subject.set('a:80', 'c:80')
    await pass(10)
    const [a] = fake.begun.filter(({ address }) => address === 'a:80')
    const [b] = fake.begun.filter(({ address }) => address === 'b:80')
    expect([a!.context.signal.aborted, b!.context.signal.aborted]).toEqual([false, true])
    expect(fake.forgotten).toEqual(['b:80'])
    await pass(2500)
    expect(subject.heard.map(({ id }) => id)).not.toContain('b:80')
    expect(subject.states()).toEqual({ 'a:80': 'up', 'c:80': 'up' })
  })

  it('under the same id at another address is another target', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    const subject = notingSubject(clock, 'web', 'x=a:80')
    monitor.attach(subject, fake.check)
    await pass(1010)
    subject.set('x=b:80')
    await pass(1010)
    expect(fake.forgotten).toEqual(['a:80'])
    expect(fake.times('b:80').length).toBe(1)
  })

  it('may be probed elsewhere: another port, another address', async () => {
    const { clock, monitor, pass } = monitorRig()
    const port = fakeCheck(clock, { every: '1s', port: 9000 })
    const both = fakeCheck(clock, { every: '1s', address: '2001:db8::1', port: 1 })
    const full = fakeCheck(clock, { every: '1s', address: 'agent:7' })
    const socket = fakeCheck(clock, { every: '1s', address: 'unix:/run/agent' })
    const subject = notingSubject(clock, 'web', '10.0.0.1:80', '10.0.0.1:443')
    for (const { check } of [port, both, full, socket]) monitor.attach(subject, check)
    await pass(1010)
    // Both members are probed at one place, so one probe does for both.
    expect(port.begun.map(({ address }) => address)).toEqual(['10.0.0.1:9000'])
    expect(both.begun[0]!.address).toBe('[2001:db8::1]:1')
    expect(full.begun[0]!.address).toBe('agent:7')
    expect(socket.begun[0]!.address).toBe('unix:/run/agent')
  })
})

describe('attaching', () => {
  it('again in the same turn with the same check interrupts nothing', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms', fall: 3 })
    const equal = fakeCheck(clock, { every: '1s', timeout: '500ms', fall: 3 })
    const subject = notingSubject(clock, 'web', 'a:80')
    const attached = monitor.attach(subject, fake.check)
    await pass(1010)
    fake.answer = () => failed('no')
    await pass(2000)
    expect(subject.heard.at(-1)!.verdict.reason).toBe('no (2 of 3)')
    fake.answer = answersAfter(clock, 400, failed('no'))
    fake.begun.length = 0
    while (fake.begun.length === 0) await pass(10)
    attached[Symbol.dispose]()
    monitor.attach(subject, equal.check)
    await pass(500)
    expect(fake.begun[0]!.context.signal.aborted).toBe(false)
    expect(subject.heard.at(-1)!.verdict).toMatchObject({ state: 'down', reason: 'no (3 of 3)' })
    expect(equal.begun).toEqual([])
  })

  it('ends: probes in flight are aborted, nothing more is heard, no timer is left', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms' })
    fake.answer = answersAfter(clock, 400)
    const subject = notingSubject(clock, 'web', 'a:80')
    const attached = monitor.attach(subject, fake.check)
    while (fake.begun.length === 0) await pass(10)
    attached[Symbol.dispose]()
    attached[Symbol.dispose]()
    await pass(1000)
    expect(fake.begun[0]!.context.signal.aborted).toBe(true)
    expect(subject.heard).toEqual([])
    expect(clock.pending).toBe(0)
    expect(monitor.stats).toMatchObject({ inFlight: 0, queued: 0, targets: 0 })
  })

  it('ends for all when the monitor is disposed, at once', async () => {
    const { clock, monitor, pass } = monitorRig({ concurrency: 1 })
    const fake = fakeCheck(clock, { every: '1s', timeout: '500ms' })
    fake.answer = () => new Promise(() => {})
    const subject = notingSubject(clock, 'web', ...many(20))
    monitor.attach(subject, fake.check)
    await pass(500)
    monitor[Symbol.dispose]()
    expect(fake.begun.every(({ context }) => context.signal.aborted)).toBe(true)
    expect(fake.forgotten.length).toBe(20)
    expect(clock.pending).toBe(0)
    expect(monitor.stats).toMatchObject({ inFlight: 0, queued: 0, targets: 0 })
    let code: unknown
    try {
      monitor.attach(subject, fake.check)
    } catch (error) {
      code = isSteelyardError(error, 'stopped')
    }
    expect(code).toBe(true)
  })

  it('may be ended by a listener, and by its own first verdict', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', initial: 'up' })
    const subject = notingSubject(clock, 'web', 'a:80', 'b:80')
    let attached: Disposable | undefined
    subject.onReport = () => attached?.[Symbol.dispose]()
    attached = monitor.attach(subject, fake.check)
    await pass(2000)
    expect(subject.heard.length).toBe(3)
    expect(clock.pending).toBe(0)
    expect(monitor.stats.targets).toBe(0)
  })

  it('ends when a listener disposes the monitor', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    const subject = notingSubject(clock, 'web', 'a:80', 'b:80')
    subject.onReport = () => monitor[Symbol.dispose]()
    monitor.attach(subject, fake.check)
    await pass(3000)
    expect(subject.heard.length).toBe(1)
    expect(clock.pending).toBe(0)
    expect(monitor.stats.inFlight).toBe(0)
  })

  it('survives a subject that publishes new targets whenever it hears something', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', initial: 'up' })
    const subject = notingSubject(clock, 'web', 'a:80')
    subject.onReport = (id) => {
      if (id === 'a:80') subject.set('a:80', 'b:80')
    }
    monitor.attach(subject, fake.check)
    await pass(2000)
    expect(subject.states()).toEqual({ 'a:80': 'up', 'b:80': 'up' })
    expect(monitor.stats.targets).toBe(2)
  })
})

describe('probes of others', () => {
  it.each<[string, () => unknown, string]>([
    [
      'throw',
      () => {
        throw new Error('oops')
      },
      'fake check of a:80 failed: oops',
    ],
    ['reject', () => Promise.reject(new Error('oops')), 'fake check of a:80 failed: oops'],
    ['return nothing', () => undefined, 'the fake probe returned no result'],
    [
      'resolve to nonsense',
      () => Promise.resolve({ outcome: 'maybe' }),
      'the fake probe returned no result',
    ],
  ])('that %s have failed', async (_what, answer, reason) => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    fake.answer = answer as typeof fake.answer
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(1010)
    expect(subject.heard[0]!.verdict.state).toBe('down')
    expect(subject.heard[0]!.verdict.reason).toContain(reason)
    await pass(1100)
    expect(fake.begun.length).toBeGreaterThan(1)
  })

  it('give reasons of bounded length', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s' })
    fake.answer = () => failed('x'.repeat(100_000))
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, fake.check)
    await pass(1010)
    expect(subject.heard[0]!.verdict.reason.length).toBeLessThan(600)
  })
})

describe('figures', () => {
  it('are published as metrics', async () => {
    const samples = new Map<string, number>()
    const report: Report = (_kind, name, _help, value, labels) => {
      samples.set(`${name}${labels === undefined ? '' : JSON.stringify(labels)}`, value)
    }
    let scrape: ((report: Report) => void) | undefined
    const { clock, monitor, pass } = monitorRig({
      metrics: {
        counter: () => ({ add() {} }),
        gauge: () => ({ set() {} }),
        histogram: () => ({ observe() {} }),
        collect(sample) {
          scrape = sample
          return { [Symbol.dispose]: () => void (scrape = undefined) }
        },
      },
    })
    const fake = fakeCheck(clock, { every: '1s' })
    monitor.attach(notingSubject(clock, 'web', 'a:80'), fake.check)
    await pass(1010)
    scrape?.(report)
    expect(samples.get('steelyard_health_checks_total{"result":"passed"}')).toBe(1)
    expect(samples.get('steelyard_health_targets')).toBe(1)
    expect(samples.size).toBe(10)
    monitor[Symbol.dispose]()
    expect(scrape).toBeUndefined()
  })

  it.each([
    [{ concurrency: 0 }, 'monitor.concurrency: 0 is not a limit'],
    [{ jitter: 0.5 }, 'monitor.jitter: 0.5 is no share'],
    [{ lateShare: -1 }, 'monitor.lateShare: -1 is no share'],
    [{ firstRound: 'x' }, 'monitor.firstRound: "x" is not a duration'],
  ])('refuse %j', (options, message) => {
    expect(() => healthMonitor(options)).toThrow(message)
  })
})
