import { describe, expect, it } from 'vitest'
import { type BackendOptions, backend } from '../src/index.ts'

describe('backend', () => {
  it('is complete, plain and frozen when only its address is given', () => {
    const one = backend('[2001:DB8::1]:80')
    expect(one).toEqual({
      id: '[2001:db8::1]:80',
      address: '[2001:db8::1]:80',
      host: '2001:db8::1',
      port: 80,
      weight: 1,
      backup: false,
      maxConnections: 0,
      state: 'enabled',
      labels: {},
    })
    expect([Object.isFrozen(one), Object.isFrozen(one.labels)]).toEqual([true, true])
  })

  it('keeps what is said of it, and does not hold on to the labels given', () => {
    const labels = { rack: 'r1' }
    const one = backend({
      address: 'unix:/run/a.sock',
      id: 'a',
      weight: 65_535,
      backup: true,
      maxConnections: 10,
      state: 'draining',
      labels,
    })
    labels.rack = 'r2'
    expect(one).toMatchObject({
      id: 'a',
      host: '/run/a.sock',
      port: 0,
      weight: 65_535,
      backup: true,
      maxConnections: 10,
      state: 'draining',
      labels: { rack: 'r1' },
    })
  })

  it.each([
    ['10.0.0.1', 'pool.backends[2]'],
    ['10.0.0.1:0', 'pool.backends[2].address'],
    [{ address: '' }, 'pool.backends[2].address'],
    [{}, 'pool.backends[2].address'],
    [{ address: '10.0.0.1:80', weight: -1 }, 'pool.backends[2].weight'],
    [{ address: '10.0.0.1:80', weight: 65_536 }, 'pool.backends[2].weight'],
    [{ address: '10.0.0.1:80', weight: 1.5 }, 'pool.backends[2].weight'],
    [{ address: '10.0.0.1:80', maxConnections: -1 }, 'pool.backends[2].maxConnections'],
    [{ address: '10.0.0.1:80', maxConnections: 2 ** 31 }, 'pool.backends[2].maxConnections'],
    [{ address: '10.0.0.1:80', state: 'off' }, 'pool.backends[2].state'],
    [{ address: '10.0.0.1:80', id: '' }, 'pool.backends[2].id'],
  ])('refuses %j by its path', (init, path) => {
    expect(() => backend(init as BackendOptions, 'pool.backends[2]')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path }),
    )
  })
})
