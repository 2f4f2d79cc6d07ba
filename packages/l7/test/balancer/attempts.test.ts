import { pool } from '@steelyard/core'
import { retryBudget } from '@steelyard/l4'
import type { MemoryEnd } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { always, forward, type HttpFilter, route } from '../../src/index.ts'
import { get, ok, type Rig, rig, text } from './rig.ts'

const two = ['10.1.0.1:80', '10.1.0.2:80']
const three = [...two, '10.1.0.3:80']
const no = (status: number, ...lines: string[]): string =>
  [`HTTP/1.1 ${status} No`, ...lines, 'Content-Length: 2', '', 'no'].join('\r\n')

async function accepted(r: Rig): Promise<{ id: string; end: MemoryEnd }> {
  const call = r.network.calls.find(({ over }) => !over)!
  const { host } = call.target
  return { id: String(host), end: await r.accept() }
}

describe('retries', () => {
  it('follow a status that was asked for, and end with the last answer', async () => {
    await using r = await rig({
      backends: three,
      forward: { retries: { attempts: 2, on: [503], backoff: { base: '20ms' } } },
    })
    const client = r.client()
    await r.say(client, get())
    const hosts = new Set<string>()
    for (let i = 0; i < 3; i++) {
      const { id, end } = await accepted(r)
      hosts.add(id)
      await r.say(end, no(503))
      if (i < 2) expect(text(client)).toBe('')
      await r.pass(100)
    }
    expect(hosts.size).toBe(3)
    expect(text(client)).toMatch(/^HTTP\/1.1 503 No\r\n[^]*no$/)
    expect(r.records[0]).toMatchObject({ attempts: 3, status: 503, backendStatus: 503 })
    expect(r.edge.stats().retries).toBe(2)
  })

  it('wait longer each time, at most as long as was said', async () => {
    const at: number[] = []
    await using r = await rig({
      backends: three,
      retryBudget: retryBudget({ minimum: 10 }),
      forward: { retries: { attempts: 4, on: ['5xx'], backoff: { base: '100ms', max: '150ms' } } },
    })
    const client = r.client()
    await r.say(client, get())
    for (let i = 0; i < 5; i++) {
      for (let waited = 0; r.network.calls.every(({ over }) => over) && waited < 50; waited++) {
        await r.pass(10)
      }
      at.push(r.clock.now())
      await r.say(await r.accept(), no(502))
    }
    // A half of 100, 150, 150 and 150 ms, by the random source of the test; and the wheel's tick.
    const waits = at.slice(1).map((time, i) => time - at[i]!)
    expect(waits[0]).toBeGreaterThanOrEqual(50)
    expect(waits[0]).toBeLessThanOrEqual(70)
    for (const wait of waits.slice(1)) expect(Math.abs(wait - 85)).toBeLessThanOrEqual(15)
  })

  it('follow a gRPC status', async () => {
    await using r = await rig({
      backends: two,
      forward: { retries: { on: ['unavailable'], nonIdempotent: true, backoff: { base: 0 } } },
    })
    const client = r.client()
    await r.say(client, 'POST /g HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    await r.say(await r.accept(), ok('', 'grpc-status: 14'))
    const second = await r.accept()
    expect(text(second)).toMatch(/\r\n\r\nabc$/)
    await r.say(second, ok('fine', 'grpc-status: 0'))
    expect(text(client)).toMatch(/fine$/)
  })

  it('follow a silence only when asked to, within the time of one try', async () => {
    for (const on of [['timeout'], ['connect']] as const) {
      await using r = await rig({
        backends: two,
        forward: { retries: { on, perTry: '500ms' } },
        timeouts: { firstByte: '5s' },
      })
      const client = r.client()
      await r.say(client, get())
      const first = await r.accept()
      await r.pass(600)
      expect(first.over).toBeDefined()
      if (on[0] === 'connect') {
        expect(text(client)).toMatch(/^HTTP\/1.1 504 /)
        continue
      }
      await r.say(await r.accept(), ok('fine'))
      expect(text(client)).toMatch(/fine$/)
    }
  })

  it('stop with their budget', async () => {
    await using r = await rig({
      backends: two,
      forward: { retries: { attempts: 1 }, upstream: { reuse: 'never' } },
      retryBudget: retryBudget({ minimum: 2, percent: 0 }),
    })
    for (let i = 0; i < 4; i++) {
      const client = r.client()
      await r.say(client, get(`/${i}`))
      // Walking on from a member that cannot be reached is free; one that breaks off has had its work.
      if (i === 0) await r.refuse()
      const broken = await r.accept()
      if (i === 0) {
        await r.say(broken, ok('fine'))
        continue
      }
      broken.reset()
      await r.network.settle()
      if (i < 3) {
        await r.say(await r.accept(), ok('fine'))
        expect(text(client)).toMatch(/fine$/)
      } else expect(text(client)).toMatch(/^HTTP\/1.1 502 /)
    }
  })

  it('send a body again that is short enough, and no other', async () => {
    await using r = await rig({
      backends: two,
      forward: { retries: { attempts: 1, bodyBytes: 10 } },
    })
    for (const [body, again] of [
      ['0123456789', true],
      ['0123456789x', false],
    ] as const) {
      const client = r.client()
      await r.say(
        client,
        `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const first = await r.accept()
      first.reset()
      await r.network.settle()
      if (!again) {
        expect(text(client)).toMatch(/^HTTP\/1.1 502 /)
        continue
      }
      const second = await r.accept()
      expect(text(second).endsWith(`\r\n\r\n${body}`)).toBe(true)
      await r.say(second, ok('fine'))
    }
  })

  it('reach another member with a body that a transform changes', async () => {
    const same: HttpFilter = {
      name: 'same',
      requestBody: () => (sink) => ({
        write: (bytes) => sink.data(bytes),
        end: () => sink.end(),
        drained: () => sink.ready(),
        destroy: () => {},
      }),
    }
    await using r = await rig({ backends: two, use: [same] })
    const client = r.client()
    await r.say(client, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    await r.refuse()
    const second = await r.accept()
    expect(text(second)).toMatch(/3\r\nabc\r\n0\r\n\r\n$/)
    await r.say(second, ok('fine'))
    expect(text(client)).toMatch(/fine$/)
  })
})

describe('hedging', () => {
  const hedged = {
    backends: two,
    forward: { retries: { hedge: '100ms', on: ['connect', 'reset', 503] } },
  } as const

  async function race(r: Rig): Promise<[MemoryEnd, MemoryEnd]> {
    const first = await r.accept()
    await r.pass(120)
    return [first, await r.accept()]
  }

  it.each([0, 1])('takes the answer of number %d, and cancels the other', async (winner) => {
    await using r = await rig(hedged)
    const client = r.client()
    await r.say(client, get())
    const ends = await race(r)
    expect(text(ends[1])).toBe(text(ends[0]))
    await r.say(ends[winner]!, ok('first'))
    expect(text(client)).toMatch(/first$/)
    expect(ends[1 - winner]!.over).toBeDefined()
    expect(ends[winner]!.over).toBeUndefined()
    expect(r.records[0]).toMatchObject({
      attempts: 2,
      flags: ['hedged'],
      backendAddress: two[winner],
    })
    expect(r.edge.exchanges()).toBe(0)
  })

  it.each([
    [0, 'reset'],
    [1, 'reset'],
    [0, '503'],
    [1, '503'],
  ] as const)('goes on with one when number %d fails by %s', async (loser, how) => {
    await using r = await rig(hedged)
    const client = r.client()
    await r.say(client, get())
    const ends = await race(r)
    if (how === 'reset') ends[loser].reset()
    else await r.say(ends[loser], no(503))
    await r.network.settle()
    expect(text(client)).toBe('')
    await r.say(ends[1 - loser]!, ok('fine'))
    expect(text(client)).toMatch(/fine$/)
    expect(r.records[0]).toMatchObject({ backendAddress: two[1 - loser], attempts: 2 })
  })

  it('is not for what has a body, and a filter that stops it leaves the first one at work', async () => {
    let asked = 0
    await using r = await rig({
      ...hedged,
      use: [{ name: 'breaker', attempt: () => (++asked === 2 ? 'stop' : undefined) }],
    })
    const client = r.client()
    await r.say(client, get())
    const first = await r.accept()
    await r.pass(150)
    expect([asked, r.network.asked.length]).toEqual([2, 1])
    await r.say(first, ok('fine'))
    expect(text(client)).toMatch(/fine$/)
    await r.say(client, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx')
    await r.pass(150)
    expect(asked).toBe(3)
  })
})

describe('waiting for room', () => {
  const full = {
    backends: [] as string[],
    pool: { backends: [{ address: '10.1.0.1:80', maxConnections: 1 }], queueLimit: 1 },
    timeouts: { queue: '1s' },
  } as const

  it('is first come, first served; who finds the queue full is told so', async () => {
    await using r = await rig(full)
    const clients = [r.client(), r.client(), r.client()] as const
    await r.say(clients[0], get('/0'))
    const backend = await r.accept()
    await r.say(clients[1], get('/1'))
    await r.say(clients[2], get('/2'))
    expect(text(clients[2])).toMatch(/^HTTP\/1.1 503 [^]*retry-after/)
    await r.pass(300)
    await r.say(backend, ok('zero'))
    await r.say(backend, ok('one'))
    expect(text(clients[0])).toMatch(/zero$/)
    expect(text(clients[1])).toMatch(/one$/)
    expect(r.records.at(-1)!.times.queue).toBe(300)
  })

  it('has its limit, and a client that leaves gives its place up', async () => {
    await using r = await rig(full)
    const [busy, waits, leaves] = [r.client(), r.client(), r.client()]
    await r.say(busy, get('/0'))
    await r.accept()
    await r.say(leaves, get('/1'))
    leaves.reset()
    await r.network.settle()
    await r.say(waits, get('/2'))
    await r.pass(1100)
    expect(text(waits)).toMatch(/^HTTP\/1.1 503 /)
    expect(r.records.map(({ reason }) => reason)).toEqual(['client-aborted', 'queue-timeout'])
  })
})

describe('members', () => {
  it('that a filter prefers come first, draining ones too, and others when they cannot', async () => {
    const members = pool({
      backends: two.map((address, i) => ({ id: `m${i}`, address })),
      random: () => 0,
    })
    await using r = await rig({
      routes: [route(always, forward(members))],
      use: [{ name: 'sticky', prefer: () => 'm1' }],
    })
    const seen: string[] = []
    for (const state of ['enabled', 'draining', 'disabled'] as const) {
      members.edit('m1', { state })
      const client = r.client()
      await r.say(client, get(`/${state}`))
      const call = r.network.calls.find(({ over }) => !over)
      if (call !== undefined) {
        seen.push(String(call.target.host))
        const end = await r.accept()
        await r.say(end, ok('x', 'Connection: close'))
        end.end()
        await r.network.settle()
      }
    }
    expect(seen).toEqual(['10.1.0.2', '10.1.0.2', '10.1.0.1'])
  })

  it('that go down end what is on them, if it was asked for, and it is tried elsewhere', async () => {
    const members = pool({
      backends: two.map((address, i) => ({ id: `m${i}`, address })),
      random: () => 0,
    })
    await using r = await rig({
      routes: [route(always, forward(members))],
      whenDown: 'reset',
    })
    const client = r.client()
    await r.say(client, get())
    const call = r.network.calls[0]!
    const first = await r.accept()
    const id = call.target.host === '10.1.0.1' ? 'm0' : 'm1'
    members.report(id, { state: 'down', since: 0, reason: 'the test says so' })
    await r.network.settle()
    expect(first.over).toBeDefined()
    const second = await r.accept()
    await r.say(second, 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfi')
    const other = id === 'm0' ? 'm1' : 'm0'
    members.report(id, { state: 'up', since: 0, reason: 'the test says so' })
    members.report(other, { state: 'down', since: 0, reason: 'the test says so' })
    await r.network.settle()
    expect(client.over).toBe('reset')
    expect(r.records[0]).toMatchObject({ reason: 'backend-closed', attempts: 2 })
    expect(members.load.sum()).toBe(0)
  })

  it('are none: 503 at once', async () => {
    await using r = await rig({ backends: [] })
    const client = r.client()
    await r.say(client, get())
    expect(text(client)).toMatch(/^HTTP\/1.1 503 /)
    expect(r.records[0]).toMatchObject({ reason: 'no-backend', attempts: 0 })
  })
})

it('ends with the time for all of it, wherever it is', async () => {
  await using r = await rig({ timeouts: { total: '1s' } })
  const [connects, waits, reads] = [r.client(), r.client(), r.client()]
  await r.say(reads, get('/0'))
  const backend = await r.accept()
  await r.say(backend, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  await r.say(waits, get('/1'))
  await r.accept()
  await r.say(connects, get('/2'))
  await r.pass(1100)
  expect(text(connects)).toMatch(/^HTTP\/1.1 504 /)
  expect(text(waits)).toMatch(/^HTTP\/1.1 504 /)
  expect(reads.over).toBe('reset')
  expect(new Set(r.records.map(({ reason }) => reason))).toEqual(new Set(['total-timeout']))
  expect(r.network.dialled).toBe(0)
})
