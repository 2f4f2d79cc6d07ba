import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  type ConnectionOptions,
  connect,
  createServer,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { describe, expect, test } from 'vitest'
import { type Backend, backend } from './backend.ts'
import { freePort } from './free-port.ts'
import { type HeldConnection, heldSocket } from './held-connection.ts'
import { ask } from './load.ts'
import { startNode } from './node.ts'

/** `a.example` (twice, with two kinds of key), `b.example`, `chained.example` with a locked key, and a client. */
const vectors = new URL('../../../../packages/l4/test/vectors/tls/', import.meta.url)

function vector(name: string): string {
  return readFileSync(new URL(name, vectors), 'utf8')
}

const ca = vector('ca.pem')

interface TlsConnection extends HeldConnection {
  readonly socket: TLSSocket
}

async function connectTls(port: number, options: ConnectionOptions): Promise<TlsConnection> {
  const socket = connect({ port, host: '127.0.0.1', ca, ...options })
  const held = await heldSocket(socket, 'secureConnect')
  return { ...held, socket }
}

/** Who is shown to a client that asks for a name. */
async function shown(port: number, servername?: string): Promise<string> {
  const open = servername === undefined ? { checkServerIdentity: () => undefined } : { servername }
  using one = await connectTls(port, open)
  const { subject } = one.socket.getPeerCertificate()
  return String(subject.CN)
}

/** A backend that speaks TLS by itself. */
async function tlsBackend(
  name: string,
  certificate: string,
): Promise<Backend & { server: Server }> {
  const server = createServer(
    { cert: vector(`${certificate}.pem`), key: vector(`${certificate}-key.pem`) },
    (socket) => {
      socket.on('data', (bytes) => {
        for (const byte of bytes) if (byte === 10) socket.write(`${name}\n`)
      })
      socket.on('error', () => socket.destroy())
    },
  )
  server.on('tlsClientError', () => {
    // A health check, or a client that was told that it is not trusted.
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    server,
    name,
    port,
    address: `127.0.0.1:${port}`,
    served: 0,
    open: 0,
    kill: () => void server.close(),
    revive: () => Promise.reject(new Error('it stays dead')),
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

describe('TLS that ends at the node', () => {
  const files = {
    'www.pem': vector('a.pem'),
    'www.key': vector('a-key.pem'),
    'b.pem': vector('b.pem'),
    'b.key': vector('b-key.pem'),
    'chained.pem': vector('chained.pem'),
    'inter.pem': vector('inter.pem'),
    'chained.key': vector('chained-locked-key.pem'),
    'chained.pass': 'open-sesame\n',
  }

  function document(port: number, member: Backend): string {
    return `version: 1
node: { name: terminates, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - name: web
        protocol: tls
        port: ${port}
        pool: web
        tls:
          mode: terminate
          certificates:
            - { cert: www.pem, key: www.key }
            - { cert: b.pem, key: b.key, default: true }
            - { cert: chained.pem, chain: inter.pem, key: chained.key, passphraseFile: chained.pass }
pools: [{ name: web, members: ["${member.address}"] }]
`
  }

  test('the certificate is chosen by name; replaced files are taken up, and open connections live on', async () => {
    await using plain = await backend('plain')
    const port = await freePort()
    await using node = await startNode(document(port, plain), { files })
    expect((await node.status()).quarantined).toEqual([])
    expect(await shown(port, 'a.example')).toBe('a.example')
    expect(await shown(port, 'b.example')).toBe('b.example')
    // Its chain is complete, or the client would not trust it; its key was locked.
    expect(await shown(port, 'chained.example')).toBe('chained.example')
    expect(await shown(port)).toBe('b.example')

    using old = await connectTls(port, { servername: 'a.example' })
    expect(await old.ask()).toBe('plain')
    const oldKey = old.socket.getPeerCertificate().asn1Curve
    expect(oldKey).toBe('prime256v1')
    await writeFile(join(node.folder, 'www.pem'), vector('a-rsa.pem'))
    await writeFile(join(node.folder, 'www.key'), vector('a-rsa-key.pem'))
    // Nothing in the document is another; the files are.
    const status = await node.reload()
    expect(status.config.generation).toBe(2)
    using fresh = await connectTls(port, { servername: 'a.example' })
    expect(fresh.socket.getPeerCertificate().bits).toBe(2048)
    expect(await fresh.ask()).toBe('plain')
    expect(await old.ask()).toBe('plain')

    // Half of a replacement: the key of somebody else. The listener runs on as it is.
    await writeFile(join(node.folder, 'www.key'), vector('b-key.pem'))
    const kept = await node.reload()
    expect(kept.quarantined).toMatchObject([{ kind: 'listener', name: 'lb/web', kept: true }])
    expect(kept.quarantined[0]!.reason).toMatch(/key/)
    expect(await shown(port, 'a.example')).toBe('a.example')
    expect([await old.ask(), await fresh.ask()]).toEqual(['plain', 'plain'])
    await writeFile(join(node.folder, 'www.key'), vector('a-rsa-key.pem'))
    expect((await node.reload()).quarantined).toEqual([])
    expect(await shown(port, 'a.example')).toBe('a.example')
  })

  test('sessions are resumed over a reload', async () => {
    await using plain = await backend('plain')
    const port = await freePort()
    await using node = await startNode(document(port, plain), { files })
    const first = await connectTls(port, { servername: 'a.example' })
    const session = once(first.socket, 'session') as Promise<[Buffer]>
    expect(await first.ask()).toBe('plain')
    const [ticket] = await session
    first[Symbol.dispose]()
    await node.reload()
    using second = await connectTls(port, { servername: 'a.example', session: ticket })
    expect(await second.ask()).toBe('plain')
    expect(second.socket.isSessionReused()).toBe(true)
  })

  test('client certificates are asked for, and clients without one do not come in', async () => {
    await using plain = await backend('plain')
    const port = await freePort()
    const text = document(port, plain).replace(
      'mode: terminate',
      'mode: terminate\n          clientAuth: { mode: required, ca: clients.pem }\n          minVersion: TLSv1.3\n          alpn: [h2, http/1.1]',
    )
    await using node = await startNode(text, { files: { ...files, 'clients.pem': ca } })
    expect((await node.status()).quarantined).toEqual([])
    const identity = { cert: vector('client.pem'), key: vector('client-key.pem') }
    using known = await connectTls(port, {
      servername: 'a.example',
      ALPNProtocols: ['http/1.1'],
      ...identity,
    })
    expect(await known.ask()).toBe('plain')
    expect(known.socket.alpnProtocol).toBe('http/1.1')
    expect(known.socket.getProtocol()).toBe('TLSv1.3')
    // In TLS 1.3 the client hears of the refusal after its own handshake.
    const stranger = await connectTls(port, { servername: 'a.example' })
    await expect(stranger.ask()).rejects.toThrow(/ended/)
    await expect(
      connectTls(port, { servername: 'a.example', maxVersion: 'TLSv1.2', ...identity }),
    ).rejects.toThrow(/not made/)
  })
})

describe('TLS that passes through', () => {
  test('goes to the pool of its name, untouched', async () => {
    await using a = await tlsBackend('in-a', 'a')
    await using b = await tlsBackend('in-b', 'b')
    const port = await freePort()
    await using node = await startNode(`version: 1
node: { name: passes, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners:
      - name: names
        protocol: tls
        port: ${port}
        pool: b
        tls: { mode: passthrough, absentName: reject }
        routes:
          - { sni: [a.example, "*.wild.example"], pool: a }
pools:
  - { name: a, members: ["${a.address}"] }
  - { name: b, members: ["${b.address}"] }
`)
    const who = async (servername: string, options: ConnectionOptions = {}): Promise<string> => {
      using one = await connectTls(port, { servername, ...options })
      return await one.ask()
    }
    expect(await who('a.example')).toBe('in-a')
    expect(await who('deep.wild.example')).toBe('in-a')
    expect(await who('b.example')).toBe('in-b')
    const anybody = { checkServerIdentity: () => undefined }
    expect(await who('somebody.else.example', anybody)).toBe('in-b')
    await expect(connectTls(port, anybody)).rejects.toThrow(/not made/)

    // What is no TLS at all is not let through.
    await expect(ask(port)).rejects.toThrow(/ECONNRESET|closed without/)
    using held = await connectTls(port, { servername: 'a.example' })
    expect(await held.ask()).toBe('in-a')
    const swapped = await node.reload(
      readFileSync(node.file, 'utf8').replace('pool: a }\npools', 'pool: b }\npools'),
    )
    expect(swapped.quarantined).toEqual([])
    expect(await who('a.example', anybody)).toBe('in-b')
    expect(await held.ask()).toBe('in-a')
  })

  test('is made anew towards members that want it, and their certificates are verified', async () => {
    await using good = await tlsBackend('good', 'local')
    await using wrong = await tlsBackend('wrong', 'b')
    const port = await freePort()
    const text = (member: Backend): string => `version: 1
node: { name: again, drain: 5s }
admin: { listen: "ADMIN" }
loadBalancers:
  - name: lb
    vip: 127.0.0.1
    listeners: [{ name: web, protocol: tcp, port: ${port}, pool: web }]
pools:
  - name: web
    members: ["${member.address}"]
    tls: { ca: ca.pem, serverName: localhost, minVersion: TLSv1.3 }
`
    await using node = await startNode(text(good), { files: { 'ca.pem': ca } })
    expect(await ask(port)).toBe('good')
    await node.reload(text(wrong))
    await expect(ask(port)).rejects.toThrow(/ECONNRESET|closed without/)
  })
})
