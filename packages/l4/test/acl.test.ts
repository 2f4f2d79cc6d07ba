import type { SocketAddress } from '@steelyard/core'
import { contains, parseAddress, parseCidr } from '@steelyard/core/ip'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Acl, acl, allOf, anyOf, type ClientInfo, noneOf } from '../src/acl.ts'

function from(address: string): ClientInfo {
  const family = address.includes(':') ? 6 : address.startsWith('/') ? 'unix' : 4
  const source: SocketAddress = { address, port: 1, family }
  return { source, destination: { address: '192.0.2.255', port: 443, family: 4 } }
}

const admitted = (rule: Acl, ...addresses: string[]): string[] =>
  addresses.filter((address) => rule(from(address)))

describe('acl', () => {
  it('lets everybody in without lists', () => {
    expect(admitted(acl({}), '192.0.2.1', '2001:db8::1', '/run/a')).toHaveLength(3)
  })

  it('lets only the allowed in once there is a list, even an empty one', () => {
    const rule = acl({ allow: ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'] })
    expect(
      admitted(rule, '192.0.2.1', '192.0.3.1', '198.51.100.7', '2001:db8::1', '2001:db9::1', '/a'),
    ).toEqual(['192.0.2.1', '198.51.100.7', '2001:db8::1'])
    expect(admitted(acl({ allow: [] }), '192.0.2.1')).toEqual([])
  })

  it('denies what is in deny, whatever allow says', () => {
    const rule = acl({ allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] })
    expect(admitted(rule, '10.0.0.1', '10.1.2.3', '11.0.0.1')).toEqual(['10.0.0.1'])
    expect(admitted(acl({ deny: ['0.0.0.0/0'] }), '192.0.2.1', '::1')).toEqual(['::1'])
  })

  it('has a default for those in neither list', () => {
    const rule = acl({ deny: ['10.1.0.0/16'], default: 'deny', allow: ['10.0.0.0/8'] })
    expect(admitted(rule, '10.0.0.1', '10.1.0.1', '192.0.2.1')).toEqual(['10.0.0.1'])
    const open = acl({ allow: ['10.0.0.0/8'], default: 'allow', deny: ['192.0.2.1'] })
    expect(admitted(open, '10.0.0.1', '192.0.2.1', '/run/a')).toEqual(['10.0.0.1', '/run/a'])
  })

  it('takes IPv4-mapped addresses for IPv4, however they are written', () => {
    const rule = acl({ deny: ['192.0.2.0/24'] })
    for (const address of ['::ffff:192.0.2.9', '::ffff:c000:209', '0:0:0:0:0:ffff:c000:209']) {
      expect(admitted(rule, address)).toEqual([])
    }
    expect(admitted(rule, '::ffff:192.0.3.9')).toHaveLength(1)
  })

  it('names the block that is none', () => {
    expect(() => acl({ allow: ['10.0.0.0/8', '10.0.0.0/33'] })).toThrow('acl.allow[1]')
    expect(() => acl({ deny: ['nobody'] }, 'listeners[2].acl')).toThrow('listeners[2].acl.deny[0]')
  })

  it('agrees with the block arithmetic of core, block by block', () => {
    const octet = fc.integer({ min: 0, max: 255 })
    const v4 = fc
      .tuple(fc.constantFrom(10, 11, 192), fc.nat(3), octet, octet)
      .map((o) => o.join('.'))
    const block = fc.oneof(
      fc.tuple(v4, fc.integer({ min: 0, max: 32 })).map(([a, p]) => `${a}/${p}`),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([a, p]) => `${a}/${p}`),
    )
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), fc.oneof(v4, fc.ipV6()), (allow, address) => {
        const expected = allow.some((b) => contains(parseCidr(b), parseAddress(address)))
        expect(acl({ allow })(from(address))).toBe(expected)
        expect(acl({ deny: allow })(from(address))).toBe(!expected)
      }),
      { numRuns: 500 },
    )
  })

  it('joins with other rules, also plain functions', () => {
    const office = acl({ allow: ['10.0.0.0/8'] })
    const plain: Acl = ({ destination }) => destination.port === 443
    const guest = acl({ allow: ['10.9.0.0/16'] })
    const rule = anyOf(allOf(office, plain, noneOf(guest)), acl({ allow: ['::1'] }))
    expect(admitted(rule, '10.1.1.1', '10.9.1.1', '192.0.2.1', '::1')).toEqual(['10.1.1.1', '::1'])
    expect([allOf()(0), anyOf()(0), noneOf()(0)]).toEqual([true, false, true])
  })
})
