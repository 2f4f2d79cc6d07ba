import { checkerSuite } from '@steelyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { type UdpCheckOptions, udpCheck } from '../src/index.ts'
import { nobodyUdp, probe, udpPeer } from './peers.ts'

checkerSuite('udpCheck that wants a reply', {
  makeCheck: () => udpCheck({ mode: 'reply', send: 'ping', expect: 'pong' }),
  well: () => udpPeer(() => 'pong!'),
  unwell: () => udpPeer(() => 'no'),
  silent: () => udpPeer(() => undefined),
})

checkerSuite('udpCheck that wants no ICMP error', {
  makeCheck: () => udpCheck({ mode: 'no-icmp-error', send: 'ping' }),
  well: () => udpPeer(() => 'anything'),
  unwell: nobodyUdp,
  silent: () => udpPeer(() => undefined),
  silence: 'ok',
})

describe('udpCheck', () => {
  const open: { close(): Promise<void> | void }[] = []
  const peer = async (
    answer: (message: Buffer) => string | undefined,
  ): ReturnType<typeof udpPeer> => {
    const started = await udpPeer(answer)
    open.push(started)
    return started
  }
  afterEach(async () => {
    for (const started of open.splice(0)) await started.close()
  })

  it.each(['reply', 'no-icmp-error'] as const)(
    'fails a port that nobody holds, by its ICMP message: %s',
    async (mode) => {
      const target = await nobodyUdp()
      expect(await probe(udpCheck({ mode }), target)).toEqual({
        outcome: 'fail',
        reason: `UDP port of ${target.address} is unreachable (ICMP)`,
        evidence: { code: 'ECONNREFUSED' },
        definite: true,
      })
    },
  )

  it('sends what it is told, an empty datagram by default', async () => {
    const target = await peer(() => 'x')
    await probe(udpCheck({ mode: 'reply' }), target)
    await probe(udpCheck({ mode: 'reply', send: { hex: '00ff' } }), target)
    expect(target.heard.map((message) => message.toString('hex'))).toEqual(['', '00ff'])
  })

  it('compares the answer', async () => {
    const target = await peer(() => 'version 7')
    const ask = (expected: UdpCheckOptions['expect']): ReturnType<typeof probe> =>
      probe(
        udpCheck({ mode: 'reply', ...(expected === undefined ? {} : { expect: expected }) }),
        target,
      )
    expect(await ask(undefined)).toEqual({
      outcome: 'ok',
      reason: `${target.address} answered`,
      evidence: { replyBytes: 9 },
    })
    expect((await ask('version')).outcome).toBe('ok')
    expect((await ask(/ \d$/)).outcome).toBe('ok')
    expect(await ask({ hex: '00' })).toMatchObject({
      outcome: 'fail',
      reason: `${target.address} gave a wrong answer: expected 0x00, got "version 7"`,
    })
  })

  it('tells silence from well or not by its mode', async () => {
    const heard = Promise.withResolvers<void>()
    const target = await peer(() => {
      heard.resolve()
      return undefined
    })
    const time = new AbortController()
    const results = [
      probe(udpCheck({ mode: 'reply' }), target, time.signal),
      probe(udpCheck({ mode: 'no-icmp-error' }), target, time.signal),
    ]
    await heard.promise
    time.abort()
    expect((await Promise.all(results)).map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['fail', `${target.address} did not answer within 5000ms`],
      ['ok', `no ICMP error from ${target.address} within 5000ms`],
    ])
  })

  it('hears an ICMP error that came while our own loop stood still, before silence counts', async () => {
    const target = await nobodyUdp()
    const time = new AbortController()
    const result = probe(udpCheck({ mode: 'no-icmp-error' }), target, time.signal)
    // The datagram is sent two turns from now; then nothing runs until long after the time is up.
    await new Promise((resolve) => setImmediate(resolve))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    time.abort()
    expect((await result).reason).toBe(`UDP port of ${target.address} is unreachable (ICMP)`)
  })

  it('binds the source that it is told, and finds names', async () => {
    const target = await peer(() => 'x')
    const check = udpCheck({ mode: 'reply', source: '127.0.0.1' })
    expect((await probe(check, target)).outcome).toBe('ok')
    const named = { address: `localhost:${target.port}`, host: 'localhost', port: target.port }
    expect(['ok', 'fail']).toContain((await probe(udpCheck({ mode: 'reply' }), named)).outcome)
    const unknown = { address: 'no-such-host.invalid:9', host: 'no-such-host.invalid', port: 9 }
    const result = await probe(udpCheck({ mode: 'reply' }), unknown)
    expect(result.reason).toMatch(/^UDP to no-such-host\.invalid:9 failed: /)
  })

  it('has nothing to say of unix sockets', async () => {
    const target = { address: 'unix:/run/x', host: '/run/x', port: 0 }
    expect((await probe(udpCheck({ mode: 'reply' }), target)).reason).toBe(
      'unix:/run/x is no UDP address',
    )
  })

  it.each([
    [{} as UdpCheckOptions, 'udpCheck.mode: undefined is neither reply nor no-icmp-error'],
    [{ mode: 'no-icmp-error', expect: 'x' }, 'udpCheck.expect: needs an answer'],
    [{ mode: 'reply', send: new Uint8Array(65_508) }, 'udpCheck.send: 65508 bytes do not fit'],
  ] as [UdpCheckOptions, string][])('refuses %j', (options, message) => {
    expect(() => udpCheck(options)).toThrow(message)
  })
})
