import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { Worker } from 'node:worker_threads'
import { type HealthState, type PoolEvents, pool } from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { check, healthMonitor, httpCheck, passed, tcpCheck } from '../src/index.ts'
import { fakeCheck, monitorRig } from './monitor-rig.ts'
import { httpPeer, nobody, tcpPeer } from './peers.ts'

type HealthEvent = PoolEvents['health']

/** The next verdict of a pool for which this is true. */
const heard = (
  web: ReturnType<typeof pool>,
  test: (event: HealthEvent) => boolean,
): Promise<HealthEvent> =>
  new Promise((resolve) => {
    const listening = web.on('health', (event) => {
      if (!test(event)) return
      listening[Symbol.dispose]()
      resolve(event)
    })
  })

describe('a pool with a check', () => {
  it('is checked while it is used: a backend dies and comes back', async () => {
    const server: Server = createServer((socket) => socket.on('error', () => {}))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const address = `127.0.0.1:${port}`
    const web = pool({
      backends: [address],
      check: tcpCheck({ every: '20ms', timeout: '20ms', rise: 2, fall: 3 }),
    })
    expect(web.available.current).toBe(false)
    const up = heard(web, ({ health }) => health === 'up')
    const watching = web.available.watch(() => {})
    expect((await up).previous).toBe('unknown')
    expect(web.available.current).toBe(true)
    const down = heard(web, ({ health }) => health === 'down')
    server.close()
    const { reason, verdict } = await down
    expect(reason).toBe(`connect to ${address} refused (3 of 3)`)
    expect(verdict).toMatchObject({ lastCheck: 'failed', evidence: { code: 'ECONNREFUSED' } })
    expect(web.available.current).toBe(false)
    const back = heard(web, ({ health }) => health === 'up')
    server.listen(port, '127.0.0.1')
    expect((await back).reason).toBe(`connect to ${address} succeeded (2 of 2)`)
    watching[Symbol.dispose]()
    server.close()
    await once(server, 'close')
  })

  it('keeps its verdicts when the check is replaced, and counts on when it is an equal one', async () => {
    const { clock, monitor, pass } = monitorRig()
    const one = fakeCheck(clock, { every: '1s', monitor })
    const two = fakeCheck(clock, { every: '2s', monitor })
    const web = pool({ backends: ['10.0.0.1:80'], check: one.check, clock })
    const using = web.use()
    await pass(1010)
    const [before] = web.members()
    expect(before!.verdict.state).toBe('up')
    web.reconfigure({ check: two.check })
    expect(web.members()[0]!.verdict).toBe(before!.verdict)
    await pass(2500)
    expect(two.begun.length).toBeGreaterThan(0)
    expect(web.members()[0]!.verdict.since).toBe(before!.verdict.since)
    expect(monitor.stats.targets).toBe(1)
    using[Symbol.dispose]()
    await pass(10)
    expect(monitor.stats.targets).toBe(0)
    expect(clock.pending).toBe(0)
  })

  it('does not check who is disabled, and checks who is drained', async () => {
    const { clock, monitor, pass } = monitorRig()
    const fake = fakeCheck(clock, { every: '1s', monitor })
    const web = pool({ backends: ['10.0.0.1:80', '10.0.0.2:80'], check: fake.check, clock })
    using _use = web.use()
    web.edit('10.0.0.1:80', { state: 'disabled' })
    web.edit('10.0.0.2:80', { state: 'draining' })
    await pass(1010)
    expect(fake.begun.map(({ address }) => address)).toEqual(['10.0.0.2:80'])
    web.edit('10.0.0.1:80', { state: 'enabled' })
    await pass(1010)
    expect(fake.times('10.0.0.1:80').length).toBe(1)
  })

  it('shares a monitor with another pool, across kinds of checks', async () => {
    using monitor = healthMonitor({ firstRound: '10ms' })
    const site = await httpPeer((_request, response) => response.end('fine'))
    const dead = await nobody()
    const backends = [site.address, dead.address]
    const a = pool({ backends, check: httpCheck({ every: '1s', monitor }) })
    const b = pool({ backends, check: httpCheck({ every: '1s', monitor }) })
    const done = Promise.all(
      [a, b].flatMap((each) =>
        (['up', 'down'] as HealthState[]).map((state) =>
          heard(each, ({ health }) => health === state),
        ),
      ),
    )
    using _a = a.use()
    using _b = b.use()
    const events = await done
    expect(events.map(({ backend }) => backend.address)).toEqual([...backends, ...backends])
    expect(monitor.stats.targets).toBe(2)
    monitor[Symbol.dispose]()
    await site.close()
  })

  it("lets a checker of one's own be a function", async () => {
    const web = pool({
      backends: ['10.0.0.1:80'],
      check: check('own', ({ host }) => passed(`${host} is fine`), { every: '10ms' }),
    })
    const up = heard(web, () => true)
    using _use = web.use()
    expect((await up).reason).toBe('10.0.0.1 is fine')
  })
})

describe('a loop that stands still', () => {
  it('for two seconds takes no well backend down, with real sockets and fall 1', async () => {
    // The peers live in a thread of their own: they go on answering while this one stands still.
    const worker = new Worker(
      `const { createServer } = require('node:net')
       const { parentPort } = require('node:worker_threads')
       const ports = []
       for (let i = 0; i < 20; i++) {
         const server = createServer((socket) => socket.on('error', () => {}).end('hello'))
         server.listen(0, '127.0.0.1', () => {
           ports.push(server.address().port)
           if (ports.length === 20) parentPort.postMessage(ports)
         })
       }`,
      { eval: true },
    )
    const [ports] = (await once(worker, 'message')) as [number[]]
    const dead = await nobody()
    using monitor = healthMonitor({ firstRound: '50ms' })
    const web = pool({
      backends: [...ports.map((port) => `127.0.0.1:${port}`), dead.address],
      check: tcpCheck({
        every: '100ms',
        timeout: '50ms',
        fall: 1,
        steps: [{ expect: 'hello' }],
        monitor,
      }),
    })
    const downs: string[] = []
    web.on('health', ({ backend, health }) => {
      if (health === 'down') downs.push(backend.address)
    })
    let waiting = 21
    const first = heard(web, () => --waiting === 0)
    using _use = web.use()
    await first
    expect(downs).toEqual([dead.address])
    for (let stall = 0; stall < 2; stall++) {
      const { checks } = monitor.stats
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000)
      // Until all have been checked again.
      while (monitor.stats.checks < checks + 60) await new Promise((r) => setImmediate(r))
    }
    expect(downs).toEqual([dead.address])
    expect(web.roster.current.size).toBe(20)
    monitor[Symbol.dispose]()
    await worker.terminate()
  })
})

describe('nothing is left', () => {
  it('of 200 targets in the midst of their probes when the monitor is disposed', async () => {
    // All of 127.0.0.0/8 leads to it, so each target has an address of its own.
    const mute = await tcpPeer(() => {}, '0.0.0.0')
    const before = sockets()
    const monitor = healthMonitor({ firstRound: '10ms' })
    const web = pool({
      backends: Array.from({ length: 200 }, (_, i) => ({
        id: `m${i}`,
        address: `127.0.${i}.1:${mute.port}`,
      })),
      check: tcpCheck({ every: '10s', timeout: '10s', steps: [{ expect: 'never' }], monitor }),
    })
    using _use = web.use()
    while (monitor.stats.inFlight < 200) await new Promise((resolve) => setImmediate(resolve))
    expect(sockets()).toBeGreaterThan(before)
    monitor[Symbol.dispose]()
    expect(monitor.stats).toMatchObject({ inFlight: 0, targets: 0 })
    for (let turn = 0; turn < 10_000 && sockets() > before; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sockets()).toBe(before)
    await mute.close()
  })
})

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => /TCPSocketWrap/.test(kind)).length
}
