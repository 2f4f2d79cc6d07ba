import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type Backend, backend } from './backend.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { holdConnection } from './held-connection.ts'
import { ask } from './load.ts'
import { startNode } from './node.ts'
import { run } from './steelyard.ts'

function document(listeners: readonly string[], member: Backend): string {
  return `version: 1
node: { name: conflicts, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
${listeners.map((listener) => `      - ${listener}`).join('\n')}
pools: [{ name: web, members: ["${member.address}"] }]
`
}

function tcp(name: string, port: number): string {
  return `{ name: ${name}, protocol: tcp, port: ${port}, pool: web }`
}

describe('one object that cannot be', () => {
  test('a port that somebody else has: the listener is left out and named, the rest works, a reload heals', async () => {
    await using a = await backend('a')
    const [taken, free] = [await freePort(), await freePort()]
    const squatter = createServer().listen(taken, '127.0.0.1')
    await once(squatter, 'listening')
    await using node = await startNode(document([tcp('bad', taken), tcp('good', free)], a))

    const status = await node.status()
    expect(status.quarantined).toEqual([
      {
        kind: 'listener',
        name: 'lb/bad',
        reason: expect.stringContaining(`127.0.0.1:${taken}`) as string,
        kept: false,
      },
    ])
    expect(status.quarantined[0]!.reason).toMatch(/in use/)
    expect(status.loadBalancers[0]!.listeners.map(({ name }) => name)).toEqual(['good'])
    expect(await ask(free)).toBe('a')
    const ready = await node.ask('/readyz')
    expect(ready.status).toBe(200)
    expect(ready.text).toMatch(/^ready\nlistener lb\/bad left out: .*in use/)
    expect((await node.cli('status')).out).toMatch(/^! listener lb\/bad left out: .*in use/m)
    const plan = await node.cli('plan', node.file)
    expect(plan).toMatchObject({ code: 0 })
    expect(plan.out).toContain(`+ listener lb/bad  tcp 127.0.0.1:${taken} → web`)

    using held = await holdConnection(free)
    expect(await held.ask()).toBe('a')
    // As long as the port is taken, a reload changes nothing.
    expect((await node.reload()).quarantined).toHaveLength(1)
    squatter.close()
    await once(squatter, 'close')
    const healed = await node.reload()
    expect(healed.quarantined).toEqual([])
    expect(await ask(taken)).toBe('a')
    expect(await held.ask()).toBe('a')
    expect(await node.ask('/readyz')).toMatchObject({ status: 200, text: 'ready\n' })
    expect((await node.cli('plan', node.file)).out).toMatch(/^No changes/)
  })

  test('two listeners on one port: the first one runs, the second is left out; UDP may have the port too', async () => {
    await using a = await backend('a')
    const [port, other] = [await freePort(), await freePort()]
    const listeners = [
      tcp('first', port),
      tcp('second', port),
      `{ name: datagrams, protocol: udp, port: ${port}, pool: web }`,
      tcp('third', other),
    ]
    const text = document(listeners, a)
    await using node = await startNode(text)
    const status = await node.status()
    const names = status.loadBalancers[0]!.listeners.map(({ name }) => name)
    expect(names).toEqual(['first', 'datagrams', 'third'])
    expect(status.quarantined).toMatchObject([
      { kind: 'listener', name: 'lb/second', path: 'loadBalancers[0].listeners[1]', kept: false },
    ])
    expect(status.quarantined[0]!.reason).toContain(`${port}`)
    expect(node.process.err).toContain('error[port-conflict]')
    expect(await ask(port)).toBe('a')
    expect(await ask(other)).toBe('a')
    const healed = await node.reload(document(listeners.toSpliced(1, 1), a))
    expect(healed.quarantined).toEqual([])
    expect(healed.loadBalancers[0]!.listeners).toHaveLength(3)
  })

  test('a UDP port that somebody else has is left out like any other', async () => {
    await using a = await backend('a')
    const [taken, free] = [await freePort(), await freePort()]
    const squatter = createSocket('udp4')
    squatter.bind(taken, '127.0.0.1')
    await once(squatter, 'listening')
    const bad = `{ name: bad, protocol: udp, port: ${taken}, pool: web }`
    await using node = await startNode(document([bad, tcp('good', free)], a))
    expect((await node.status()).quarantined).toMatchObject([{ name: 'lb/bad', kept: false }])
    expect(await ask(free)).toBe('a')
    squatter.close()
    await once(squatter, 'close')
    expect((await node.reload()).quarantined).toEqual([])
  })

  test('a node of which nothing could start says that it is not ready', async () => {
    await using a = await backend('a')
    const taken = await freePort()
    const squatter = createServer().listen(taken, '127.0.0.1')
    await once(squatter, 'listening')
    await using node = await startNode(document([tcp('only', taken)], a), { impatient: true })
    const answer = await eventually('the admin endpoint answers after the start', async () => {
      const found = await node.ask('/readyz').catch(() => undefined)
      return found?.text.includes('no listener runs') === true && found
    })
    expect(answer.status).toBe(503)
    expect(answer.text).toMatch(/not ready\nno listener runs\nlistener lb\/only left out: .*in use/)
    expect(await node.ask('/healthz')).toMatchObject({ status: 200 })
    squatter.close()
    await once(squatter, 'close')
    await node.reload()
    expect(await node.ask('/readyz')).toMatchObject({ status: 200 })
  })

  test('two nodes with one admin socket: the second one says so and ends', async () => {
    await using a = await backend('a')
    await using node = await startNode(document([tcp('web', await freePort())], a))
    const { code, err } = await run('run', '-c', node.file)
    expect(code).toBe(2)
    expect(err).toMatch(/^steelyard run: .*admin\.sock is in use: does another steelyard run\?\n$/)
    expect(await node.ask('/readyz')).toMatchObject({ status: 200 })
  })

  test('listeners that trade places start after those that are in their way have stopped', async () => {
    await using a = await backend('a')
    const [one, two] = [await freePort(), await freePort()]
    await using node = await startNode(document([tcp('x', one), tcp('y', two)], a))
    using held = await holdConnection(one)
    expect(await held.ask()).toBe('a')
    const swapped = await node.reload(document([tcp('x', two), tcp('y', one)], a))
    expect(swapped.quarantined).toEqual([])
    expect(
      Object.fromEntries(
        swapped.loadBalancers[0]!.listeners.map(({ name, address }) => [name, address]),
      ),
    ).toEqual({ x: `127.0.0.1:${two}`, y: `127.0.0.1:${one}` })
    expect(await held.ask()).toBe('a')
    expect([await ask(one), await ask(two)]).toEqual(['a', 'a'])
  })
})
