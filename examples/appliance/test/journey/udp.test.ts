import { randomBytes } from 'node:crypto'
import type { UdpStats } from '@steelyard/l4'
import { describe, expect, test } from 'vitest'
import { type DatagramClient, datagramBackend, datagramClient, ping } from './datagrams.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { startNode, type TestNode } from './node.ts'

function document(port: number, members: readonly { name: string; address: string }[]): string {
  return `version: 1
node: { name: datagrams, drain: 2s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners: [{ name: dns, protocol: udp, port: ${port}, pool: dns, udp: { idleTimeout: 20s } }]
pools:
  - name: dns
    members:
${members.map(({ name, address }) => `      - { id: ${name}, address: "${address}" }`).join('\n')}
    health: { type: udp, mode: reply, send: "${ping}", interval: 300ms, fastInterval: 100ms, timeout: 250ms, rise: 2, fall: 2 }
`
}

/** A check may be due just after the death; the second one follows in the fast interval, and both may take their timeout. */
const fallMs = 300 + 250 + 100 + 250

async function allUp(node: TestNode): Promise<void> {
  await eventually('all members are up', async () => {
    const { pools } = await node.status()
    return pools.every(({ members }) => members.every(({ condition }) => condition === 'up'))
  })
}

/** Asks once for each client, some at a time, and gives who answered. */
async function round(clients: readonly DatagramClient[]): Promise<(string | undefined)[]> {
  const answers: (string | undefined)[] = []
  const queue = clients.map((client, index) => ({ client, index }))
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { client, index } = next
        const answer = await client.ask(`client ${index}`)
        const [name, text] = answer?.toString().split(':') ?? []
        // Nobody gets the answer of somebody else.
        answers[index] = text === `client ${index}` ? name : undefined
      }
    }),
  )
  return answers
}

describe('UDP through a node', () => {
  test('1,000 clients keep their backend; those of a dead one move within the fall time', async () => {
    await using a = await datagramBackend('a')
    await using b = await datagramBackend('b')
    await using c = await datagramBackend('c')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b, c]))
    await allUp(node)
    const clients = await Promise.all(Array.from({ length: 1000 }, () => datagramClient(port)))
    try {
      const homes = await round(clients)
      const sizes = ['a', 'b', 'c'].map((name) => homes.filter((home) => home === name).length)
      expect(sizes.reduce((sum, size) => sum + size)).toBe(1000)
      for (const size of sizes) expect(size).toBeGreaterThan(300)
      for (let turn = 0; turn < 3; turn++) expect(await round(clients)).toEqual(homes)
      expect(a.received + b.received + c.received).toBe(4000)
      expect((await node.status()).loadBalancers[0]!.listeners[0]!.stats).toMatchObject({
        active: 1000,
        sessions: 1000,
        dropped: {},
      })

      a.kill()
      const killedAt = performance.now()
      await eventually('the dead backend is known to be down', async () => {
        return (await node.member('dns', 'a')).condition === 'down'
      })
      expect(performance.now() - killedAt).toBeLessThan(fallMs + 500)
      const moved = await round(clients)
      homes.forEach((home, index) => {
        if (home === 'a') expect(['b', 'c']).toContain(moved[index])
        else expect(moved[index]).toBe(home)
      })
      expect(await round(clients)).toEqual(moved)

      // Who has moved stays where it is when the old home is back; new clients find it.
      await a.revive()
      await eventually('it is up again', async () => {
        return (await node.member('dns', 'a')).condition === 'up'
      })
      expect(await round(clients)).toEqual(moved)
      const fresh = await Promise.all(Array.from({ length: 30 }, () => datagramClient(port)))
      expect(await round(fresh)).toContain('a')
      for (const client of fresh) client[Symbol.dispose]()

      // A reload that does not concern them changes nothing for sessions.
      const { config } = await node.reload(document(port, [a, b, c]).replace('20s', '25s'))
      expect(config.generation).toBe(2)
      expect(await round(clients)).toEqual(moved)
      const stats = (await node.status()).loadBalancers[0]!.listeners[0]!.stats as UdpStats
      expect(stats.dropped).toEqual({})
      expect(stats.ended).toEqual({ 'member-down': sizes[0] })
    } finally {
      for (const client of clients) client[Symbol.dispose]()
    }
  })

  test('datagrams of 0 to 65,507 bytes arrive whole, both ways', async () => {
    await using echo = await datagramBackend('echo', { echo: true })
    const port = await freePort()
    await using node = await startNode(document(port, [echo]))
    await allUp(node)
    using client = await datagramClient(port)
    for (const size of [0, 1, 2, 1472, 1473, 9000, 65_506, 65_507]) {
      const message = randomBytes(size)
      const answer = await client.ask(message)
      expect(answer?.length, `${size} bytes`).toBe(size)
      expect(answer?.equals(message), `${size} bytes`).toBe(true)
    }
    const stats = (await node.status()).loadBalancers[0]!.listeners[0]!.stats as UdpStats
    expect(stats).toMatchObject({ datagramsFromClient: 8, datagramsToClient: 8, dropped: {} })
    expect(stats.bytesFromClient).toBe(stats.bytesToClient)
  })

  test('a member that drains keeps its sessions and gets no new ones', async () => {
    await using a = await datagramBackend('a')
    await using b = await datagramBackend('b')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b]))
    await allUp(node)
    const clients = await Promise.all(Array.from({ length: 10 }, () => datagramClient(port)))
    const homes = await round(clients)
    expect(new Set(homes)).toEqual(new Set(['a', 'b']))
    expect((await node.cli('drain', '--no-wait', 'dns/a')).code).toBe(0)
    expect(await round(clients)).toEqual(homes)
    const fresh = await Promise.all(Array.from({ length: 10 }, () => datagramClient(port)))
    expect(new Set(await round(fresh))).toEqual(new Set(['b']))
    for (const client of [...clients, ...fresh]) client[Symbol.dispose]()
  })
})
