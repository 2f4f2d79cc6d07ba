import { describe, expect, it } from 'vitest'
import { proxyFramer } from '../../src/proxy-protocol/framer.ts'
import { proxyHeader } from '../../src/proxy-protocol/header.ts'
import { readUniqueId, uniqueIdTlv } from '../../src/proxy-protocol/tlv.ts'
import { encodeV2 } from '../../src/proxy-protocol/v2.ts'

describe('framer', () => {
  it('keeps nothing of the chunk, also when it is a Node Buffer, whose slice would not copy', () => {
    const source = { address: '203.0.113.7', port: 1, family: 4 as const }
    const tlvs = [uniqueIdTlv(new TextEncoder().encode('mine'))]
    const chunk = Buffer.from(encodeV2(proxyHeader({ source, destination: source, tlvs })))
    const frame = proxyFramer().push(chunk)
    // The range was lent: the next connection's bytes come into the same memory.
    chunk.fill(0x2a)
    expect(new TextDecoder().decode(readUniqueId(frame!.header.tlvs))).toBe('mine')
  })
})
