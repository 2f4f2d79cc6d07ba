import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type {
  BindTarget,
  DatagramHandler,
  DatagramSocket,
  SocketAddress,
  TransportError,
} from '@steelyard/core'
import { describe, expect, it } from 'vitest'
import { type Lab, type MakeTransport, withLab } from './lab.ts'
import { turns } from './peer.ts'

interface Heard extends DatagramHandler {
  readonly messages: { bytes: Buffer; peer: SocketAddress }[]
  readonly failures: TransportError[]
  readonly closes: number
  next(): Promise<{ bytes: Buffer; peer: SocketAddress }>
  failure(): Promise<TransportError>
  readonly over: Promise<void>
}

/** How datagrams come and go. */
export function datagramSuite(make: MakeTransport, hasIpv6: boolean): void {
  describe('datagrams', () => {
    it(
      'come with their sender and go back to it',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, { host: '127.0.0.1' })
        expect(socket.local).toMatchObject({ address: '127.0.0.1', family: 4 })
        const peer = await plain(lab)
        peer.send('question', socket.local.port, '127.0.0.1')
        const { bytes, peer: sender } = await heard.next()
        expect(bytes.toString()).toBe('question')
        expect(sender).toMatchObject({ address: '127.0.0.1', port: peer.address().port, family: 4 })
        const answer = received(peer)
        const range = Buffer.from('answer')
        expect(socket.send(range, sender)).toBe(true)
        range.fill(0)
        expect((await answer)[0].toString()).toBe('answer')
      }),
    )

    it(
      'keep their boundaries and lengths, from none to the most there can be',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, { host: '127.0.0.1' })
        const peer = await plain(lab)
        const own = { address: '127.0.0.1', port: peer.address().port, family: 4 } as const
        for (const size of [0, 1, 2, 1472, 1473, 9000, 65_506, 65_507]) {
          const payload = randomBytes(size)
          peer.send(payload, socket.local.port, '127.0.0.1')
          const message = await heard.next()
          expect(message.bytes.equals(payload)).toBe(true)
          const back = received(peer)
          expect(socket.send(payload, own)).toBe(true)
          expect((await back)[0].equals(payload)).toBe(true)
        }
        for (let count = 0; count < 50; count++) {
          peer.send(Buffer.from([count]), socket.local.port, '127.0.0.1')
          expect((await heard.next()).bytes).toEqual(Buffer.from([count]))
        }
      }),
    )

    for (const size of [65_508, 65_536, 100_000]) {
      it(
        `of ${size} bytes are \`message-too-long\`, and the socket lives on`,
        withLab(make, async (lab) => {
          const peer = await plain(lab)
          const target = { host: '127.0.0.1', port: peer.address().port }
          const { socket, heard } = await bind(lab, { peer: target })
          socket.send(new Uint8Array(size))
          expect(heard.failures).toEqual([])
          expect(await heard.failure()).toMatchObject({
            code: 'message-too-long',
            source: 'system',
          })
          const next = received(peer)
          expect(socket.send(Buffer.from('short'))).toBe(true)
          expect((await next)[0].toString()).toBe('short')
        }),
      )
    }

    it(
      'of a connected socket are its peer’s alone',
      withLab(make, async (lab) => {
        const peer = await plain(lab)
        const target = { host: '127.0.0.1', port: peer.address().port }
        const { socket, heard } = await bind(lab, { host: '127.0.0.1', peer: target })
        const first = received(peer)
        socket.send(Buffer.from('hello'))
        const [, from] = await first
        expect(from.port).toBe(socket.local.port)
        const stranger = await plain(lab)
        stranger.send('not for you', socket.local.port, '127.0.0.1')
        peer.send('for you', socket.local.port, '127.0.0.1')
        const message = await heard.next()
        expect(message.bytes.toString()).toBe('for you')
        expect(message.peer).toMatchObject({ address: '127.0.0.1', port: target.port, family: 4 })
        expect(heard.messages).toHaveLength(1)
      }),
    )

    it(
      'to a port where nobody is come back as `connection-refused`',
      withLab(make, async (lab) => {
        const gone = await plain(lab)
        const { port } = gone.address()
        gone.close()
        await once(gone, 'close')
        const { socket, heard } = await bind(lab, { peer: { host: '127.0.0.1', port } })
        for (let round = 0; round < 3; round++) {
          socket.send(Buffer.from('anybody?'))
          expect(await heard.failure()).toMatchObject({
            code: 'connection-refused',
            source: 'peer',
          })
        }
        const back = createSocket('udp4')
        lab.cleanup(() => back.close())
        back.bind(port, '127.0.0.1')
        await once(back, 'listening')
        const next = received(back)
        expect(socket.send(Buffer.from('now'))).toBe(true)
        expect((await next)[0].toString()).toBe('now')
      }),
    )

    it(
      'to an address that cannot be fail, later, and the socket lives on',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, { host: '127.0.0.1' })
        const wrong: SocketAddress = { address: '127.0.0.1', port: 0, family: 4 }
        expect(socket.send(Buffer.from('x'), wrong)).toBe(false)
        expect(heard.failures).toEqual([])
        await heard.failure()
        expect(() => socket.send(Buffer.from('x'))).toThrow(
          expect.objectContaining({ code: 'invalid-option', path: 'peer' }),
        )
      }),
    )

    it(
      'a handler that throws is reported, and the socket lives on',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, { host: '127.0.0.1' })
        const peer = await plain(lab)
        const problem = new Error('thrown in message')
        const { message } = heard
        heard.message = () => {
          heard.message = message
          throw problem
        }
        peer.send('1', socket.local.port, '127.0.0.1')
        peer.send('2', socket.local.port, '127.0.0.1')
        expect((await heard.next()).bytes.toString()).toBe('2')
        expect(lab.thrown).toEqual([problem])
      }),
    )

    it(
      '`closed` comes once, last and not within the call',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, { host: '127.0.0.1' })
        const peer = await plain(lab)
        peer.send('late', socket.local.port, '127.0.0.1')
        socket.close()
        socket.close()
        expect(heard.closes).toBe(0)
        await heard.over
        await turns()
        expect(heard.closes).toBe(1)
        expect(heard.messages).toEqual([])
        expect(socket.send(Buffer.from('x'), { address: '127.0.0.1', port: 9, family: 4 })).toBe(
          false,
        )
        socket.close()
        // The port is free again.
        await bind(lab, { host: '127.0.0.1', port: socket.local.port })
      }),
    )

    it(
      'a port that is taken is `address-in-use`, unless both share it',
      withLab(make, async (lab) => {
        const { socket } = await bind(lab, { host: '127.0.0.1' })
        const { port } = socket.local
        await expect(bind(lab, { host: '127.0.0.1', port })).rejects.toMatchObject({
          code: 'address-in-use',
          source: 'system',
        })
        const shared = await bind(lab, { host: '127.0.0.1', reusePort: true })
        const target = { host: '127.0.0.1', port: shared.socket.local.port, reusePort: true }
        const second = await bind(lab, target)
        expect(second.socket.local.port).toBe(target.port)
      }),
    )

    it(
      'an address of another machine is `address-not-available`',
      withLab(make, async (lab) => {
        await expect(bind(lab, { host: '192.0.2.1' })).rejects.toMatchObject({
          code: 'address-not-available',
        })
      }),
    )

    it(
      'names are looked up by the system',
      withLab(make, async (lab) => {
        const peer = await plain(lab)
        const { socket } = await bind(lab, {
          host: '127.0.0.1',
          peer: { host: 'localhost', port: peer.address().port },
        })
        const next = received(peer)
        socket.send(Buffer.from('by name'))
        expect((await next)[0].toString()).toBe('by name')
        await expect(
          bind(lab, { peer: { host: 'steelyard.invalid', port: 9 } }),
        ).rejects.toMatchObject({
          code: 'name-not-found',
        })
      }),
    )

    it(
      'gives up binding when the signal aborts',
      withLab(make, async (lab) => {
        const reason = new Error('no longer wanted')
        const target = { host: '127.0.0.1', signal: AbortSignal.abort(reason) }
        await expect(bind(lab, target)).rejects.toMatchObject({ code: 'aborted', cause: reason })
        const controller = new AbortController()
        const under = bind(lab, { host: 'localhost', signal: controller.signal })
        controller.abort(reason)
        await expect(under).rejects.toMatchObject({ code: 'aborted', cause: reason })
      }),
    )

    it(
      'buffer sizes are accepted, wrong targets refused',
      withLab(make, async (lab) => {
        await bind(lab, { host: '127.0.0.1', receiveBuffer: 262_144, sendBuffer: 131_072 })
        await expect(bind(lab, { host: '127.0.0.1', port: 70_000 })).rejects.toMatchObject({
          code: 'invalid-option',
          path: 'port',
        })
        await expect(bind(lab, { peer: { host: '127.0.0.1', port: 0 } })).rejects.toMatchObject({
          code: 'invalid-option',
          path: 'peer.port',
        })
      }),
    )

    it(
      'a burst is taken or refused, never kept without end',
      withLab(make, async (lab) => {
        const peer = await plain(lab)
        const { socket } = await bind(lab, {
          peer: { host: '127.0.0.1', port: peer.address().port },
        })
        const payload = randomBytes(60_000)
        const before = process.memoryUsage().arrayBuffers
        let taken = 0
        for (let count = 0; count < 5000; count++) if (socket.send(payload)) taken++
        expect(taken).toBeGreaterThan(0)
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024)
        const next = received(peer)
        expect((await next)[0].equals(payload)).toBe(true)
      }),
    )

    if (!hasIpv6) return

    it(
      'over IPv6, and over both families on one socket',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, { host: '::' })
        expect(socket.local.family).toBe(6)
        const four = await plain(lab)
        const six = await plain(lab, 'udp6')
        four.send('four', socket.local.port, '127.0.0.1')
        const first = await heard.next()
        expect(first.peer).toMatchObject({
          address: '127.0.0.1',
          family: 4,
          port: four.address().port,
        })
        six.send('six', socket.local.port, '::1')
        const second = await heard.next()
        expect(second.peer).toMatchObject({ address: '::1', family: 6, port: six.address().port })
        const answers = Promise.all([received(four), received(six)])
        socket.send(Buffer.from('to four'), first.peer)
        socket.send(Buffer.from('to six'), second.peer)
        expect((await answers).map(([bytes]) => bytes.toString())).toEqual(['to four', 'to six'])
      }),
    )

    it(
      '`ipv6Only` leaves the port to IPv4',
      withLab(make, async (lab) => {
        const { socket } = await bind(lab, { host: '::', ipv6Only: true })
        await bind(lab, { host: '0.0.0.0', port: socket.local.port })
      }),
    )

    it(
      'without a host hears every address',
      withLab(make, async (lab) => {
        const { socket, heard } = await bind(lab, {})
        const four = await plain(lab)
        four.send('four', socket.local.port, '127.0.0.1')
        expect((await heard.next()).peer).toMatchObject({ family: 4 })
      }),
    )
  })
}

async function bind(
  lab: Lab,
  target: BindTarget,
): Promise<{ socket: DatagramSocket; heard: Heard }> {
  const heard = listener()
  const socket = await lab.transport.bind(target, heard)
  lab.cleanup(() => socket.close())
  return { socket, heard }
}

async function plain(lab: Lab, type: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
  const socket = createSocket({ type, recvBufferSize: 1024 * 1024 })
  let open = true
  socket.once('close', () => (open = false))
  lab.cleanup(() => open && socket.close())
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1')
  await once(socket, 'listening')
  return socket
}

async function received(socket: Socket): Promise<[Buffer, RemoteInfo]> {
  return (await once(socket, 'message')) as [Buffer, RemoteInfo]
}

function listener(): Heard {
  const messages: Heard['messages'] = []
  const failures: TransportError[] = []
  const over = Promise.withResolvers<void>()
  let wake: () => void = () => {}
  let read = 0
  let failed = 0
  let closes = 0
  const until = async (ready: () => boolean): Promise<void> => {
    while (!ready()) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    messages,
    failures,
    over: over.promise,
    get closes() {
      return closes
    },
    async next() {
      await until(() => messages.length > read)
      return messages[read++]!
    },
    async failure() {
      await until(() => failures.length > failed)
      return failures[failed++]!
    },
    message(_socket, bytes, peer) {
      messages.push({ bytes: Buffer.from(bytes), peer })
      wake()
    },
    failed(_socket, error) {
      failures.push(error)
      wake()
    },
    closed() {
      closes++
      over.resolve()
    },
  }
}
