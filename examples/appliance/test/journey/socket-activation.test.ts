import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { describe, expect, test } from 'vitest'
import { backend } from './backend.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { holdConnection } from './held-connection.ts'
import { ask } from './load.ts'
import { startNode } from './node.ts'

interface ListeningSocket extends Disposable {
  readonly descriptor: number
  readonly port: number
}

/** A socket that listens, as the service manager opens it; nobody here accepts from it. */
async function listeningSocket(): Promise<ListeningSocket> {
  const port = await freePort()
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { fd } = (server as Server & { readonly _handle: { readonly fd: number } })._handle
  return {
    descriptor: fd,
    port,
    [Symbol.dispose]() {
      server.close()
    },
  }
}

function document(listen: string, member: string, more = ''): string {
  return `version: 1
node: { name: activated, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - { name: web, protocol: tcp, listen: "${listen}", pool: web }
${more}
pools: [{ name: web, members: ["${member}"] }]
`
}

describe('sockets that the service manager opened', () => {
  test('are found by name, and outlive a reload', async () => {
    await using a = await backend('a')
    const socket = await listeningSocket()
    const other = await listeningSocket()
    const options = {
      env: { LISTEN_FDS: '2', LISTEN_FDNAMES: 'other:web' },
      stdio: ['ignore', 'pipe', 'pipe', other.descriptor, socket.descriptor] as const,
    }
    await using node = await startNode(document('fd:web', a.address), {
      ...options,
      stdio: [...options.stdio],
    })
    // From here on the node alone has them.
    socket[Symbol.dispose]()
    other[Symbol.dispose]()
    using held = await holdConnection(socket.port)
    expect(await held.ask()).toBe('a')
    const status = await node.status()
    expect(status.quarantined).toEqual([])
    expect(status.loadBalancers[0]!.listeners[0]).toMatchObject({
      address: `127.0.0.1:${socket.port}`,
      state: 'running',
    })
    const text = document(
      'fd:web',
      a.address,
      '      - { name: more, protocol: tcp, listen: "fd:other", pool: web }',
    )
    const reloaded = await node.reload(text)
    expect(reloaded.quarantined).toEqual([])
    expect(await ask(other.port)).toBe('a')
    expect(await held.ask()).toBe('a')
    expect(await ask(socket.port)).toBe('a')
  })

  test('keep clients waiting in the kernel until the node is there', async () => {
    await using a = await backend('a')
    const socket = await listeningSocket()
    await using node = await startNode(document('fd:3', a.address), {
      env: { LISTEN_FDS: '1' },
      stdio: ['ignore', 'pipe', 'pipe', socket.descriptor],
      impatient: true,
    })
    // It has just been started, and nobody else accepts here.
    const early = ask(socket.port)
    socket[Symbol.dispose]()
    expect(await early).toBe('a')
    expect((await node.status()).quarantined).toEqual([])
  })

  test('that were not handed over are named, with those that were; the rest works', async () => {
    await using a = await backend('a')
    using socket = await listeningSocket()
    const port = await freePort()
    await using node = await startNode(
      document(
        'fd:wbe',
        a.address,
        `      - { name: plain, protocol: tcp, port: ${port}, pool: web }`,
      ),
      {
        env: { LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' },
        stdio: ['ignore', 'pipe', 'pipe', socket.descriptor],
      },
    )
    const { quarantined } = await node.status()
    expect(quarantined).toMatchObject([{ kind: 'listener', name: 'lb/web', kept: false }])
    expect(quarantined[0]!.reason).toBe('no socket "wbe" was handed over; there are web (3)')
    expect(await ask(port)).toBe('a')
  })

  test('that are meant for another process are left alone', async () => {
    await using a = await backend('a')
    using socket = await listeningSocket()
    await using node = await startNode(document('fd:web', a.address), {
      env: { LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', LISTEN_PID: '1' },
      stdio: ['ignore', 'pipe', 'pipe', socket.descriptor],
      impatient: true,
    })
    const status = await eventually('the node has judged its document', async () => {
      const found = await node.status().catch(() => undefined)
      return found !== undefined && found.quarantined.length > 0 && found
    })
    expect(status.quarantined[0]!.reason).toBe('no socket "web" was handed over; there is none')
  })
})
