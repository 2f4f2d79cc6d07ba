import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { pool } from '../../src/index.ts'
import { down, firstFit, up } from './first-fit.ts'
import { recordingCheck } from './recording-check.ts'

const backends = [
  { id: 'a', address: '10.0.0.1:80' },
  { id: 'b', address: '10.0.0.2:80' },
]
const counts = ({ attached, detached }: { attached: number; detached: number }) => [
  attached,
  detached,
]

describe('the check of a pool', () => {
  it('is attached by the first user and detached by the last, users and watchers alike', () => {
    const check = recordingCheck()
    const web = pool({ backends, check, pick: firstFit })
    expect(counts(check)).toEqual([0, 0])
    const first = web.use()
    const watcher = web.available.watch(() => {})
    const second = web.use()
    expect(counts(check)).toEqual([1, 0])
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    second[Symbol.dispose]()
    watcher[Symbol.dispose]()
    watcher[Symbol.dispose]()
    expect(counts(check)).toEqual([1, 1])
    web.use()
    expect(counts(check)).toEqual([2, 1])
  })

  it('sees the members that are not disabled, and hears of changes of theirs only', () => {
    const check = recordingCheck()
    const web = pool({ backends, check, pick: firstFit, clock: manualClock() })
    web.use()
    const seen: string[][] = []
    check.subject.targets.watch((targets) => seen.push(targets.map(({ id }) => id)))
    check.subject.report('a', up)
    check.subject.report('a', down)
    check.subject.report('nobody', down)
    web.edit('b', { state: 'disabled' })
    web.edit('a', { weight: 0 })
    web.set([...backends, '10.0.0.3:80'])
    expect(seen).toEqual([['a'], ['a'], ['10.0.0.3:80', 'a', 'b']])
    expect(check.subject.verdict('a')).toEqual(down)
    expect(check.subject.verdict('nobody')).toMatchObject({ state: 'unknown' })
  })

  it('may report while it is attached', () => {
    const check = recordingCheck((subject) => subject.report('a', up))
    const web = pool({ backends, check, pick: firstFit })
    const told: boolean[] = []
    web.available.watch((now) => told.push(now))
    expect([told, web.available.current]).toEqual([[true], true])
  })

  it('is detached even when its own first report ends the last use', () => {
    const eager = recordingCheck((subject) => subject.report('a', up))
    const web = pool({ backends, check: recordingCheck(), pick: firstFit })
    const using = web.use()
    web.on('health', () => using[Symbol.dispose]())
    web.reconfigure({ check: eager, pick: firstFit })
    expect(counts(eager)).toEqual([1, 1])
    eager.subject.report('a', down)
    expect(web.members()[0]?.verdict).toBe(up)
  })

  it('has no say any more once it is detached', () => {
    const check = recordingCheck()
    const web = pool({ backends, check, pick: firstFit })
    const using = web.use()
    const old = check.subject
    using[Symbol.dispose]()
    old.report('a', down)
    expect(web.members()[0]?.verdict.state).toBe('unknown')
    web.use()
    old.report('a', down)
    expect(web.members()[0]?.verdict.state).toBe('unknown')
    check.subject.report('a', down)
    expect(web.members()[0]?.verdict.state).toBe('down')
  })
})

describe('reconfigure', () => {
  it('replaces the check at once while the pool is used, and keeps the verdicts', () => {
    const [before, after] = [recordingCheck(), recordingCheck()]
    const web = pool({ backends, check: before, pick: firstFit })
    web.report('a', up)
    web.report('b', down)
    web.reconfigure({ check: after, pick: firstFit })
    expect([counts(before), counts(after)]).toEqual([
      [0, 0],
      [0, 0],
    ])
    web.use()
    web.reconfigure({ check: after, pick: firstFit, quorum: 2 })
    expect(counts(after)).toEqual([1, 0])
    web.reconfigure({ check: before, pick: firstFit })
    expect([counts(after), counts(before)]).toEqual([
      [1, 1],
      [1, 0],
    ])
    expect(before.subject.verdict('b')).toBe(down)
    expect(web.roster.current.backends.map(({ id }) => id)).toEqual(['a'])
  })

  it('calls all members up when the check is taken away, and tells of those who flip', () => {
    const web = pool({ backends, check: recordingCheck(), pick: firstFit })
    const flips: unknown[] = []
    web.report('a', up)
    web.report('b', down)
    web.on('health', ({ backend: { id }, previous, health }) => flips.push([id, previous, health]))
    web.reconfigure({ pick: firstFit })
    expect(flips).toEqual([['b', 'down', 'up']])
    expect(web.roster.current.size).toBe(2)
  })

  it('applies quorum, algorithm, emptiness and bounded load in place', () => {
    const web = pool({ backends, pick: firstFit, check: recordingCheck() })
    web.report('a', up)
    expect(web.available.current).toBe(true)
    web.reconfigure({ pick: firstFit, check: recordingCheck(), quorum: 2 })
    expect(web.available.current).toBe(false)
    const lastFit = { ...firstFit, name: 'last-fit', key: 'source' as const }
    web.reconfigure({ pick: lastFit, whenEmpty: 'all' })
    expect([web.algorithm, web.key]).toEqual(['last-fit', 'source'])
  })

  it('changes nothing when an option is wrong', () => {
    const check = recordingCheck()
    const web = pool({ backends, pick: firstFit, check, quorum: 2 })
    web.use()
    expect(() => web.reconfigure({ boundedLoad: 0.5 })).toThrow('pool.boundedLoad')
    expect([web.algorithm, counts(check)]).toEqual(['first-fit', [1, 0]])
    web.report('a', up)
    expect(web.available.current).toBe(false)
  })
})
