import { type Logger, pool, roundRobin, type SteelyardError, sourceHash } from '@steelyard/core'
import { memoryDatagrams } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { acl } from '../../src/acl.ts'
import { udpBalancer } from '../../src/udp/udp-balancer.ts'
import type { UdpSessionRecord } from '../../src/udp/udp-session-record.ts'
import { backendId, bed, bytes, heard, open, vip } from './bed.ts'

describe('options', () => {
  const wrong = (options: object): string => {
    try {
      const made = pool({ backends: ['10.1.0.1:53'] })
      udpBalancer({ listen: '127.0.0.1:0', pool: made, ...options })
    } catch (error) {
      expect((error as SteelyardError).code).toBe('invalid-option')
      return (error as SteelyardError).path ?? ''
    }
    return 'accepted'
  }

  it('are checked at once, each with its path', () => {
    expect(wrong({ listen: 'nowhere' })).toBe('listen')
    expect(wrong({ listen: 'unix:/tmp/x' })).toBe('listen')
    expect(wrong({ listen: { host: '127.0.0.1', port: 70_000 } })).toBe('listen.port')
    expect(wrong({ listen: { host: '::1', port: 0, fd: 3 } })).toBe('listen')
    expect(wrong({ listen: { port: 0, receiveBuffer: '4 elephants' } })).toBe(
      'listen.receiveBuffer',
    )
    expect(wrong({ pool: undefined })).toBe('pool')
    expect(wrong({ idleTimeout: '0s' })).toBe('idleTimeout')
    expect(wrong({ idleTimeout: 'soon' })).toBe('idleTimeout')
    expect(wrong({ expectedReplies: -1 })).toBe('expectedReplies')
    expect(wrong({ expectedReplies: 1.5 })).toBe('expectedReplies')
    expect(wrong({ expectedReplies: 'many' })).toBe('expectedReplies')
    expect(wrong({ maxSessions: 0 })).toBe('maxSessions')
    expect(wrong({ sessionKey: 'mood' })).toBe('sessionKey')
    expect(wrong({ sessionKey: 'source', perPacket: true })).toBe('sessionKey')
    expect(wrong({ buffers: { datagrams: 0 } })).toBe('buffers.datagrams')
    expect(wrong({ buffers: { bytes: 'lots' } })).toBe('buffers.bytes')
    expect(wrong({ whenDown: 'cry' })).toBe('whenDown')
    expect(wrong({ whenDraining: 'cry' })).toBe('whenDraining')
    expect(wrong({ sourceAddresses: [] })).toBe('sourceAddresses')
    expect(wrong({ sourceAddresses: ['10.0.0.1', 'x'] })).toBe('sourceAddresses[1]')
    expect(wrong({ drain: 'whenever' })).toBe('drain')
    expect(wrong({})).toBe('accepted')
  })

  it('cost no I/O before the start', () => {
    const net = memoryDatagrams()
    const made = pool({ backends: ['10.1.0.1:53'] })
    udpBalancer({ listen: '10.0.0.1:53', pool: made, transport: net.transport })
    expect(net.sockets).toBe(0)
  })
})

describe('a session', () => {
  it('takes datagrams to one member and its replies back, from the address that was asked', async () => {
    const { client, send, serve, pool: members } = await bed()
    serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'a')
    await send(one, 'b')
    await send(one, 'c')
    expect(heard(one)).toEqual(['1:a', '1:b', '1:c'])
    expect(one.received[0]?.from).toMatchObject({ address: '10.0.0.1', port: 53 })
    expect(open(members)).toBe(1)
  })

  it('is one for each client, and each client keeps its member', async () => {
    const { client, send, serve, balancer, pool: members } = await bed()
    serve(1)
    serve(2)
    const clients = Array.from({ length: 20 }, (_, number) => client(number))
    for (const round of ['x', 'y', 'z']) {
      for (const one of clients) await send(one, round)
    }
    for (const one of clients) {
      const members = new Set(heard(one).map((reply) => reply.split(':')[0]))
      expect(heard(one)).toHaveLength(3)
      expect(members.size).toBe(1)
    }
    expect(balancer.stats()).toMatchObject({
      active: 20,
      sessions: 20,
      received: 60,
      datagramsFromClient: 60,
      bytesFromClient: 60,
      datagramsToClient: 60,
      bytesToClient: 180,
      dropped: {},
    })
    expect([members.load.active[0], members.load.active[1]]).toEqual([10, 10])
  })

  it('ends when idle, and the summary says everything once', async () => {
    const {
      client,
      send,
      serve,
      advance,
      records,
      balancer,
      clock,
      net,
      pool: members,
    } = await bed({ idleTimeout: '10s' })
    serve(1)
    const one = client(1)
    await send(one, 'hello')
    const startedAt = clock.wallNow()
    await advance(9000)
    await send(one, 'again')
    await advance(9900)
    expect(records).toEqual([])
    expect(balancer.stats().active).toBe(1)
    await advance(200)
    expect(records).toEqual<UdpSessionRecord[]>([
      {
        listener: 'test',
        pool: 'dns',
        client: '10.2.0.1:5000',
        local: '10.0.0.1:53',
        backend: backendId(1),
        startedAt,
        durationMs: expect.closeTo(19_010, -2) as number,
        attempts: 1,
        datagramsFromClient: 2,
        bytesFromClient: 10,
        datagramsToClient: 2,
        bytesToClient: 14,
        dropped: 0,
        reason: 'idle',
      },
    ])
    expect(balancer.stats()).toMatchObject({ active: 0, ended: { idle: 1 } })
    expect(open(members)).toBe(0)
    // The client, the backend, the listener.
    expect(net.sockets).toBe(3)
  })

  it('is kept alive by replies as well', async () => {
    const { client, send, net, advance, records } = await bed({ idleTimeout: '10s' })
    const backend = net.peer('10.1.0.1', 53)
    const one = client(1)
    await send(one, 'subscribe')
    const from = backend.received[0]!.from
    for (let second = 0; second < 5; second++) {
      await advance(8000)
      backend.send(bytes('news'), from)
      await net.settle()
    }
    expect(heard(one)).toEqual(['news', 'news', 'news', 'news', 'news'])
    expect(records).toEqual([])
    await advance(10_100)
    expect(records.map(({ reason }) => reason)).toEqual(['idle'])
  })

  it('hears nobody but its own member', async () => {
    const { client, send, net } = await bed()
    const backend = net.peer('10.1.0.1', 53)
    const stranger = net.peer('10.9.9.9', 53)
    const one = client(1)
    await send(one, 'hello')
    stranger.send(bytes('forged'), backend.received[0]!.from)
    await net.settle()
    expect(heard(one)).toEqual([])
  })

  it('arms one timer, however many datagrams come', async () => {
    const { client, send, serve, clock } = await bed()
    serve(1)
    const one = client(1)
    await send(one, 'a')
    const armed = clock.pending
    for (let i = 0; i < 50; i++) await send(one, 'b')
    expect(clock.pending).toBe(armed)
  })
})

describe('expected replies', () => {
  it('end the session when all have come for all datagrams', async () => {
    const { client, send, net, records, balancer } = await bed({ expectedReplies: 2 })
    const backend = net.peer('10.1.0.1', 53, () => [bytes('1'), bytes('2')])
    const one = client(1)
    await send(one, 'q')
    expect(heard(one)).toEqual(['1', '2'])
    expect(records.map(({ reason }) => reason)).toEqual(['replies-complete'])
    expect(balancer.stats().active).toBe(0)
    expect(backend.received).toHaveLength(1)
  })

  it('wait for the answers to questions that were asked together', async () => {
    const { client, net, balancer, records } = await bed({ expectedReplies: 1 })
    net.peer('10.1.0.1', 53, (question) => [question])
    const one = client(1)
    one.send(bytes('A?'), vip)
    one.send(bytes('AAAA?'), vip)
    await net.settle()
    expect(heard(one)).toEqual(['A?', 'AAAA?'])
    expect(records).toMatchObject([{ reason: 'replies-complete', datagramsFromClient: 2 }])
    expect(balancer.stats().sessions).toBe(1)
  })

  it('of 0 drop what a backend says, and keep the client on its member', async () => {
    const { client, send, serve, balancer, records, advance } = await bed({
      expectedReplies: 0,
      idleTimeout: '5s',
    })
    const backend = serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'log 1')
    await send(one, 'log 2')
    expect(heard(one)).toEqual([])
    expect(heard(backend)).toEqual(['log 1', 'log 2'])
    expect(balancer.stats().dropped).toEqual({ 'reply-unexpected': 2 })
    await advance(5100)
    expect(records).toMatchObject([{ reason: 'idle', dropped: 2, datagramsToClient: 0 }])
  })
})

describe('a member that goes down', () => {
  it('loses its sessions at once: the next datagram goes elsewhere and the sockets are closed', async () => {
    const { client, send, serve, report, net, records, advance, pool: members } = await bed()
    serve(1)
    serve(2)
    const [one, two] = [client(1), client(2)]
    await send(one, 'a')
    await send(two, 'a')
    expect([...heard(one), ...heard(two)]).toEqual(['1:a', '2:a'])
    report(1, 'down')
    await send(one, 'b')
    await send(two, 'b')
    expect(heard(one)).toEqual(['1:a', '2:b'])
    expect(heard(two)).toEqual(['2:a', '2:b'])
    expect(records).toMatchObject([{ reason: 'member-down', backend: backendId(1) }])
    expect(open(members)).toBe(2)
    await advance(1)
    // Two clients, two backends, the listener, two sessions.
    expect(net.sockets).toBe(7)
  })

  it('has its silent sessions swept out as well, in turns', async () => {
    const { client, send, serve, report, records, advance, net, balancer } = await bed({
      backends: [backendId(1)],
    })
    serve(1)
    for (let number = 0; number < 600; number++) {
      const one = client(number)
      one.send(bytes('a'), vip)
    }
    await net.settle()
    expect(balancer.sessions({ backendId: backendId(1) })).toBe(600)
    report(1, 'down')
    expect(records).toHaveLength(0)
    await advance(0)
    expect(records).toHaveLength(600)
    expect(new Set(records.map(({ reason }) => reason))).toEqual(new Set(['member-down']))
    const late = client(1000)
    await send(late, 'b')
    expect(balancer.stats().dropped).toEqual({ 'no-backend': 1 })
  })

  it('keeps them when told so', async () => {
    const { client, send, serve, report, records } = await bed({ whenDown: 'keep' })
    serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'a')
    report(1, 'down')
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '1:b'])
    expect(records).toEqual([])
  })

  it('loses them also when it is disabled or ejected', async () => {
    const { client, send, serve, pool: members } = await bed()
    serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'a')
    members.edit(backendId(1), { state: 'disabled' })
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '2:b'])
  })

  it('keeps them while the pool asks it to take traffic all the same', async () => {
    const members = pool({ backends: [backendId(1), backendId(2)], whenEmpty: 'all' })
    const { client, send, serve, report, records } = await bed({ pool: members })
    serve(1)
    const one = client(1)
    await send(one, 'a')
    report(2, 'down')
    report(1, 'down')
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '1:b'])
    expect(records).toEqual([])
  })
})

describe('a member that drains', () => {
  it('keeps its sessions until they are idle, and gets no new ones', async () => {
    const {
      client,
      send,
      serve,
      advance,
      records,
      pool: members,
    } = await bed({
      idleTimeout: '10s',
    })
    serve(1)
    serve(2)
    const drained: string[] = []
    members.on('drained', ({ backend }) => drained.push(backend.id))
    const one = client(1)
    await send(one, 'a')
    members.edit(backendId(1), { state: 'draining' })
    await send(one, 'b')
    for (let number = 2; number < 6; number++) {
      const other = client(number)
      await send(other, 'c')
      expect(heard(other)).toEqual(['2:c'])
    }
    expect(heard(one)).toEqual(['1:a', '1:b'])
    expect(drained).toEqual([])
    await advance(10_100)
    expect(drained).toEqual([backendId(1)])
    expect(records.filter(({ backend }) => backend === backendId(1))).toMatchObject([
      { reason: 'idle' },
    ])
  })

  it('gives them up at once when told so, if there is somebody to take them', async () => {
    const { client, send, serve, pool: members, records } = await bed({ whenDraining: 'move' })
    serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'a')
    members.edit(backendId(1), { weight: 0 })
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '2:b'])
    expect(records).toMatchObject([{ reason: 'member-draining' }])
    members.edit(backendId(2), { weight: 0 })
    await send(one, 'c')
    expect(heard(one)).toEqual(['1:a', '2:b', '2:c'])
  })

  it('is also one that left the pool', async () => {
    const { client, send, serve, pool: members, advance } = await bed({ idleTimeout: '10s' })
    serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'a')
    members.set([backendId(2), backendId(3)])
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '1:b'])
    expect(open(members)).toBe(1)
    await advance(10_100)
    expect(open(members)).toBe(0)
    await send(one, 'c')
    expect(heard(one)).toEqual(['1:a', '1:b', '2:c'])
  })

  it('is left although persistence clings to it', async () => {
    const kept = new Map<string, string>()
    const members = pool({
      backends: [backendId(1), backendId(2)],
      persistence: {
        size: 0,
        whenDraining: 'keep',
        lookup: (client) => kept.get(client),
        assign: (client, id) => void kept.set(client, id),
        purge: () => {},
        export: () => [],
        import: () => {},
      },
    })
    const { client, send, serve, records } = await bed({ pool: members, whenDraining: 'move' })
    serve(1)
    serve(2)
    const one = client(1)
    await send(one, 'a')
    members.edit(backendId(1), { state: 'draining' })
    await send(one, 'b')
    await send(one, 'c')
    expect(heard(one)).toEqual(['1:a', '2:b', '2:c'])
    expect(kept.get('10.2.0.1')).toBe(backendId(2))
    expect(records).toHaveLength(1)
  })
})

describe('a backend that is not there', () => {
  it('is evidence for the pool, and the next datagram goes elsewhere', async () => {
    const failures: string[] = []
    const members = pool({
      backends: [backendId(1), backendId(2)],
      pick: sourceHash(),
      outlier: {
        attach: () => ({
          succeeded: () => {},
          failed: (id, error) => failures.push(`${id} ${error.code}`),
          checkedUp: () => {},
          removed: () => {},
          [Symbol.dispose]: () => {},
        }),
      },
    })
    const { client, send, serve, records, balancer } = await bed({ pool: members })
    // Whoever the hash chooses for it is not there; the other one is.
    const one = client(1)
    await send(one, 'a')
    const dead = records[0]!.backend
    const well = dead === backendId(1) ? 2 : 1
    serve(well)
    expect(failures).toEqual([`${dead} connection-refused`])
    expect(records).toMatchObject([{ reason: 'member-refused', datagramsFromClient: 1 }])
    expect(records[0]?.error?.code).toBe('connection-refused')
    await send(one, 'b')
    await send(one, 'c')
    expect(heard(one)).toEqual([`${well}:b`, `${well}:c`])
    expect(balancer.stats()).toMatchObject({ refused: 1, active: 1 })
    expect(open(members)).toBe(1)
  })

  it('is asked again when there is nobody else', async () => {
    const { client, send, serve, balancer } = await bed({ backends: [backendId(1)] })
    const one = client(1)
    await send(one, 'a')
    expect(balancer.stats()).toMatchObject({ refused: 1, active: 0 })
    serve(1)
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:b'])
  })

  it('is asked again after a while', async () => {
    const members = pool({ backends: [backendId(1), backendId(2)], pick: sourceHash() })
    const { client, send, serve, advance, records } = await bed({
      pool: members,
      idleTimeout: '5s',
    })
    const one = client(1)
    await send(one, 'a')
    const first = Number(records[0]!.backend.split(/[.:]/)[3])
    serve(first)
    serve(3 - first)
    await advance(31_000)
    await send(one, 'b')
    expect(heard(one)).toEqual([`${first}:b`])
  })

  it('that cannot be reached makes the session try the next candidate, with what waits for it', async () => {
    const {
      client,
      send,
      serve,
      net,
      records,
      balancer,
      advance,
      pool: members,
    } = await bed({
      backends: [backendId(1), backendId(2), backendId(3)],
      idleTimeout: '5s',
    })
    net.failBinds(backendId(1), 'host-unreachable')
    net.failBinds(backendId(2), 'name-not-found')
    serve(3)
    const one = client(1)
    await send(one, 'a')
    expect(heard(one)).toEqual(['3:a'])
    expect(balancer.stats()).toMatchObject({ connectFailures: 2, sessions: 1 })
    expect(members.members().map(({ failures, active }) => [failures, active])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
    ])
    await advance(5100)
    expect(records).toMatchObject([{ attempts: 3, backend: backendId(3), reason: 'idle' }])
  })

  it('ends the session when no candidate can be reached', async () => {
    const { client, send, net, records, balancer, pool: members } = await bed()
    net.failBinds(backendId(1), 'host-unreachable')
    net.failBinds(backendId(2), 'host-unreachable')
    await send(client(1), 'a')
    expect(records).toMatchObject([{ reason: 'connect-failed', attempts: 2, dropped: 1 }])
    expect(balancer.stats().dropped).toEqual({ 'not-sent': 1 })
    expect(open(members)).toBe(0)
  })

  it('is not blamed for what is lacking here', async () => {
    const { client, send, net, records, pool: members } = await bed()
    net.failBinds(backendId(1), 'too-many-files')
    await send(client(1), 'a')
    expect(records).toMatchObject([{ reason: 'connect-failed', attempts: 1 }])
    expect(members.members()[0]?.failures).toBe(0)
  })
})

describe('one-packet mode', () => {
  it('picks each datagram anew and still brings the replies back', async () => {
    const {
      client,
      serve,
      net,
      balancer,
      pool: members,
    } = await bed({
      perPacket: true,
      backends: [backendId(1), backendId(2), backendId(3)],
    })
    const backends = [serve(1), serve(2), serve(3)]
    const one = client(1)
    for (let i = 0; i < 30; i++) one.send(bytes(`${i}`), vip)
    await net.settle()
    expect(backends.map((backend) => backend.received.length)).toEqual([10, 10, 10])
    expect(new Set(heard(one)).size).toBe(30)
    expect(balancer.stats()).toMatchObject({ sessions: 3, active: 3 })
    expect(open(members)).toBe(3)
  })

  it('leaves a member that refuses to the algorithm', async () => {
    const { client, send, serve, balancer } = await bed({ perPacket: true })
    serve(2)
    const one = client(1)
    for (let i = 0; i < 4; i++) await send(one, `${i}`)
    expect(heard(one)).toEqual(['2:1', '2:3'])
    expect(balancer.stats()).toMatchObject({ refused: 2, active: 1 })
  })
})

describe('sessionKey source', () => {
  it('keeps all ports of an address on one member, and their replies apart', async () => {
    const { client, send, serve, balancer } = await bed({ sessionKey: 'source' })
    serve(1)
    serve(2)
    const ports = [client(1, 1001), client(1, 1002), client(1, 1003)]
    const other = client(2, 1001)
    for (const one of ports) await send(one, `${one.address.port}`)
    await send(other, 'x')
    expect(ports.map(heard)).toEqual([['1:1001'], ['1:1002'], ['1:1003']])
    expect(heard(other)).toEqual(['2:x'])
    expect(balancer.stats().active).toBe(4)
  })

  it('forgets the member with the last session of the address', async () => {
    const { client, send, serve, advance } = await bed({
      sessionKey: 'source',
      idleTimeout: '10s',
    })
    serve(1)
    serve(2)
    await send(client(1, 1001), 'a')
    await advance(6000)
    const second = client(1, 1002)
    await send(second, 'b')
    await advance(6000)
    const third = client(1, 1003)
    await send(third, 'c')
    expect([...heard(second), ...heard(third)]).toEqual(['1:b', '1:c'])
    await advance(10_100)
    const fourth = client(1, 1004)
    await send(fourth, 'd')
    expect(heard(fourth)).toEqual(['2:d'])
  })

  it('does not let a new port follow to a member that drains or is full', async () => {
    const {
      client,
      send,
      serve,
      pool: members,
    } = await bed({
      sessionKey: 'source',
      backends: [{ address: backendId(1), maxConnections: 2 }, backendId(2)],
    })
    serve(1)
    serve(2)
    const ports = [1001, 1002, 1003, 1004].map((port) => client(1, port))
    for (const one of ports) await send(one, 'a')
    expect(ports.flatMap(heard)).toEqual(['1:a', '1:a', '2:a', '2:a'])
    members.edit(backendId(2), { state: 'draining' })
    members.edit(backendId(1), { maxConnections: 0 })
    const fifth = client(1, 1005)
    await send(fifth, 'a')
    expect(heard(fifth)).toEqual(['1:a'])
  })
})

describe('bounds', () => {
  it('on sessions: new clients are dropped, old ones go on', async () => {
    const { client, send, serve, balancer } = await bed({ maxSessions: 2 })
    serve(1)
    serve(2)
    const clients = [client(1), client(2), client(3)]
    for (const one of clients) await send(one, 'a')
    await send(clients[0]!, 'b')
    expect(clients.map((one) => one.received.length)).toEqual([2, 1, 0])
    expect(balancer.stats()).toMatchObject({ active: 2, dropped: { 'table-full': 1 } })
  })

  it('on connections of a member', async () => {
    const { client, send, serve, balancer } = await bed({
      backends: [{ address: backendId(1), maxConnections: 1 }],
    })
    serve(1)
    await send(client(1), 'a')
    await send(client(2), 'a')
    expect(balancer.stats().dropped).toEqual({ 'backends-full': 1 })
  })

  it('on what waits for a backend socket, each session by itself and all together', async () => {
    const { client, send, net, serve, balancer, records, advance } = await bed({
      buffers: { datagrams: 3, bytes: 100, total: 150 },
      idleTimeout: '5s',
    })
    const backend = serve(1)
    serve(2)
    net.held = true
    const [one, two] = [client(1), client(2)]
    for (const message of ['a', 'b', 'c', 'd']) await send(one, message)
    await send(two, 'x'.repeat(101))
    await send(two, 'y'.repeat(100))
    expect(balancer.stats()).toMatchObject({
      waiting: 4,
      waitingBytes: 103,
      dropped: { 'buffer-full': 2 },
    })
    const three = client(3)
    await send(three, 'z'.repeat(48))
    expect(balancer.stats().dropped).toEqual({ 'buffer-full': 3 })
    net.held = false
    await net.settle()
    expect(heard(backend)).toEqual(['a', 'b', 'c'])
    expect(balancer.stats()).toMatchObject({ waiting: 0, waitingBytes: 0 })
    await advance(5100)
    expect(records.map(({ dropped }) => dropped)).toEqual([1, 1, 1])
  })

  it('count what waited for a session that ended', async () => {
    const { client, send, net, balancer, advance, records } = await bed({ idleTimeout: '5s' })
    net.held = true
    await send(client(1), 'a')
    await advance(5100)
    expect(records).toMatchObject([{ reason: 'idle', dropped: 1, datagramsFromClient: 0 }])
    expect(balancer.stats()).toMatchObject({ waiting: 0, dropped: { 'not-sent': 1 } })
    net.held = false
    await net.settle()
    // The client and the listener: the late socket was closed.
    expect(net.sockets).toBe(2)
  })

  it('count what full send queues refuse, both ways', async () => {
    const { client, send, net, balancer } = await bed()
    const backend = net.peer('10.1.0.1', 53)
    const one = client(1)
    await send(one, 'a')
    one.send(bytes('b'), vip)
    backend.send(bytes('r'), backend.received[0]!.from)
    net.full = true
    await net.settle()
    expect(balancer.stats()).toMatchObject({
      datagramsFromClient: 1,
      datagramsToClient: 0,
      dropped: { 'queue-full': 1, 'reply-queue-full': 1 },
    })
  })

  it('on log lines: one a second for each subject, with the number withheld', async () => {
    const lines: Record<string, unknown>[] = []
    const log: Logger = {
      debug: () => {},
      info: () => {},
      warn: (fields) => lines.push({ ...fields }),
      error: () => {},
    }
    const { client, send, advance } = await bed({ backends: [], log })
    const one = client(1)
    for (let i = 0; i < 5; i++) await send(one, 'a')
    await advance(1000)
    await send(one, 'a')
    expect(lines).toMatchObject([
      { reason: 'no-backend', withheld: 0 },
      { reason: 'no-backend', withheld: 4 },
    ])
  })
})

describe('datagram sizes', () => {
  it('are kept from 0 to 65,507', async () => {
    const { client, net } = await bed()
    net.peer('10.1.0.1', 53, (message) => [message])
    const one = client(1)
    const sizes = [0, 1, 1472, 9000, 65_507]
    for (const size of sizes) {
      one.send(new Uint8Array(size).fill(size & 255), vip)
      await net.settle()
    }
    expect(one.received.map((item) => item.bytes.length)).toEqual(sizes)
    for (const { bytes } of one.received) {
      expect(bytes.every((value) => value === (bytes.length & 255))).toBe(true)
    }
  })

  it('that a socket says are too long are counted, and nobody is blamed', async () => {
    const { client, send, net, balancer, pool: members } = await bed()
    const backend = net.peer('10.1.0.1', 53)
    await send(client(1), 'a')
    net.fail(backend.received[0]!.from.port, 'message-too-long')
    expect(balancer.stats()).toMatchObject({ active: 1, dropped: { 'too-long': 1 } })
    expect(members.members()[0]?.failures).toBe(0)
  })
})

describe('the access list', () => {
  it('is asked before anything else', async () => {
    const { client, send, serve, balancer } = await bed({ acl: acl({ deny: ['10.2.0.1'] }) })
    serve(1)
    const [one, two] = [client(1), client(2)]
    await send(one, 'a')
    await send(two, 'a')
    expect([...heard(one), ...heard(two)]).toEqual(['1:a'])
    expect(balancer.stats()).toMatchObject({ sessions: 1, dropped: { 'acl-denied': 1 } })
  })

  it('of a reload ends live sessions that it denies, and no others', async () => {
    const { client, send, serve, balancer, records, net } = await bed()
    const backend = serve(1)
    serve(2)
    const [one, two] = [client(1), client(2)]
    await send(one, 'a')
    await send(two, 'a')
    balancer.reconfigure({ acl: acl({ deny: ['10.2.0.1'] }) })
    backend.send(bytes('late'), backend.received[0]!.from)
    await net.settle()
    await send(one, 'b')
    await send(two, 'b')
    expect([heard(one), heard(two)]).toEqual([['1:a'], ['2:a', '2:b']])
    expect(records).toMatchObject([{ reason: 'acl-denied', client: '10.2.0.1:5000' }])
  })
})

describe('reconfigure', () => {
  it('refuses wrong options and leaves everything as it was', async () => {
    const { client, send, serve, balancer } = await bed({ maxSessions: 1 })
    serve(1)
    const one = client(1)
    await send(one, 'a')
    expect(() => balancer.reconfigure({ maxSessions: 5, idleTimeout: 'soon' })).toThrow(
      /idleTimeout/,
    )
    await send(client(2), 'a')
    expect(balancer.stats()).toMatchObject({ active: 1, dropped: { 'table-full': 1 } })
  })

  it('puts another idle timeout in force for live sessions, shorter or longer', async () => {
    const { client, send, serve, balancer, advance, records } = await bed({ idleTimeout: '60s' })
    serve(1)
    serve(2)
    await send(client(1), 'a')
    await advance(4000)
    balancer.reconfigure({ idleTimeout: '5s' })
    await advance(1100)
    expect(records).toMatchObject([{ reason: 'idle' }])
    await send(client(2), 'a')
    balancer.reconfigure({ idleTimeout: '60s' })
    await advance(59_000)
    expect(records).toHaveLength(1)
    await advance(1100)
    expect(records).toHaveLength(2)
  })

  it('lets the sessions of a replaced pool drain, and lets go of the pool after the last', async () => {
    let checks = 0
    const before = pool({
      backends: [backendId(1), backendId(2)],
      check: {
        attach() {
          checks += 1
          return { [Symbol.dispose]: () => void (checks -= 1) }
        },
      },
    })
    const { client, send, serve, balancer, advance } = await bed({
      pool: before,
      idleTimeout: '10s',
    })
    const after = pool({ name: 'new', backends: [backendId(3)] })
    for (const number of [1, 2, 3]) serve(number)
    const [one, two] = [client(1), client(2)]
    await send(one, 'a')
    balancer.reconfigure({ pool: after })
    await send(one, 'b')
    await send(two, 'b')
    expect([heard(one), heard(two)]).toEqual([['1:a', '1:b'], ['3:b']])
    expect([open(before), open(after), checks]).toEqual([1, 1, 1])
    await advance(10_100)
    expect([open(before), open(after), checks]).toEqual([0, 0, 0])
  })

  it('moves the sessions of a replaced pool whose member goes down', async () => {
    const { client, send, serve, balancer, report, records } = await bed()
    for (const number of [1, 2, 3]) serve(number)
    const one = client(1)
    await send(one, 'a')
    balancer.reconfigure({ pool: pool({ backends: [backendId(3)] }) })
    report(1, 'down')
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '3:b'])
    expect(records).toMatchObject([{ reason: 'member-down', pool: 'dns' }])
  })

  it('takes a pool back that it replaced before', async () => {
    const { client, send, serve, balancer, pool: before, records } = await bed()
    for (const number of [1, 2, 3]) serve(number)
    const one = client(1)
    await send(one, 'a')
    balancer.reconfigure({ pool: pool({ backends: [backendId(3)] }), whenDraining: 'keep' })
    balancer.reconfigure({ pool: before, whenDraining: 'move' })
    await send(one, 'b')
    expect(heard(one)).toEqual(['1:a', '1:b'])
    expect(records).toEqual([])
  })
})

describe('the pool', () => {
  it('is in use from the start to the stop, and is checked meanwhile', async () => {
    let attached = 0
    const members = pool({
      backends: [backendId(1)],
      check: {
        attach() {
          attached += 1
          return { [Symbol.dispose]: () => void (attached -= 1) }
        },
      },
    })
    const { balancer, net } = await bed({ pool: members })
    expect(attached).toBe(1)
    const stopped = balancer.stop()
    await net.settle()
    await stopped
    expect(attached).toBe(0)
  })

  it('hears how fast its members answer', async () => {
    const samples: [string, number][] = []
    const members = pool({
      backends: [backendId(1)],
      pick: {
        ...roundRobin(),
        open: (options) => {
          const inner = roundRobin().open(options)
          return {
            update: (roster) => inner.update(roster),
            pick: (key, tried) => inner.pick(key, tried),
            observe: (slot, latencyMs) => samples.push([members.backendAt(slot).id, latencyMs]),
          }
        },
      },
    })
    const { client, send, net, clock } = await bed({ pool: members })
    const backend = net.peer('10.1.0.1', 53)
    await send(client(1), 'a')
    clock.advance(25)
    backend.send(bytes('r'), backend.received[0]!.from)
    backend.send(bytes('r'), backend.received[0]!.from)
    await net.settle()
    expect(samples).toEqual([[backendId(1), 25]])
  })
})

describe('start and stop', () => {
  it('fails to start when the address is taken, and lets the pool go', async () => {
    const { net, pool: members } = await bed()
    const second = udpBalancer({ listen: '10.0.0.1:53', pool: members, transport: net.transport })
    const outcome = second.start().catch((error: unknown) => error)
    await net.settle()
    expect(await outcome).toMatchObject({ code: 'address-in-use' })
    await expect(second.closed).resolves.toMatchObject({ code: 'address-in-use' })
  })

  it('drains: serves the sessions there are, begins none, and is done with the last', async () => {
    const { client, send, serve, balancer, net, advance, records } = await bed({
      idleTimeout: '4s',
    })
    serve(1)
    serve(2)
    const [one, two] = [client(1), client(2)]
    await send(one, 'a')
    let stopped = false
    const stop = balancer.stop({ drain: '1m' }).then(() => (stopped = true))
    await send(one, 'b')
    await send(two, 'b')
    expect([heard(one), heard(two)]).toEqual([['1:a', '1:b'], []])
    expect(balancer.stats().dropped).toEqual({ stopping: 1 })
    expect(stopped).toBe(false)
    await advance(4100)
    await stop
    expect(records).toMatchObject([{ reason: 'idle' }])
    expect(balancer.address).toBeUndefined()
    // Two clients, two backends.
    expect(net.sockets).toBe(4)
  })

  it('cuts what is left when the drain time is over', async () => {
    const { client, send, serve, balancer, net, advance, records, pool: members } = await bed()
    serve(1)
    await send(client(1), 'a')
    const stop = balancer.stop({ drain: '3s' })
    await net.settle()
    await advance(2999)
    expect(records).toEqual([])
    await advance(1)
    await stop
    expect(records).toMatchObject([{ reason: 'drain-deadline' }])
    expect(open(members)).toBe(0)
    expect(net.sockets).toBe(2)
  })

  it('cuts at once without drain, or when the signal aborts', async () => {
    for (const how of ['no drain', 'signal'] as const) {
      const { client, send, serve, balancer, net, records, clock } = await bed()
      serve(1)
      await send(client(1), 'a')
      const abort = new AbortController()
      const stop = balancer.stop(how === 'signal' ? { signal: abort.signal } : { drain: 0 })
      abort.abort()
      await net.settle()
      await stop
      expect(records).toMatchObject([{ reason: 'cut' }])
      expect(clock.pending).toBe(0)
      expect(net.sockets).toBe(2)
    }
  })

  it('waits for backend sockets that are still being opened', async () => {
    const { client, send, balancer, net } = await bed()
    net.held = true
    await send(client(1), 'a')
    let stopped = false
    const stop = balancer.stop({ drain: 0 }).then(() => (stopped = true))
    await net.settle()
    expect(stopped).toBe(false)
    net.held = false
    await net.settle()
    await stop
    expect(net.sockets).toBe(1)
  })

  it('breaks down when its listening socket is taken away, and says so', async () => {
    const { client, send, serve, balancer, net, records, pool: members } = await bed()
    const backend = serve(1)
    await send(client(1), 'a')
    backend[Symbol.dispose]()
    net.break(53)
    await net.settle()
    await expect(balancer.closed).resolves.toMatchObject({ code: 'listener-closed' })
    expect(records).toMatchObject([{ reason: 'cut' }])
    expect(open(members)).toBe(0)
  })

  it('goes on when the listening socket reports a failure, and tells', async () => {
    const { client, send, serve, balancer, net } = await bed()
    serve(1)
    const errors: string[] = []
    balancer.on('error', ({ code }) => errors.push(code))
    net.fail(53, 'network-unreachable')
    net.fail(53, 'network-unreachable')
    const one = client(1)
    await send(one, 'a')
    expect(heard(one)).toEqual(['1:a'])
    expect(errors).toEqual(['network-unreachable'])
    expect(balancer.stats().socketErrors).toBe(2)
  })

  it('ends a session whose backend socket is taken away', async () => {
    const { client, send, net, records, pool: members } = await bed()
    const backend = net.peer('10.1.0.1', 53)
    await send(client(1), 'a')
    net.break(backend.received[0]!.from.port)
    await net.settle()
    expect(records).toMatchObject([{ reason: 'error' }])
    expect(open(members)).toBe(0)
  })
})

describe('operators', () => {
  it('count and cut the sessions of one member', async () => {
    const { client, send, serve, balancer, records } = await bed()
    serve(1)
    serve(2)
    for (let number = 0; number < 6; number++) await send(client(number), 'a')
    expect(balancer.sessions()).toBe(6)
    expect(balancer.sessions({ backendId: backendId(1) })).toBe(3)
    expect(balancer.cut({ backendId: backendId(1) })).toBe(3)
    expect(balancer.sessions()).toBe(3)
    expect(records.map(({ reason }) => reason)).toEqual(['cut', 'cut', 'cut'])
  })

  it('read every counter at a scrape, with bounded labels', async () => {
    const samples = new Map<string, number>()
    let scrape = (): void => {}
    const { client, send, serve } = await bed({
      metrics: {
        counter: () => ({ add: () => {} }),
        gauge: () => ({ set: () => {} }),
        histogram: () => ({ observe: () => {} }),
        collect(sample) {
          scrape = () =>
            sample((_kind, name, _help, value, labels) =>
              samples.set(`${name} ${Object.values(labels ?? {}).join(' ')}`, value),
            )
          return { [Symbol.dispose]: () => {} }
        },
      },
    })
    serve(1)
    serve(2)
    for (let number = 0; number < 3; number++) await send(client(number), 'ab')
    scrape()
    expect(samples.get('steelyard_l4_udp_sessions test')).toBe(3)
    expect(samples.get('steelyard_l4_udp_bytes_total test to-backend')).toBe(6)
    expect(samples.get('steelyard_l4_udp_bytes_total test to-client')).toBe(12)
    expect([...samples.keys()].some((key) => key.includes('10.2.'))).toBe(false)
  })
})
