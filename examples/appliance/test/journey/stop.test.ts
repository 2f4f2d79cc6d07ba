import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Backend, backend } from './backend.ts'
import { datagramBackend, datagramClient } from './datagrams.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { holdConnection } from './held-connection.ts'
import { ask, load } from './load.ts'
import { startNode } from './node.ts'

function document(port: number, member: Backend, drain: string): string {
  return `version: 1
node: { name: stops, drain: ${drain} }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - { name: web, protocol: tcp, port: ${port}, pool: web }
      - { name: socket, protocol: tcp, listen: "unix:FOLDER/web.sock", pool: web }
pools: [{ name: web, members: ["${member.address}"] }]
`
}

describe('SIGTERM', () => {
  test('stops accepting, lets open connections go on until they are done, and ends with 0', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, a, '20s'))
    using one = await holdConnection(port)
    using two = await holdConnection({ path: join(node.folder, 'web.sock') })
    expect([await one.ask(), await two.ask()]).toEqual(['a', 'a'])
    await using traffic = load(port, { clients: 20 })
    await traffic.more(100)
    await traffic.stop()
    expect(traffic.failures).toEqual([])

    const stopped = node.stop()
    await eventually('new connections are refused', () =>
      ask(port).then(
        () => false,
        ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED',
      ),
    )
    const ready = await node.ask('/readyz')
    expect(ready).toMatchObject({ status: 503, text: 'not ready\nthe node is draining\n' })
    expect(await node.ask('/healthz')).toMatchObject({ status: 200 })
    const status = await node.status()
    expect(status.state).toBe('draining')
    expect(status.loadBalancers[0]!.listeners.map(({ state }) => state)).toEqual([
      'draining',
      'draining',
    ])
    expect((await node.ask('/metrics')).text).toContain('\nsteelyard_ready 0\n')
    // Its document is what it is by now.
    const apply = await node.ask('/apply', { method: 'POST', body: 'version: 1' })
    expect(apply.status).toBe(503)
    expect([await one.ask(), await two.ask()]).toEqual(['a', 'a'])
    expect(existsSync(join(node.folder, 'web.sock'))).toBe(false)

    one.socket.end()
    two.socket.end()
    expect(await stopped).toBe(0)
    expect([await one.closed, await two.closed]).toEqual(['end', 'end'])
    expect(existsSync(join(node.folder, 'admin.sock'))).toBe(false)
    expect(node.process.log).toMatch(/"signal":"SIGTERM","open":\d+,[\s\S]*"msg":"stopped"/)
  })

  test('what is still open at the drain deadline is cut', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, a, '700ms'))
    using held = await holdConnection(port)
    await held.ask()
    const before = performance.now()
    const stopped = node.stop()
    expect(await held.closed).toBe('ECONNRESET')
    expect(performance.now() - before).toBeGreaterThanOrEqual(650)
    expect(await stopped).toBe(0)
    expect(performance.now() - before).toBeLessThan(5000)
  })

  test('a second signal cuts at once, and the exit code is still 0', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using node = await startNode(document(port, a, '30s'))
    using held = await holdConnection(port)
    await held.ask()
    const stopped = node.stop()
    await eventually('it drains', async () => (await node.status()).state === 'draining')
    expect(await held.ask()).toBe('a')
    const before = performance.now()
    node.process.child.kill('SIGTERM')
    expect(await held.closed).toBe('ECONNRESET')
    expect(await stopped).toBe(0)
    expect(performance.now() - before).toBeLessThan(5000)
  })

  test('SIGINT does the same', async () => {
    await using a = await backend('a')
    await using node = await startNode(document(await freePort(), a, '30s'))
    node.process.child.kill('SIGINT')
    expect(await node.process.ended).toBe(0)
  })

  test('UDP sessions are served until the deadline, new ones are not begun', async () => {
    await using dns = await datagramBackend('dns')
    const port = await freePort()
    await using node = await startNode(`version: 1
node: { name: stops, drain: 900ms }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners: [{ name: dns, protocol: udp, port: ${port}, pool: dns }]
pools: [{ name: dns, members: ["${dns.address}"] }]
`)
    using known = await datagramClient(port)
    expect(String(await known.ask('hello'))).toBe('dns:hello')
    const stopped = node.stop()
    await eventually('it drains', async () => (await node.status()).state === 'draining')
    using late = await datagramClient(port)
    expect(await late.ask('me too', 200)).toBeUndefined()
    expect(String(await known.ask('still there?'))).toBe('dns:still there?')
    expect(await stopped).toBe(0)
    expect(await known.ask('and now?', 200)).toBeUndefined()
  })

  test('a signal during the start is neither lost nor deadly', async () => {
    await using a = await backend('a')
    await using node = await startNode(document(await freePort(), a, '5s'), { impatient: true })
    // Before that, the process has not yet begun to be a node.
    await eventually('it has begun', async () => {
      return (await node.ask('/healthz').catch(() => undefined))?.status === 200
    })
    node.process.child.kill('SIGHUP')
    node.process.child.kill('SIGTERM')
    expect(await node.process.ended).toBe(0)
    expect(existsSync(join(node.folder, 'admin.sock'))).toBe(false)
  })

  test('after a crash the socket files that are left are taken over', async () => {
    await using a = await backend('a')
    const port = await freePort()
    await using crashed = await startNode(document(port, a, '5s'))
    crashed.process.child.kill('SIGKILL')
    expect(await crashed.process.ended).toBe('SIGKILL')
    expect(existsSync(join(crashed.folder, 'admin.sock'))).toBe(true)
    expect(existsSync(join(crashed.folder, 'web.sock'))).toBe(true)
    const text = document(port, a, '5s').replaceAll('FOLDER', crashed.folder)
    await using node = await startNode(text, { admin: crashed.admin })
    using held = await holdConnection({ path: join(crashed.folder, 'web.sock') })
    expect(await held.ask()).toBe('a')
    expect((await node.status()).quarantined).toEqual([])
  })

  test('a file that is no socket is never removed', async () => {
    await using a = await backend('a')
    await using node = await startNode(document(await freePort(), a, '5s'))
    const path = join(node.folder, 'precious')
    await writeFile(path, 'keep me')
    const status = await node.reload(
      document(await freePort(), a, '5s').replace('FOLDER/web.sock', path),
    )
    expect(status.quarantined).toMatchObject([{ name: 'lb/socket' }])
    expect(status.quarantined[0]!.reason).toMatch(/not a socket/)
    expect(existsSync(path)).toBe(true)
  })
})
