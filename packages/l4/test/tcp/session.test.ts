import { getEventListeners } from 'node:events'
import { type AcceptHandler, type HealthCheck, pool, type Transport } from '@steelyard/core'
import { memoryStreams } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { Preread } from '../../src/tcp/preread.ts'
import type { SessionHost } from '../../src/tcp/session-host.ts'
import { tcpBalancer } from '../../src/tcp/tcp-balancer.ts'
import { bytes, memoryBed, nothing, text, uncaughtDuring, vip } from './memory-bed.ts'

const one = ['10.1.0.1:80']
const down = { state: 'down', since: 0, reason: 'test' } as const

/** A check that knows whether it is attached. */
function attachable(): HealthCheck & { attached: number } {
  const check = {
    attached: 0,
    attach() {
      check.attached += 1
      return {
        [Symbol.dispose]: () => {
          check.attached -= 1
        },
      }
    },
  }
  return check
}

describe('tcp session', () => {
  it('passes on what came early, in order, and the FIN behind it', async () => {
    const web = pool({ backends: [{ address: one[0]!, maxConnections: 1 }] })
    const { net, client, accept, records, left } = await memoryBed({ pool: web })
    const first = await client()
    await accept()
    const waiting = await client('one ')
    waiting.send(bytes('two '))
    waiting.send(bytes('three'))
    waiting.end()
    await net.settle()
    first.reset()
    await net.settle()
    const server = await accept()
    expect([text(server), server.ended]).toEqual(['one two three', true])
    server.send(bytes('answer'))
    server.end()
    await net.settle()
    expect([text(waiting), waiting.over]).toEqual(['answer', 'closed'])
    expect(records[1]).toMatchObject({
      reason: 'closed',
      endedBy: 'client',
      bytesFromClient: 13,
      bytesToClient: 6,
    })
    expect(await left()).toEqual(nothing)
  })

  it('keeps little of a client that floods while it waits', async () => {
    const web = pool({ backends: [{ address: one[0]!, maxConnections: 1 }] })
    const network = memoryStreams()
    const read: number[] = []
    const transport: Transport = {
      ...network.transport,
      relay(a, b, options) {
        read.push(a.bytesRead)
        return network.transport.relay(a, b, options)
      },
    }
    const { left, balancer } = await memoryBed({ pool: web, transport })
    const first = network.client(vip)
    await network.settle()
    network.calls[0]!.accept()
    const flood = network.client(vip)
    for (let i = 0; i < 100; i++) flood.send(new Uint8Array(4096))
    await network.settle()
    expect(balancer.stats().queued).toBe(1)
    first.reset()
    await network.settle()
    const server = network.calls[0]!.accept()
    await network.settle()
    expect(read).toEqual([0, 16_384])
    expect(server.received.length).toBe(409_600)
    const leaving = left()
    await network.settle()
    expect(await leaving).toEqual(nothing)
  })

  it('ends by the total time in every phase', async () => {
    const web = pool({ backends: [{ address: one[0]!, maxConnections: 1 }] })
    const { net, clock, client, accept, records, left } = await memoryBed({
      pool: web,
      timeouts: { total: 1000, queue: 0, connect: 0, client: 0, server: 0, halfClosed: 0 },
    })
    await client()
    await accept()
    clock.advance(500)
    await client()
    expect(web.queue.size).toBe(1)
    clock.advance(510)
    await net.settle()
    expect(records).toMatchObject([{ reason: 'total' }])
    clock.advance(500)
    await net.settle()
    expect(records).toMatchObject([{ reason: 'total' }, { reason: 'total', endedBy: 'balancer' }])
    expect(await left()).toEqual(nothing)
  })

  it('waits for the answer to a half-closed request as long as it says, from the FIN on', async () => {
    const { net, clock, client, accept, records, left } = await memoryBed({
      timeouts: { halfClosed: '1m', client: '10m', server: '10m' },
    })
    const end = await client('hello')
    await accept()
    clock.advance(120_000)
    end.end()
    await net.settle()
    clock.advance(59_000)
    await net.settle()
    expect(records).toEqual([])
    clock.advance(9000)
    await net.settle()
    expect(records).toMatchObject([{ reason: 'half-closed' }])
    expect(await left()).toEqual(nothing)
  })

  it('ends only the connection over which a callback throws, and gives its room back', async () => {
    let broken = true
    const { net, client, accept, balancer, records, left } = await memoryBed({
      connectionLimit: 1,
      acl() {
        if (broken) throw new Error('the list broke')
        return true
      },
      onSession() {
        throw new Error('the log broke')
      },
    })
    const errors = await uncaughtDuring(async () => {
      expect((await client()).over).toBe('reset')
      broken = false
      const end = await client('well')
      expect(text(await accept())).toBe('well')
      end.reset()
      await net.settle()
    })
    expect(errors.map((error) => (error as Error).message)).toEqual([
      'the list broke',
      'the log broke',
      'the log broke',
    ])
    expect(records).toMatchObject([
      { reason: 'error', endedBy: 'balancer', error: { cause: { message: 'the list broke' } } },
      { reason: 'reset', endedBy: 'client' },
    ])
    expect(balancer.stats().active).toBe(0)
    expect(await left()).toEqual(nothing)
  })

  it('does not begin a connection that the access list itself has cut', async () => {
    let cut = (): unknown => undefined
    const { net, client, balancer, records, left } = await memoryBed({
      acl: () => {
        cut()
        return true
      },
      acceptProxy: { from: ['10.9.0.0/16'] },
    })
    cut = () => balancer.cut()
    await client('PROXY TCP4 192.0.2.1 10.0.0.1 5 80\r\nhello')
    expect([net.asked.length, records.length]).toEqual([0, 1])
    expect(await left()).toEqual(nothing)
  })

  it('ends at once who has gone while it was parked', async () => {
    const { net, client, accept, records, left } = await memoryBed({
      connectionLimit: 1,
      acceptProxy: { from: ['10.9.0.0/16'] },
      timeouts: { preread: 0 },
    })
    const first = await client('PROXY UNKNOWN\r\n')
    await accept()
    const parked = await client()
    parked.reset()
    await net.settle()
    first.reset()
    await net.settle()
    expect(records).toMatchObject([{ reason: 'reset' }, { reason: 'closed', endedBy: 'client' }])
    expect(await left()).toEqual(nothing)
  })

  it('says who ended it before there was a backend', async () => {
    const { net, clock, client, records, left } = await memoryBed({
      acceptProxy: { from: ['10.9.0.0/16'] },
      timeouts: { preread: 100 },
    })
    const probe = await client()
    probe.end()
    await net.settle()
    await client('PRO')
    clock.advance(110)
    await client('GET / HTTP/1.1\r\n')
    expect(records).toMatchObject([
      { reason: 'closed', endedBy: 'client' },
      { reason: 'preread-timeout', endedBy: 'balancer' },
      { reason: 'proxy-header-invalid', endedBy: 'client' },
    ])
    expect(await left()).toEqual(nothing)
  })

  it('keeps nothing of the lent bytes in the header that it hands on', () => {
    // Version 2, PROXY, TCP over IPv4, 16 bytes: the addresses, and a TLV of type 0xE0 with one byte in it.
    const message = Buffer.from(
      '0d0a0d0a000d0a515549540a 21 11 0010 c0000201 c0000202 0001 0050 e0 0001 2a'.replaceAll(
        ' ',
        '',
      ),
      'hex',
    )
    let tlvs: readonly { readonly value: Uint8Array }[] = []
    const client = { pause() {}, resume() {} } as never
    const preread = new Preread(
      { wheel: { arm() {}, disarm() {} } } as unknown as SessionHost,
      client,
      { proxyVersions: [2], clientHello: false, timeoutMs: 0 },
      {
        proxied(seen) {
          tlvs = seen.tlvs
          return true
        },
        prereadDone() {},
        prereadFailed(reason) {
          throw new Error(reason)
        },
      },
    )
    preread.data(client, message)
    message.fill(0xdd)
    expect(tlvs.map(({ value }) => [...value])).toEqual([[0x2a]])
  })
})

describe('tcp balancer in memory', () => {
  it('tells of those too who were accepted and never let in', async () => {
    const { net, client, balancer, records, left } = await memoryBed({ connectionLimit: 1 })
    await client()
    const parked = await client()
    expect(balancer.stats()).toMatchObject({ active: 1, queued: 1, accepted: 2 })
    await balancer.unlisten()
    await net.settle()
    expect([parked.over, balancer.stats().active]).toEqual(['reset', 1])
    expect(records).toMatchObject([{ reason: 'cut', endedBy: 'balancer', attempts: 0 }])
    expect(await left()).toEqual(nothing)
    expect(records.length).toBe(2)
  })

  it('lets the parked in by the new settings when the limit is raised', async () => {
    const { client, balancer, records, net, left } = await memoryBed({ connectionLimit: 1 })
    await client()
    const parked = await client()
    balancer.reconfigure({ connectionLimit: 2, acl: () => false })
    await net.settle()
    expect(parked.over).toBe('reset')
    expect(records).toMatchObject([{ reason: 'acl-denied' }])
    expect(await left()).toEqual(nothing)
  })

  it('changes nothing when the new options are wrong', async () => {
    const check = attachable()
    const web = pool({ backends: one, check })
    const { balancer, left } = await memoryBed({ pool: web })
    expect(() => balancer.reconfigure({ connectionLimit: -1, pool: pool() })).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'connectionLimit' }),
    )
    expect(check.attached).toBe(1)
    expect(await left()).toEqual(nothing)
    expect(check.attached).toBe(0)
  })

  it('holds on to a pool whose connections are to end with their member', async () => {
    const check = attachable()
    const web = pool({ backends: one, check })
    const { net, balancer, client, accept, records, left } = await memoryBed({
      pool: web,
      whenDown: 'reset',
    })
    await client()
    await accept()
    await client()
    await accept()
    balancer.reconfigure({ pool: pool({ backends: ['10.2.0.1:80'] }), whenDown: 'keep' })
    expect(check.attached).toBe(1)
    web.report(one[0]!, down)
    await net.settle()
    expect(records).toMatchObject([{ reason: 'member-down' }, { reason: 'member-down' }])
    expect(check.attached).toBe(0)
    expect(await left()).toEqual(nothing)
  })

  it('cuts only those on the server that went down, when its name has moved', async () => {
    const web = pool({ backends: [{ id: 'a', address: '10.1.0.1:80' }] })
    const { net, client, accept, records, left } = await memoryBed({ pool: web, whenDown: 'reset' })
    const old = await client()
    await accept()
    web.set([{ id: 'a', address: '10.1.0.2:80' }])
    const fresh = await client()
    await accept()
    web.report('a', down)
    await net.settle()
    expect([old.over, fresh.over]).toEqual([undefined, 'reset'])
    expect(records.length).toBe(1)
    expect(await left()).toEqual(nothing)
  })

  it('lets go of everything when the start fails, and may be stopped all the same', async () => {
    const check = attachable()
    const { net, left } = await memoryBed()
    const second = tcpBalancer({
      listen: '10.0.0.1:80',
      pool: pool({ backends: one, check }),
      transport: net.transport,
    })
    await expect(second.start()).rejects.toMatchObject({ code: 'address-in-use' })
    expect(check.attached).toBe(0)
    await second.stop()
    const third = tcpBalancer({
      listen: '10.0.0.2:80',
      pool: pool({ backends: one, check }),
      transport: net.transport,
      metrics: {
        collect() {
          throw new Error('no metrics')
        },
      } as never,
    })
    await expect(third.start()).rejects.toThrow('no metrics')
    expect([check.attached, net.listeners]).toEqual([0, 1])
    expect(await left()).toEqual(nothing)
  })

  it('stops cleanly while it starts, and unlistens as often as it is told', async () => {
    const { net, balancer, left } = await memoryBed()
    await Promise.all([balancer.unlisten(), balancer.unlisten()])
    await balancer.unlisten()
    expect([net.listeners, balancer.address]).toEqual([0, undefined])
    const starting = tcpBalancer({ listen: '10.0.0.3:80', pool: pool(), transport: net.transport })
    await starting.unlisten()
    const started = starting.start()
    const stopped = starting.stop()
    await Promise.all([started, stopped])
    expect(net.listeners).toBe(0)
    expect(await left()).toEqual(nothing)
  })

  it('turns away whom the transport still brings after the end of listening', async () => {
    const network = memoryStreams()
    let late: AcceptHandler | undefined
    const transport: Transport = {
      ...network.transport,
      listen(target, handler) {
        late = handler
        return network.transport.listen(target, handler)
      },
    }
    const { balancer, records, left } = await memoryBed({ transport })
    await network.transport.listen(
      { host: '10.0.0.9', port: 80 },
      { accepted: (stream) => late!.accepted(stream), failed() {} },
    )
    await balancer.unlisten()
    const end = network.client({ ...vip, address: '10.0.0.9' })
    await network.settle()
    expect(end.over).toBe('reset')
    expect(balancer.stats()).toMatchObject({ accepted: 1, active: 0 })
    expect(records).toMatchObject([{ reason: 'cut' }])
    expect(await left()).toEqual(nothing)
    expect(network.open).toBe(0)
  })

  it('drains until the signal aborts, and leaves no listener on it', async () => {
    const { net, client, accept, balancer, records, clock } = await memoryBed()
    const controller = new AbortController()
    await client()
    await accept()
    const stopped = balancer.stop({ drain: '1h', signal: controller.signal })
    await net.settle()
    expect(records).toEqual([])
    controller.abort()
    await net.settle()
    await stopped
    expect(records).toMatchObject([{ reason: 'drain-deadline' }])
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('leaves no listener on a signal that did not abort', async () => {
    const { net, client, accept, balancer, clock } = await memoryBed()
    const { signal } = new AbortController()
    const end = await client()
    await accept()
    const stopped = balancer.stop({ drain: '1h', signal })
    await net.settle()
    end.reset()
    await net.settle()
    await stopped
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(clock.pending).toBe(0)
  })
})
