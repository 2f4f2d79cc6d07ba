import { DecodeError } from '@steelyard/core/bytes'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../src/proxy-protocol/crc32c.ts'
import { decodeProxyHeader, type ProxyFrame, proxyFramer } from '../../src/proxy-protocol/framer.ts'
import { localProxyHeader, type ProxyHeader, proxyHeader } from '../../src/proxy-protocol/header.ts'
import { readSsl, sslTlv } from '../../src/proxy-protocol/ssl-tlv.ts'
import {
  alpnTlv,
  authorityTlv,
  netnsTlv,
  noopTlv,
  readAlpn,
  readAuthority,
  readNetns,
  readUniqueId,
  TlvType,
  uniqueIdTlv,
} from '../../src/proxy-protocol/tlv.ts'
import { encodeV1 } from '../../src/proxy-protocol/v1.ts'
import { encodeV2 } from '../../src/proxy-protocol/v2.ts'
import { ascii, haproxy, hex, signature } from './vectors.ts'

const decode = (bytes: Uint8Array): ProxyHeader => decodeProxyHeader(bytes).header
const line = (text: string): Uint8Array => ascii(`${text}\r\n`)

/** The failure as data, so that two ways to the same bytes can be compared. */
function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { offset: error.offset, field: error.field, message: error.message }
  }
}

describe('version 1', () => {
  it('reads what HAProxy sends', () => {
    expect(decode(haproxy.v1)).toEqual({
      version: 1,
      command: 'proxy',
      family: 4,
      transport: 'stream',
      source: { address: '127.0.0.1', port: 48394, family: 4 },
      destination: { address: '127.0.0.1', port: 9821, family: 4 },
      tlvs: [],
    })
    expect(decode(haproxy.v1six)).toMatchObject({
      family: 6,
      source: { address: '::1', port: 39750, family: 6 },
      destination: { address: '::1', port: 9822 },
    })
  })

  it('writes what it reads', () => {
    expect(encodeV1(decode(haproxy.v1))).toEqual(haproxy.v1)
    expect(encodeV1(decode(haproxy.v1six))).toEqual(haproxy.v1six)
  })

  it('takes UNKNOWN with anything behind it, up to 107 bytes', () => {
    const longest = line(`PROXY UNKNOWN ${'x'.repeat(91)}`)
    expect(longest.length).toBe(107)
    for (const bytes of [line('PROXY UNKNOWN'), line('PROXY UNKNOWN ff::1 what ever'), longest]) {
      const { header, consumed } = decodeProxyHeader(bytes)
      expect(header).toMatchObject({ command: 'proxy', family: 'unspec', source: undefined })
      expect(consumed).toBe(bytes.length)
    }
  })

  it('keeps IPv4-mapped addresses in IPv6, and writes IPv6 in its shortest form', () => {
    const header = decode(line('PROXY TCP6 ::FFFF:192.0.2.1 2001:DB8:0:0:0:0:0:7 1 65535'))
    expect(header.source?.address).toBe('::ffff:192.0.2.1')
    expect(header.destination?.address).toBe('2001:db8::7')
    expect(encodeV1(header)).toEqual(line('PROXY TCP6 ::ffff:192.0.2.1 2001:db8::7 1 65535'))
  })

  const wrong: Record<string, Uint8Array> = {
    'no header at all': ascii('GET / HTTP/1.1\r\n\r\n'),
    'a lower-case keyword': line('proxy TCP4 1.2.3.4 1.2.3.4 1 2'),
    'no CRLF within 107 bytes': ascii(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`),
    'a bare line feed': ascii('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n'),
    'a bare carriage return': ascii('PROXY TCP4 1.2.3.4\r1.2.3.4 1 2\r\n'),
    'a bare line feed behind UNKNOWN': ascii('PROXY UNKNOWN a\nb\r\n'),
    'two carriage returns': ascii('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n'),
    'another protocol': line('PROXY TCP5 1.2.3.4 1.2.3.4 1 2'),
    'a word that begins with UNKNOWN': line('PROXY UNKNOWNS'),
    'two spaces': line('PROXY TCP4  1.2.3.4 1.2.3.4 1 2'),
    'a tab': line('PROXY TCP4\t1.2.3.4 1.2.3.4 1 2'),
    'a space at the end': line('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 '),
    'a missing port': line('PROXY TCP4 1.2.3.4 1.2.3.4 1'),
    'a port too large': line('PROXY TCP4 1.2.3.4 1.2.3.4 1 65536'),
    'a port with a leading zero': line('PROXY TCP4 1.2.3.4 1.2.3.4 01 2'),
    'a negative port': line('PROXY TCP4 1.2.3.4 1.2.3.4 -1 2'),
    'an octet with a leading zero': line('PROXY TCP4 1.2.3.04 1.2.3.4 1 2'),
    'an octet over 255': line('PROXY TCP4 1.2.3.256 1.2.3.4 1 2'),
    'three octets': line('PROXY TCP4 1.2.3 1.2.3.4 1 2'),
    'IPv6 under TCP4': line('PROXY TCP4 ::1 ::1 1 2'),
    'IPv4 under TCP6': line('PROXY TCP6 1.2.3.4 1.2.3.4 1 2'),
    'a zone': line('PROXY TCP6 fe80::1%1 ::1 1 2'),
    'two double colons': line('PROXY TCP6 1::2::3 ::1 1 2'),
    'too many groups': line('PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2'),
    'a host name': line('PROXY TCP4 localhost 1.2.3.4 1 2'),
    'a NUL': line('PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2'),
  }
  for (const [name, bytes] of Object.entries(wrong)) {
    it(`refuses ${name}`, () => {
      expect(() => decode(bytes)).toThrow(DecodeError)
    })
  }
})

describe('version 2', () => {
  it('reads what HAProxy sends, with its CRC32c', () => {
    expect(decode(haproxy.v2)).toMatchObject({
      version: 2,
      command: 'proxy',
      family: 4,
      transport: 'stream',
      source: { address: '127.0.0.1', port: 42822, family: 4 },
      destination: { address: '127.0.0.1', port: 9823, family: 4 },
    })
    expect(readUniqueId(decode(haproxy.v2).tlvs)).toEqual(ascii('127.0.0.1-42822-id'))
    expect(decode(haproxy.v2six)).toMatchObject({ source: { address: '::1', port: 44560 } })
    expect(decode(haproxy.v2unspec)).toMatchObject({ command: 'local', family: 'unspec', tlvs: [] })
  })

  it('reads every kind of TLV that HAProxy sends', () => {
    const { tlvs } = decode(haproxy.v2tls)
    expect(readAlpn(tlvs)).toBe('h2')
    expect(readAuthority(tlvs)).toBe('www.example.com')
    expect(readNetns(tlvs)).toBeUndefined()
    expect(readSsl(tlvs)).toEqual({
      tls: true,
      certificateOnConnection: true,
      certificateInSession: true,
      verify: 0,
      version: 'TLSv1.3',
      commonName: 'client one',
      keyAlgorithm: 'EC256',
      signatureAlgorithm: 'ecdsa-with-SHA256',
      cipher: 'TLS_AES_256_GCM_SHA384',
    })
  })

  it('notices any single wrong bit under a CRC32c', () => {
    for (let bit = 0; bit < haproxy.v2.length * 8; bit++) {
      const bytes = haproxy.v2.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const result = outcome(() => decodeProxyHeader(bytes))
      const refused = 'message' in (result as object)
      // Not for the checksum to find: what makes the block one to skip (LOCAL, unspecified family or
      // transport), and what makes the checksum's own TLV an unknown one.
      const excused = [12 * 8, 13 * 8, 13 * 8 + 4].includes(bit) || bit >> 3 === 28
      expect(refused || excused, `bit ${bit}`).toBe(true)
    }
  })

  it('knows the checksum of the reference string (RFC 3720, B.4 gives others)', () => {
    expect(crc32c(ascii('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(ascii('6789'), crc32c(ascii('12345')))).toBe(0xe3069283)
  })

  it('reads and writes unix sockets, abstract names included', () => {
    const source = { address: '/run/ä.sock', path: '/run/ä.sock', port: 0, family: 'unix' } as const
    const destination = { address: '\0a\0b', path: '\0a\0b', port: 0, family: 'unix' } as const
    const bytes = encodeV2(proxyHeader({ source, destination, tlvs: [netnsTlv('blue')] }))
    expect(bytes.length).toBe(16 + 216 + 7)
    expect(bytes[13]).toBe(0x31)
    const header = decode(bytes)
    expect(header).toMatchObject({ source, destination, family: 'unix', transport: 'stream' })
    expect(readNetns(header.tlvs)).toBe('blue')
  })

  it('skips whatever stands in a LOCAL block, and keeps its TLVs when there are some', () => {
    expect(decodeProxyHeader(hex(`${signature} 20 ff 0003 010203`))).toMatchObject({
      consumed: 19,
      header: { command: 'local', source: undefined, tlvs: [] },
    })
    expect(decode(hex(`${signature} 20 00 0004 04 0001 00`)).tlvs).toEqual([
      { type: 4, value: hex('00') },
    ])
    expect(decode(encodeV2(localProxyHeader(), { crc32c: true })).tlvs.length).toBe(1)
  })

  it('takes unspecified families and transports without addresses', () => {
    expect(decode(hex(`${signature} 21 00 0002 0102`))).toMatchObject({
      command: 'proxy',
      family: 'unspec',
      transport: 'unspec',
      source: undefined,
      tlvs: [],
    })
    expect(decode(hex(`${signature} 21 01 0000`))).toMatchObject({ transport: 'stream' })
    expect(decode(hex(`${signature} 21 10 0008 0102030405060708`))).toMatchObject({
      family: 4,
      transport: 'unspec',
      destination: undefined,
    })
  })

  const v4 = '7f000001 7f000001 0001 0002'
  const wrong: Record<string, string> = {
    'a broken signature': '0d0a0d0a000d0a515549540b 21 11 000c',
    'version 1 in binary': `${signature} 11 11 000c ${v4}`,
    'version 3': `${signature} 31 11 000c ${v4}`,
    'an undefined command': `${signature} 22 11 000c ${v4}`,
    'an undefined family': `${signature} 21 41 000c ${v4}`,
    'an undefined transport': `${signature} 21 13 000c ${v4}`,
    'a length too short for the addresses': `${signature} 21 11 000b 7f000001 7f000001 0001 00`,
    'a length too short for IPv6': `${signature} 21 21 000c ${v4}`,
    'a TLV over the end': `${signature} 21 11 0010 ${v4} 04 0002 00`,
    'half a TLV header': `${signature} 21 11 000e ${v4} 04 00`,
    'a CRC32c of wrong length': `${signature} 21 11 0011 ${v4} 03 0002 0000`,
    'two CRC32c': `${signature} 21 11 001a ${v4} 03 0004 00000000 03 0004 00000000`,
    'a wrong CRC32c': `${signature} 21 11 0013 ${v4} 03 0004 00000000`,
    'a wrong CRC32c in LOCAL': `${signature} 20 00 0007 03 0004 00000000`,
    'a header over the limit': `${signature} 21 11 0ff1 ${v4}`,
  }
  for (const [name, text] of Object.entries(wrong)) {
    it(`refuses ${name}`, () => {
      expect(() => decode(hex(text))).toThrow(DecodeError)
    })
  }

  it('bounds its length as configured, and accepts exactly the limit', () => {
    const header = proxyHeader({
      source: { address: '192.0.2.1', port: 1, family: 4 },
      destination: { address: '192.0.2.2', port: 2, family: 4 },
      tlvs: [noopTlv(4096 - 28)],
    })
    const bytes = encodeV2(header)
    expect(bytes.length).toBe(4096)
    expect(decodeProxyHeader(bytes).consumed).toBe(4096)
    expect(() => decodeProxyHeader(bytes, { maxV2Length: 4095 })).toThrow('more than 4095')
    const larger = encodeV2({ ...header, tlvs: [noopTlv(65_535 - 12)] })
    expect(decodeProxyHeader(larger, { maxV2Length: 65_551 }).consumed).toBe(65_551)
    expect(() => proxyFramer({ maxV2Length: 65_552 })).toThrow('maxV2Length')
  })

  it('refuses TLVs whose content is not what their type says, when they are read', () => {
    const tlv = (type: number, value: string): { type: number; value: Uint8Array }[] => [
      { type, value: hex(value) },
    ]
    expect(() => readAlpn(tlv(TlvType.alpn, ''))).toThrow(DecodeError)
    expect(() => readAuthority(tlv(TlvType.authority, '6100'))).toThrow('control character')
    expect(() => readAuthority(tlv(TlvType.authority, 'ff'))).toThrow('UTF-8')
    expect(() => readUniqueId(tlv(TlvType.uniqueId, '00'.repeat(129)))).toThrow('128')
    expect(readUniqueId(tlv(TlvType.uniqueId, '00'.repeat(128)))?.length).toBe(128)
    expect(() => readSsl(tlv(TlvType.ssl, '01000000'))).toThrow('ssl verify')
    expect(() => readSsl(tlv(TlvType.ssl, '0100000000 21 0009 00'))).toThrow('tlv value')
  })
})

describe('what goes out', () => {
  const v4 = (address: string, port: number) => ({ address, port, family: 4 as const })
  const v6 = (address: string, port: number) => ({ address, port, family: 6 as const })

  it('gives both addresses one family', () => {
    const mapped = v6('::ffff:192.0.2.1', 7)
    expect(proxyHeader({ source: mapped, destination: v6('::ffff:192.0.2.9', 8) })).toMatchObject({
      family: 4,
      source: v4('192.0.2.1', 7),
      destination: v4('192.0.2.9', 8),
    })
    const mixed = proxyHeader({ source: mapped, destination: v6('2001:db8::9', 8) })
    expect(mixed).toMatchObject({ family: 6, source: mapped })
    expect(encodeV2(mixed)[13]).toBe(0x21)
    const odd = proxyHeader({ source: v4('192.0.2.1', 7), destination: v6('2001:db8::9', 8) })
    expect(encodeV1(odd)).toEqual(line('PROXY TCP6 ::ffff:192.0.2.1 2001:db8::9 7 8'))
    const unix = { address: '/a', path: '/a', port: 0, family: 'unix' as const }
    const unspec = proxyHeader({ source: unix, destination: v4('192.0.2.1', 7) })
    expect(encodeV1(unspec)).toEqual(line('PROXY UNKNOWN'))
    expect(encodeV2(unspec)).toEqual(hex(`${signature} 21 00 0000`))
  })

  it('says UNKNOWN in version 1 for what the line cannot say', () => {
    const datagram = proxyHeader({
      source: v4('192.0.2.1', 7),
      destination: v4('192.0.2.2', 7),
      transport: 'datagram',
    })
    for (const header of [datagram, localProxyHeader()]) {
      expect(encodeV1(header)).toEqual(line('PROXY UNKNOWN'))
    }
    expect(encodeV2(datagram)[13]).toBe(0x12)
  })

  it('drops zones, and refuses addresses that are none', () => {
    const header = proxyHeader({ source: v6('fe80::1%eth0', 1), destination: v6('::1', 2) })
    expect(encodeV1(header)).toEqual(line('PROXY TCP6 fe80::1 ::1 1 2'))
    const wrong = { ...header, source: v6('nobody', 1) }
    expect(() => encodeV2(wrong)).toThrow('source.address')
    expect(() => encodeV1({ ...header, source: v6('::1', 65_536) })).toThrow('source.port')
  })

  it('renews a checksum that came in', () => {
    const header = decode(haproxy.v2)
    const bytes = encodeV2({ ...header, source: v4('192.0.2.1', 1) })
    expect(decode(bytes).source).toEqual(v4('192.0.2.1', 1))
  })

  it('refuses a header that would be too long', () => {
    const tlvs = [noopTlv(40_000), noopTlv(40_000)]
    expect(() => encodeV2(localProxyHeader(tlvs))).toThrow('more than 65535')
    expect(() => uniqueIdTlv(new Uint8Array(129))).toThrow('uniqueId')
  })
})

const port = fc.integer({ min: 0, max: 65_535 })
const tlvs = fc.array(
  fc.oneof(
    fc.record({
      type: fc.integer({ min: 0, max: 255 }).filter((type) => type !== TlvType.crc32c),
      value: fc.uint8Array({ maxLength: 60 }),
    }),
    fc.constantFrom(
      alpnTlv('h2'),
      authorityTlv('例え.example'),
      sslTlv({
        tls: true,
        certificateOnConnection: true,
        certificateInSession: false,
        verify: 20,
        group: 'X25519',
        signatureScheme: 'ed25519',
        clientCertificate: ascii('not really DER'),
        unknown: [{ type: 0x2f, value: ascii('later') }],
      }),
    ),
  ),
  { maxLength: 5 },
)
const pair = fc.oneof(
  fc.tuple(fc.ipV4(), port, fc.ipV4(), port, fc.constant(4 as const)),
  fc.tuple(fc.ipV6(), port, fc.ipV6(), port, fc.constant(6 as const)),
)
const headers = fc
  .tuple(pair, fc.constantFrom('stream' as const, 'datagram' as const), tlvs)
  .map(([[source, from, destination, to, family], transport, list]) =>
    proxyHeader({
      source: { address: source, port: from, family },
      destination: { address: destination, port: to, family },
      transport,
      tlvs: list,
    }),
  )

describe('properties', () => {
  it('version 2 survives the round trip, with and without checksum', () => {
    fc.assert(
      fc.property(headers, fc.boolean(), (header, crc) => {
        const once = decode(encodeV2(header, { crc32c: crc }))
        expect(once.tlvs.filter((t) => t.type !== TlvType.crc32c)).toEqual(header.tlvs)
        expect(once.source?.port).toBe(header.source?.port)
        expect(decode(encodeV2(once))).toEqual(once)
        expect(encodeV2(decode(encodeV2(once)))).toEqual(encodeV2(once))
      }),
    )
  })

  it('version 1 survives the round trip and says the same as version 2', () => {
    fc.assert(
      fc.property(headers, (header) => {
        const one = decode(encodeV1(header))
        expect(encodeV1(one)).toEqual(encodeV1(header))
        if (header.transport === 'stream') {
          const { source, destination } = decode(encodeV2(header))
          expect(one).toMatchObject({ source, destination })
        }
      }),
    )
  })

  const mostlyHeaders = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 120 }).map((rest) => Uint8Array.of(...hex(signature), ...rest)),
    fc
      .uint8Array({ maxLength: 120 })
      .map((rest) => Uint8Array.of(...hex(`${signature} 21`), ...rest)),
    fc
      .string({ unit: fc.constantFrom(...' TCP46UNKOW0123456789.:af\r\n'), maxLength: 110 })
      .map((text) => ascii(`PROXY ${text}`)),
    fc
      .tuple(headers, fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 255 }), fc.nat(3))
      .map(([header, at, byte, how]) => {
        const bytes = how === 0 ? encodeV1(header) : encodeV2(header, { crc32c: how === 1 })
        bytes[at % bytes.length] = byte
        return Uint8Array.of(...bytes, 1, 2, 3)
      }),
  )

  it('any bytes give a header, a wish for more, or a DecodeError; so do the typed readers', () => {
    fc.assert(
      fc.property(mostlyHeaders, (bytes) => {
        outcome(() => {
          const frame = proxyFramer().push(bytes)
          for (const read of [readAlpn, readAuthority, readUniqueId, readNetns, readSsl]) {
            if (frame !== undefined) outcome(() => read(frame.header.tlvs))
          }
        })
      }),
      { numRuns: 1000 },
    )
  })

  it('byte by byte, or in any chunks, the result is the same as in one piece', () => {
    fc.assert(
      fc.property(
        mostlyHeaders,
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (bytes, cuts) => {
          const whole = outcome(() => proxyFramer().push(bytes))
          const inPieces = (next: () => number): unknown => {
            const framer = proxyFramer()
            for (let at = 0; at < bytes.length; ) {
              const chunk = bytes.slice(at, at + next())
              const frame = outcome(() => framer.push(chunk)) as ProxyFrame | undefined
              // The range is only lent.
              chunk.fill(0xaa)
              if (frame !== undefined) {
                return 'header' in frame ? { ...frame, consumed: at + frame.consumed } : frame
              }
              at += chunk.length
              expect(framer.held).toBe(at)
            }
            return undefined
          }
          expect(inPieces(() => 1)).toEqual(whole)
          expect(inPieces(() => cuts.next().value as number)).toEqual(whole)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('holds no more than one header, whatever the chunk', () => {
    const framer = proxyFramer({ maxV2Length: 64 })
    expect(framer.push(hex(`${signature} 21`))).toBeUndefined()
    expect(framer.held).toBe(13)
    expect(() => framer.push(new Uint8Array(100_000).fill(0xff))).toThrow(DecodeError)
    expect(framer.held).toBeLessThanOrEqual(107)
  })

  it('accepts only the versions that it is told to', () => {
    expect(() => decodeProxyHeader(haproxy.v1, { versions: [2] })).toThrow(DecodeError)
    expect(() => decodeProxyHeader(haproxy.v2, { versions: [1] })).toThrow(DecodeError)
    expect(decodeProxyHeader(haproxy.v2, { versions: [2] }).header.version).toBe(2)
    expect(() => decodeProxyHeader(haproxy.v1.subarray(0, 20))).toThrow('ends before')
  })
})
