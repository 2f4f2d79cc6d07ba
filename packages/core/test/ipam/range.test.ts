import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { isSteelyardError } from '../../src/errors.ts'
import { parseAddress } from '../../src/ip/address.ts'
import { addressAt, numberOf } from '../../src/ipam/address-number.ts'
import { formatSpan, formatSpans, parseRange } from '../../src/ipam/range.ts'

const size = (text: string, skip?: boolean): bigint => {
  const { first, last } = parseRange(text, 'x', skip)
  return last - first + 1n
}
const shown = (text: string, skip?: boolean): string => {
  const range = parseRange(text, 'x', skip)
  return formatSpan(range.family, range)
}

describe('range', () => {
  it('reads a single address, a block with host bits, and both ends of a span', () => {
    expect(shown('192.0.2.7')).toBe('192.0.2.7')
    expect(shown('192.0.2.77/24')).toBe('192.0.2.0-192.0.2.255')
    expect(shown(' 192.0.2.7 - 192.0.2.9 ')).toBe('192.0.2.7-192.0.2.9')
    expect(shown('2001:db8::/126')).toBe('2001:db8::-2001:db8::3')
    expect(shown('2001:DB8::1-2001:db8::ffff')).toBe('2001:db8::1-2001:db8::ffff')
    expect(shown('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(size('2001:db8::/64')).toBe(1n << 64n)
    expect(size('0.0.0.0/0')).toBe(1n << 32n)
  })

  it('leaves out network and broadcast only where they mean something, and only when asked', () => {
    expect(shown('192.0.2.0/24', true)).toBe('192.0.2.1-192.0.2.254')
    expect(shown('192.0.2.0/30', true)).toBe('192.0.2.1-192.0.2.2')
    expect(shown('192.0.2.0/31', true)).toBe('192.0.2.0-192.0.2.1')
    expect(shown('192.0.2.0/32', true)).toBe('192.0.2.0')
    expect(shown('192.0.2.0-192.0.2.255', true)).toBe('192.0.2.0-192.0.2.255')
    expect(shown('2001:db8::/126', true)).toBe('2001:db8::1-2001:db8::3')
    expect(shown('2001:db8::/127', true)).toBe('2001:db8::-2001:db8::1')
  })

  it.each([
    ['', 'is not a range'],
    ['192.0.2.9-192.0.2.7', 'ends before it begins'],
    ['192.0.2.1-2001:db8::1', 'begins in one address family'],
    ['192.0.2.1-', 'is not a range'],
    ['192.0.2.1-192.0.2.3-192.0.2.5', 'is not a range'],
    ['192.0.2.0/33', 'is not a block'],
    ['192.0.2.0/24-192.0.3.0/24', 'is not a block'],
    ['010.0.0.1', 'is not a range'],
    ['::/0', 'IPv4-mapped'],
    ['::fffe:0:0-::1:0:0:0', 'IPv4-mapped'],
  ])('refuses %j, saying where and what', (text, problem) => {
    expect(() => parseRange(text, 'pools[3].addresses[0]')).toThrow(
      expect.objectContaining({
        code: 'invalid-option',
        path: 'pools[3].addresses[0]',
        message: expect.stringContaining(problem),
      }),
    )
  })

  it('gives nothing but a range or invalid-option for any text', () => {
    const piece = fc.constantFrom('1', '255', '.', ':', '::', '/', '-', 'f', '%', ' ', '10.0.0.1')
    const texts = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((all) => all.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const { first, last } = parseRange(text)
          expect(first <= last).toBe(true)
        } catch (error) {
          expect(isSteelyardError(error, 'invalid-option')).toBe(true)
        }
      }),
    )
  })

  it('has the ends of a block that ipaddr.js computes', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, prefix) => {
        const text = `${address}/${prefix}`
        const range = parseRange(text)
        expect(addressAt(4, range.first).text).toBe(
          ipaddr.IPv4.networkAddressFromCIDR(text).toString(),
        )
        expect(addressAt(4, range.last).text).toBe(
          ipaddr.IPv4.broadcastAddressFromCIDR(text).toString(),
        )
      }),
    )
  })

  it('numbers addresses so that they lead back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text)
        expect(addressAt(address.family, numberOf(address)).text).toBe(address.text)
      }),
    )
  })

  it('shows only the first few spans of many', () => {
    const spans = [0n, 2n, 4n, 6n, 8n].map((first) => ({ first, last: first }))
    expect(formatSpans(4, spans, 2)).toBe('0.0.0.0, 0.0.0.2 and 3 more')
    expect(formatSpans(4, spans.slice(0, 2), 2)).toBe('0.0.0.0, 0.0.0.2')
  })
})
