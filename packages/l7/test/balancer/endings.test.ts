import { pool } from '@steelyard/core'
import type { MemoryEnd } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { coverage } from '../../src/client/coverage.ts'
import { always, forward, path, respond, route } from '../../src/index.ts'
import { get, ok, type Rig, rig, text } from './rig.ts'

const upgrade = get(
  '/ws',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
)
const agreed =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'

describe('tunnels', () => {
  async function tunnel(r: Rig): Promise<[MemoryEnd, MemoryEnd]> {
    const client = r.client()
    await r.say(client, upgrade)
    const backend = await r.accept()
    await r.say(backend, agreed)
    await r.say(client, 'four')
    await r.say(backend, 'fives')
    return [client, backend]
  }

  it('end when nothing moves', async () => {
    await using r = await rig({ timeouts: { tunnel: '1s' } })
    const [client, backend] = await tunnel(r)
    await r.pass(900)
    await r.say(client, 'x')
    await r.pass(900)
    expect(r.edge.exchanges()).toBe(1)
    await r.pass(2000)
    expect([client.over, backend.over]).not.toContain(undefined)
    expect(r.records[0]).toMatchObject({ reason: 'idle-timeout', bytesIn: 5, bytesOut: 5 })
    expect(r.network.open).toBe(0)
  })

  it('are cut by hand, and are recorded with what they carried', async () => {
    await using r = await rig()
    const [client, backend] = await tunnel(r)
    expect(r.edge.cut()).toBe(1)
    await r.network.settle()
    expect([client.over, backend.over]).toEqual(['reset', 'reset'])
    expect(r.records[0]).toMatchObject({ reason: 'shutdown', bytesIn: 4, bytesOut: 5 })
    expect(r.edge.stats()).toMatchObject({ exchanges: 0, connections: 0 })
  })

  it('end with their member when that was asked for', async () => {
    const members = pool({ backends: [{ id: 'm', address: '10.1.0.1:80' }] })
    await using r = await rig({ routes: [route(always, forward(members))], whenDown: 'reset' })
    const [client, backend] = await tunnel(r)
    members.report('m', { state: 'down', since: 0, reason: 'the test says so' })
    await r.network.settle()
    expect([client.over, backend.over]).toEqual(['reset', 'reset'])
    expect(r.records[0]).toMatchObject({ reason: 'backend-closed', bytesIn: 4 })
    expect([members.load.sum(), r.network.open]).toEqual([0, 0])
  })
})

describe('cutting', () => {
  it('may be for one member only', async () => {
    const members = pool({
      backends: ['10.1.0.1:80', '10.1.0.2:80'].map((address, i) => ({ id: `m${i}`, address })),
    })
    await using r = await rig({ routes: [route(always, forward(members))] })
    const clients = [r.client(), r.client()]
    for (const client of clients) {
      await r.say(client, get())
      await r.accept()
    }
    expect(r.edge.exchanges({ backendId: 'm0' })).toBe(1)
    expect(r.edge.exchanges({ pool: members })).toBe(2)
    expect(r.edge.exchanges({ pool: pool() })).toBe(0)
    expect(r.edge.cut({ backendId: 'm0' })).toBe(1)
    await r.network.settle()
    expect(clients.map(({ over }) => over).sort()).toEqual(['reset', undefined])
    expect(r.records).toHaveLength(1)
  })
})

describe('another configuration', () => {
  it('is for the next request; the one at work ends by the old one', async () => {
    await using r = await rig({ forward: { responseHeaders: { set: { 'x-conf': 'old' } } } })
    const client = r.client()
    await r.say(client, get('/1'))
    const backend = await r.accept()
    const other = pool({ backends: ['10.2.0.1:80'] })
    r.edge.reconfigure({
      routes: [
        route(path('/gone'), respond(410)),
        route(always, forward(other, { responseHeaders: { set: { 'x-conf': 'new' } } })),
      ],
    })
    expect(() => r.edge.reconfigure({ limits: { lines: -1 } })).toThrow(/limits.lines/)
    await r.say(client, get('/2'))
    await r.say(backend, ok('one'))
    expect(text(client)).toMatch(/x-conf: old[^]*one$/)
    const next = await r.accept()
    expect(r.network.asked.at(-1)).toMatchObject({ host: '10.2.0.1' })
    await r.say(next, ok('two'))
    await r.say(client, get('/gone'))
    expect(text(client)).toMatch(/x-conf: new[^]*two[^]* 410 Gone/)
  })
})

describe('the end of a client connection', () => {
  it('comes behind the response for a slow reader, and not in the middle of it', async () => {
    await using r = await rig({ timeouts: { idle: '10s' } })
    r.network.window = 100_000
    const client = r.client()
    await r.say(client, get('/', 'Connection: close'))
    const backend = await r.accept()
    client.slow = true
    await r.say(backend, ok('x'.repeat(50_000)))
    expect(r.records).toHaveLength(1)
    // Longer than what it may still send is read for.
    await r.pass(8000)
    client.slow = false
    await r.network.settle()
    expect(text(client).match(/x/g)).toHaveLength(50_000)
    expect([client.ended, client.over]).toEqual([true, undefined])
  })

  it('is a visible cut for one that takes nothing for too long', async () => {
    await using r = await rig({ timeouts: { idle: '5s' } })
    r.network.window = 100_000
    const client = r.client()
    await r.say(client, get('/', 'Connection: close'))
    const backend = await r.accept()
    client.slow = true
    await r.say(backend, ok('x'.repeat(50_000)))
    await r.pass(12_000)
    expect(client.over).toBe('reset')
    expect(r.edge.stats().connections).toBe(0)
  })

  it('comes behind the response when the client has said that it is done', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    client.slow = true
    await r.say(backend, ok('hello'))
    client.end()
    await r.network.settle()
    client.slow = false
    await r.network.settle()
    expect(text(client)).toMatch(/hello$/)
    expect(client.over).toBe('closed')
    expect(r.edge.stats().connections).toBe(0)
  })

  it('lets a client that says it is done wait for its response, if that was asked for', async () => {
    await using r = await rig({ halfClose: true })
    const client = r.client()
    client.send(Buffer.from(get('/1') + get('/2')))
    client.end()
    await r.network.settle()
    const backend = await r.accept()
    await r.say(backend, ok('one'))
    await r.say(backend, ok('two'))
    expect(text(client)).toMatch(/one[^]*two$/)
    expect(client.over).toBe('closed')
  })

  it('is no matter for memory: who does not read gets no further responses', async () => {
    const body = 'x'.repeat(5000)
    let asked = 0
    await using r = await rig({
      routes: [route(always, respond(200, { body }))],
      use: [{ name: 'counts', request: () => void (asked += 1) }],
      timeouts: { keepAlive: '3s', idle: '3s' },
    })
    const client = r.client()
    client.slow = true
    await r.say(client, get().repeat(500))
    expect(asked).toBeLessThan(10)
    client.slow = false
    await r.network.settle()
    expect(asked).toBe(500)
    expect(text(client).match(/x{5000}/g)).toHaveLength(500)
    client.slow = true
    await r.say(client, get().repeat(500))
    await r.pass(12_000)
    expect(r.edge.stats()).toMatchObject({ connections: 0, exchanges: 0 })
    expect(asked).toBeLessThan(520)
  })

  it('with a member that answers is as quick as can be', async () => {
    await using r = await rig()
    const client = r.client()
    await r.say(client, get())
    const backend = await r.accept()
    let stopped = false
    const stop = r.edge.stop({ drain: '60s' }).then(() => {
      stopped = true
    })
    client.reset()
    await r.network.settle()
    await r.network.settle()
    expect(stopped).toBe(true)
    expect(backend.over).toBeDefined()
    await stop
  })
})

it('drains a connection with requests in a row: answers the one at work, and no more', async () => {
  await using r = await rig()
  const client = r.client()
  await r.say(client, get('/1') + get('/2') + get('/3'))
  const backend = await r.accept()
  const stop = r.edge.stop({ drain: '5s' })
  await r.network.settle()
  await r.say(backend, ok('one'))
  expect(text(client)).toBe('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\none')
  expect(client.ended).toBe(true)
  client.end()
  await r.network.settle()
  await stop
  expect(r.records).toHaveLength(1)
})

it('does not serve a host by a connection whose certificate is not for it', () => {
  const facts = (...names: string[]) => ({ names }) as never
  const covers = coverage(
    { certificates: [facts('a.example'), facts('*.b.example', 'b.example')] } as never,
    facts('a.example'),
  )
  expect(
    ['a.example', 'x.b.example', 'b.example', 'y.x.b.example', 'other.example'].map(covers),
  ).toEqual([true, false, false, true, true])
})
