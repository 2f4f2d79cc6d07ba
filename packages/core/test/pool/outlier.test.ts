import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import {
  type OutlierDetection,
  type OutlierSubject,
  pool,
  SteelyardError,
  untried,
} from '../../src/index.ts'
import { down, firstFit, up } from './first-fit.ts'

const refused = new SteelyardError('refused', { code: 'connection-refused', source: 'backend' })

/** A detection that notes what it hears and leaves the decisions to the test. */
function detection() {
  const heard: string[] = []
  const subjects: OutlierSubject[] = []
  const made: OutlierDetection = {
    attach(subject) {
      subjects.push(subject)
      return {
        succeeded: (id) => void heard.push(`ok ${id}`),
        failed: (id, { code }) => void heard.push(`${code} ${id}`),
        checkedUp: (id) => void heard.push(`up ${id}`),
        removed: (id) => void heard.push(`gone ${id}`),
        [Symbol.dispose]: () => void heard.push('end'),
      }
    },
  }
  return { heard, made, subject: () => subjects.at(-1)! }
}

function setup() {
  const outlier = detection()
  const web = pool({
    name: 'web',
    backends: [
      { id: 'a', address: '10.0.0.1:80' },
      { id: 'b', address: '10.0.0.2:80' },
    ],
    pick: firstFit,
    outlier: outlier.made,
    slowStart: '10s',
    clock: manualClock(),
  })
  const events: unknown[] = []
  web.on('outlier', ({ backend: { id }, ejected, reason }) => events.push([id, ejected, reason]))
  const rotation = (): string[] => web.roster.current.backends.map(({ id }) => id)
  return { ...outlier, web, events, rotation }
}

describe('outlier detection', () => {
  it('hears of live results, of checks that find a member up, and of members that leave', () => {
    const { web, heard } = setup()
    const slot = web.pick(0, untried)
    web.succeeded(slot, 1)
    web.failed(slot, refused)
    web.report('a', up)
    web.report('a', down)
    web.set([{ id: 'b', address: '10.0.0.2:80' }])
    expect(heard).toEqual(['ok a', 'connection-refused a', 'up a', 'gone a'])
  })

  it('takes a member out and lets it in again, slowly, told once each', () => {
    const { web, subject, events, rotation } = setup()
    expect(subject().name).toBe('web')
    subject().eject('a', 'five in a row')
    subject().eject('a', 'again')
    expect([rotation(), subject().ejected()]).toEqual([['b'], 1])
    expect(web.members()[0]?.condition).toBe('ejected')
    expect(
      subject()
        .members()
        .map(({ id }) => id),
    ).toEqual(['a', 'b'])
    subject().readmit('a')
    subject().readmit('a')
    subject().eject('nobody', 'x')
    expect([rotation(), subject().ejected()]).toEqual([['a', 'b'], 0])
    expect([...web.roster.current.weights]).toEqual([0.05, 1])
    expect(events).toEqual([
      ['a', true, 'five in a row'],
      ['a', false, 'the ejection is over'],
    ])
  })

  it('counts the members in service only', () => {
    const { web, subject } = setup()
    subject().eject('a', 'x')
    web.edit('a', { state: 'draining' })
    expect([subject().members().length, subject().ejected()]).toEqual([1, 0])
  })

  it('is told nothing of a server that left, for it would blame the one that has its name now', () => {
    const { web, heard } = setup()
    const slot = web.pick(0, untried)
    web.opened(slot)
    web.set([
      { id: 'a', address: '10.0.0.9:80' },
      { id: 'b', address: '10.0.0.2:80' },
    ])
    heard.length = 0
    web.failed(slot, refused)
    web.succeeded(slot, 1)
    expect(heard).toEqual([])
    expect(web.load.failures[slot]).toBe(1)
  })

  it('that is replaced lets everybody in, says so, and has no say any more', () => {
    const { web, subject, events, heard, rotation } = setup()
    const old = subject()
    old.eject('a', 'x')
    const next = detection()
    web.reconfigure({ pick: firstFit, outlier: next.made })
    expect(heard.at(-1)).toBe('end')
    expect(rotation()).toEqual(['a', 'b'])
    expect(events.at(-1)).toEqual(['a', false, 'the outlier detection was replaced'])
    old.eject('b', 'late')
    expect(rotation()).toEqual(['a', 'b'])
    next.subject().eject('b', 'now')
    old.readmit('b')
    expect(rotation()).toEqual(['a'])
    web.reconfigure({ pick: firstFit, outlier: next.made, quorum: 2 })
    expect([rotation(), next.heard]).toEqual([['a'], []])
  })
})
