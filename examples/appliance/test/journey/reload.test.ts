import { readdirSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Backend, backend } from './backend.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { heldSocket, holdConnection } from './held-connection.ts'
import { ask, load } from './load.ts'
import { type Family, parseMetrics, valueOf } from './metrics-text.ts'
import { startNode, type TestNode } from './node.ts'

interface Ports {
  readonly web: number
  readonly sticky: number
  readonly extra: number
}

async function threePorts(): Promise<Ports> {
  return { web: await freePort(), sticky: await freePort(), extra: await freePort() }
}

/** What is different from one reload to the next. */
interface Edition {
  readonly weight: number
  readonly client: string
  readonly drain: string
  readonly connectionLimit: number
  /** Is the third member there? */
  readonly third: boolean
  /** Is the third listener there? */
  readonly extra: boolean
  readonly algorithm: string
}

function edition(turn: number): Edition {
  return {
    weight: 1 + (turn % 4),
    client: `${30 + turn}s`,
    drain: `${5 + turn}s`,
    connectionLimit: 1000 + turn,
    third: turn % 3 !== 1,
    extra: turn % 2 === 1,
    algorithm: turn % 5 === 4 ? 'least-connections' : 'smooth-weighted-round-robin',
  }
}

function document(ports: Ports, backends: readonly Backend[], change: Edition): string {
  const [a, b, c] = backends
  const { weight, client, drain, connectionLimit, third, extra, algorithm } = change
  const members = [
    `{ id: a, address: "${a!.address}", weight: ${weight} }`,
    `{ id: b, address: "${b!.address}" }`,
    ...(third ? [`{ id: c, address: "${c!.address}" }`] : []),
  ]
  const list = members.map((member) => `      - ${member}`).join('\n')
  return `version: 1
node: { name: reload, drain: ${drain} }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - name: web
        protocol: tcp
        port: ${ports.web}
        pool: web
        connectionLimit: ${connectionLimit}
        timeouts: { client: ${client} }
      - { name: sticky, protocol: tcp, port: ${ports.sticky}, pool: sticky, timeouts: { server: ${client} } }
${extra ? `      - { name: extra, protocol: tcp, port: ${ports.extra}, pool: web }` : ''}
pools:
  - name: web
    algorithm: ${algorithm}
    members:
${list}
    health: { type: tcp, interval: 500ms, timeout: 400ms, rise: 2, fall: 2 }
  - name: sticky
    algorithm: ${algorithm}
    members:
${list}
    health: { type: tcp, interval: 500ms, timeout: 400ms, rise: 2, fall: 2 }
    persistence: { type: source-ip, timeout: 5m }
`
}

async function allUp(node: TestNode): Promise<void> {
  await eventually('all members are up', async () => {
    const { pools } = await node.status()
    return pools.every(({ members }) => members.every(({ condition }) => condition === 'up'))
  })
}

/** Opens, asks and closes from an address of its own. */
async function askFrom(localAddress: string, port: number): Promise<string> {
  using one = await heldSocket(connect({ port, host: '127.0.0.1', localAddress }), 'connect')
  return await one.ask()
}

async function scrape(node: TestNode): Promise<readonly Family[]> {
  return parseMetrics((await node.ask('/metrics')).text)
}

describe('reload under load', () => {
  test('ten reloads by SIGHUP lose no connection, and verdicts, memory and counters stay', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const backends = [a, b, c]
    const ports = await threePorts()
    await using node = await startNode(document(ports, backends, edition(0)))
    await allUp(node)

    const held = await Promise.all(Array.from({ length: 6 }, () => holdConnection(ports.web)))
    const owners = await Promise.all(held.map((one) => one.ask()))
    // Clients whose member is taken away have to move; the others must not.
    const sources = Array.from({ length: 12 }, (_, index) => `127.0.7.${index + 1}`)
    const homes = new Map<string, string>()
    for (const source of sources) homes.set(source, await askFrom(source, ports.sticky))
    expect(new Set(homes.values()).size).toBeGreaterThan(1)
    const verdicts = async (): Promise<Record<string, string>> =>
      Object.fromEntries(
        (await node.status()).pools.flatMap(({ name, members }) =>
          members
            .filter(({ id }) => id !== 'c')
            .map(({ id, since }) => [`${name}/${id}`, since] as const),
        ),
      )
    const known = await verdicts()
    const before = await scrape(node)

    await using traffic = load(ports.web, { clients: 100 })
    await traffic.more(200)
    let accepted = 0
    for (let turn = 1; turn <= 10; turn++) {
      const wanted = edition(turn)
      const status = await node.reload(document(ports, backends, wanted))
      expect(status.config).toMatchObject({ generation: turn + 1 })
      expect(status.quarantined).toEqual([])
      const [listener] = status.loadBalancers[0]!.listeners
      const names = status.loadBalancers[0]!.listeners.map(({ name }) => name)
      expect(names.includes('extra')).toBe(wanted.extra)
      expect(status.pools[0]!.algorithm).toBe(wanted.algorithm)
      expect(status.pools[0]!.members.map(({ id }) => id)).toEqual(
        wanted.third ? ['a', 'b', 'c'] : ['a', 'b'],
      )
      expect(status.pools[0]!.members[0]).toMatchObject({ configuredWeight: wanted.weight })
      const count = (listener!.stats as { accepted: number }).accepted
      expect(count).toBeGreaterThanOrEqual(accepted)
      accepted = count
      if (wanted.extra) expect(['a', 'b', 'c']).toContain(await ask(ports.extra))
      else await expect(ask(ports.extra)).rejects.toThrow(/ECONNREFUSED/)
      await traffic.more(150)
    }
    await traffic.stop()
    expect(traffic.failures).toEqual([])
    expect(traffic.done).toBeGreaterThanOrEqual(1700)

    expect(await verdicts()).toEqual(known)
    expect(await Promise.all(held.map((one) => one.ask()))).toEqual(owners)
    for (const [source, home] of homes) {
      if (home !== 'c') expect(await askFrom(source, ports.sticky)).toBe(home)
    }
    const after = await scrape(node)
    const web = { listener: 'lb/web' }
    expect(valueOf(after, 'steelyard_l4_accepted_total', web)).toBe(traffic.done + held.length)
    expect(valueOf(after, 'steelyard_l4_connect_failures_total', web)).toBe(0)
    for (const { type, samples } of before) {
      if (type !== 'counter') continue
      for (const { name, labels, value } of samples) {
        // A member that leaves takes its series along.
        if (labels['member'] === 'c') continue
        expect(
          valueOf(after, name, labels),
          `${name} ${JSON.stringify(labels)}`,
        ).toBeGreaterThanOrEqual(value)
      }
    }
    for (const one of held) one[Symbol.dispose]()
  })

  test('a changed file is taken up by itself, also when it is replaced', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const backends = [a, b, c]
    const ports = await threePorts()
    const first = { ...edition(0), third: true }
    await using node = await startNode(document(ports, backends, first), { watch: true })
    await allUp(node)
    await using traffic = load(ports.web, { clients: 50 })
    await traffic.more(100)
    const weightIs = (weight: number): Promise<unknown> =>
      eventually(`the weight is ${weight}`, async () => {
        return (await node.member('web', 'a')).configuredWeight === weight
      })

    await node.write(document(ports, backends, { ...first, weight: 7 }))
    await weightIs(7)
    // As editors and configuration management do it: a new file takes the old one's name.
    const fresh = join(node.folder, 'fresh.yaml')
    await writeFile(
      fresh,
      document(ports, backends, { ...first, weight: 9 }).replaceAll('ADMIN', node.admin),
    )
    await rename(fresh, node.file)
    await weightIs(9)
    // And the new file is watched, not the one that is gone.
    await node.write(document(ports, backends, { ...first, weight: 11 }))
    await weightIs(11)
    const { generation } = (await node.status()).config
    expect(generation).toBe(4)
    await traffic.stop()
    expect(traffic.failures).toEqual([])
  })

  test('ten orders at once end with the last one, and leave nothing of the others', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using dead = await backend('dead')
    dead.kill()
    const ports = await threePorts()
    const text = (weight: number): string =>
      document(ports, [a, b, dead], { ...edition(1), extra: weight % 2 === 0, third: true, weight })
    await using node = await startNode(text(1))
    const verdict = await eventually('the dead member is known to be down', async () => {
      const member = await node.member('web', 'c')
      return member.condition === 'down' && member
    })
    const descriptors = (): number | undefined => {
      try {
        return readdirSync(`/proc/${node.process.child.pid}/fd`).length
      } catch {
        console.warn('there is no /proc here: open descriptors were not counted')
        return undefined
      }
    }
    const before = descriptors()
    await using traffic = load(ports.web, { clients: 20 })
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        node.ask('/apply', {
          method: 'POST',
          body: text(20 + index).replaceAll('ADMIN', node.admin),
        }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
    expect(await node.member('web', 'a')).toMatchObject({ configuredWeight: 29 })
    for (let weight = 2; weight <= 11; weight++) {
      await node.write(text(weight))
      node.process.child.kill('SIGHUP')
    }
    await eventually('the last one is in force', async () => {
      return (await node.member('web', 'a')).configuredWeight === 11
    })
    const status = await node.status()
    expect(status.loadBalancers[0]!.listeners.map(({ name, state }) => [name, state])).toEqual([
      ['web', 'running'],
      ['sticky', 'running'],
    ])
    expect(await node.member('web', 'c')).toMatchObject({ condition: 'down', since: verdict.since })
    await traffic.more(100)
    await traffic.stop()
    expect(traffic.failures).toEqual([])
    // But for a check or an answer that is just under way.
    if (before !== undefined) {
      await eventually('no descriptor is left open', () => descriptors()! <= before + 3)
    }
  })

  test('a listener that moves to another port: the old one drains, the counters do not fall', async () => {
    await using a = await backend('a')
    const ports = await threePorts()
    const text = (port: number): string => `version: 1
node: { name: moves, drain: 20s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners: [{ name: web, protocol: tcp, port: ${port}, pool: web }]
pools: [{ name: web, members: ["${a.address}"] }]
`
    await using node = await startNode(text(ports.web))
    using held = await holdConnection(ports.web)
    expect(await held.ask()).toBe('a')
    const status = await node.reload(text(ports.extra))
    expect(
      status.loadBalancers[0]!.listeners.map(({ state, address }) => [state, address]),
    ).toEqual([
      ['running', `127.0.0.1:${ports.extra}`],
      ['draining', expect.any(String)],
    ])
    await expect(ask(ports.web)).rejects.toThrow(/ECONNREFUSED/)
    expect(await ask(ports.extra)).toBe('a')
    expect(await held.ask()).toBe('a')
    const total = async (): Promise<number | undefined> =>
      valueOf(await scrape(node), 'steelyard_l4_accepted_total', { listener: 'lb/web' })
    expect(await total()).toBe(2)
    held.socket.end()
    await eventually('the old listener is gone', async () => {
      return (await node.status()).loadBalancers[0]!.listeners.length === 1
    })
    expect(await total()).toBe(2)
  })

  test('a member that was taken out keeps its connections for the drain time, and no longer', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    const ports = await threePorts()
    const text = (members: string): string => `version: 1
node: { name: leaves, drain: 1s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners: [{ name: web, protocol: tcp, port: ${ports.web}, pool: web }]
pools: [{ name: web, members: [${members}] }]
`
    const both = `{ id: a, address: "${a.address}" }, { id: b, address: "${b.address}" }`
    await using node = await startNode(text(both))
    const held = await Promise.all([holdConnection(ports.web), holdConnection(ports.web)])
    const owners = await Promise.all(held.map((one) => one.ask()))
    const [onA, onB] = [held[owners.indexOf('a')]!, held[owners.indexOf('b')]!]
    await node.reload(text(`{ id: b, address: "${b.address}" }`))
    expect(await onA.ask()).toBe('a')
    expect(await onA.closed).toBe('ECONNRESET')
    await eventually('the log says so', () => node.process.log.includes('"member":"a","cut":1'))
    expect(await onB.ask()).toBe('b')
    onB[Symbol.dispose]()
  })
})

describe('bad documents', () => {
  test('change nothing, are told in status, leave the node ready, and a good one heals', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const backends = [a, b, c]
    const ports = await threePorts()
    const good = document(ports, backends, edition(0))
    await using node = await startNode(good)
    await allUp(node)
    await using traffic = load(ports.web, { clients: 50 })
    await traffic.more(100)
    const line = good.split('\n').findIndex((text) => text.includes('algorithm')) + 1
    const bad: readonly (readonly [string, RegExp])[] = [
      [good.replace('algorithm:', 'algoritm:'), new RegExp(`node\\.yaml:${line}:5: .*algoritm`)],
      [good.replace('version: 1', 'version: [1'), /node\.yaml:\d+:\d+: /],
      ['', /1:1: the document has no content/],
      [good.replaceAll('weight: 1', 'weight: -1'), /-1/],
    ]
    for (const [text, reason] of bad) {
      const status = await node.reload(text)
      expect(status.config.generation).toBe(1)
      expect(status.config.refused).toMatch(reason)
      expect(status.pools[0]!.members).toHaveLength(3)
      const ready = await node.ask('/readyz')
      expect(ready).toMatchObject({ status: 200, text: 'ready\n' })
      expect(valueOf(await scrape(node), 'steelyard_config_refused')).toBe(1)
      expect((await node.cli('status')).out).toMatch(/newest document is refused[\s\S]*node\.yaml/)
      await traffic.more(50)
    }
    // The findings are in the log too, as check prints them.
    expect(node.process.err).toContain(`${node.file}:${line}:5: error[unknown-key]`)

    await rm(node.file)
    node.process.child.kill('SIGHUP')
    await eventually('status says that the file is gone', async () => {
      return /cannot be read.*ENOENT/.test((await node.status()).config.refused ?? '')
    })
    const healed = await node.reload(good)
    expect(healed.config).not.toHaveProperty('refused')
    expect(healed.config.generation).toBe(2)
    expect(valueOf(await scrape(node), 'steelyard_config_refused')).toBe(0)
    await traffic.stop()
    expect(traffic.failures).toEqual([])
  })

  test('a mistake in one object leaves its earlier form running, and the rest is applied', async () => {
    await using a = await backend('a')
    await using b = await backend('b')
    await using c = await backend('c')
    const backends = [a, b, c]
    const ports = await threePorts()
    await using node = await startNode(document(ports, backends, edition(0)))
    await allUp(node)
    using held = await holdConnection(ports.web)
    const owner = await held.ask()
    // The first pool's check would take longer than its interval; the second one's weight is good.
    const changed = document(ports, backends, { ...edition(0), weight: 3 }).replace(
      'timeout: 400ms',
      'timeout: 900ms',
    )
    const status = await node.reload(changed)
    expect(status.config).not.toHaveProperty('refused')
    expect(status.quarantined).toMatchObject([
      { kind: 'pool', name: 'web', path: 'pools[0]', kept: true },
      { kind: 'listener', name: 'lb/web', kept: true },
    ])
    for (const { reason } of status.quarantined) expect(reason).toMatch(/900ms/)
    expect((await node.member('web', 'a')).configuredWeight).toBe(1)
    expect((await node.member('sticky', 'a')).configuredWeight).toBe(3)
    expect(await held.ask()).toBe(owner)
    expect(['a', 'b', 'c']).toContain(await ask(ports.web))
    expect(await node.ask('/readyz')).toMatchObject({ status: 200 })
    expect((await node.cli('status')).out).toMatch(
      /! pool web runs on in its earlier form: .*900ms/,
    )
  })
})
