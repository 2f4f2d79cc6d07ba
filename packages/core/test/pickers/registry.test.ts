import { describe, expect, it } from 'vitest'
import { isSteelyardError, pickerNamed, pickers } from '../../src/index.ts'
import { nearestName } from '../../src/nearest-name.ts'

describe('pickers by name', () => {
  it('lists every algorithm under its own name', () => {
    expect(Object.keys(pickers)).toEqual([
      'round-robin',
      'smooth-weighted-round-robin',
      'least-connections',
      'weighted-least-connections',
      'random',
      'source-hash',
      'ring-hash',
      'maglev',
      'rendezvous',
      'least-time',
      'first',
    ])
    for (const name of Object.keys(pickers)) expect(pickerNamed(name).name).toBe(name)
  })

  it('hands options on', () => {
    expect(pickerNamed('maglev', { port: true, tableSize: 1021 }).key).toBe('source-port')
    expect(pickerNamed('least-time', { choices: 'all', decay: '5s', penalty: '100ms' }).name).toBe(
      'least-time',
    )
  })

  it('says what is wrong, where, and what there is', () => {
    const problem = (...args: Parameters<typeof pickerNamed>): string => {
      try {
        pickerNamed(...args)
      } catch (error) {
        if (isSteelyardError(error, 'invalid-option')) return error.message
        throw error
      }
      return 'no error'
    }
    expect(problem('least-conections', {}, 'pools[2].algorithm')).toBe(
      'pools[2].algorithm: "least-conections" is no balancing algorithm: did you mean "least-connections"? ' +
        'there are round-robin, smooth-weighted-round-robin, least-connections, weighted-least-connections, ' +
        'random, source-hash, ring-hash, maglev, rendezvous, least-time, first',
    )
    expect(problem('toString')).toMatch(
      /^algorithm: "toString" is no balancing algorithm: there are/,
    )
    expect(problem('random', { choises: 3 })).toBe(
      'algorithm.choises: "choises" is no option of random: did you mean "choices"? there are choices',
    )
    expect(problem('first', { port: true })).toBe(
      'algorithm.port: "port" is no option of first: there are none',
    )
    expect(problem('maglev', { tableSize: 1000 }, 'pools[0].algorithm')).toBe(
      'pools[0].algorithm.tableSize: 1000 is not a prime: the next one is 1009',
    )
  })
})

describe('nearest name', () => {
  const names = Object.keys(pickers)

  it('forgives case, separators, beginnings, slips and swaps', () => {
    expect(nearestName('ROUND_ROBIN', names)).toBe('round-robin')
    expect(nearestName('roundrobin', names)).toBe('round-robin')
    expect(nearestName('leastconn', names)).toBe('least-connections')
    expect(nearestName('source', names)).toBe('source-hash')
    expect(nearestName('magelv', names)).toBe('maglev')
    expect(nearestName('rendevouz', names)).toBe('rendezvous')
    expect(nearestName('SOURCE_IP', names)).toBeUndefined()
    expect(nearestName('', names)).toBeUndefined()
    expect(nearestName('x'.repeat(100_000), names)).toBeUndefined()
  })
})
