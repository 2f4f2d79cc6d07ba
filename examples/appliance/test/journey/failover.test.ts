import type { TcpStats } from '@steelyard/l4'
import { describe, expect, test } from 'vitest'
import { type Backend, backend } from './backend.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { holdConnection } from './held-connection.ts'
import { ask, load } from './load.ts'
import { startNode } from './node.ts'

const clients = 200
/** Checks every 200 ms, and every 100 ms while failures are counted: two of them need 300 ms and their own time. */
const health =
  '{ type: tcp, interval: 200ms, fastInterval: 100ms, timeout: 100ms, rise: 2, fall: 2 }'
const fallMs = 200 + 100 + 2 * 100

function document(port: number, backends: readonly Backend[], listener = ''): string {
  return `version: 1
node: { name: failover, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners: [{ name: web, protocol: tcp, port: ${port}, pool: web${listener} }]
pools:
  - name: web
    members:
${backends.map(({ name, address }) => `      - { id: ${name}, address: "${address}" }`).join('\n')}
    health: ${health}
`
}

describe('a node with three backends and 200 clients', () => {
  test('a backend dies and comes back: no new connection fails, not even before the fall time', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b, c]))
    await using traffic = load(port, { clients })
    await eventually('all members are up', async () => {
      const { pools } = await node.status()
      return pools[0]!.members.every(({ condition }) => condition === 'up')
    })
    traffic.reset()
    await traffic.more(1500)
    expect([...traffic.answers.keys()].sort()).toEqual(['a', 'b', 'c'])
    expect(traffic.failures).toEqual([])
    const shares = [...traffic.answers.values()].map((count) => count / traffic.done)
    for (const share of shares) expect(share).toBeCloseTo(1 / 3, 1)

    a.kill()
    const killedAt = performance.now()
    const down = await eventually('the dead backend is known to be down', async () => {
      const member = await node.member('web', 'a')
      return member.condition === 'down' && { ...member, afterMs: performance.now() - killedAt }
    })
    // Half a second on top for a machine that is busy with other things.
    expect(down.afterMs).toBeLessThan(fallMs + 500)
    expect(down.reason).toMatch(/refused/)
    // Connections that were on the backend when it died are lost with it; those opened later are not.
    const lostLater = traffic.failures.filter(({ startedAt }) => startedAt > killedAt)
    expect(lostLater).toEqual([])
    expect(traffic.failures.length).toBeLessThanOrEqual(clients)

    const before = await node.status()
    traffic.reset()
    await traffic.more(1500)
    expect(traffic.failures).toEqual([])
    expect([...traffic.answers.keys()].sort()).toEqual(['b', 'c'])
    const after = await node.status()
    const stats = [before, after].map(({ loadBalancers }) => loadBalancers[0]!.listeners[0]!.stats)
    // Nobody tries the dead one any more, so nothing has to be tried twice.
    expect(stats[1]).toMatchObject({
      connectFailures: (stats[0] as TcpStats).connectFailures,
      retries: (stats[0] as TcpStats).retries,
    })

    await a.revive()
    await eventually('it is up again', async () => {
      return (await node.member('web', 'a')).condition === 'up'
    })
    traffic.reset()
    await traffic.more(600)
    expect(traffic.failures).toEqual([])
    expect(traffic.answers.get('a')).toBeGreaterThan(150)

    await traffic.stop()
    const { loadBalancers, pools } = await node.status()
    expect(pools[0]!.members.map(({ active }) => active)).toEqual([0, 0, 0])
    expect(loadBalancers[0]!.listeners[0]!.stats.active).toBe(0)
  })

  test('without retries only connects to the dead backend fail, and none after the fall time', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b, c], ', retries: { max: 0 }'))
    await eventually('all members are up', async () => {
      const { pools } = await node.status()
      return pools[0]!.members.every(({ condition }) => condition === 'up')
    })
    await using traffic = load(port, { clients })
    await traffic.more(500)
    expect(traffic.failures).toEqual([])
    a.kill()
    const killedAt = performance.now()
    await eventually('the dead backend is known to be down', async () => {
      return (await node.member('web', 'a')).condition === 'down'
    })
    const knownAt = performance.now()
    await traffic.more(1500)
    const after = traffic.failures.filter(({ startedAt }) => startedAt > knownAt)
    const between = traffic.failures.filter(
      ({ startedAt }) => startedAt > killedAt && startedAt <= knownAt,
    )
    expect(after).toEqual([])
    // Nobody served these: the client sees that at once, by a reset, and may try again itself.
    expect(between.length).toBeGreaterThan(0)
    expect(new Set(between.map(({ reason }) => reason))).toEqual(new Set(['ECONNRESET']))
    const { loadBalancers } = await node.status()
    const stats = loadBalancers[0]!.listeners[0]!.stats as {
      connectFailures: number
      ended: Record<string, number>
    }
    expect(between.length).toBeLessThanOrEqual(stats.connectFailures)
    expect(stats.ended['connect-failed']).toBe(stats.connectFailures)
  })

  test('a member is drained under load without a loss, reaches 0, and takes traffic again', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const port = await freePort()
    await using node = await startNode(document(port, [a, b, c]))
    await eventually('all members are up', async () => {
      const { pools } = await node.status()
      return pools[0]!.members.every(({ condition }) => condition === 'up')
    })
    const held = await Promise.all(Array.from({ length: 9 }, () => holdConnection(port)))
    const owners = await Promise.all(held.map((one) => one.ask()))
    const onB = held.filter((_, index) => owners[index] === 'b')
    expect(onB).toHaveLength(3)
    await using traffic = load(port, { clients })
    await traffic.more(500)

    const answer = await node.ask('/pools/web/members/b', {
      method: 'POST',
      body: JSON.stringify({ state: 'draining' }),
    })
    expect(answer.status).toBe(200)
    const drainedAt = performance.now()
    const servedThen = b.served
    await eventually('only the held connections are left on it', async () => {
      return (await node.member('web', 'b')).active === onB.length
    })
    traffic.reset()
    await traffic.more(1000)
    expect(traffic.failures).toEqual([])
    expect(traffic.answers.has('b')).toBe(false)
    // Whatever was dialled when the order came may still arrive; after that nothing does.
    expect(b.served - servedThen).toBeLessThanOrEqual(clients)
    expect(await node.member('web', 'b')).toMatchObject({
      condition: 'draining',
      override: { state: 'draining' },
    })
    // Who was on it before is served as ever.
    expect(await Promise.all(onB.map((one) => one.ask()))).toEqual(['b', 'b', 'b'])
    for (const one of onB) one.socket.end()
    await eventually('it is empty', async () => (await node.member('web', 'b')).active === 0)
    expect(traffic.failures.filter(({ startedAt }) => startedAt > drainedAt)).toEqual([])

    await node.ask('/pools/web/members/b', { method: 'DELETE' })
    traffic.reset()
    await traffic.more(600)
    expect(traffic.failures).toEqual([])
    expect(traffic.answers.get('b')).toBeGreaterThan(100)
    for (const one of held) one[Symbol.dispose]()
  })

  test('with all backends gone clients are turned away at once, and served again when one is back', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, [a]))
    expect(await ask(port)).toBe('a')
    a.kill()
    await eventually('the pool is not available', async () => {
      return !(await node.status()).pools[0]!.available
    })
    await expect(ask(port)).rejects.toThrow(/ECONNRESET|closed without/)
    await a.revive()
    await eventually('the pool is available', async () => (await node.status()).pools[0]!.available)
    expect(await ask(port)).toBe('a')
  })
})
