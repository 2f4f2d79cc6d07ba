import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { type Logger, leastConnections, type Pool, pool, sourceHash } from '@steelyard/core'
import { afterEach, describe, expect, it } from 'vitest'
import { acl } from '../../src/acl.ts'
import { nodeTransport } from '../../src/transport/node-transport.ts'
import type { UdpBalancerOptions } from '../../src/udp/settings.ts'
import { type UdpBalancer, udpBalancer } from '../../src/udp/udp-balancer.ts'
import type { UdpSessionRecord } from '../../src/udp/udp-session-record.ts'

/** A socket of the test's own. */
interface Peer {
  readonly socket: Socket
  readonly port: number
  /** The next datagram. */
  next(): Promise<{ readonly bytes: Buffer; readonly from: RemoteInfo }>
}

const opened: Socket[] = []
const balancers: UdpBalancer[] = []
const children: ChildProcess[] = []

afterEach(async () => {
  for (const balancer of balancers.splice(0)) await balancer.stop({ drain: 0 })
  for (const child of children.splice(0)) {
    const gone = once(child, 'close')
    if (child.kill()) await gone
  }
  await Promise.all(opened.splice(0).map(closed))
})

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve())
    } catch {
      // The test closed it.
      resolve()
    }
  })
}

async function peer(address = '127.0.0.1', port = 0): Promise<Peer> {
  const socket = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    recvBufferSize: 1 << 20,
  })
  opened.push(socket)
  const waiting: ((item: { bytes: Buffer; from: RemoteInfo }) => void)[] = []
  const queue: { bytes: Buffer; from: RemoteInfo }[] = []
  socket.on('message', (bytes, from) => {
    const taker = waiting.shift()
    if (taker === undefined) queue.push({ bytes, from })
    else taker({ bytes, from })
  })
  socket.bind(port, address)
  await once(socket, 'listening')
  return {
    socket,
    port: socket.address().port,
    next: () => {
      const item = queue.shift()
      return item === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(item)
    },
  }
}

/** A backend that sends back what it hears, with its name in front when it has one. */
async function echo(name = '', address = '127.0.0.1', port = 0): Promise<Peer> {
  const made = await peer(address, port)
  made.socket.on('message', (bytes, from) => {
    made.socket.send(Buffer.concat([Buffer.from(name), bytes]), from.port, from.address)
  })
  return made
}

async function balance(
  members: Pool,
  options: Partial<UdpBalancerOptions> = {},
): Promise<UdpBalancer> {
  const balancer = udpBalancer({
    listen: '127.0.0.1:0',
    idleTimeout: '30s',
    ...options,
    pool: members,
  })
  balancers.push(balancer)
  return balancer.start()
}

async function ask(client: Peer, balancer: UdpBalancer, message: string | Buffer): Promise<Buffer> {
  const { address, port } = balancer.address!
  client.socket.send(message, port, address)
  return (await client.next()).bytes
}

/** The sockets among this process's descriptors. */
function descriptors(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      // The one that read the directory.
      return false
    }
  })
}

describe('over real sockets', () => {
  it('1,000 clients keep their backend, and only those of a dead one move', async () => {
    const backends = await Promise.all(['a', 'b', 'c'].map((name) => echo(name)))
    const members = pool({
      backends: backends.map(({ port }, index) => ({
        id: 'abc'[index]!,
        address: `127.0.0.1:${port}`,
      })),
      pick: leastConnections(),
    })
    const before = descriptors().length
    const balancer = await balance(members)
    const clients = await Promise.all(Array.from({ length: 1000 }, () => peer()))
    const round = async (): Promise<string[]> => {
      const answers: string[] = []
      for (let at = 0; at < clients.length; at += 50) {
        const batch = clients.slice(at, at + 50)
        answers.push(
          ...(await Promise.all(batch.map(async (one) => String(await ask(one, balancer, 'x'))))),
        )
      }
      return answers
    }
    const first = await round()
    expect(await round()).toEqual(first)
    const shares = ['a', 'b', 'c'].map((name) => first.filter((one) => one === `${name}x`).length)
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
    expect(balancer.stats()).toMatchObject({ active: 1000, sessions: 1000, dropped: {} })

    await closed(backends[0]!.socket)
    members.report('a', { state: 'down', since: 0, reason: 'says the test' })
    const moved = await round()
    expect(moved.filter((one) => one === 'ax')).toEqual([])
    for (const [index, answer] of first.entries()) {
      if (answer !== 'ax') expect(moved[index]).toBe(answer)
    }
    expect(await round()).toEqual(moved)
    expect(balancer.stats()).toMatchObject({ active: 1000, ended: { 'member-down': shares[0] } })
    expect(members.load.sum()).toBe(1000)

    await balancer.stop({ drain: 0 })
    expect(members.load.sum()).toBe(0)
    await Promise.all(clients.map(({ socket }) => closed(socket)))
    // Backend a was counted before and is closed by now.
    expect(descriptors().length).toBe(before - 1)
  })

  it('keeps datagrams of 0 to 65,507 bytes whole, both ways', async () => {
    const backend = await echo()
    const balancer = await balance(pool({ backends: [`127.0.0.1:${backend.port}`] }))
    const client = await peer()
    const sizes = [0, 1, 1472, 9000, 65_507]
    for (const size of sizes) {
      const message = Buffer.from(Uint8Array.from({ length: size }, (_, index) => index * 7 + size))
      expect((await ask(client, balancer, message)).equals(message)).toBe(true)
    }
    const bytes = sizes.reduce((total, size) => total + size, 0)
    expect(balancer.stats()).toMatchObject({
      datagramsFromClient: 5,
      datagramsToClient: 5,
      bytesFromClient: bytes,
      bytesToClient: bytes,
      dropped: {},
    })
  })

  it('says loudly that an IPv6 client sent more than an IPv4 backend can get', async () => {
    const lines: object[] = []
    const log: Logger = {
      debug: () => {},
      info: () => {},
      warn: (fields, message) => lines.push({ ...fields, message }),
      error: () => {},
    }
    const backend = await echo()
    const balancer = await balance(pool({ backends: [`127.0.0.1:${backend.port}`] }), {
      listen: '[::1]:0',
      log,
    })
    const client = await peer('::1')
    client.socket.send(Buffer.alloc(65_527), balancer.address!.port, '::1')
    expect(String(await ask(client, balancer, 'next'))).toBe('next')
    expect(balancer.stats()).toMatchObject({ dropped: { 'too-long': 1 }, datagramsFromClient: 1 })
    expect(lines).toMatchObject([{ message: 'datagram too long', to: 'backend', bytes: 65_527 }])
  })

  it('takes ICMP port unreachable as evidence and sends the client elsewhere', async () => {
    const gone = await peer()
    const backend = await echo('b')
    await closed(gone.socket)
    const evidence: string[] = []
    const members = pool({
      backends: [
        { id: 'gone', address: `127.0.0.1:${gone.port}` },
        { id: 'well', address: `127.0.0.1:${backend.port}` },
      ],
      // The hash would choose the same one for this client for ever.
      pick: {
        ...sourceHash(),
        open: () => ({ update: () => {}, pick: (_, tried) => (tried.has(0) ? 1 : 0) }),
      },
      outlier: {
        attach: () => ({
          succeeded: () => {},
          failed: (id, { code }) => evidence.push(`${id} ${code}`),
          checkedUp: () => {},
          removed: () => {},
          [Symbol.dispose]: () => {},
        }),
      },
    })
    const ended = Promise.withResolvers<UdpSessionRecord>()
    const balancer = await balance(members, { onSession: ended.resolve })
    const client = await peer()
    client.socket.send('lost', balancer.address!.port, '127.0.0.1')
    expect(await ended.promise).toMatchObject({
      backend: 'gone',
      reason: 'member-refused',
      error: { code: 'connection-refused' },
    })
    expect(evidence).toEqual(['gone connection-refused'])
    expect(String(await ask(client, balancer, 'x'))).toBe('bx')
    expect(members.members().map(({ failures, active }) => [failures, active])).toEqual([
      [1, 0],
      [0, 1],
    ])
  })

  it('spreads single datagrams in one-packet mode', async () => {
    const backends = await Promise.all(['a', 'b', 'c'].map((name) => echo(name)))
    const members = pool({ backends: backends.map(({ port }) => `127.0.0.1:${port}`) })
    const balancer = await balance(members, { perPacket: true })
    const client = await peer()
    const answers: string[] = []
    for (let i = 0; i < 9; i++) answers.push(String(await ask(client, balancer, '')))
    expect(answers.sort()).toEqual(['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', 'c'])
  })

  it('ends sessions by replies, denies by address, and drains', async () => {
    const backend = await echo()
    const ended = Promise.withResolvers<UdpSessionRecord>()
    const balancer = await balance(pool({ backends: [`127.0.0.1:${backend.port}`] }), {
      expectedReplies: 1,
      acl: acl({ deny: ['127.0.0.9'] }),
      onSession: ended.resolve,
    })
    const [denied, client] = [await peer('127.0.0.9'), await peer()]
    denied.socket.send('x', balancer.address!.port, '127.0.0.1')
    expect(String(await ask(client, balancer, 'y'))).toBe('y')
    expect(await ended.promise).toMatchObject({ reason: 'replies-complete' })
    expect(balancer.stats()).toMatchObject({ dropped: { 'acl-denied': 1 }, active: 0 })
    balancer.reconfigure({ expectedReplies: 'unlimited' })
    expect(String(await ask(client, balancer, 'z'))).toBe('z')
    const stopped = balancer.stop({ drain: '200ms' })
    expect(String(await ask(client, balancer, 'still here'))).toBe('still here')
    await stopped
    expect(balancer.stats().ended).toEqual({ 'replies-complete': 1, 'drain-deadline': 1 })
  })

  it('listens on IPv6, and on both families at once', async () => {
    const backend = await echo()
    const members = pool({ backends: [`127.0.0.1:${backend.port}`] })
    const six = await balance(members, { listen: '[::1]:0' })
    expect(String(await ask(await peer('::1'), six, 'six'))).toBe('six')
    const records: string[] = []
    const dual = await balance(members, {
      listen: ':0',
      acl: acl({ allow: ['127.0.0.0/8', '::1'] }),
      onSession: ({ client }) => records.push(client),
    })
    const { port } = dual.address!
    const clients = [await peer('127.0.0.1'), await peer('::1')]
    clients[0]!.socket.send('4', port, '127.0.0.1')
    clients[1]!.socket.send('6', port, '::1')
    expect(String((await clients[0]!.next()).bytes)).toBe('4')
    expect(String((await clients[1]!.next()).bytes)).toBe('6')
    await dual.stop({ drain: 0 })
    expect(records.sort()).toEqual([`127.0.0.1:${clients[0]!.port}`, `[::1]:${clients[1]!.port}`])
  })

  it('reaches IPv6 backends, and backends by name', async () => {
    const six = await echo('6', '::1')
    const named = await echo('n')
    const balancer = await balance(
      pool({ backends: [`[::1]:${six.port}`, `localhost:${named.port}`] }),
      { perPacket: true },
    )
    const client = await peer()
    const answers = [await ask(client, balancer, ''), await ask(client, balancer, '')].map(String)
    expect(answers.sort()).toEqual(['6', 'n'])
  })

  it('sends from the source addresses that it is given, in turn', async () => {
    const backend = await peer()
    const balancer = await balance(pool({ backends: [`127.0.0.1:${backend.port}`] }), {
      sourceAddresses: ['127.0.0.5', '127.0.0.6'],
    })
    const sources: string[] = []
    for (let i = 0; i < 4; i++) {
      const client = await peer()
      client.socket.send('x', balancer.address!.port, '127.0.0.1')
      sources.push((await backend.next()).from.address)
    }
    expect(sources).toEqual(['127.0.0.5', '127.0.0.6', '127.0.0.5', '127.0.0.6'])
  })

  it('shares its port when told so', async () => {
    const backend = await echo()
    const members = pool({ backends: [`127.0.0.1:${backend.port}`] })
    const one = await balance(members, { listen: { host: '127.0.0.1', port: 0, reusePort: true } })
    const listen = { host: '127.0.0.1', port: one.address!.port }
    await expect(balance(members, { listen })).rejects.toMatchObject({ code: 'address-in-use' })
    const two = await balance(members, { listen: { ...listen, reusePort: true } })
    for (let i = 0; i < 40; i++) await ask(await peer(), one, 'x')
    const seen = [one.stats().received, two.stats().received]
    expect(seen[0]! + seen[1]!).toBe(40)
    expect(Math.min(...seen)).toBeGreaterThan(0)
  })

  it('listens on a descriptor that it inherited', async () => {
    const backend = await echo('b')
    const before = new Set(descriptors())
    const bound = await peer()
    const fd = Number(descriptors().find((one) => !before.has(one)))
    const source = new URL('../../src/udp/udp-balancer.ts', import.meta.url).href
    const script = `
      import { pool } from '@steelyard/core'
      const { udpBalancer } = await import(${JSON.stringify(source)})
      const members = pool({ backends: ['127.0.0.1:${backend.port}'] })
      const balancer = await udpBalancer({ listen: { fd: 3 }, pool: members }).start()
      process.stdout.write(String(balancer.address.port))
    `
    const child = spawn(
      process.execPath,
      ['--conditions=@steelyard/source', '--input-type=module', '--eval', script],
      { stdio: ['ignore', 'pipe', 'inherit', fd], cwd: new URL('.', import.meta.url).pathname },
    )
    children.push(child)
    const [line] = await Promise.race([
      once(child.stdout!, 'data'),
      once(child, 'exit').then(([code]) =>
        Promise.reject(new Error(`the child exited with ${code}`)),
      ),
    ])
    expect(Number(String(line))).toBe(bound.port)
    // From now on the child's copy of the socket alone reads.
    await closed(bound.socket)
    const client = await peer()
    client.socket.send('x', bound.port, '127.0.0.1')
    expect(String((await client.next()).bytes)).toBe('bx')
  })

  it('leaves no descriptor, also when stopped in the middle of everything', async () => {
    const backend = await echo()
    const before = descriptors().length
    const members = pool({ backends: [`127.0.0.1:${backend.port}`] })
    const transport = nodeTransport()
    for (let turn = 0; turn < 3; turn++) {
      const balancer = await balance(members, { transport, idleTimeout: '20ms' })
      const clients = await Promise.all(Array.from({ length: 50 }, () => peer()))
      await Promise.all(clients.map((one) => ask(one, balancer, 'x')))
      for (const one of clients) one.socket.send('y', balancer.address!.port, '127.0.0.1')
      // Wait for one of them: backend sockets are then open, idle, and being opened.
      await clients[0]!.next()
      await balancer.stop({ drain: 0 })
      await Promise.all(clients.map(({ socket }) => closed(socket)))
    }
    expect(descriptors().length).toBe(before)
    expect(members.load.sum()).toBe(0)
  })
})
