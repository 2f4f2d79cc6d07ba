import { backend, silentLog, timerWheel } from '@steelyard/core'
import { manualClock, memoryStreams } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { upstreamConnections } from '../../src/backend/upstream-connections.ts'
import type { UpstreamOptions } from '../../src/backend/upstream-options.ts'
import {
  type Bed,
  bed,
  bytes,
  clientFacts,
  type Exchange,
  member,
  nothing,
  ok,
  requestHead,
  text,
} from './bed.ts'

const get = () => requestHead('GET', '/')

describe('reuse', () => {
  it('serves one exchange after the other on one connection, told at once', async () => {
    const { idle, seek, net, connections, left } = bed()
    const end = await idle()
    for (let i = 0; i < 5; i++) {
      const x = seek()
      expect(x.told).toEqual(['connected'])
      expect(x.search).toBeUndefined()
      expect(x.leg!.reused).toBe(true)
      x.send(requestHead('GET', `/${i}`))
      await net.settle()
      expect(text(end.received)).toContain(`GET /${i} `)
      end.send(bytes(ok))
      await net.settle()
      expect(x.body).toBe('ok')
    }
    expect(connections.stats!()).toMatchObject({ opened: 1, reused: 5, open: 1, idle: 1 })
    expect(await left()).toEqual(nothing)
  })

  it('has the connection ready when the end is told, for whoever waits for it', async () => {
    const { fresh, seek, net, connections, left } = bed()
    const { x, end } = await fresh()
    let next: Exchange | undefined
    x.during = (what) => {
      if (what !== 'end') return
      next = seek()
      next.send(requestHead('GET', '/next'))
    }
    x.send(get())
    await net.settle()
    end.send(bytes(ok))
    await net.settle()
    expect(next!.leg!.reused).toBe(true)
    expect(text(end.received)).toContain('GET /next ')
    end.send(bytes('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone'))
    await net.settle()
    expect(x).toMatchObject({ status: 200, body: 'ok' })
    expect(next).toMatchObject({ status: 404, body: 'none' })
    expect(connections.open).toBe(1)
    expect(await left()).toEqual(nothing)
  })

  it('takes the one that became idle last', async () => {
    const { idle, seek, net } = bed()
    const first = await idle()
    const second = await idle()
    for (const end of [second, first]) {
      const before = end.received.length
      seek().send(get())
      await net.settle()
      expect(end.received.length).toBeGreaterThan(before)
    }
  })

  it('is not for who may not, nor with policy never', async () => {
    const one = bed()
    await one.idle()
    expect(one.seek({ mayReuse: false }).leg).toBeUndefined()
    expect(one.net.calls.length).toBe(1)
    const two = bed({ reuse: 'never' })
    await two.idle()
    expect(two.connections.open).toBe(0)
    expect(two.connections.stats!().closed.policy).toBe(1)
  })

  it('can ask for a connection that has been reused before', async () => {
    const { idle, seek, net } = bed({ reuse: 'aggressive' })
    const end = await idle()
    const impatient = seek({ provenOnly: true })
    expect(impatient.leg).toBeUndefined()
    impatient.search!.cancel()
    const x = seek()
    x.send(get())
    await net.settle()
    end.send(bytes(ok))
    await net.settle()
    expect(seek({ provenOnly: true }).leg?.reused).toBe(true)
  })

  it('keeps connections of different members, and of one member at two addresses, apart', async () => {
    const { idle, seek, net, connections, left } = bed()
    const a = backend({ id: 'web', address: '10.1.0.1:80' })
    const b = backend({ id: 'web', address: '10.1.0.2:80' })
    const c = backend({ id: 'other', address: '10.1.0.1:80' })
    await idle({}, a)
    expect(seek({}, b).leg).toBeUndefined()
    expect(seek({}, c).leg).toBeUndefined()
    // Another weight is no other server.
    expect(seek({}, backend({ id: 'web', address: '10.1.0.1:80', weight: 7 })).leg).toBeDefined()
    for (const call of net.calls) call.refuse()
    await net.settle()
    expect(connections.stats!().connectFailures).toBe(2)
    expect(connections.open).toBe(1)
    connections.forget('web')
    await left()
    expect(net.open).toBe(1)
  })

  it('ends after so many requests', async () => {
    const { idle, seek, net, connections } = bed({ maxRequests: 2 })
    const end = await idle()
    seek().send(get())
    await net.settle()
    end.send(bytes(ok))
    await net.settle()
    expect(connections.open).toBe(0)
    expect(connections.stats!().closed['max-requests']).toBe(1)
  })

  it('keeps so many idle ones, and closes the oldest', async () => {
    const { fresh, net, connections, left } = bed({ maxIdle: 2 })
    const all = [await fresh(), await fresh(), await fresh()]
    for (const { x } of all) x.send(get())
    await net.settle()
    for (const { end } of all) {
      end.send(bytes(ok))
      await net.settle()
    }
    expect(connections.idle(member.id)).toBe(2)
    expect(all.map(({ end }) => end.over)).toEqual(['reset', undefined, undefined])
    expect(connections.stats!().closed['max-idle']).toBe(1)
    expect(await left()).toEqual(nothing)
  })

  it('keeps none with maxIdle 0', async () => {
    const { idle, connections } = bed({ maxIdle: 0 })
    await idle()
    expect(connections.open).toBe(0)
  })
})

describe('time', () => {
  it('closes an idle connection between nine tenths and all of the idle time', async () => {
    const { idle, clock, connections, net, left } = bed({ idleTimeout: '10s' })
    const end = await idle()
    clock.advance(9000)
    expect(connections.idle()).toBe(1)
    clock.advance(1010)
    expect(connections.idle()).toBe(0)
    await net.settle()
    expect(end.over).toBeDefined()
    expect(connections.stats!().closed['idle-timeout']).toBe(1)
    expect(clock.pending).toBe(0)
    expect(await left()).toEqual(nothing)
  })

  it('holds idle times for every moment at which a connection can become idle', async () => {
    const { idle, clock, connections } = bed({ idleTimeout: '10s' })
    // Keeps the sweep going.
    await idle({}, backend('10.1.0.9:80'))
    for (let offset = 0; offset < 1000; offset += 70) {
      clock.advance(70)
      await idle()
      let age = 0
      while (connections.idle(member.id) > 0) {
        clock.advance(10)
        age += 10
      }
      expect(age).toBeGreaterThanOrEqual(9000)
      expect(age).toBeLessThanOrEqual(10_020)
      await idle({}, backend('10.1.0.9:80'))
    }
  })

  it('closes before the member would, when the member says when', async () => {
    for (const [hint, latest, idleTimeout] of [
      ['timeout=5', 4520, '10s'],
      ['max=100, Timeout=5', 4520, '10m'],
      ['timeout=500', 10_020, '10s'],
      ['max=100', 10_020, '10s'],
      ['timeout=', 10_020, '10s'],
    ] as const) {
      const { fresh, clock, net, connections } = bed({ idleTimeout })
      const { x, end } = await fresh()
      x.send(get())
      await net.settle()
      end.send(bytes(ok.replace('\r\n', `\r\nKeep-Alive: ${hint}\r\n`)))
      await net.settle()
      expect(connections.idle()).toBe(1)
      clock.advance(latest * 0.7)
      expect(connections.idle()).toBe(1)
      clock.advance(latest * 0.3)
      expect(connections.idle()).toBe(0)
    }
    const { fresh, net, connections } = bed()
    const { x, end } = await fresh()
    x.send(get())
    await net.settle()
    end.send(bytes(ok.replace('\r\n', '\r\nKeep-Alive: timeout=1\r\n')))
    await net.settle()
    expect(x.body).toBe('ok')
    expect(connections.stats!().closed['not-kept']).toBe(1)
  })

  it('does not count the time at work as idle', async () => {
    const { idle, seek, clock, net, connections } = bed({ idleTimeout: '10s' })
    const end = await idle()
    clock.advance(8000)
    const x = seek()
    x.send(get())
    await net.settle()
    clock.advance(20_000)
    end.send(bytes(ok))
    await net.settle()
    expect(x.body).toBe('ok')
    clock.advance(8000)
    expect(connections.idle()).toBe(1)
  })

  it('ends an old connection: at once when idle, else behind its exchange', async () => {
    const { idle, seek, clock, net, connections, left } = bed({
      maxLifetime: '1m',
      idleTimeout: '1h',
    })
    const end = await idle()
    const other = await idle()
    const x = seek()
    x.send(get())
    await net.settle()
    clock.advance(60_000)
    expect(connections.idle()).toBe(0)
    expect(connections.open).toBe(1)
    other.send(bytes(ok))
    await net.settle()
    expect(x.body).toBe('ok')
    expect(connections.open).toBe(0)
    expect([end.over, other.over]).toEqual(['reset', 'reset'])
    expect(connections.stats!().closed.lifetime).toBe(2)
    expect(await left()).toEqual(nothing)
  })
})

describe('an idle connection', () => {
  for (const [name, act, reason] of [
    ['a byte comes', 'x', 'unexpected-bytes'],
    ['a whole response comes that nobody asked for', ok, 'unexpected-bytes'],
    ['the member ends it', 'end', 'member-closed'],
    ['the member resets it', 'reset', 'member-closed'],
  ] as const) {
    it(`is closed and never used again when ${name}`, async () => {
      const { idle, seek, net, connections, left } = bed()
      const end = await idle()
      if (act === 'end' || act === 'reset') end[act]()
      else end.send(bytes(act))
      await net.settle()
      expect(connections.idle()).toBe(0)
      expect(net.open).toBe(0)
      expect(connections.stats!().closed[reason]).toBe(1)
      const x = seek()
      expect(x.leg).toBeUndefined()
      x.search!.cancel()
      expect(await left()).toEqual(nothing)
    })
  }

  it('that the member closes at the moment of a request gives a failure that may be sent again', async () => {
    for (const how of ['end', 'reset'] as const) {
      const { idle, seek, net, left } = bed()
      const end = await idle()
      // It has closed, and we do not know it yet.
      end[how]()
      const x = seek()
      x.send(get())
      await net.settle()
      expect(x.error).toMatchObject({
        code: how === 'end' ? 'backend-closed' : 'backend-reset',
        replayable: true,
        retryable: true,
        phase: 'response-head',
      })
      expect(await left()).toEqual(nothing)
    }
  })

  it('whose late bytes come with the next request never answers it', async () => {
    const { idle, seek, net, left } = bed()
    const end = await idle()
    const x = seek()
    end.send(bytes('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong'))
    await net.settle()
    expect(x.error).toMatchObject({ code: 'bad-response', replayable: true, phase: 'request' })
    expect(x.body).toBe('')
    expect(await left()).toEqual(nothing)
  })

  it('on which one byte of a response came gives a failure that may not be sent again', async () => {
    const { idle, seek, net } = bed()
    const end = await idle()
    const x = seek()
    x.send(get())
    await net.settle()
    end.send(bytes('H'))
    end.reset()
    await net.settle()
    // The reset overtook the byte here, so say it again in order.
    expect(x.error?.replayable).toBe(true)
    const second = bed()
    const other = await second.idle()
    const y = second.seek()
    y.send(get())
    await second.net.settle()
    other.send(bytes('H'))
    await second.net.settle()
    other.reset()
    await second.net.settle()
    expect(y.error?.replayable).toBe(false)
  })

  it('that was given and not used goes back', async () => {
    const { idle, seek, connections } = bed()
    await idle()
    seek().leg!.abort()
    expect(connections.idle()).toBe(1)
    expect(connections.stats!().closed.aborted).toBe(0)
  })
})

describe('connecting', () => {
  it('fails: nothing was sent, and it may be tried again', async () => {
    const { seek, net, connections, left } = bed()
    const x = seek()
    net.calls[0]!.refuse()
    await net.settle()
    expect(x.error).toMatchObject({
      code: 'connect-failed',
      source: 'backend',
      phase: 'connect',
      replayable: true,
      cause: { code: 'connection-refused' },
    })
    expect(connections.stats!()).toMatchObject({ connectFailures: 1, connecting: 0, opened: 0 })
    expect(await left()).toEqual(nothing)
  })

  it('fails for our own fault, and at once', async () => {
    const { seek, net, left } = bed()
    const x = seek()
    net.calls[0]!.refuse('too-many-files')
    await net.settle()
    expect(x.error).toMatchObject({ code: 'connect-failed', source: 'system' })
    net.broken = new Error('no')
    const y = seek()
    expect(y.search).toBeUndefined()
    expect(y.told).toEqual(['unconnected'])
    expect(await left()).toEqual(nothing)
  })

  it('takes too long', async () => {
    const { seek, clock, net, connections, left } = bed()
    const x = seek({ connectTimeoutMs: 300 })
    clock.advance(290)
    expect(x.over).toBe(false)
    clock.advance(30)
    expect(x.error).toMatchObject({ code: 'connect-timeout', source: 'backend', replayable: true })
    await net.settle()
    expect(net.open).toBe(0)
    expect(connections.stats!().connecting).toBe(0)
    expect(await left()).toEqual(nothing)
  })

  it('is given up without a trace', async () => {
    const { seek, net, left } = bed()
    const x = seek()
    x.search!.cancel()
    await net.settle()
    expect(net.calls.length).toBe(0)
    const y = seek()
    net.calls[0]!.accept()
    y.search!.cancel()
    await net.settle()
    expect([x.told, y.told]).toEqual([[], []])
    expect(await left()).toEqual(nothing)
  })

  it('goes to sockets, and takes source addresses in turn by family', async () => {
    const { seek, net } = bed({ sourceAddresses: ['10.0.0.7', 'fd00::7', '10.0.0.8'] })
    seek()
    seek()
    seek()
    seek({}, backend('[fd00::1]:80'))
    seek({}, backend('unix:/run/app.sock'))
    expect(net.asked).toEqual([
      { host: '10.1.0.1', port: 80, localAddress: '10.0.0.7' },
      { host: '10.1.0.1', port: 80, localAddress: '10.0.0.8' },
      { host: '10.1.0.1', port: 80, localAddress: '10.0.0.7' },
      { host: 'fd00::1', port: 80, localAddress: 'fd00::7' },
      { path: '/run/app.sock' },
    ])
  })
})

describe('a PROXY header', () => {
  it('comes first, once, and makes the connection the client’s own', async () => {
    const { fresh, seek, net, connections, left } = bed({ sendProxy: 'v1' })
    const { x, end } = await fresh({ client: clientFacts(1, 1111) })
    x.send(get())
    await net.settle()
    expect(text(end.received)).toMatch(/^PROXY TCP4 192\.0\.2\.7 10\.0\.0\.1 1111 443\r\nGET \/ /)
    end.send(bytes(ok))
    await net.settle()
    expect(connections.idle()).toBe(1)
    const stranger = seek({ client: clientFacts(2, 2222) })
    expect(stranger.leg).toBeUndefined()
    const again = seek({ client: clientFacts(1, 1111) })
    expect(again.leg?.reused).toBe(true)
    again.send(get())
    await net.settle()
    expect(text(end.received).match(/PROXY/g)).toEqual(['PROXY'])
    end.send(bytes(ok))
    await net.settle()
    connections.clientGone!(1)
    expect(connections.idle()).toBe(0)
    expect(connections.stats!().closed.forgotten).toBe(1)
    stranger.search!.cancel()
    expect(await left()).toEqual(nothing)
  })

  it('closes behind the exchange when the client goes meanwhile', async () => {
    const { fresh, net, connections } = bed({ sendProxy: 'v2' })
    const { x, end } = await fresh()
    expect([...end.received.subarray(0, 12)]).toEqual([...bytes('\r\n\r\n\0\r\nQUIT\n')])
    x.send(get())
    connections.clientGone!(1)
    await net.settle()
    end.send(bytes(ok))
    await net.settle()
    expect(x.body).toBe('ok')
    expect(connections.open).toBe(0)
  })
})

describe('the end', () => {
  it('forgets a member: the idle now, the busy behind their exchanges, and makes new ones', async () => {
    const { idle, fresh, net, connections, left } = bed()
    const spare = await idle()
    const { x, end } = await fresh()
    x.send(get())
    connections.forget(member.id)
    await net.settle()
    expect(spare.over).toBeDefined()
    expect(connections.open).toBe(1)
    end.send(bytes(ok))
    await net.settle()
    expect(x.body).toBe('ok')
    expect(connections.open).toBe(0)
    expect(connections.stats!().closed.forgotten).toBe(2)
    await idle()
    expect(connections.idle(member.id)).toBe(1)
    expect(await left()).toEqual(nothing)
  })

  it('closes: nothing is kept from then on', async () => {
    const { idle, fresh, net, connections, left } = bed()
    await idle()
    const { x, end } = await fresh()
    x.send(get())
    connections.close()
    await net.settle()
    end.send(bytes(ok))
    await net.settle()
    expect(x.body).toBe('ok')
    expect(connections.stats!().closed.shutdown).toBe(2)
    await idle()
    expect(connections.idle()).toBe(0)
    expect(await left()).toEqual(nothing)
  })
})

describe('options', () => {
  const wrong: readonly [options: unknown, path: string][] = [
    [null, 'up'],
    [{ protocol: 'http/2' }, 'up.protocol'],
    [{ protocol: 'auto' }, 'up.protocol'],
    [{ reuse: 'sometimes' }, 'up.reuse'],
    [{ sendProxy: 'v3' }, 'up.sendProxy'],
    [{ tls: 'yes' }, 'up.tls'],
    [{ tls: { serverName: '' } }, 'up.tls.serverName'],
    [{ tls: { ca: 'none' } }, 'up.tls.ca'],
    [{ protocol: 'auto', tls: { alpn: ['h2'] } }, 'up.tls.alpn'],
    [{ maxIdle: -1 }, 'up.maxIdle'],
    [{ maxIdle: 1.5 }, 'up.maxIdle'],
    [{ maxRequests: '5' }, 'up.maxRequests'],
    [{ idleTimeout: 0 }, 'up.idleTimeout'],
    [{ idleTimeout: 'soon' }, 'up.idleTimeout'],
    [{ maxLifetime: -5 }, 'up.maxLifetime'],
    [{ sourceAddresses: [] }, 'up.sourceAddresses'],
    [{ sourceAddresses: ['10.0.0.300'] }, 'up.sourceAddresses[0]'],
  ]
  for (const [options, path] of wrong) {
    it(`are refused: ${JSON.stringify(options)}`, () => {
      const clock = manualClock()
      const host = {
        transport: memoryStreams().transport,
        wheel: timerWheel({ clock }),
        clock,
        log: silentLog,
        random: Math.random,
      }
      expect(() => upstreamConnections(options as UpstreamOptions, host, 'up')).toThrow(
        expect.objectContaining({ code: 'invalid-option', path }) as Error,
      )
    })
  }
})

it('tells the log of unexpected bytes, and not for each connection', async () => {
  const lines: object[] = []
  const clock = manualClock()
  const net = memoryStreams()
  const connections = upstreamConnections(
    {},
    {
      transport: net.transport,
      wheel: timerWheel({ clock }),
      clock,
      log: { ...silentLog, warn: (fields) => void lines.push(fields) },
      random: () => 0,
    },
  )
  const rig: Pick<Bed, 'net' | 'connections'> = { net, connections }
  for (let i = 0; i < 3; i++) await poisoned(rig)
  expect(lines).toEqual([{ backend: member.id, address: member.address }])
  clock.advance(61_000)
  await poisoned(rig)
  expect(lines.length).toBe(2)
})

async function poisoned({ net, connections }: Pick<Bed, 'net' | 'connections'>): Promise<void> {
  const told: string[] = []
  connections.seek(
    member,
    {
      connected: (leg) => leg.abort(),
      unconnected() {},
      informational() {},
      responseHead: () => void told.push('head'),
      responseBody() {},
      responseEnd() {},
      backendDrained() {},
      backendFailed() {},
    },
    { client: clientFacts(), mayReuse: false, connectTimeoutMs: 0, upgrade: false },
  )
  const end = net.calls[0]!.accept()
  await net.settle()
  end.send(bytes(ok))
  await net.settle()
  expect(told).toEqual([])
}
