import { once } from 'node:events'
import { type AddressInfo, connect as netConnect, type Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import type { RelayEnd, Stream, Transport } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import {
  type OriginatedTls,
  type OriginateOptions,
  type OriginateTarget,
  type Originator,
  originator,
} from '../../src/tls/originate.ts'
import { sessionCache } from '../../src/tls/session-cache.ts'
import { nodeTransport } from '../../src/transport/node-transport.ts'
import { bed, ca, certificate, client, pem, plainServer, readAll } from './bed.ts'

const transport: Transport = nodeTransport()

type Backend = Server & {
  readonly port: number
  /** The TCP connections that it has. */
  readonly sockets: Set<Socket>
}

/** A TLS backend that sends everything back. */
async function backend(options: TlsOptions = {}): Promise<Backend> {
  const server = createServer(
    { cert: pem('local'), key: pem('local-key'), allowHalfOpen: true, ...options } as TlsOptions,
    (socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    },
  )
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(server, {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  })
}

/** A paused stream that is connected to a port of loopback. */
function dial(port: number): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const stream = transport.connect(
      { host: '127.0.0.1', port },
      {
        opened(opened) {
          opened.pause()
          resolve(opened)
        },
        data() {},
        ended() {},
        drained() {},
        closed: (_, error) => reject(error ?? new Error('closed')),
      },
    )
    stream.pause()
  })
}

async function open(
  origin: Originator | OriginateOptions,
  port: number,
  target: Partial<OriginateTarget> = {},
): Promise<OriginatedTls> {
  const made = 'originate' in origin ? origin : originator(origin)
  return made.originate(await dial(port), { host: 'localhost', port, transport, ...target })
}

/** Sends text, ends, and gives what comes back. */
async function ask(stream: Stream, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let heard = ''
  stream.handler = {
    data: (_, bytes) => (heard += new TextDecoder().decode(bytes)),
    ended() {},
    drained() {},
    closed: (_, error) => (error === undefined ? resolve(heard) : reject(error)),
  }
  stream.write(new TextEncoder().encode(text))
  stream.end()
  stream.resume()
  return promise
}

describe('TLS to a backend', () => {
  it('verifies authority and name, and carries the bytes', async () => {
    await using server = await backend()
    const { stream, facts } = await open({ ca }, server.port)
    expect(facts).toMatchObject({
      version: 'TLSv1.3',
      serverName: 'localhost',
      resumed: false,
      peerCertificate: { subject: 'CN=localhost', verified: true },
    })
    expect(stream.remote.port).toBe(server.port)
    expect(await ask(stream, 'to the backend and back')).toBe('to the backend and back')
  })

  it('takes a certificate that has only alternative names', async () => {
    await using server = await backend({ cert: pem('nameless'), key: pem('nameless-key') })
    const { stream, facts } = await open({ ca }, server.port)
    expect(facts.peerCertificate).toMatchObject({ subject: '', verified: true })
    stream.destroy()
  })

  it('works on public sockets too', async () => {
    await using server = await backend()
    const others = nodeTransport({ io: 'public' })
    const stream = await new Promise<Stream>((resolve, reject) => {
      others.connect(
        { host: '127.0.0.1', port: server.port },
        {
          opened(opened) {
            opened.pause()
            resolve(opened)
          },
          data() {},
          ended() {},
          drained() {},
          closed: (_, error) => reject(error!),
        },
      )
    })
    const target = { host: 'localhost', port: server.port, transport: others }
    const secure = await originator({ ca }).originate(stream, target)
    expect(await ask(secure.stream, 'public')).toBe('public')
  })

  it('refuses an authority that nobody named', async () => {
    await using server = await backend()
    await expect(open({}, server.port)).rejects.toMatchObject({
      code: 'tls-verify-failed',
      source: 'backend',
      retryable: true,
      message: expect.stringContaining('unable to verify') as string,
    })
    await expect(open({ ca: pem('stranger') }, server.port)).rejects.toMatchObject({
      code: 'tls-verify-failed',
    })
  })

  it('refuses another name, and takes the one it was told', async () => {
    await using server = await backend({ cert: pem('b'), key: pem('b-key') })
    await expect(open({ ca }, server.port)).rejects.toMatchObject({
      code: 'tls-verify-failed',
      message: expect.stringContaining('altnames') as string,
    })
    const { stream, facts } = await open({ ca, serverName: 'b.example' }, server.port)
    expect(facts.serverName).toBe('b.example')
    stream.destroy()
  })

  it('refuses an expired certificate', async () => {
    await using server = await backend({ cert: pem('expired'), key: pem('expired-key') })
    const refused = open({ ca, serverName: 'expired.example' }, server.port)
    await expect(refused).rejects.toMatchObject({ code: 'tls-verify-failed' })
  })

  it('asks for no name when it knows an address, and verifies the address', async () => {
    const names: (string | false)[] = []
    await using server = await backend()
    server.on('secureConnection', (socket: TLSSocket) =>
      names.push(socket.servername as string | false),
    )
    const { stream } = await open({ ca }, server.port, { host: '127.0.0.1' })
    expect(await ask(stream, 'x')).toBe('x')
    expect(names).toEqual([false])
    await expect(open({ ca }, server.port, { host: '127.0.0.2' })).rejects.toMatchObject({
      code: 'tls-verify-failed',
    })
  })

  it('takes anybody when verification is off, and says that nobody was verified', async () => {
    await using server = await backend({ cert: pem('expired'), key: pem('expired-key') })
    const { stream, facts } = await open({ verify: false }, server.port)
    expect(facts.peerCertificate).toMatchObject({ subject: 'CN=expired.example', verified: false })
    stream.destroy()
  })

  it('presents our certificate, and fails when the backend wants one', async () => {
    await using server = await backend({ ca, requestCert: true, maxVersion: 'TLSv1.2' })
    const seen = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const { stream } = await open({ ca, certificate: certificate('client') }, server.port)
    expect((await seen)[0].getPeerX509Certificate()?.subject).toContain('client one')
    stream.destroy()
    await expect(open({ ca }, server.port)).rejects.toMatchObject({
      code: 'tls-handshake-failed',
      source: 'backend',
    })
  })

  it('offers protocols', async () => {
    await using server = await backend({ ALPNProtocols: ['h2'] })
    const { stream, facts } = await open({ ca, alpn: ['http/1.1', 'h2'] }, server.port)
    expect(facts.alpn).toBe('h2')
    stream.destroy()
    await expect(open({ ca, alpn: ['imap'] }, server.port)).rejects.toMatchObject({
      code: 'tls-handshake-failed',
    })
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`comes back with the session it had (${version})`, async () => {
      await using server = await backend({ maxVersion: version })
      const origin = originator({ ca })
      const first = await open(origin, server.port)
      expect(first.facts.resumed).toBe(false)
      expect(await ask(first.stream, 'a')).toBe('a')
      expect(origin.sessions).toBe(1)
      const second = await open(origin, server.port)
      expect(second.facts.resumed).toBe(true)
      expect(await ask(second.stream, 'b')).toBe('b')
      const none = originator({ ca, sessions: 0 })
      await ask((await open(none, server.port)).stream, 'c')
      expect((await open(none, server.port)).facts.resumed).toBe(false)
    })
  }

  it('keeps no session of a backend that was not verified', async () => {
    await using server = await backend()
    const origin = originator({ ca: pem('stranger') })
    for (let i = 0; i < 3; i++) {
      await expect(open(origin, server.port)).rejects.toMatchObject({ code: 'tls-verify-failed' })
      expect(origin.sessions).toBe(0)
    }
  })

  it('refuses wrong options', () => {
    const wrong: [OriginateOptions, string][] = [
      [{ serverName: '127.0.0.1' }, 'originate.serverName'],
      [{ serverName: '' }, 'originate.serverName'],
      [{ ca: 'none' }, 'originate.ca'],
      [{ certificate: { cert: pem('a'), key: pem('b-key') } }, 'originate.certificate.key'],
      [{ alpn: ['ä'] }, 'originate.alpn[0]'],
      [{ sessions: -1 }, 'originate.sessions'],
      [{ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, 'originate.minVersion'],
      [{ ciphers: 'NO-SUCH-CIPHER' }, 'OpenSSL'],
    ]
    for (const [options, where] of wrong) expect(() => originator(options)).toThrow(where)
  })
})

describe('a backend that does not do its part', () => {
  it('speaks no TLS', async () => {
    const server = await plainServer((socket) => socket.end('220 ready\r\n'))
    await expect(open({ ca }, server.port)).rejects.toMatchObject({
      code: 'tls-handshake-failed',
      source: 'backend',
      retryable: true,
    })
    server.close()
  })

  it('closes, or resets', async () => {
    const server = await plainServer((socket) => socket.once('data', () => socket.end()))
    await expect(open({ ca }, server.port)).rejects.toMatchObject({ code: 'tls-handshake-failed' })
    server.close()
    const other = await plainServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
    await expect(open({ ca }, other.port)).rejects.toMatchObject({ code: 'tls-handshake-failed' })
    other.close()
  })

  it('says nothing: time is up', async () => {
    const clock = manualClock()
    const closed = Promise.withResolvers<void>()
    const server = await plainServer((socket) => {
      socket.once('data', () => clock.advance(2000))
      socket.on('end', () => closed.resolve())
    })
    const options = { ca, clock, handshakeTimeout: 2000 }
    await expect(open(options, server.port)).rejects.toMatchObject({
      code: 'tls-handshake-timeout',
    })
    await closed.promise
    expect(clock.pending).toBe(0)
    server.close()
  })

  it('is given up by a signal', async () => {
    const abort = new AbortController()
    const server = await plainServer((socket) => socket.once('data', () => abort.abort()))
    const { signal } = abort
    await expect(open({ ca }, server.port, { signal })).rejects.toMatchObject({ code: 'aborted' })
    await expect(open({ ca }, server.port, { signal })).rejects.toMatchObject({ code: 'aborted' })
    server.close()
  })

  it('was closed before', async () => {
    await using server = await backend()
    const stream = await dial(server.port)
    stream.handler = { data() {}, ended() {}, drained() {}, closed() {} }
    stream.destroy()
    const target = { host: 'localhost', port: server.port, transport }
    await expect(originator({ ca }).originate(stream, target)).rejects.toMatchObject({
      code: 'tls-handshake-failed',
    })
  })
})

describe('what was written before', () => {
  it('goes out in the clear ahead of the handshake, as a PROXY header must', async () => {
    await using inner = await backend()
    const preface = Promise.withResolvers<string>()
    const front = await plainServer((socket) => {
      socket.once('readable', () => {
        const head = socket.read(10) as Buffer
        preface.resolve(head.toString())
        const onward = netConnect(inner.port, '127.0.0.1')
        onward.on('error', () => {})
        socket.pipe(onward).pipe(socket)
      })
    })
    const stream = await dial(front.port)
    stream.write(new TextEncoder().encode('PROXY xyz\n'))
    const target = { host: 'localhost', port: front.port, transport }
    const secure = await originator({ ca }).originate(stream, target)
    expect(await preface.promise).toBe('PROXY xyz\n')
    expect(await ask(secure.stream, 'behind the header')).toBe('behind the header')
    front.close()
  })
})

describe('from TLS to TLS', () => {
  /** A relay between a client whose TLS ends here and a backend with TLS of its own. */
  async function joined(server: Backend): Promise<{
    socket: TLSSocket
    end: Promise<RelayEnd>
    dispose: () => Promise<void>
  }> {
    const front = await bed({}, {}, transport)
    const origin = originator({ ca })
    const socket = await client(front.port, {
      socket: netConnect({ port: front.port, host: '127.0.0.1', allowHalfOpen: true }),
    })
    const near = await front.secure()
    const far = await open(origin, server.port)
    const end = new Promise<RelayEnd>((done) => {
      transport.relay(near.stream, far.stream, { done })
    })
    return { socket, end, dispose: async () => front[Symbol.asyncDispose]() }
  }

  it('relays much data whole, and FIN both ways', async () => {
    await using server = await backend()
    const { socket, end, dispose } = await joined(server)
    const size = 16 * 1024 * 1024
    const sent = Buffer.alloc(size)
    for (let i = 0; i < size; i += 4) sent.writeUInt32LE((i * 2654435761) >>> 0, i)
    socket.end(sent)
    const heard = await readAll(socket)
    expect(heard.equals(sent)).toBe(true)
    const { error } = await end
    expect(error).toBeUndefined()
    await dispose()
  })

  it('relays a reset', async () => {
    await using server = await backend()
    const { socket, end, dispose } = await joined(server)
    const gone = new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    })
    socket.write('x')
    await once(socket, 'data')
    for (const carrier of server.sockets) carrier.resetAndDestroy()
    expect(await gone).toBe('ECONNRESET')
    expect(await end).toMatchObject({ by: 'b', error: { code: 'connection-reset' } })
    await dispose()
  })
})

describe('session cache', () => {
  it('forgets who was used longest ago', () => {
    const cache = sessionCache(2)
    const session = Buffer.from('s')
    cache.set('a', session)
    cache.set('b', session)
    cache.get('a')
    cache.set('c', session)
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([
      session,
      undefined,
      session,
      2,
    ])
    cache.delete('a')
    expect(cache.size).toBe(1)
  })
})
