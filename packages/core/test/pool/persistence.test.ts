import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import {
  type PersistenceTableOptions,
  persistenceTable,
  pool,
  Tried,
  untried,
} from '../../src/index.ts'
import { byKey, down } from './first-fit.ts'

function setup(options: PersistenceTableOptions = {}, maxConnections = 0) {
  const clock = manualClock()
  const persistence = persistenceTable({ timeout: '1m', clock, ...options })
  const web = pool({
    backends: ['a', 'b', 'c'].map((id, i) => ({
      id,
      address: `10.0.0.${i + 1}:80`,
      maxConnections,
    })),
    pick: byKey,
    persistence,
    clock,
  })
  const pick = (key: number, client?: string, tried: Tried = untried): string => {
    const slot = web.pick(key, tried, client)
    return slot < 0 ? 'nobody' : web.backendAt(slot).id
  }
  return { clock, web, persistence, pick }
}

describe('persistence', () => {
  it('wins over the algorithm for its time', () => {
    const { clock, pick } = setup()
    expect([pick(1, '10.9.9.9'), pick(2, '10.9.9.9'), pick(2, '10.9.9.8')]).toEqual(['b', 'b', 'c'])
    expect(pick(0)).toBe('a')
    clock.advance(59_999)
    expect(pick(0, '10.9.9.9')).toBe('b')
    clock.advance(60_000)
    expect(pick(0, '10.9.9.9')).toBe('a')
  })

  it('moves a client whose member is down, gone, full, disabled or was tried, and keeps it there', () => {
    const cases: [string, (s: ReturnType<typeof setup>) => Tried][] = [
      ['down', ({ web }) => (web.report('b', down), untried)],
      [
        'gone',
        ({ web }) => (
          web.set(['a', 'c'].map((id) => ({ id, address: `10.0.0.${id === 'a' ? 1 : 3}:80` }))),
          untried
        ),
      ],
      ['disabled', ({ web }) => (web.edit('b', { state: 'disabled' }), untried)],
      ['full', ({ web }) => (web.opened(1), untried)],
      [
        'tried',
        () => {
          const tried = new Tried()
          tried.add(1)
          return tried
        },
      ],
    ]
    for (const [, arrange] of cases) {
      const own = setup({}, 1)
      expect(own.pick(1, 'x')).toBe('b')
      const tried = arrange(own)
      const moved = own.pick(0, 'x', tried)
      expect(moved).toBe('a')
      expect(own.pick(2, 'x')).toBe('a')
    }
  })

  it('moves the clients of a draining member by default', () => {
    const { web, pick } = setup()
    expect(pick(1, 'x')).toBe('b')
    web.edit('b', { state: 'draining' })
    expect(pick(0, 'x')).toBe('a')
    web.edit('b', { state: 'enabled' })
    expect(pick(1, 'x')).toBe('a')
  })

  it('keeps them on it when told to, within its limit, while it is well', () => {
    const { web, pick } = setup({ whenDraining: 'keep' }, 2)
    expect(pick(1, 'x')).toBe('b')
    web.edit('b', { weight: 0 })
    expect([pick(0, 'x'), pick(1, 'new')]).toEqual(['b', 'c'])
    web.opened(1)
    expect(pick(0, 'x')).toBe('b')
    web.opened(1)
    expect(pick(0, 'x')).toBe('a')
    web.closed(1)
    expect(pick(1, 'y')).toBe('c')
    const other = setup({ whenDraining: 'keep' })
    expect(other.pick(1, 'x')).toBe('b')
    other.web.edit('b', { state: 'draining' })
    other.web.report('b', down)
    expect(other.pick(0, 'x')).toBe('a')
  })

  it('forgets the clients of a member that leaves or moves to another address', () => {
    const { web, pick, persistence } = setup()
    pick(0, 'x')
    pick(1, 'y')
    pick(2, 'z')
    web.set([
      { id: 'a', address: '10.0.0.1:80' },
      { id: 'b', address: '10.0.0.99:80' },
    ])
    expect(persistence.export().map(({ client }) => client)).toEqual(['x'])
  })

  it('remembers nobody when there is nobody to pick', () => {
    const { web, pick, persistence } = setup()
    web.set([])
    expect([pick(0, 'x'), persistence.size]).toEqual(['nobody', 0])
  })

  it('may be taken away and given back', () => {
    const { web, pick, persistence } = setup()
    expect(pick(1, 'x')).toBe('b')
    web.reconfigure({ pick: byKey })
    expect([pick(2, 'x'), web.persistence]).toEqual(['c', undefined])
    web.reconfigure({ pick: byKey, persistence })
    expect([pick(2, 'x'), web.persistence]).toEqual(['b', persistence])
  })
})
