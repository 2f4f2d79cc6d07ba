import { describe, expect, it } from 'vitest'
import {
  blamesBackend,
  familyOf,
  fateOf,
  idleLeftMs,
  payloadLimit,
  repliesComplete,
} from '../../src/udp/session-rules.ts'

const defaults = { whenDown: 'move', whenDraining: 'keep' } as const

describe('fateOf', () => {
  it('moves the sessions of a member that is down, ejected or disabled, also with nobody else', () => {
    for (const standing of ['down', 'ejected', 'disabled'] as const) {
      expect(fateOf(standing, false, true, defaults)).toBe('member-down')
      expect(fateOf(standing, false, false, defaults)).toBe('member-down')
      expect(fateOf(standing, false, true, { ...defaults, whenDown: 'keep' })).toBeUndefined()
    }
  })

  it('keeps the sessions of a member that drains or was removed, unless they are to move', () => {
    for (const standing of ['draining', 'removed'] as const) {
      expect(fateOf(standing, false, true, defaults)).toBeUndefined()
      const move = { ...defaults, whenDraining: 'move' } as const
      expect(fateOf(standing, false, true, move)).toBe('member-draining')
      expect(fateOf(standing, false, false, move)).toBeUndefined()
    }
  })

  it('leaves alone a backup that goes back to rest', () => {
    expect(fateOf('up', false, true, { whenDown: 'move', whenDraining: 'move' })).toBeUndefined()
    expect(
      fateOf('unknown', false, true, { whenDown: 'move', whenDraining: 'move' }),
    ).toBeUndefined()
  })

  it('keeps whoever the pool asks to take traffic, whatever its verdict', () => {
    expect(fateOf('down', true, true, defaults)).toBeUndefined()
  })
})

describe('repliesComplete', () => {
  it('counts replies for each datagram of the client', () => {
    expect(repliesComplete(1, 1, 0)).toBe(false)
    expect(repliesComplete(1, 1, 1)).toBe(true)
    expect(repliesComplete(1, 2, 1)).toBe(false)
    expect(repliesComplete(2, 2, 4)).toBe(true)
  })

  it('never says so without a limit, without a datagram, or when no reply is expected', () => {
    expect(repliesComplete(Number.POSITIVE_INFINITY, 1, 1e9)).toBe(false)
    expect(repliesComplete(3, 0, 1)).toBe(false)
    expect(repliesComplete(0, 1, 1)).toBe(false)
  })
})

describe('idleLeftMs', () => {
  it('counts from the last activity', () => {
    expect(idleLeftMs(1500, 1000, 1000)).toBe(500)
    expect(idleLeftMs(2000, 1000, 1000)).toBe(0)
  })
})

describe('datagram sizes', () => {
  it('gives the longest payload of each family', () => {
    expect(payloadLimit(4)).toBe(65_507)
    expect(payloadLimit(6)).toBe(65_527)
  })

  it('sees through v4-mapped addresses', () => {
    expect(familyOf('10.0.0.1')).toBe(4)
    expect(familyOf('::ffff:10.0.0.1')).toBe(4)
    expect(familyOf('2001:db8::1')).toBe(6)
    expect(familyOf('fe80::1%eth0')).toBe(6)
  })
})

describe('blamesBackend', () => {
  it('blames it for what its side of the network says, not for our own shortage', () => {
    expect(blamesBackend('connection-refused')).toBe(true)
    expect(blamesBackend('host-unreachable')).toBe(true)
    // What Linux makes of ICMPv6 administratively prohibited; of ICMP's it makes `host-unreachable`.
    expect(blamesBackend('permission-denied')).toBe(true)
    for (const code of ['too-many-files', 'message-too-long', 'address-not-available'] as const) {
      expect(blamesBackend(code)).toBe(false)
    }
  })
})
