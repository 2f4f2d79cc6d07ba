import { once } from 'node:events'
import { connect } from 'node:net'
import {
  first,
  leastConnections,
  pool,
  roundRobin,
  sourceHash,
  type Transport,
} from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import {
  acl,
  connectionLimit,
  nodeTransport,
  retryBudget,
  type TcpBalancerOptions,
  tcpBalancer,
} from '../../src/index.ts'
import { type Fixture, fixture, members } from './fixture.ts'
import { ask, echo, ending, everything, mirror, peer, talk } from './peers.ts'

const cleanup: AsyncDisposable[] = []
afterEach(async () => {
  for (const item of cleanup.splice(0).reverse()) await item[Symbol.asyncDispose]()
})

function keep<T extends AsyncDisposable>(item: T): T {
  cleanup.push(item)
  return item
}

/** A started balancer that ends with the test. */
async function balancer(...options: Parameters<typeof fixture>): Promise<Fixture> {
  return keep(await fixture(...options))
}

/** A transport whose connects to one port never come to an end. */
function deafTo(port: number): Transport {
  const inner = nodeTransport()
  return {
    name: inner.name,
    listen: (target, handler) => inner.listen(target, handler),
    relay: (a, b, options) => inner.relay(a, b, options),
    release: (stream) => inner.release(stream),
    bind: (target, handler) => inner.bind(target, handler),
    connect: (target, handler) =>
      target.port === port
        ? inner.connect(
            { host: '127.0.0.1', port: 1 },
            { ...handler, data() {}, ended() {}, drained() {}, closed() {} },
          )
        : inner.connect(target, handler),
  }
}

describe('tcp balancer', () => {
  it('spreads connections over the pool and tells of each exactly once', async () => {
    const a = keep(await echo('a'))
    const b = keep(await echo('b'))
    const web = pool({ backends: members(a, b), pick: roundRobin() })
    const { balancer: made, port, record } = await balancer({ pool: web, name: 'web' })
    const answers = [
      await ask(port, 'x'),
      await ask(port, 'x'),
      await ask(port, 'x'),
      await ask(port, 'x'),
    ]
    expect(answers.sort()).toEqual(['a:x', 'a:x', 'b:x', 'b:x'])
    for (let i = 0; i < 4; i++) {
      expect(await record()).toMatchObject({
        listener: 'web',
        reason: 'closed',
        bytesFromClient: 1,
        bytesToClient: 3,
        attempts: 1,
      })
    }
    expect(made.stats()).toMatchObject({
      active: 0,
      accepted: 4,
      bytesFromClient: 4,
      bytesToClient: 12,
      ended: { closed: 4 },
    })
    expect(web.load.sum()).toBe(0)
  })

  it('carries half-close both ways', async () => {
    // Answers only after the client has ended: without half-close there would be no answer.
    const late = keep(
      await peer('late', (socket) => {
        let length = 0
        socket.on('data', (chunk) => {
          length += chunk.length
        })
        socket.on('end', () => socket.end(`got ${length}`))
      }),
    )
    // Ends first and goes on reading.
    let heard = ''
    const early = keep(
      await peer('early', (socket) => {
        socket.end('bye')
        socket.on('data', (chunk) => {
          heard += chunk.toString()
        })
      }),
    )
    const one = await balancer({ pool: pool({ backends: members(late) }) })
    expect(await ask(one.port, 'x'.repeat(100_000))).toBe('got 100000')

    const two = await balancer({ pool: pool({ backends: members(early) }) })
    const socket = connect({ port: two.port, host: '127.0.0.1', allowHalfOpen: true })
    expect(await everything(socket)).toBe('bye')
    socket.end('still here')
    expect(await two.record()).toMatchObject({ reason: 'closed', bytesFromClient: 10 })
    expect(heard).toBe('still here')
  })

  it('carries RST from either side', async () => {
    const a = keep(await mirror('a'))
    const { port, record } = await balancer({ pool: pool({ backends: members(a) }) })
    const first = await talk(port)
    first.socket.resetAndDestroy()
    expect(await record()).toMatchObject({ reason: 'reset', endedBy: 'client' })
    const second = await talk(port)
    const ended = ending(second.socket)
    for (const socket of a.open) socket.resetAndDestroy()
    expect(await ended).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'reset', endedBy: 'backend', backend: 'a' })
  })

  it('walks on to the next candidate when a connect is refused', async () => {
    const a = keep(await echo('a'))
    const b = keep(await echo('b'))
    await a.die()
    const web = pool({ backends: members(a, b), pick: first() })
    const { port, record, balancer: made } = await balancer({ pool: web })
    expect([await ask(port, '1'), await ask(port, '2')]).toEqual(['b:1', 'b:2'])
    expect(await record()).toMatchObject({ attempts: 2, backend: 'b', reason: 'closed' })
    expect(made.stats()).toMatchObject({ connectFailures: 2, retries: 2 })
    expect(web.members()[0]).toMatchObject({ failures: 2, active: 0 })
  })

  it('resets the client when nobody can be reached, and says why', async () => {
    const a = keep(await echo('a'))
    await a.die()
    const { port, record } = await balancer({ pool: pool({ backends: members(a) }) })
    await expect(ask(port, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' })
    const first = await record()
    expect(first).toMatchObject({ reason: 'connect-failed', endedBy: 'backend' })
    expect(first.error?.message).toContain('refused')
    const empty = await balancer({ pool: pool({ name: 'nobody' }) })
    await expect(ask(empty.port, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await empty.record()).error?.message).toBe('pool "nobody" has no usable member')
  })

  it('spends retries within the budget only', async () => {
    const dead = [keep(await echo('a')), keep(await echo('b')), keep(await echo('c'))]
    for (const backend of dead) await backend.die()
    const budget = retryBudget({ percent: 0, minimum: 1 })
    const { port, record } = await balancer({
      pool: pool({ backends: members(...dead) }),
      retryBudget: budget,
    })
    await expect(ask(port, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await record()).toMatchObject({ reason: 'connect-failed', attempts: 2 })
  })

  it('asks the access list first', async () => {
    const a = keep(await echo('a'))
    const { port, record } = await balancer({
      pool: pool({ backends: members(a) }),
      acl: acl({ deny: ['127.0.0.0/8'] }),
    })
    await expect(ask(port, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await record()).toMatchObject({ reason: 'acl-denied', attempts: 0 })
    expect(a.accepted).toBe(0)
  })

  it('queues when all members are full, in order, and lets the next in when one leaves', async () => {
    const a = keep(await echo('a'))
    const web = pool({ backends: [{ address: a.address, maxConnections: 1 }] })
    const { balancer: made, port, record } = await balancer({ pool: web })
    const first = await talk(port)
    const second = ask(port, 'second')
    await expect.poll(() => web.queue.size).toBe(1)
    const third = ask(port, 'third')
    await expect.poll(() => web.queue.size).toBe(2)
    expect(made.stats().queued).toBe(2)
    first.socket.end()
    expect(await second).toBe('a:second')
    expect(await third).toBe('a:third')
    await record()
    const queued = [await record(), await record()]
    expect(queued.every(({ queuedMs, reason }) => queuedMs > 0 && reason === 'closed')).toBe(true)
    expect(web.load.sum()).toBe(0)
  })

  it('gives up waiting after the queue timeout, and frees the place of a client that left', async () => {
    const clock = manualClock()
    const a = keep(await echo('a'))
    const web = pool({ backends: [{ address: a.address, maxConnections: 1 }], clock })
    const { port, record } = await balancer({ pool: web, clock, timeouts: { queue: '3s' } })
    const first = await talk(port)
    const second = connect(port, '127.0.0.1')
    await expect.poll(() => web.queue.size).toBe(1)
    const ended = ending(second)
    clock.advance(3010)
    expect(await ended).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'queue-timeout' })
    const third = connect(port, '127.0.0.1')
    await expect.poll(() => web.queue.size).toBe(1)
    third.resetAndDestroy()
    await expect.poll(() => web.queue.size).toBe(0)
    expect(await record()).toMatchObject({ endedBy: 'client' })
    first.socket.destroy()
  })

  it('keeps the bytes that a waiting client sends', async () => {
    const a = keep(await mirror('a'))
    const web = pool({ backends: [{ address: a.address, maxConnections: 1 }] })
    const { port } = await balancer({ pool: web })
    const first = await talk(port)
    const big = 'x'.repeat(200_000)
    const second = ask(port, big)
    await expect.poll(() => web.queue.size).toBe(1)
    first.socket.end()
    expect(await second).toBe(big)
  })

  it('stops accepting at the connection limit, and lets the next in when one leaves', async () => {
    const a = keep(await echo('a'))
    const node = connectionLimit(2)
    const one = await balancer({
      pool: pool({ backends: members(a) }),
      connectionLimit: 1,
      nodeLimit: node,
    })
    const two = await balancer({ pool: pool({ backends: members(a) }), nodeLimit: node })
    const first = await talk(one.port)
    const parked = ask(one.port, 'parked')
    await expect.poll(() => one.balancer.stats().queued).toBe(1)
    const other = await talk(two.port)
    const blocked = ask(two.port, 'blocked')
    await expect.poll(() => two.balancer.stats().queued).toBe(1)
    first.socket.end()
    expect(await parked).toBe('a:parked')
    other.socket.end()
    expect(await blocked).toBe('a:blocked')
    await expect.poll(() => node.active).toBe(0)
  })

  it('cuts idle, half-closed and overlong connections', async () => {
    const clock = manualClock()
    const a = keep(
      await peer('a', (socket) => void socket.on('data', (chunk) => socket.write(chunk))),
    )
    const web = pool({ backends: members(a), clock })
    const { port, record } = await balancer({
      pool: web,
      clock,
      timeouts: { client: '8s', server: '8s', halfClosed: '2s', total: '60s' },
    })
    const idle = await talk(port)
    const idleEnd = ending(idle.socket)
    clock.advance(7000)
    clock.advance(3000)
    expect(await idleEnd).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'client-idle', endedBy: 'balancer' })

    const half = await talk(port)
    const halfEnd = ending(half.socket)
    half.socket.end()
    await expect.poll(() => [...a.open].some((socket) => socket.readableEnded)).toBe(true)
    clock.advance(3000)
    expect(await halfEnd).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'half-closed' })

    const busy = await talk(port)
    const busyEnd = ending(busy.socket)
    for (let second = 0; second < 70 && !busy.socket.destroyed; second += 5) {
      busy.socket.write('x')
      await Promise.race([once(busy.socket, 'data'), busyEnd])
      clock.advance(5000)
    }
    expect(await busyEnd).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'total' })
  })

  it('gives up a connect after the timeout and walks on', async () => {
    const clock = manualClock()
    const b = keep(await echo('b'))
    const web = pool({
      backends: [{ address: '127.0.0.1:9', id: 'a' }, ...members(b)],
      pick: first(),
      clock,
    })
    // The first member answers nothing at all, as behind a firewall that drops.
    const {
      port,
      record,
      balancer: made,
    } = await balancer({
      pool: web,
      clock,
      transport: deafTo(9),
      timeouts: { connect: '2s' },
    })
    const answer = ask(port, 'x')
    await expect.poll(() => made.stats().active).toBe(1)
    clock.advance(2010)
    expect(await answer).toBe('b:x')
    expect(await record()).toMatchObject({ attempts: 2 })
  })

  it('drains: takes nothing new, waits for what is open, cuts at the deadline', async () => {
    const a = keep(await echo('a'))
    const {
      balancer: made,
      port,
      record,
    } = await balancer({ pool: pool({ backends: members(a) }) })
    const open = await talk(port)
    const stopping = made.stop({ drain: '1h' })
    await expect(ask(port, 'late')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    open.socket.write('more')
    expect(String((await once(open.socket, 'data'))[0])).toBe('a:more')
    open.socket.end()
    await stopping
    expect(await record()).toMatchObject({ reason: 'closed' })

    const clock = manualClock()
    const again = await balancer({ pool: pool({ backends: members(a), clock }), clock })
    const stuck = await talk(again.port)
    const stuckEnd = ending(stuck.socket)
    const second = again.balancer.stop({ drain: '5s' })
    await expect.poll(() => again.balancer.address).toBe(undefined)
    await expect.poll(() => clock.pending).toBeGreaterThan(1)
    clock.advance(5000)
    await second
    expect(await stuckEnd).toBe('ECONNRESET')
    expect(await again.record()).toMatchObject({ reason: 'drain-deadline' })
  })

  it('keeps connections of a draining member and sends it nothing new', async () => {
    const a = keep(await echo('a'))
    const b = keep(await echo('b'))
    const web = pool({ backends: members(a, b), pick: roundRobin() })
    const { balancer: made, port } = await balancer({ pool: web })
    const open = [await talk(port), await talk(port)]
    const onA = open.find(({ answer }) => answer.startsWith('a'))!
    const drained: string[] = []
    web.on('drained', ({ backend }) => drained.push(backend.id))
    web.edit('a', { state: 'draining' })
    for (let i = 0; i < 6; i++) expect(await ask(port, 'x')).toBe('b:x')
    expect(made.connections({ backendId: 'a' })).toBe(1)
    onA.socket.write('on')
    expect(String((await once(onA.socket, 'data'))[0])).toBe('a:on')
    onA.socket.end()
    await expect.poll(() => drained).toEqual(['a'])
    for (const { socket } of open) socket.destroy()
  })

  it('cuts the connections of a member that goes down, when told to', async () => {
    const a = keep(await echo('a'))
    const web = pool({ backends: members(a) })
    const { port, record } = await balancer({ pool: web, whenDown: 'reset' })
    const open = await talk(port)
    const ended = ending(open.socket)
    web.report('a', { state: 'down', since: 0, reason: 'test' })
    expect(await ended).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'member-down' })
  })

  it('reads and writes PROXY headers', async () => {
    const seen: string[] = []
    const a = keep(
      await peer('a', (socket) => {
        socket.on('data', (chunk) => {
          seen.push(chunk.toString('latin1'))
          socket.end('ok')
        })
      }),
    )
    const { port, record } = await balancer({
      pool: pool({ backends: members(a), pick: sourceHash() }),
      acceptProxy: { from: ['127.0.0.1'] },
      sendProxy: 'v1',
      acl: acl({ deny: ['203.0.113.66'] }),
    })
    expect(await ask(port, 'PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\nhello')).toBe('ok')
    expect(seen.join('')).toBe('PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\nhello')
    expect(await record()).toMatchObject({
      client: '203.0.113.7:4711',
      local: '192.0.2.1:80',
      bytesFromClient: 5,
    })
    await expect(
      ask(port, 'PROXY TCP4 203.0.113.66 192.0.2.1 4711 80\r\nhello'),
    ).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await record()).toMatchObject({ reason: 'acl-denied' })
    await expect(ask(port, 'GET / HTTP/1.0\r\n\r\n')).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await record()).toMatchObject({ reason: 'proxy-header-invalid' })

    const strict = await balancer({
      pool: pool({ backends: members(a) }),
      acceptProxy: { from: ['192.0.2.0/24'] },
    })
    await expect(ask(strict.port, 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nx')).rejects.toMatchObject({
      code: 'ECONNRESET',
    })
    expect(await strict.record()).toMatchObject({ reason: 'proxy-header-untrusted' })
  })

  it('waits for a PROXY header only so long', async () => {
    const clock = manualClock()
    const a = keep(await echo('a'))
    const {
      port,
      record,
      balancer: made,
    } = await balancer({
      pool: pool({ backends: members(a), clock }),
      clock,
      acceptProxy: { from: ['127.0.0.1'] },
      timeouts: { preread: '2s' },
    })
    const socket = connect(port, '127.0.0.1')
    socket.write('PROXY TC')
    const ended = ending(socket)
    await expect.poll(() => made.stats().active).toBe(1)
    clock.advance(2010)
    expect(await ended).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'preread-timeout' })
  })

  it('keeps to the bandwidth of the listener', async () => {
    const a = keep(await mirror('a'))
    const { port } = await balancer({
      pool: pool({ backends: members(a) }),
      bandwidth: { fromClient: '1MiB' },
    })
    const big = 'x'.repeat(512 * 1024)
    const from = performance.now()
    expect(await ask(port, big)).toBe(big)
    // 512 KiB at 1 MiB a second with a tenth of a second of burst: no faster than 0.4 s.
    expect(performance.now() - from).toBeGreaterThan(350)
  })

  it('binds to a source address', async () => {
    const seen: (string | undefined)[] = []
    const a = keep(
      await peer('a', (socket) => {
        seen.push(socket.remoteAddress)
        socket.end('x')
      }),
    )
    const { port } = await balancer({
      pool: pool({ backends: members(a) }),
      sourceAddresses: ['127.0.0.7', '127.0.0.8'],
    })
    await ask(port, '')
    await ask(port, '')
    expect(seen).toEqual(['127.0.0.7', '127.0.0.8'])
  })

  it('takes other options for new connections and leaves the open ones alone', async () => {
    const a = keep(await echo('a'))
    const b = keep(await echo('b'))
    const { balancer: made, port } = await balancer({ pool: pool({ backends: members(a) }) })
    const open = await talk(port)
    made.reconfigure({ pool: pool({ backends: members(b), pick: leastConnections() }) })
    expect(await ask(port, 'new')).toBe('b:new')
    open.socket.write('old')
    expect(String((await once(open.socket, 'data'))[0])).toBe('a:old')
    expect(() => made.reconfigure({ retries: -1 })).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
    expect(await ask(port, 'still')).toBe('b:still')
    open.socket.destroy()
  })

  it('refuses wrong options before any I/O, with the path', () => {
    const web = pool()
    const wrong: [Partial<TcpBalancerOptions>, string][] = [
      [{ listen: 'nonsense' }, 'listen'],
      [{ timeouts: { connect: 'soon' } }, 'timeouts.connect'],
      [{ connectionLimit: -1 }, 'connectionLimit'],
      [{ sourceAddresses: [] }, 'sourceAddresses'],
      [{ acceptProxy: { from: ['x'] } }, 'acceptProxy.from[0]'],
      [{ sendProxy: { version: 1, crc32c: true } }, 'sendProxy'],
      [{ routes: { rules: [{ sni: 'a..b', target: { pool: web } }] } }, 'routes.rules[0].sni'],
      [{ bandwidth: { toClient: '1 parsec' } }, 'bandwidth.toClient'],
    ]
    for (const [options, path] of wrong) {
      expect(() => tcpBalancer({ listen: ':0', pool: web, ...options })).toThrow(
        expect.objectContaining({ code: 'invalid-option', path }),
      )
    }
  })

  it('says what is wrong when the address is taken, and lets go of the pool', async () => {
    const a = keep(await echo('a'))
    const web = pool({ backends: members(a) })
    const second = tcpBalancer({ listen: a.address, pool: web })
    await expect(second.start()).rejects.toMatchObject({ code: 'address-in-use' })
    await expect(second.start()).rejects.toMatchObject({ code: 'address-in-use' })
    await second.stop()
  })
})
