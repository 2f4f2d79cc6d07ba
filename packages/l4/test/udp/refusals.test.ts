import { pool } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { UdpMember } from '../../src/udp/membership.ts'
import { Refusals } from '../../src/udp/refusals.ts'

const member = new UdpMember(pool({ backends: ['10.1.0.1:53'] }), 0)

describe('Refusals', () => {
  it('remembers a client for half a minute', () => {
    const refusals = new Refusals()
    refusals.remember('a', member, 1000)
    expect(refusals.recall('a', 30_999)).toBe(member)
    expect(refusals.recall('b', 1000)).toBeUndefined()
    expect(refusals.recall('a', 31_000)).toBeUndefined()
    expect(refusals.size).toBe(0)
  })

  it('drops what has expired when something new comes', () => {
    const refusals = new Refusals()
    for (let i = 0; i < 10; i++) refusals.remember(`${i}`, member, i)
    refusals.remember('late', member, 30_004)
    expect(refusals.size).toBe(6)
    expect(refusals.recall('5', 30_004)).toBe(member)
  })

  it('is bounded, and forgets the oldest first', () => {
    const refusals = new Refusals()
    for (let i = 0; i < 5000; i++) refusals.remember(`${i}`, member, 0)
    expect(refusals.size).toBe(4096)
    expect(refusals.recall('903', 1)).toBeUndefined()
    expect(refusals.recall('904', 1)).toBe(member)
  })
})
