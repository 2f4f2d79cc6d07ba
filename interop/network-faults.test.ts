import { fileURLToPath } from 'node:url'
import type { TcpReconfiguration } from '@steelyard/l4'
import { type LabHost, type NetnsLab, netnsLab, netnsLacking } from '@steelyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { daemon } from './daemon.ts'
import { eventually } from './eventually.ts'
import { type Folder, folder } from './folder.ts'
import { type Guests, guests } from './lab/guests.ts'
import type { Plan } from './lab/plan.ts'
import { type RemoteBalancer, remoteBalancer } from './lab/remote-balancer.ts'
import { visits } from './lab/visits.ts'
import { at } from './loopback.ts'
import { suiteWith } from './needs.ts'
import { dig } from './peers/dns.ts'
import { largeCount, unbound } from './peers/unbound.ts'

type Name = 'client' | 'lb' | 'a' | 'b'
type Family = 'v4' | 'v6'

const greeterProgram = fileURLToPath(new URL('lab/greeter-process.ts', import.meta.url))
const lacking = await netnsLacking()
const families: readonly Family[] = ['v4', 'v6']
/** Servers of the lab greet on this port with their name and with who they think has come, and then echo. */
const port = 7000
/** What a busy machine may add to any span of time. */
const slackMs = 1500

type Rejections = Readonly<Record<Family, readonly (readonly [rule: string, code: string])[]>>

/** How a firewall says no, and what Linux makes of it. */
const tcpRejections: Rejections = {
  v4: [
    ['icmp host-unreachable', 'host-unreachable'],
    ['icmp net-unreachable', 'network-unreachable'],
    ['icmp admin-prohibited', 'host-unreachable'],
    ['icmp port-unreachable', 'connection-refused'],
    ['tcp reset', 'connection-refused'],
  ],
  v6: [
    ['icmpv6 addr-unreachable', 'host-unreachable'],
    ['icmpv6 no-route', 'network-unreachable'],
    ['icmpv6 admin-prohibited', 'permission-denied'],
    ['icmpv6 port-unreachable', 'connection-refused'],
    ['tcp reset', 'connection-refused'],
  ],
}

/** The same for UDP, whose sockets hear nothing of hosts and nets that may come back by themselves. */
const udpRejections: Rejections = {
  v4: [
    ['icmp port-unreachable', 'connection-refused'],
    ['icmp admin-prohibited', 'host-unreachable'],
  ],
  v6: [
    ['icmpv6 port-unreachable', 'connection-refused'],
    ['icmpv6 admin-prohibited', 'permission-denied'],
  ],
}

suiteWith(
  'faults of the network',
  ['ip', 'nft', 'ss'],
  () => {
    const stack = new AsyncDisposableStack()
    let lab: NetnsLab<Name>
    let [client, lb, a, b] = [] as unknown as [LabHost, LabHost, LabHost, LabHost]

    async function greeter(host: LabHost): Promise<void> {
      stack.use(
        await daemon(process.execPath, [greeterProgram, host.name, String(port)], {
          inside: host.inside,
          ready: /^ready/m,
        }),
      )
    }

    beforeAll(async () => {
      lab = stack.use(await netnsLab(['client', 'lb', 'a', 'b']))
      ;({ client, lb, a, b } = lab.hosts)
      await Promise.all([greeter(a), greeter(b)])
    })

    afterAll(() => stack.disposeAsync())

    beforeEach(async () => {
      for (const host of [client, lb, a, b]) {
        await host.filter({})
        await host.plug('in')
      }
    })

    const member = (host: LabHost, family: Family): { id: string; address: string } => ({
      id: host.name,
      address: at(host[family], port),
    })

    function balancer(
      family: Family,
      plan: Omit<Plan, 'tcp' | 'udp'> & { readonly tcp?: TcpReconfiguration },
    ): Promise<RemoteBalancer> {
      const listen = { host: lb[family], port: 0 }
      return remoteBalancer({ ...plan, tcp: { listen, ...plan.tcp } }, lb.inside)
    }

    /** Clients that stay. */
    function visitors(family: Family, to: RemoteBalancer, count = 1): Promise<Guests> {
      return guests(client, { host: lb[family], port: to.port }, count)
    }

    describe.each(families)('over IP%s', (family) => {
      it('a member that drops every SYN costs its connect timeout, and the next one serves', async () => {
        await a.filter({ input: [`tcp dport ${port} drop`] })
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family), member(b, family)] },
          tcp: { timeouts: { connect: '300ms' } },
        })
        await using first = await visitors(family, balanced)
        await first.until(({ heard }) => heard.startsWith('b '))
        await first.leave()
        const record = await balanced.record()
        expect(record).toMatchObject({ backend: 'b', attempts: 2, reason: 'closed' })
        expect(record.durationMs).toBeGreaterThanOrEqual(290)
        expect(record.connectMs).toBeLessThan(300)
      })

      it('when no member answers, the record says how long was waited and for whom', async () => {
        await a.filter({ input: [`tcp dport ${port} drop`] })
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family)] },
          tcp: { timeouts: { connect: '250ms' } },
        })
        await using first = await visitors(family, balanced)
        await first.until(({ ended }) => ended === 'ECONNRESET')
        const record = await balanced.record()
        expect(record).toMatchObject({
          reason: 'connect-failed',
          endedBy: 'backend',
          attempts: 1,
          error: { cause: { code: 'timed-out', source: 'backend' } },
        })
        expect(record.durationMs).toBeGreaterThanOrEqual(240)
        expect(record.durationMs).toBeLessThan(250 + slackMs)
      })

      it.each(tcpRejections[family])(
        'a member rejected with %s is %s long before its connect timeout, and the next one serves',
        async (rule, code) => {
          await a.filter({ input: [`tcp dport ${port} reject with ${rule}`] })
          const [alone, both] = await Promise.all([
            balancer(family, { pool: { backends: [member(a, family)] } }),
            balancer(family, { pool: { backends: [member(a, family), member(b, family)] } }),
          ])
          await using _alone = alone
          await using _both = both
          const [refused, served] = await Promise.all([
            visitors(family, alone),
            visitors(family, both),
          ])
          await using _refused = refused
          await using _served = served
          await refused.until(({ ended }) => ended === 'ECONNRESET')
          const record = await alone.record()
          expect(record).toMatchObject({ reason: 'connect-failed', error: { cause: { code } } })
          // The kernel may tell only of the second SYN, a second later.
          expect(record.durationMs).toBeLessThan(1000 + slackMs)
          await served.until(({ heard }) => heard.startsWith('b '))
          await served.leave()
          expect(await both.record()).toMatchObject({ backend: 'b', attempts: 2 })
        },
      )

      it('a path that goes dead in the midst of a connection is cut after the server timeout', async () => {
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family)] },
          tcp: { timeouts: { server: '600ms' } },
        })
        await using first = await visitors(family, balanced)
        await first.until(({ heard }) => heard.startsWith('a '))
        const lastAt = Date.now()
        first.say('before')
        await first.until(({ heard }) => heard.endsWith('before\n'))
        await a.filter({ input: [`tcp dport ${port} drop`], output: [`tcp sport ${port} drop`] })
        const deadAt = Date.now()
        first.say('after')
        await first.until(({ ended }) => ended === 'ECONNRESET')
        expect(Date.now() - lastAt).toBeGreaterThanOrEqual(590)
        expect(Date.now() - deadAt).toBeLessThan(600 * 1.25 + slackMs)
        expect(first.all[0]!.heard).not.toMatch(/after/)
        expect(await balanced.record()).toMatchObject({
          backend: 'a',
          reason: 'server-idle',
          endedBy: 'balancer',
        })
      })

      it('a client that vanishes is let go after the client timeout', async () => {
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family)] },
          tcp: { timeouts: { client: '600ms' } },
        })
        await using first = await visitors(family, balanced)
        await first.until(({ heard }) => heard.startsWith('a '))
        await client.plug('out')
        expect(await balanced.record()).toMatchObject({
          reason: 'client-idle',
          endedBy: 'balancer',
        })
        // The member was told, and has nothing of it any more.
        const ofBalancer = ['state', 'established', 'dst', family === 'v4' ? lb.v4 : `[${lb.v6}]`]
        await eventually(() => a.run('ss', '-Htn', ...ofBalancer), /^$/)
      })

      it('members see the source addresses that they were promised, in turn', async () => {
        const own = [await lb.addAddress(101), await lb.addAddress(102), await lb.addAddress(103)]
        const sourceAddresses = own.map((addresses) => addresses[family])
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family)] },
          tcp: { sourceAddresses },
        })
        const seen: string[] = []
        for (let i = 0; i < 6; i++) {
          await using one = await visitors(family, balanced)
          await one.until(({ heard }) => heard.endsWith('\n'))
          seen.push(one.all[0]!.heard)
          await one.leave()
        }
        const promised = sourceAddresses.map((address) => `a ${address}\n`)
        expect(seen).toEqual([...promised, ...promised])
      })

      it('new connections go elsewhere once the link of a member is down, and nobody is turned away', async () => {
        const [intervalMs, timeoutMs, fall, connectMs] = [200, 200, 3, 300]
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family), member(b, family)] },
          check: {
            type: 'tcp',
            every: intervalMs,
            timeout: timeoutMs,
            fall,
            rise: 2,
            steps: [{ expect: { regex: '^[ab] ' } }],
          },
          tcp: { timeouts: { connect: connectMs } },
        })
        await balanced.verdict('a', 'up')
        await balanced.verdict('b', 'up')
        await using guests = await visits(
          client,
          { host: lb[family], port: balanced.port },
          10,
          5000,
        )
        const before = await guests.since(0, 100)
        expect(before.filter(({ error }) => error !== undefined)).toEqual([])
        const downAt = Date.now()
        await a.plug('out')
        const isOutAt = Date.now()
        const news = await balanced.verdict('a', 'down', downAt)
        expect(news.reason).toMatch(/timed out|no route|unreachable|did not answer/)
        expect(news.at - downAt).toBeLessThan(fall * intervalMs + timeoutMs + slackMs)
        const after = await guests.since(news.at, 100)
        expect(new Set(after.map(({ who }) => who))).toEqual(new Set(['b']))
        expect(Math.max(...after.map(({ ms }) => ms))).toBeLessThan(connectMs + slackMs)
        const upAt = Date.now()
        await a.plug('in')
        const back = await balanced.verdict('a', 'up', upAt)
        const late = await guests.since(back.at + 100, 100)
        expect(new Set(late.map(({ who }) => who))).toEqual(new Set(['a', 'b']))
        await guests.stop()
        // Only whose connection was through to the member when its plug was pulled is lost with it; those who
        // came later had to wait for one connect timeout at most.
        const lost = guests.all.filter(({ error }) => error !== undefined)
        expect(lost.filter((visit) => visit.at > isOutAt)).toEqual([])
        expect(lost.length).toBeLessThan(guests.all.length / 10)
        const { connectFailures } = await balanced.stats()
        expect(connectFailures).toBeGreaterThan(0)
      })

      it('cuts the connections of a member whose link is down, where it was told so', async () => {
        await using balanced = await balancer(family, {
          pool: { backends: [member(a, family), member(b, family)] },
          check: { type: 'tcp', every: 300, timeout: 300, fall: 2, rise: 2 },
          tcp: { whenDown: 'reset' },
        })
        await balanced.verdict('a', 'up')
        await balanced.verdict('b', 'up')
        await using party = await visitors(family, balanced, 40)
        await party.until(({ heard }) => heard.endsWith('\n'))
        const isOnA = ({ heard }: { heard: string }): boolean => heard.startsWith('a ')
        expect(party.all.filter(isOnA)).toHaveLength(20)
        const downAt = Date.now()
        await a.plug('out')
        await party.until(({ ended }) => ended === 'ECONNRESET', isOnA)
        expect(Date.now() - downAt).toBeLessThan(2 * 300 + 300 + slackMs)
        for (let i = 0; i < 20; i++) {
          expect(await balanced.record()).toMatchObject({ backend: 'a', reason: 'member-down' })
        }
        party.say('still here')
        await party.until(({ heard }) => heard.endsWith('still here\n'))
        expect(party.all.filter(({ ended }) => ended === undefined)).toHaveLength(20)
      })
    })
  },
  lacking,
)

suiteWith(
  'faults of the network under UDP',
  ['ip', 'nft', 'unbound', 'dig'],
  () => {
    const stack = new AsyncDisposableStack()
    const dns = 5300
    let home: Folder
    let lab: NetnsLab<Name>
    let [client, lb, a, b] = [] as unknown as [LabHost, LabHost, LabHost, LabHost]

    beforeAll(async () => {
      home = stack.use(await folder())
      lab = stack.use(await netnsLab(['client', 'lb', 'a', 'b']))
      ;({ client, lb, a, b } = lab.hosts)
      for (const [host, name] of [
        [a, 'server-a'],
        [b, 'server-b'],
      ] as const) {
        for (const family of families) {
          const address = host[family]
          const key = `${name}-${family}`
          stack.use(await unbound(home, name, address, dns, host.inside, key))
        }
      }
    })

    afterAll(() => stack.disposeAsync())

    beforeEach(async () => {
      for (const host of [client, lb, a, b]) await host.filter({})
    })

    const member = (host: LabHost, family: Family): { id: string; address: string } => ({
      id: host.name,
      address: at(host[family], dns),
    })

    function balancer(family: Family, udp: object, ...hosts: LabHost[]): Promise<RemoteBalancer> {
      return remoteBalancer(
        {
          pool: { backends: hosts.map((host) => member(host, family)) },
          udp: { listen: { host: lb[family], port: 0 }, ...udp },
        },
        lb.inside,
      )
    }

    describe.each(families)('over IP%s', (family) => {
      it.each(udpRejections[family])(
        '%s ends the session as refused, and the next datagram goes elsewhere',
        async (rule, code) => {
          await a.filter({ input: [`udp dport ${dns} reject with ${rule}`] })
          await using balanced = await balancer(family, {}, a, b)
          const answer = await dig(lb[family], balanced.port, {
            inside: client.inside,
            query: ['+tries=3', '+timeout=1', '+notcp', 'whoami.lab.test', 'TXT'],
          })
          // The first query is lost; dig says so and asks again.
          expect(answer).toMatch(/^(;; .* timed out\n)+"server-b"\n$/)
          expect(await balanced.record()).toMatchObject({
            backend: 'a',
            reason: 'member-refused',
            error: { code },
          })
        },
      )

      it('a closed port on another machine is heard of', async () => {
        await using balanced = await remoteBalancer(
          {
            pool: {
              backends: [{ id: 'absent', address: at(a[family], 9) }, member(b, family)],
            },
            udp: { listen: { host: lb[family], port: 0 } },
          },
          lb.inside,
        )
        const answer = await dig(lb[family], balanced.port, {
          inside: client.inside,
          query: ['+tries=3', '+timeout=1', '+notcp', 'whoami.lab.test', 'TXT'],
        })
        // The first query is lost; dig says so and asks again.
        expect(answer).toMatch(/^(;; .* timed out\n)+"server-b"\n$/)
        expect(await balanced.record()).toMatchObject({
          backend: 'absent',
          reason: 'member-refused',
        })
      })

      it('a member that swallows everything is left when the check says so', async () => {
        await using balanced = await remoteBalancer(
          {
            pool: { backends: [member(a, family), member(b, family)] },
            check: {
              type: 'udp',
              mode: 'reply',
              send: {
                hex: '5ca1 0100 0001 0000 0000 0000 0677686f616d69 036c6162 0474657374 00 0010 0001',
              },
              expect: { hex: '5ca1 8580' },
              every: 200,
              timeout: 150,
              fall: 2,
              rise: 2,
            },
            udp: { listen: { host: lb[family], port: 0 }, expectedReplies: 1 },
          },
          lb.inside,
        )
        await balanced.verdict('a', 'up')
        await balanced.verdict('b', 'up')
        const deadAt = Date.now()
        await a.filter({ input: [`udp dport ${dns} drop`] })
        const { at: toldAt, reason } = await balanced.verdict('a', 'down', deadAt)
        expect(reason).toMatch(/did not answer within 150ms/)
        expect(toldAt - deadAt).toBeLessThan(2 * 200 + 150 + slackMs)
        const batch = await home.write('batch', 'whoami.lab.test TXT\n'.repeat(20))
        const answers = await dig(lb[family], balanced.port, {
          inside: client.inside,
          query: ['+tries=1', '+timeout=5', '-f', batch],
        })
        expect(answers).toBe('"server-b"\n'.repeat(20))
      })

      it('answers in many fragments arrive whole', async () => {
        await using balanced = await balancer(family, { expectedReplies: 1 }, a)
        const answer = await dig(lb[family], balanced.port, {
          inside: client.inside,
          query: ['+tries=1', '+notcp', '+ignore', '+bufsize=16384', 'large.lab.test', 'TXT'],
        })
        expect(answer.trim().split('\n')).toHaveLength(largeCount)
        expect(await balanced.record()).toMatchObject({ reason: 'replies-complete' })
      })

      it('members see the source addresses that they were promised', async () => {
        const own = [await lb.addAddress(111), await lb.addAddress(112)]
        const sourceAddresses = own.map((addresses) => addresses[family])
        // Who comes from anywhere else hears nothing.
        const ip = family === 'v4' ? 'ip' : 'ip6'
        await a.filter({
          input: [`udp dport ${dns} ${ip} saddr != { ${sourceAddresses.join(', ')} } drop`],
        })
        await using balanced = await balancer(family, { sourceAddresses, expectedReplies: 1 }, a)
        const batch = await home.write('batch', 'whoami.lab.test TXT\n'.repeat(10))
        const answers = await dig(lb[family], balanced.port, {
          inside: client.inside,
          query: ['+tries=1', '+timeout=5', '-f', batch],
        })
        expect(answers).toBe('"server-a"\n'.repeat(10))
      })
    })
  },
  lacking,
)
