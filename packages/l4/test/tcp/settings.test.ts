import { pool, systemClock, timerWheel } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { acceptProxy, sendProxy } from '../../src/tcp/proxy-options.ts'
import { tcpSettings } from '../../src/tcp/settings.ts'
import { sourceAddresses } from '../../src/tcp/source-addresses.ts'
import { timeoutsMs } from '../../src/tcp/timeouts.ts'

const refused = (path: string): unknown => expect.objectContaining({ code: 'invalid-option', path })

describe('timeouts', () => {
  it('completes what is not given', () => {
    expect(timeoutsMs()).toEqual({
      connect: 5000,
      client: 600_000,
      server: 600_000,
      halfClosed: 60_000,
      total: 0,
      preread: 5000,
      queue: 5000,
    })
    expect(timeoutsMs({ connect: '250ms', total: '1h', queue: 0 })).toMatchObject({
      connect: 250,
      total: 3_600_000,
      queue: 0,
      client: 600_000,
    })
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '5', 'soon', ''])('refuses %s', (client) => {
    expect(() => timeoutsMs({ client })).toThrow(refused('timeouts.client'))
  })
})

describe('source addresses', () => {
  it('gives those of the family of the backend in turn', () => {
    const { next } = sourceAddresses(['192.0.2.1', '2001:db8::1', '192.0.2.2'])
    expect([next('10.0.0.1'), next('10.0.0.2'), next('10.0.0.1')]).toEqual([
      '192.0.2.1',
      '192.0.2.2',
      '192.0.2.1',
    ])
    expect([next('2001:db8::9'), next('2001:db8::9')]).toEqual(['2001:db8::1', '2001:db8::1'])
  })

  it('leaves a family that it has nothing of to the system', () => {
    expect(sourceAddresses(['192.0.2.1']).next('2001:db8::9')).toBeUndefined()
    expect(sourceAddresses(['2001:db8::1']).next('10.0.0.1')).toBeUndefined()
  })

  it('takes what there is for a name, and mapped addresses as IPv4', () => {
    expect(sourceAddresses(['2001:db8::1']).next('backend.example')).toBe('2001:db8::1')
    expect(sourceAddresses(['::ffff:192.0.2.1']).next('10.0.0.1')).toBe('192.0.2.1')
  })

  it('names the text that is no address', () => {
    expect(() => sourceAddresses([])).toThrow(refused('sourceAddresses'))
    expect(() => sourceAddresses(['192.0.2.1', 'eth0'])).toThrow(refused('sourceAddresses[1]'))
  })
})

describe('proxy options', () => {
  it('refuses what is neither this nor that, instead of taking it for the laxer one', () => {
    const from = ['192.0.2.0/24']
    const wrong =
      (options: object): (() => unknown) =>
      () =>
        acceptProxy({ from, ...options })
    expect(wrong({ untrusted: 'Reject' })).toThrow(refused('acceptProxy.untrusted'))
    expect(wrong({ versions: [] })).toThrow(refused('acceptProxy.versions'))
    expect(wrong({ versions: [3] })).toThrow(refused('acceptProxy.versions'))
    expect(() => sendProxy('v3' as 'v2')).toThrow(refused('sendProxy'))
    expect(() => sendProxy({ version: 3 as 2 })).toThrow(refused('sendProxy.version'))
    expect(() =>
      sendProxy({ version: 2, tlvs: [{ type: 256, value: new Uint8Array(1) }] }),
    ).toThrow(refused('sendProxy.tlvs[0].type'))
  })

  it('trusts by block, also addresses in their mapped form, and nobody without an address', () => {
    const { trusts, untrusted, versions } = acceptProxy({ from: ['192.0.2.0/24'] })
    expect([trusts('192.0.2.7'), trusts('::ffff:192.0.2.7'), trusts('192.0.3.7')]).toEqual([
      true,
      true,
      false,
    ])
    expect([trusts(''), trusts('/run/x.sock')]).toEqual([false, false])
    expect([untrusted, versions]).toEqual(['reject', [1, 2]])
  })
})

describe('settings', () => {
  const wheel = timerWheel()
  const options = { listen: ':0', pool: pool() }

  it('keeps a bandwidth that stays, so that the listener never has it twice', () => {
    const before = tcpSettings({ ...options, bandwidth: { toClient: '1MiB' } }, systemClock, wheel)
    const again = tcpSettings(
      { ...options, retries: 1, bandwidth: { toClient: 1024 * 1024 } },
      systemClock,
      wheel,
      before,
    )
    expect(again.bandwidth.toClient).toBe(before.bandwidth.toClient)
    expect(again.bandwidth.fromClient).toBeUndefined()
    const other = tcpSettings(
      { ...options, bandwidth: { toClient: '2MiB' } },
      systemClock,
      wheel,
      again,
    )
    expect(other.bandwidth.toClient).not.toBe(before.bandwidth.toClient)
  })

  it.each([
    ['retries', -1],
    ['retries', 1.5],
    ['connectionLimit', -1],
    ['connectionLimit', 0.5],
    ['whenDown', 'cut'],
  ])('refuses %s: %s', (name, value) => {
    const wrong = { ...options, [name]: value } as Parameters<typeof tcpSettings>[0]
    expect(() => tcpSettings(wrong, systemClock, wheel)).toThrow(refused(name))
  })
})
