import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { isSteelyardError } from '../../src/index.ts'
import {
  addressOf,
  cidrSet,
  contains,
  masked,
  parseAddress,
  parseCidr,
} from '../../src/ip/index.ts'

const block4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
const block6 = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 128 }))
  // Within 2000::/3, where no address is IPv4-mapped.
  .map(
    ([bytes, prefix]) =>
      [addressOf(Uint8Array.from([0x20, ...bytes.slice(1)])).text, prefix] as const,
  )
const block = fc.oneof(block4, block6)

describe('cidr', () => {
  it.each([
    ['192.0.2.77/24', '192.0.2.0/24'],
    ['192.0.2.77', '192.0.2.77/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::ffff/33', '2001:db8::/33'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['::ffff:10.1.2.3/104', '10.0.0.0/8'],
    ['::ffff:10.1.2.3', '10.1.2.3/32'],
  ])('reads %s as %s', (text, expected) => {
    expect(parseCidr(text).text).toBe(expected)
  })

  it.each([
    '',
    '/',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/08',
    '10.0.0.0/8x',
    '10.0.0.0/1e1',
    '::/129',
    '::ffff:10.0.0.0/95',
    '::ffff:10.0.0.0/129',
    '10.0.0/8',
    'x/8',
    '10.0.0.0/ 8',
  ])('refuses %j by its path', (text) => {
    expect(() => parseCidr(text, 'acl[0]')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'acl[0]' }),
    )
  })

  it('gives a block or invalid-option for anything', () => {
    const piece = fc.constantFrom('1.2.3.4', '::', 'f', '/', '8', '33', '129', '.', ':', '%')
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(fc.oneof(text, fc.anything()), (value) => {
        try {
          parseCidr(value as string)
        } catch (error) {
          expect(isSteelyardError(error, 'invalid-option')).toBe(true)
        }
      }),
    )
  })

  it('has the network address that ipaddr.js computes', () => {
    fc.assert(
      fc.property(block, ([address, prefix]) => {
        const text = `${address}/${prefix}`
        const kind = address.includes(':') ? ipaddr.IPv6 : ipaddr.IPv4
        expect(parseCidr(text).network.text).toBe(kind.networkAddressFromCIDR(text).toString())
        expect(parseCidr(parseCidr(text).text)).toEqual(parseCidr(text))
      }),
    )
  })

  it('holds what ipaddr.js says it holds, near its edge too', () => {
    fc.assert(
      fc.property(block, block, fc.nat(127), ([address, prefix], [other], bit) => {
        const cidr = parseCidr(`${address}/${prefix}`)
        const near = Uint8Array.from(parseAddress(address).bytes)
        near[(bit >> 3) % near.length]! ^= 1 << (bit & 7)
        for (const candidate of [parseAddress(address), addressOf(near), parseAddress(other)]) {
          const theirs = ipaddr.parse(candidate.text)
          const expected =
            candidate.family === cidr.family &&
            theirs.match(ipaddr.parse(cidr.network.text), prefix)
          expect(contains(cidr, candidate)).toBe(expected)
        }
      }),
    )
  })

  it('clears every bit behind the prefix and none before it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 16 }), fc.nat(128), (bytes, prefix) => {
        fc.pre(prefix <= bytes.length * 8)
        const result = masked(bytes, prefix)
        const bit = (of: Uint8Array, i: number): number => (of[i >> 3]! >> (7 - (i & 7))) & 1
        for (let i = 0; i < bytes.length * 8; i++) {
          expect(bit(result, i)).toBe(i < prefix ? bit(bytes, i) : 0)
        }
      }),
    )
  })
})

describe('cidr set', () => {
  it('has an address exactly when one of its blocks does', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), fc.array(block), (blocks, others) => {
        const texts = blocks.map(([address, prefix]) => `${address}/${prefix}`)
        const set = cidrSet(texts)
        const parsed = cidrSet(texts.map((text) => parseCidr(text)))
        for (const [address] of [...blocks, ...others]) {
          const candidate = parseAddress(address)
          const expected = texts.some((text) => contains(parseCidr(text), candidate))
          expect([set.has(candidate), parsed.has(candidate)]).toEqual([expected, expected])
        }
        expect(set.size).toBe(blocks.length)
      }),
    )
  })

  it('tells families apart, even for blocks of everything', () => {
    expect(cidrSet(['0.0.0.0/0']).has(parseAddress('::1'))).toBe(false)
    expect(cidrSet(['::/0']).has(parseAddress('10.0.0.1'))).toBe(false)
    expect(cidrSet([]).has(parseAddress('::1'))).toBe(false)
  })

  it('names the block that is wrong', () => {
    expect(() => cidrSet(['10.0.0.0/8', 'x'], 'acl.allow')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'acl.allow[1]' }),
    )
  })
})
