import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressHash, hash32, hashText } from '../src/index.ts'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

describe('MurmurHash3', () => {
  it.each([
    ['', 0, 0x00000000],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['ffffffff', 0, 0x76293b50],
    ['21436587', 0, 0xf55b516b],
    ['21436587', 0x5082edee, 0x2362f9de],
    ['214365', 0, 0x7e4a8634],
    ['2143', 0, 0xa0f7b07a],
    ['21', 0, 0x72661cf4],
    ['00000000', 0, 0x2362f9de],
    ['000000', 0, 0x85f0b427],
    ['0000', 0, 0x30f4c306],
    ['00', 0, 0x514e28b7],
  ])('of %s with seed %d', (hex, seed, expected) => {
    expect(hash32(bytes(hex), seed)).toBe(expected)
  })

  it.each([
    ['aaaa', 0x5a97808a],
    ['aaa', 0x283e0130],
    ['aa', 0x5d211726],
    ['a', 0x7fa09ea6],
    ['abcd', 0xf0478627],
    ['abc', 0xc84a62dd],
    ['ab', 0x74875592],
    ['Hello, world!', 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x2fa826cd],
  ])('of the text %s', (text, expected) => {
    expect(hashText(text, 0x9747b28c)).toBe(expected)
  })

  it('gives unsigned 32-bit numbers that depend on every byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (input, at) => {
        const hash = hash32(input)
        expect(Number.isInteger(hash) && hash >= 0 && hash <= 0xffffffff).toBe(true)
        const other = Uint8Array.from(input)
        other[at % other.length]! ^= 1
        // One changed bit is one changed block, which the function maps one to one.
        expect(hash32(other)).not.toBe(hash)
      }),
    )
  })
})

describe('address hash', () => {
  it('is that of the bytes, whatever the spelling', () => {
    expect(addressHash('192.0.2.1')).toBe(hash32(bytes('c0000201')))
    expect(addressHash('::ffff:192.0.2.1')).toBe(addressHash('192.0.2.1'))
    expect(addressHash('2001:DB8:0:0::1%eth0')).toBe(addressHash('2001:db8::1'))
    expect(addressHash('2001:db8::1')).toBe(hash32(bytes('20010db8000000000000000000000001')))
  })

  it('takes a text that is no address as it is', () => {
    expect(addressHash('unix')).toBe(hashText('unix'))
    expect(addressHash('')).toBe(0)
    expect(addressHash('not an address, and longer than sixteen bytes', 7)).not.toBe(
      addressHash('not an address, and longer than sixteen bytes', 8),
    )
  })

  it('differs by port, without running through the addresses in step', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(65_535), fc.nat(65_535), (address, a, b) => {
        fc.pre(a !== b)
        expect(addressHash(address, a)).not.toBe(addressHash(address, b))
        expect(addressHash(address, a)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  it('spreads neighbouring addresses and ports evenly', () => {
    const buckets = new Uint32Array(16)
    for (let i = 0; i < 65_536; i++) {
      const address = `10.0.${i >> 8}.${i & 255}`
      buckets[addressHash(address) & 15]! += 1
      buckets[addressHash('10.0.0.1', i) & 15]! += 1
    }
    for (const count of buckets) expect(Math.abs(count - 8_192)).toBeLessThan(500)
  })
})
