import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@steelyard/core'
import { afterEach, describe, expect, it } from 'vitest'
import { freeTcpPort } from '../../src/demo/free-port.ts'
import { type Appliance, appliance } from '../../src/runtime/appliance.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const task of cleanup.splice(0).reverse()) await task()
})

/** A backend that says its name and stays connected. */
async function backend(name: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write(name)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function read(
  port: number,
): Promise<{ name: string; alive: () => boolean; end: () => void }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  cleanup.push(() => socket.destroy())
  return {
    name: chunk.toString(),
    alive: () => !socket.destroyed && !socket.readableEnded,
    end: () => socket.destroy(),
  }
}

describe('listeners that move', () => {
  it('go to another port and swap their names, and each keeps to its own', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'steelyard-moves-'))
    cleanup.push(() => rm(folder, { recursive: true }))
    const [a, b] = [await backend('a'), await backend('b')]
    const ports = [await freeTcpPort(0), await freeTcpPort(0), await freeTcpPort(0)]
    const document = (...listeners: [name: string, port: number, pool: string][]): Buffer =>
      Buffer.from(`version: 1
node: { name: moving, drain: 1h }
admin: { listen: "unix:${folder}/admin.sock" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
${listeners.map(([name, port, pool]) => `      - { name: ${name}, protocol: tcp, port: ${port}, pool: ${pool} }`).join('\n')}
pools:
  - { name: a, members: [127.0.0.1:${a}] }
  - { name: b, members: [127.0.0.1:${b}] }
`)
    const file = join(folder, 'steelyard.yaml')
    await writeFile(file, document(['one', ports[0]!, 'a'], ['two', ports[1]!, 'b']))
    const node: Appliance = appliance({ file, log: silentLog, env: {}, version: 'test' })
    await node.start()
    cleanup.push(() => node.stop(AbortSignal.abort()))
    const held = await read(ports[0]!)
    expect(held.name).toBe('a')

    // A new port under the old name: the old place is left, its connection lives on.
    const moved = await node.apply(document(['one', ports[2]!, 'a'], ['two', ports[1]!, 'b']))
    expect(moved.ok).toBe(true)
    expect((await read(ports[2]!)).name).toBe('a')
    await expect(read(ports[0]!)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(held.alive()).toBe(true)

    // The two swap their names and pools; both sockets stay.
    const swapped = await node.apply(document(['two', ports[2]!, 'b'], ['one', ports[1]!, 'a']))
    expect(swapped.ok).toBe(true)
    expect((await read(ports[2]!)).name).toBe('b')
    expect((await read(ports[1]!)).name).toBe('a')
    const names = node
      .status()
      .loadBalancers[0]!.listeners.map(({ name, address, state }) => [name, address, state])
    expect(names).toContainEqual(['two', `127.0.0.1:${ports[2]}`, 'running'])
    expect(names).toContainEqual(['one', `127.0.0.1:${ports[1]}`, 'running'])

    // All go; nothing listens any more.
    const empty = await node.apply(
      Buffer.from(
        String(document(['one', ports[1]!, 'a'])).replace(/loadBalancers:[^]*?(?=pools:)/, ''),
      ),
    )
    expect(empty.ok).toBe(true)
    for (const port of ports)
      await expect(read(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(held.alive()).toBe(true)
  })
})
