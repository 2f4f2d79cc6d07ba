import { EventEmitter, once } from 'node:events'
import { pool } from '@steelyard/core'
import { udpCheck } from '@steelyard/health'
import {
  tcpBalancer,
  type UdpBalancer,
  type UdpBalancerOptions,
  type UdpSessionRecord,
  udpBalancer,
} from '@steelyard/l4'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { becomes } from './becomes.ts'
import { type Folder, folder } from './folder.ts'
import { freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { dig, steadyResolver, txtQuery } from './peers/dns.ts'
import { largeCount, largeText, type Unbound, unbound } from './peers/unbound.ts'
import { said } from './run.ts'

/** A UDP balancer at work, and the records of its sessions. */
interface Forwarding extends AsyncDisposable {
  readonly balancer: UdpBalancer
  readonly host: string
  readonly port: number
  readonly records: readonly UdpSessionRecord[]
  ended(count: number): Promise<void>
}

async function forwarding(
  options: Omit<UdpBalancerOptions, 'listen'>,
  host = '127.0.0.1',
): Promise<Forwarding> {
  const records: UdpSessionRecord[] = []
  const news = new EventEmitter()
  const balancer = await udpBalancer({
    listen: { host, port: 0 },
    drain: 0,
    onSession(record) {
      records.push(record)
      news.emit('record')
    },
    ...options,
  }).start()
  return {
    balancer,
    host,
    port: balancer.address!.port,
    records,
    async ended(count) {
      const signal = AbortSignal.timeout(20_000)
      while (records.length < count) await once(news, 'record', { signal })
    },
    [Symbol.asyncDispose]: () => balancer.stop(),
  }
}

suiteWith('a UDP balancer in front of DNS servers', ['unbound', 'dig'], () => {
  const stack = new AsyncDisposableStack()
  let home: Folder
  const servers: Unbound[] = []

  beforeAll(async () => {
    home = stack.use(await folder())
    for (const name of ['server-a', 'server-b']) {
      const host = ownAddress()
      servers.push(stack.use(await unbound(home, name, host, await freePort(host))))
    }
  })

  afterAll(() => stack.disposeAsync())

  const members = (): { id: string; address: string }[] =>
    servers.map(({ address }, index) => ({ id: index === 0 ? 'server-a' : 'server-b', address }))

  it.each(['127.0.0.1', '::1'])(
    'answers each of 400 queries of dig at %s, in turn by each server',
    async (host) => {
      await using forward = await forwarding(
        { pool: pool({ backends: members() }), expectedReplies: 1 },
        host,
      )
      const batch = await home.write('batch', 'whoami.lab.test TXT\na.lab.test A\n'.repeat(50))
      const answers = await Promise.all(
        Array.from({ length: 4 }, () =>
          dig(host, forward.port, { query: ['+notcp', '-f', batch] }),
        ),
      )
      const lines = answers.join('').trim().split('\n')
      expect(lines).toHaveLength(400)
      expect(new Set(lines)).toEqual(new Set(['"server-a"', '"server-b"', '192.0.2.53']))
      await forward.ended(400)
      expect(forward.records.filter(({ reason }) => reason !== 'replies-complete')).toEqual([])
      const { dropped, refused, active } = forward.balancer.stats()
      expect({ dropped, refused, active }).toEqual({ dropped: {}, refused: 0, active: 0 })
      const byA = forward.records.filter(({ backend }) => backend === 'server-a').length
      expect(byA).toBe(200)
    },
  )

  it('brings answers of eight kilobytes whole', async () => {
    await using forward = await forwarding({
      pool: pool({ backends: members() }),
      expectedReplies: 1,
    })
    const answer = await dig('127.0.0.1', forward.port, {
      query: ['+notcp', '+ignore', '+bufsize=16384', 'large.lab.test', 'TXT'],
    })
    expect(answer.trim().split('\n').sort()).toEqual(
      Array.from({ length: largeCount }, (_, index) => `"${largeText(index)}"`).sort(),
    )
    await forward.ended(1)
    expect(forward.records[0]).toMatchObject({ datagramsToClient: 1, reason: 'replies-complete' })
    expect(forward.records[0]!.bytesToClient).toBeGreaterThan(8000)
  })

  it('lets who gets a short answer come again by TCP on the same port', async () => {
    const group = pool({ backends: members() })
    // An address of its own: the port that is free for UDP is free for TCP too.
    const host = ownAddress()
    await using forward = await forwarding({ pool: group, expectedReplies: 1 }, host)
    await using stream = await tcpBalancer({
      listen: { host, port: forward.port },
      pool: group,
      drain: 0,
    }).start()
    const answer = await dig(host, forward.port, { query: ['large.lab.test', 'TXT'] })
    expect(answer.trim().split('\n')).toHaveLength(largeCount)
    expect(stream.stats().accepted).toBe(1)
    expect(forward.balancer.stats().sessions).toBe(1)
  })

  it('keeps an address on one server, whatever its port, where it was told so', async () => {
    await using forward = await forwarding({
      pool: pool({ backends: members() }),
      sessionKey: 'source',
    })
    for (const source of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) {
      const batch = await home.write('batch', 'whoami.lab.test TXT\n'.repeat(20))
      const answers = await dig('127.0.0.1', forward.port, { query: ['-b', source, '-f', batch] })
      expect(new Set(answers.trim().split('\n')).size).toBe(1)
    }
  })

  it('moves a resolver that keeps its port away from a killed server within the fall time', async () => {
    const [intervalMs, timeoutMs, fall] = [200, 200, 3]
    const check = udpCheck({
      mode: 'reply',
      send: { hex: txtQuery('whoami.lab.test', 0x5ca1).toString('hex') },
      // Same identity, QR AA RD RA, no error, one answer.
      expect: { hex: '5ca1 8580 0001 0001' },
      every: intervalMs,
      timeout: timeoutMs,
      rise: 2,
      fall,
    })
    const group = pool({ backends: members(), check })
    await using forward = await forwarding({ pool: group })
    expect(await becomes(group, 'server-a', 'up')).toMatch(/answered/)
    expect(await becomes(group, 'server-b', 'up')).toMatch(/answered/)
    const resolvers = await Promise.all(
      Array.from({ length: 10 }, () => steadyResolver('127.0.0.1', forward.port)),
    )
    const homes = await Promise.all(resolvers.map((resolver) => resolver.whoami()))
    expect(homes.filter(({ server }) => server === 'server-a')).toHaveLength(5)
    // They stay where they are.
    for (const [index, resolver] of resolvers.entries()) {
      expect(await resolver.whoami()).toEqual({ server: homes[index]!.server, lost: 0 })
    }
    const down = becomes(group, 'server-a', 'down')
    const killedAt = performance.now()
    await servers[0]!.kill()
    const moved = await Promise.all(
      resolvers.map(async (resolver) => ({
        ...(await resolver.whoami()),
        afterMs: performance.now() - killedAt,
      })),
    )
    const fallMs = intervalMs * fall + timeoutMs
    for (const { server, afterMs } of moved) {
      expect(server).toBe('server-b')
      expect(afterMs).toBeLessThan(fallMs + 1500)
    }
    expect(await down).toMatch(/unreachable \(ICMP\)/)
    expect(performance.now() - killedAt).toBeLessThan(fallMs + 1500)
    // Who comes from now on loses nothing.
    const batch = await home.write('batch', 'whoami.lab.test TXT\n'.repeat(50))
    const answers = await dig('127.0.0.1', forward.port, { query: ['-f', batch] })
    expect(answers).toBe('"server-b"\n'.repeat(50))
    const left = forward.records.filter(({ backend }) => backend === 'server-a')
    expect(left.length).toBeGreaterThanOrEqual(5)
    for (const { reason } of left) expect(reason).toMatch(/^member-(refused|down)$/)
    const up = becomes(group, 'server-a', 'up')
    await servers[0]!.revive()
    await up
    const both = await dig('127.0.0.1', forward.port, { query: ['-f', batch] })
    expect(new Set(both.trim().split('\n'))).toEqual(new Set(['"server-a"', '"server-b"']))
    for (const resolver of resolvers) await resolver[Symbol.asyncDispose]()
  })

  it('spreads the datagrams of one socket where it was told so', async () => {
    await using forward = await forwarding({ pool: pool({ backends: members() }), perPacket: true })
    await using resolver = await steadyResolver('127.0.0.1', forward.port)
    const seen: string[] = []
    for (let i = 0; i < 20; i++) seen.push((await resolver.whoami()).server)
    expect(seen.filter((server) => server === 'server-a')).toHaveLength(10)
    expect(forward.balancer.sessions()).toBe(2)
  })

  it('carries what is no query, and the answer that refuses it', async () => {
    await using forward = await forwarding({
      pool: pool({ backends: members() }),
      expectedReplies: 1,
    })
    const answer = await said(path('dig'), [
      ...['@127.0.0.1', '-p', String(forward.port), '+tries=1', '+opcode=2', 'lab.test', 'SOA'],
    ])
    expect(answer).toMatch(/status: NOTIMP/)
  })
})
