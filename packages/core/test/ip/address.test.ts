import { isIP, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { isSteelyardError } from '../../src/index.ts'
import { addressOf, parseAddress, tryParseAddress } from '../../src/ip/index.ts'

/** Text that is an address nearly or wholly. */
export const nearlyAddress: fc.Arbitrary<string> = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.string(),
  fc
    .array(
      fc.constantFrom(
        '0',
        '1',
        '255',
        '256',
        'f',
        'FFFF',
        '01',
        'g',
        '.',
        ':',
        '::',
        '%',
        '/',
        ' ',
        '-',
        '1.2.3.4',
        'ffff',
      ),
      { maxLength: 14 },
    )
    .map((parts) => parts.join('')),
  fc
    .tuple(fc.ipV6(), fc.nat(40), fc.constantFrom('', ':', '0', '.', 'x'))
    .map(([text, at, piece]) => `${text.slice(0, at)}${piece}${text.slice(at + 1)}`),
)

describe('address', () => {
  it.each([
    ['192.0.2.1', 4, '192.0.2.1'],
    ['0.0.0.0', 4, '0.0.0.0'],
    ['255.255.255.255', 4, '255.255.255.255'],
    ['::', 6, '::'],
    ['::1', 6, '::1'],
    ['2001:DB8:0:0:1:0:0:1', 6, '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', 6, '2001:db8:0:1:1:1:1:1'],
    ['1::2:3:4:5:6:7', 6, '1:0:2:3:4:5:6:7'],
    ['fe80::1%eth0.100', 6, 'fe80::1'],
    ['::ffff:192.0.2.1', 4, '192.0.2.1'],
    ['::FFFF:c000:0201', 4, '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', 4, '192.0.2.1'],
    ['::ffff:192.0.2.1%3', 4, '192.0.2.1'],
    // IPv4-compatible (RFC 4291 §2.5.5.1) is not IPv4-mapped: it stays an IPv6 address.
    ['::192.0.2.1', 6, '::c000:201'],
    ['64:ff9b::192.0.2.33', 6, '64:ff9b::c000:221'],
    ['::fffe:192.0.2.1', 6, '::fffe:c000:201'],
  ] as const)('reads %s', (text, family, short) => {
    const address = parseAddress(text)
    expect([address.family, address.text]).toEqual([family, short])
    expect(address.bytes.length).toBe(family === 4 ? 4 : 16)
    expect(Object.isFrozen(address)).toBe(true)
  })

  it.each([
    '',
    ' ',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.04',
    '0x7f.0.0.1',
    '1.2.3.4 ',
    '1.2.3.4%eth0',
    '.1.2.3',
    '1..2.3',
    '1.2.3.',
    ':',
    ':::',
    '::1::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1:2:3:4:5:6:7::8',
    '12345::',
    ':1::2',
    '1::2:',
    'g::',
    '::ffff:010.0.0.1',
    '::ffff:0x7f.0.0.1',
    '::1.2.3',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::%',
    '::1%a b',
    '::1%a%b',
    '::1%a/b',
    `::1%${'x'.repeat(65)}`,
    '[::1]',
    '１.2.3.4',
    '1.2.3.4\n',
    'localhost',
  ])('refuses %j', (text) => {
    expect(tryParseAddress(text)).toBeUndefined()
    expect(() => parseAddress(text, 'vip')).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'vip' }),
    )
  })

  it('takes what is no text for no address', () => {
    for (const value of [undefined, null, 7, {}, []]) {
      expect(tryParseAddress(value as string)).toBeUndefined()
    }
  })

  it('accepts exactly what the system accepts, for any text', () => {
    fc.assert(
      fc.property(nearlyAddress, (text) => {
        // Zones are ours to judge: the system takes only some characters.
        fc.pre(!text.includes('%'))
        expect(tryParseAddress(text) !== undefined).toBe(isIP(text) > 0)
      }),
      { numRuns: 3000 },
    )
  })

  it('means the bytes and the shortest text that ipaddr.js finds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.boolean(), (bytes, zeros) => {
        if (zeros) for (let i = 0; i < 16; i++) if (bytes[i]! & 1) bytes[i] = 0
        const theirs = ipaddr.fromByteArray([...bytes])
        const ours = addressOf(bytes)
        expect(ours.text).toBe(theirs.toString())
        for (const text of [theirs.toString(), theirs.toNormalizedString()]) {
          expect([...parseAddress(text).bytes]).toEqual([...bytes])
        }
        const four = bytes.slice(0, 4)
        expect(addressOf(four).text).toBe(ipaddr.fromByteArray([...four]).toString())
        expect([...parseAddress(addressOf(four).text).bytes]).toEqual([...four])
      }),
    )
  })

  it('agrees with itself whether it comes from bytes or from text, IPv4-mapped too', () => {
    const mapped = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1])
    expect(addressOf(mapped)).toEqual(parseAddress('192.0.2.1'))
    fc.assert(
      fc.property(nearlyAddress, (text) => {
        const address = tryParseAddress(text)
        if (address === undefined) return
        expect(addressOf(address.bytes)).toEqual(address)
        expect(parseAddress(address.text)).toEqual(address)
        expect(address.family === 4 ? isIPv4(address.text) : isIPv6(address.text)).toBe(true)
      }),
    )
  })

  it('keeps no hold on the bytes given, and takes 4 or 16 only', () => {
    const bytes = Uint8Array.from([1, 2, 3, 4])
    const address = addressOf(bytes)
    bytes[0] = 9
    expect(address.bytes[0]).toBe(1)
    for (const length of [0, 3, 5, 15, 17]) {
      expect(() => addressOf(new Uint8Array(length))).toThrow(RangeError)
    }
  })

  it('fails with invalid-option and nothing else, for any text', () => {
    fc.assert(
      fc.property(nearlyAddress, (text) => {
        try {
          parseAddress(text)
        } catch (error) {
          expect(isSteelyardError(error, 'invalid-option')).toBe(true)
        }
      }),
    )
  })
})
