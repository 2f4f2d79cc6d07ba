import { type Picker, pool, roundRobin, type Transport } from '@steelyard/core'
import { memoryStreams } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { retryBudget } from '../../src/limits/retry-budget.ts'
import { memoryBed, nothing, text, uncaughtDuring, vip } from './memory-bed.ts'

const three = ['10.1.0.1:80', '10.1.0.2:80', '10.1.0.3:80']

describe('dial', () => {
  it('walks on over those that fail, tries none twice, and lets them pay', async () => {
    const { net, client, balancer, records, pool: web, left } = await memoryBed({ backends: three })
    const end = await client()
    for (let i = 0; i < 3; i++) {
      net.calls[0]!.refuse()
      await net.settle()
    }
    expect(net.asked.map(({ host }) => host)).toEqual(['10.1.0.1', '10.1.0.2', '10.1.0.3'])
    expect(end.over).toBe('reset')
    expect(records).toMatchObject([
      { reason: 'connect-failed', endedBy: 'backend', attempts: 3, error: { source: 'backend' } },
    ])
    expect(records[0]).not.toHaveProperty('backend')
    expect(web.members().map(({ failures }) => failures)).toEqual([1, 1, 1])
    expect(balancer.stats()).toMatchObject({ connectFailures: 3, retries: 2 })
    expect(await left()).toEqual(nothing)
  })

  it('fails at once when we have no descriptor left, and no member pays', async () => {
    const { net, client, records, pool: web, left } = await memoryBed({ backends: three })
    await client()
    net.calls[0]!.refuse('too-many-files')
    await net.settle()
    expect(net.asked.length).toBe(1)
    expect(records).toMatchObject([
      {
        reason: 'connect-failed',
        endedBy: 'balancer',
        error: { source: 'system', cause: { code: 'too-many-files' } },
      },
    ])
    expect(web.members().map(({ failures }) => failures)).toEqual([0, 0, 0])
    expect(await left()).toEqual(nothing)
  })

  it.each(['permission-denied', 'address-not-available'] as const)(
    'asks another member after %s',
    async (code) => {
      const { net, client, accept, left } = await memoryBed()
      const end = await client('hello')
      net.calls[0]!.refuse(code)
      await net.settle()
      expect(text(await accept())).toBe('hello')
      expect(end.over).toBeUndefined()
      expect(await left()).toEqual(nothing)
    },
  )

  it('walks on after a connect that threw, also when it was let out of the queue', async () => {
    const backends = three.slice(0, 2).map((address) => ({ address, maxConnections: 1 }))
    const web = pool({ backends, pick: roundRobin() })
    const { net, client, accept, records, left } = await memoryBed({ pool: web })
    const first = await client()
    await accept()
    await client()
    await accept()
    const waiting = await client('late')
    expect(web.queue.size).toBe(1)
    net.broken = new Error('no such thing')
    first.reset()
    await net.settle()
    // The member that has room failed; the other one is full: it waits for that.
    expect([web.queue.size, waiting.over]).toEqual([1, undefined])
    expect(web.members().map(({ failures }) => failures)).toEqual([0, 0])
    net.broken = undefined
    waiting.reset()
    await net.settle()
    expect(records).toMatchObject([
      { reason: 'reset' },
      { reason: 'reset', endedBy: 'client', attempts: 1 },
    ])
    expect(await left()).toEqual(nothing)
  })

  it('spends the retry budget only when there is somebody left to try', async () => {
    const budget = retryBudget({ percent: 0, minimum: 1 })
    const { net, client, balancer, left } = await memoryBed({
      backends: three.slice(0, 1),
      retryBudget: budget,
    })
    await client()
    net.calls[0]!.refuse()
    await net.settle()
    expect([budget.available, balancer.stats().retries]).toEqual([1, 0])
    expect(await left()).toEqual(nothing)
  })

  it('serves those who wait in the order in which they came', async () => {
    const web = pool({ backends: [{ address: three[0]!, maxConnections: 1 }] })
    const { net, client, accept, balancer, left } = await memoryBed({ pool: web })
    let now = await client('0')
    let server = await accept()
    await client('1')
    const gone = await client('2')
    await client('3')
    expect(balancer.stats().queued).toBe(3)
    gone.reset()
    await net.settle()
    expect(balancer.stats().queued).toBe(2)
    const served = [text(server)]
    for (let i = 0; i < 2; i++) {
      now.reset()
      server.reset()
      await net.settle()
      server = await accept()
      served.push(text(server))
      now = server
    }
    expect(served).toEqual(['0', '1', '3'])
    expect(await left()).toEqual(nothing)
  })

  it('tells how long a client waited that left the queue', async () => {
    const web = pool({ backends: [{ address: three[0]!, maxConnections: 1 }] })
    const { net, clock, client, accept, records, left } = await memoryBed({ pool: web })
    await client()
    await accept()
    const waiting = await client()
    clock.advance(300)
    waiting.reset()
    await net.settle()
    expect(records).toMatchObject([{ queuedMs: 300, attempts: 0, endedBy: 'client' }])
    expect(await left()).toEqual(nothing)
  })

  it('gives up when it was cut from within what the pool tells of a failure', async () => {
    const { net, client, balancer, pool: web, left } = await memoryBed()
    web.on('drained', () => balancer.cut())
    await client()
    web.edit('10.1.0.1:80', { state: 'draining' })
    net.calls[0]!.refuse()
    await net.settle()
    expect([net.asked.length, net.dialled]).toEqual([1, 0])
    expect(await left()).toEqual(nothing)
  })

  it('gives up when it was cut from within what the picker is told of a success', async () => {
    let cut = (): unknown => undefined
    const pick: Picker = {
      name: 'rude',
      key: 'none',
      open(environment) {
        const inner = pickFirst(environment)
        return {
          update: (roster) => inner.update(roster),
          pick: (key, tried) => inner.pick(key, tried),
          observe: () => void cut(),
        }
      },
    }
    const { net, client, accept, balancer, records, left } = await memoryBed({
      pool: pool({ backends: three, pick }),
    })
    cut = () => balancer.cut()
    await client()
    await accept()
    expect(records).toMatchObject([{ reason: 'cut' }])
    expect(net.dialled).toBe(0)
    expect(await left()).toEqual(nothing)
  })

  it('ends the connection, and only that, when the picker throws', async () => {
    let broken = true
    const pick: Picker = {
      name: 'broken',
      key: 'none',
      open(environment) {
        const inner = pickFirst(environment)
        return {
          update: (roster) => inner.update(roster),
          pick(key, tried) {
            if (broken) throw new Error('the picker broke')
            return inner.pick(key, tried)
          },
        }
      },
    }
    const { client, accept, records, left } = await memoryBed({
      pool: pool({ backends: three, pick }),
      connectionLimit: 1,
    })
    const errors = await uncaughtDuring(async () => {
      expect((await client()).over).toBe('reset')
    })
    expect(errors).toMatchObject([{ message: 'the picker broke' }])
    expect(records).toMatchObject([{ reason: 'error', endedBy: 'balancer' }])
    broken = false
    await client('well')
    expect(text(await accept())).toBe('well')
    expect(await left()).toEqual(nothing)
  })

  it('goes on to the next candidate when the member goes down during the connect', async () => {
    const { net, client, accept, pool: web, records, left } = await memoryBed({ whenDown: 'reset' })
    const end = await client('hello')
    const verdict = { state: 'down', since: 0, reason: 'test' } as const
    web.report('10.1.0.1:80', verdict)
    await net.settle()
    expect(net.asked.map(({ host }) => host)).toEqual(['10.1.0.1', '10.1.0.2'])
    expect(text(await accept())).toBe('hello')
    expect([end.over, web.members()[0]!.failures]).toEqual([undefined, 0])
    web.report('10.1.0.2:80', verdict)
    await net.settle()
    expect(end.over).toBe('reset')
    expect(records).toMatchObject([{ reason: 'member-down', backend: '10.1.0.2:80' }])
    expect(await left()).toEqual(nothing)
  })

  it('closes a connection whose introduction throws, and asks the next', async () => {
    const network = memoryStreams()
    let broken = true
    const transport: Transport = {
      ...network.transport,
      connect(target, handler) {
        const stream = network.transport.connect(target, handler)
        if (broken) {
          broken = false
          stream.write = () => {
            throw new Error('no write today')
          }
        }
        return stream
      },
    }
    const { left } = await memoryBed({ transport, sendProxy: 'v1' })
    network.client(vip)
    await network.settle()
    const first = network.calls[0]!.accept()
    await network.settle()
    expect([first.over, network.asked.length, network.dialled]).toEqual(['reset', 2, 1])
    const second = network.calls[0]!.accept()
    await network.settle()
    expect(text(second)).toMatch(/^PROXY TCP4 /)
    const leaving = left()
    await network.settle()
    expect(await leaving).toEqual(nothing)
    expect(network.open).toBe(0)
  })

  it('connects to unix sockets without a source address', async () => {
    const { net, client, left } = await memoryBed({
      backends: ['unix:/run/a.sock'],
      sourceAddresses: ['192.0.2.1'],
      keepAlive: '30s',
    })
    await client()
    expect(net.asked).toEqual([{ path: '/run/a.sock', keepAlive: 30_000 }])
    expect(await left()).toEqual(nothing)
  })

  it('gives a connect up after its time, and the stream with it', async () => {
    const { net, clock, client, accept, records, left } = await memoryBed({
      timeouts: { connect: 100 },
    })
    await client('x')
    const [late] = net.calls
    clock.advance(110)
    expect(late!.over).toBe(true)
    expect(text(await accept())).toBe('x')
    expect(records).toEqual([])
    expect(await left()).toEqual(nothing)
  })
})

const pickFirst: Picker['open'] = roundRobin().open
