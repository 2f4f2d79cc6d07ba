import { describe, expect, it } from 'vitest'
import { allOf, anyOf, atLeast, type Check, check, failed, passed, tcpCheck } from '../src/index.ts'
import { answersAfter, fakeCheck, monitorRig, notingSubject } from './monitor-rig.ts'

const fine = (key: string): Check => check(key, () => passed('fine'), { key })
const sick = (key: string): Check => check(key, () => failed(`${key} is sick`), { key })

describe('combinations', () => {
  it.each([
    ['all of two', allOf(fine('a'), fine('b')), 'up'],
    ['all, one sick', allOf(fine('a'), sick('b')), 'down'],
    ['any, one sick', anyOf(fine('a'), sick('b')), 'up'],
    ['any, all sick', anyOf(sick('a'), sick('b')), 'down'],
    ['two of three', atLeast(2, fine('a'), sick('b'), fine('c')), 'up'],
    ['two of three, two sick', atLeast(2, fine('a'), sick('b'), sick('c')), 'down'],
  ])('%s', async (_name, combination, state) => {
    const { clock, monitor, pass } = monitorRig()
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, combination)
    await pass(1010)
    expect(subject.states()['a:80']).toBe(state)
  })

  it('name what failed in one verdict', async () => {
    const { clock, monitor, pass } = monitorRig()
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, allOf(fine('a'), sick('b'), sick('c')))
    await pass(1010)
    expect(subject.heard[0]!.verdict).toMatchObject({
      reason: '1 of 3 checks passed, 3 are needed; b: b is sick; c: c is sick',
      evidence: { a: 'ok', b: 'fail', c: 'fail' },
    })
  })

  it('ask each part at its own place, within its own time, by the schedule of the first', async () => {
    const { clock, monitor, pass } = monitorRig()
    const quick = fakeCheck(clock, { every: '2s', timeout: '200ms', port: 9000, fall: 7, key: 'q' })
    const slow = fakeCheck(clock, { every: '5s', timeout: '1s', key: 's' })
    quick.answer = answersAfter(clock, 5000)
    slow.answer = answersAfter(clock, 500)
    const both = anyOf(quick.check, slow.check)
    expect(both.schedule).toMatchObject({ intervalMs: 2000, timeoutMs: 1000, fall: 7 })
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, both)
    await pass(1600)
    expect([quick.begun[0]!.address, slow.begun[0]!.address]).toEqual(['a:9000', 'a:80'])
    expect(quick.begun[0]!.context.timeoutMs).toBe(200)
    const { verdict } = subject.heard[0]!
    expect(verdict.reason).toBe(
      '1 of 2 checks passed, 1 are needed; fake: waited in vain for a:9000',
    )
    expect(verdict.evidence).toMatchObject({ fake: 'fail', fake2: 'ok' })
  })

  it('give the others up as soon as enough have passed', async () => {
    const { clock, monitor, pass } = monitorRig()
    const quick = fakeCheck(clock, { every: '2s', key: 'q' })
    const slow = fakeCheck(clock, { every: '2s', key: 's' })
    slow.answer = answersAfter(clock, 1500)
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, anyOf(slow.check, quick.check))
    await pass(1010)
    expect(subject.states()['a:80']).toBe('up')
    expect(slow.begun[0]!.context.signal.aborted).toBe(true)
  })

  it('end in time though a part never settles', async () => {
    const { clock, monitor, pass } = monitorRig()
    const stuck = fakeCheck(clock, { every: '2s', timeout: '300ms', key: 'stuck' })
    stuck.answer = () => new Promise(() => {})
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, allOf(fine('a'), stuck.check))
    await pass(1500)
    expect(subject.heard[0]!.verdict.reason).toContain(
      'fake: fake check of a:80 timed out after 300ms',
    )
    expect(monitor.stats.inFlight).toBe(0)
  })

  it('forget and abort all parts', async () => {
    const { clock, monitor, pass } = monitorRig()
    const one = fakeCheck(clock, { every: '2s', key: '1', port: 9000 })
    const two = fakeCheck(clock, { every: '2s', key: '2' })
    one.answer = answersAfter(clock, 1500)
    const attached = monitor.attach(
      notingSubject(clock, 'web', 'a:80'),
      allOf(one.check, two.check),
    )
    while (one.begun.length === 0) await pass(10)
    attached[Symbol.dispose]()
    await pass(100)
    expect(one.begun[0]!.context.signal.aborted).toBe(true)
    expect([one.forgotten, two.forgotten]).toEqual([['a:9000'], ['a:80']])
    expect(clock.pending).toBe(0)
  })

  it('share by what their parts ask', () => {
    const options = { every: '2s', steps: [{ expect: 'x' }] } as const
    expect(allOf(tcpCheck(options), fine('a')).key).toBe(allOf(tcpCheck(options), fine('a')).key)
    expect(allOf(tcpCheck(), fine('a')).key).not.toBe(allOf(tcpCheck(options), fine('a')).key)
    expect(allOf(tcpCheck()).key).not.toBe(allOf(tcpCheck({ port: 9 })).key)
    const own = check('own', () => passed('fine'))
    expect(allOf(own).key).not.toBe(allOf(own).key)
  })

  it('nest', async () => {
    const { clock, monitor, pass } = monitorRig()
    const subject = notingSubject(clock, 'web', 'a:80')
    monitor.attach(subject, allOf(fine('a'), anyOf(sick('b'), fine('c'))))
    await pass(1010)
    expect(subject.states()['a:80']).toBe('up')
  })

  it('refuse what can not be', () => {
    expect(() => allOf()).toThrow('allOf: needs at least one check')
    expect(() => atLeast(3, fine('a'), fine('b'))).toThrow('atLeast.wanted: 3 of 2 checks')
    const short = check('s', () => passed(''), { every: '100ms', timeout: '50ms' })
    expect(() => allOf(short, tcpCheck({ every: '5s', timeout: '1s' }))).toThrow(
      'allOf: a check has a timeout of 1000ms',
    )
  })
})
