import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DescriptorWatch, descriptorLimit } from '../../src/transport/descriptor-watch.ts'
import { ReadBuffer } from '../../src/transport/read-buffer.ts'
import { SendQueue } from '../../src/transport/send-queue.ts'
import { addressText, ipAddress } from '../../src/transport/socket-address.ts'
import { transportError } from '../../src/transport/transport-error.ts'

describe('the send queue', () => {
  it('gives out the bytes that came in, in order, whatever their sizes', () => {
    const operation = fc.oneof(
      fc.record({ append: fc.integer({ min: 0, max: 40_000 }) }),
      fc.constant({ shift: true as const }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const queue = new SendQueue()
        let next = 0
        let expected = 0
        const take = (): boolean => {
          const chunk = queue.shift()
          for (const byte of chunk ?? [])
            if (byte !== expected++ % 251) throw new Error(`byte ${expected} is wrong`)
          return chunk !== undefined
        }
        for (const each of operations) {
          if ('append' in each) {
            const bytes = Uint8Array.from({ length: each.append }, () => next++ % 251)
            queue.append(bytes)
            bytes.fill(0)
          } else take()
          expect(queue.size).toBe(next - expected)
        }
        while (take());
        expect(expected).toBe(next)
        expect(queue.size).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('lets small writes share memory', () => {
    const queue = new SendQueue()
    for (let count = 0; count < 16_384; count++) queue.append(Uint8Array.of(count))
    expect(queue.shift()?.length).toBe(16_384)
    expect(queue.shift()).toBeUndefined()
  })
})

describe('the read buffer', () => {
  it('lends plain arrays, of which `slice` is a copy', () => {
    const memory = new ReadBuffer(1024)
    memory.bytes.fill(7)
    const lent = memory.first(3)
    const copy = lent.slice()
    memory.bytes.fill(8)
    expect([...copy]).toEqual([7, 7, 7])
    expect([...lent]).toEqual([8, 8, 8])
    expect(memory.first(1024)).toBe(memory.bytes)
  })

  it('gives up its outgoing range to who keeps it', () => {
    const memory = new ReadBuffer(1024)
    const first = memory.outgoing(10)
    expect(first.length).toBe(10)
    expect(memory.outgoing(20).buffer).toBe(first.buffer)
    memory.keepOutgoing()
    expect(memory.outgoing(10).buffer).not.toBe(first.buffer)
    expect(first.buffer).not.toBe(memory.bytes.buffer)
  })
})

describe('the descriptor watch', () => {
  it('tells once that the table is full, and again only after relief', () => {
    const watch = new DescriptorWatch(100)
    expect([50, 98].map((fd) => watch.exhausted(fd))).toEqual([false, false])
    expect([99, 99, 99].map((fd) => watch.exhausted(fd))).toEqual([true, false, false])
    expect([90, 99].map((fd) => watch.exhausted(fd))).toEqual([false, false])
    expect([83, 99].map((fd) => watch.exhausted(fd))).toEqual([false, true])
  })

  it('knows the limit on Linux, and none elsewhere', () => {
    const limit = descriptorLimit()
    if (process.platform === 'linux') expect(Number.isInteger(limit)).toBe(true)
    expect(limit).toBeGreaterThan(16)
    expect(new DescriptorWatch(Number.POSITIVE_INFINITY).exhausted(1e9)).toBe(false)
  })
})

describe('transport errors', () => {
  const at = '192.0.2.1:80'
  const of = (code: string, action: Parameters<typeof transportError>[1] = 'connect') =>
    transportError({ code }, action, at, 'backend')

  it('say what, where and why', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const error = transportError(cause, 'connect', at, 'backend')
    expect(error.message).toBe('connect 192.0.2.1:80: connection refused (ECONNREFUSED)')
    expect(error.cause).toBe(cause)
    expect(error).toMatchObject({ code: 'connection-refused', source: 'backend', retryable: true })
  })

  it('take a bare errno', () => {
    expect(transportError(-104, 'read', at, 'client')).toMatchObject({
      code: 'connection-reset',
      source: 'client',
      retryable: false,
      message: 'read 192.0.2.1:80: connection reset by the peer (ECONNRESET)',
    })
  })

  it('blame this machine for its own failures, and the peer for the rest', () => {
    for (const code of ['EMFILE', 'ENFILE', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EMSGSIZE']) {
      expect(of(code).source).toBe('system')
    }
    for (const code of ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EPIPE']) {
      expect(of(code).source).toBe('backend')
    }
  })

  it('may be retried before anything was sent, unless it cannot help', () => {
    expect(of('ETIMEDOUT', 'connect').retryable).toBe(true)
    expect(of('ETIMEDOUT', 'read').retryable).toBe(false)
    expect(of('EACCES', 'connect').retryable).toBe(false)
    expect(of('EADDRINUSE', 'listen').retryable).toBe(true)
  })

  it('call what they do not know `io`, and name it', () => {
    expect(of('EWHATEVER')).toMatchObject({
      code: 'io',
      message: `connect ${at}: input or output failed (EWHATEVER)`,
    })
    expect(transportError(undefined, 'read', at, 'peer').code).toBe('io')
  })
})

describe('addresses', () => {
  it('of IPv4 peers of a dual-stack socket are IPv4', () => {
    expect(ipAddress({ address: '::ffff:192.0.2.7', port: 1, family: 'IPv6' })).toEqual({
      address: '192.0.2.7',
      port: 1,
      family: 4,
    })
    expect(ipAddress({ address: '2001:db8::1', port: 2 })).toMatchObject({ family: 6 })
    expect(ipAddress({})).toEqual({ address: '', port: 0, family: 4 })
  })

  it('are written for people', () => {
    expect(addressText({ address: '::1', port: 80, family: 6 })).toBe('[::1]:80')
    expect(addressText({ address: '192.0.2.1', port: 80, family: 4 })).toBe('192.0.2.1:80')
    expect(addressText({ address: '/x', port: 0, family: 'unix', path: '/x' })).toBe('unix:/x')
    expect(addressText({ address: '', port: 0, family: 'unix' })).toBe('unix socket')
    expect(addressText({ address: '', port: 0, family: 4 })).toBe('unknown address')
  })
})
