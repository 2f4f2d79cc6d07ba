import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { SteelyardError } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientHelloReader } from '../../src/tls/client-hello-reader.ts'
import { tlsContexts } from '../../src/tls/contexts.ts'
import { sslInfoOf } from '../../src/tls/facts.ts'
import { terminate } from '../../src/tls/terminate.ts'
import { nodeTransport } from '../../src/transport/node-transport.ts'
import {
  attempt,
  bed,
  ca,
  certificate,
  client,
  closing,
  echo,
  pem,
  plainServer,
  readAll,
  refusal,
} from './bed.ts'
import { hello, serverName } from './hello-builder.ts'

const asClient = (name: string): ConnectionOptions => ({ cert: pem(name), key: pem(`${name}-key`) })
const subject = (socket: TLSSocket): unknown => socket.getPeerX509Certificate()?.subject

describe('a handshake', () => {
  it('gives the plain bytes and what was agreed on', async () => {
    await using server = await bed({ alpn: ['h2', 'http/1.1'] })
    const socket = await client(server.port, { ALPNProtocols: ['http/1.1', 'h2'] })
    const { stream, facts, hello: said, certificate: shown } = await server.secure()
    expect(facts).toEqual({
      version: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      serverName: 'a.example',
      alpn: 'h2',
      resumed: false,
      peerCertificate: undefined,
    })
    expect(said.alpn).toEqual(['http/1.1', 'h2'])
    expect(shown.subject).toBe('CN=a.example')
    expect([socket.alpnProtocol, subject(socket)]).toEqual(['h2', 'CN=a.example'])
    expect(stream.remote.port).toBe(socket.localPort)
    echo(stream)
    socket.end('hello over there')
    expect((await readAll(socket)).toString()).toBe('hello over there')
  })

  it('goes by the server name, with one label for a wildcard', async () => {
    await using server = await bed()
    for (const [servername, expected] of [
      ['a.example', 'CN=a.example'],
      ['B.example.', 'CN=b.example'],
      ['x.wild.example', 'CN=a.example'],
      ['x.y.wild.example', 'CN=a.example'],
      ['', 'CN=a.example'],
    ] as const) {
      const socket = await client(server.port, { servername, rejectUnauthorized: false })
      expect(subject(socket)).toBe(expected)
      const { stream } = await server.secure()
      stream.destroy()
      await refusal(socket)
    }
  })

  it('takes what was read before, and needs nothing of it again', async () => {
    const transport = nodeTransport()
    await using server = await bed()
    const { contexts } = server
    const reader = clientHelloReader()
    const done = Promise.withResolvers<Awaited<ReturnType<typeof terminate>>>()
    const listener = await transport.listen(
      { host: '127.0.0.1', port: 0 },
      {
        accepted(stream) {
          stream.handler = {
            data(_, bytes) {
              const result = reader.push(bytes)
              if (result?.kind !== 'hello') return
              stream.pause()
              const preread = { hello: result.hello, bytes: reader.bytes }
              terminate(stream, { contexts, transport, preread }).then(done.resolve, done.reject)
            },
            ended() {},
            drained() {},
            closed() {},
          }
          stream.resume()
        },
        failed: done.reject,
      },
    )
    const socket = await client(listener.address.port)
    const { stream } = await done.promise
    echo(stream)
    socket.end('preread')
    expect((await readAll(socket)).toString()).toBe('preread')
    await listener.close()
  })

  it('takes a ClientHello that drips in byte by byte', async () => {
    await using server = await bed()
    const dripping = await plainServer((inner) => {
      const outer = connect(server.port, '127.0.0.1')
      outer.setNoDelay(true)
      outer.on('error', () => {})
      outer.on('data', (bytes) => inner.write(bytes))
      const queue: number[] = []
      const drip = (): void => {
        const byte = queue.shift()
        if (byte === undefined) return
        outer.write(Uint8Array.of(byte))
        setImmediate(drip)
      }
      inner.on('data', (bytes: Buffer) => {
        const idle = queue.length === 0
        queue.push(...bytes)
        if (idle) drip()
      })
      inner.on('close', () => outer.destroy())
    })
    const socket = await client(dripping.port)
    const { facts } = await server.secure()
    expect(facts.serverName).toBe('a.example')
    socket.destroy()
    dripping.close()
  })

  it('works on public sockets as on handles', async () => {
    await using server = await bed({}, {}, nodeTransport({ io: 'public' }))
    const socket = await client(server.port)
    echo((await server.secure()).stream)
    socket.end('public')
    expect((await readAll(socket)).toString()).toBe('public')
  })
})

describe('versions and protocols', () => {
  it('refuses a version below the least', async () => {
    await using server = await bed({ minVersion: 'TLSv1.3' })
    const socket = attempt(server.port, { maxVersion: 'TLSv1.2' })
    expect(await refusal(socket)).toContain('protocol version')
    expect(await server.failure()).toMatchObject({
      code: 'tls-handshake-failed',
      source: 'client',
      retryable: false,
    })
  })

  it('speaks TLS 1.2 with its ciphers, and no newer than the greatest', async () => {
    await using server = await bed({
      maxVersion: 'TLSv1.2',
      ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305',
    })
    const socket = await client(server.port)
    expect(socket.getProtocol()).toBe('TLSv1.2')
    const { facts } = await server.secure()
    expect(facts).toMatchObject({
      version: 'TLSv1.2',
      cipher: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
    })
    socket.destroy()
  })

  it('says by an alert that no protocol is shared', async () => {
    await using server = await bed({ alpn: ['h2'] })
    const said = refusal(attempt(server.port, { ALPNProtocols: ['imap'] }))
    expect(await server.failure()).toMatchObject({ code: 'tls-handshake-failed' })
    expect(await said).toMatch(/no application protocol/i)
  })

  it('goes on without a protocol when told to, or when the client offers none', async () => {
    await using server = await bed({ alpn: ['h2'], alpnMismatch: 'ignore' })
    for (const offered of [['imap'], undefined]) {
      const socket = await client(
        server.port,
        offered === undefined ? {} : { ALPNProtocols: offered },
      )
      expect(socket.alpnProtocol).toBe(false)
      expect((await server.secure()).facts.alpn).toBeUndefined()
      socket.destroy()
    }
  })

  it('shows the certificate whose kind of key the client can use', async () => {
    await using server = await bed({
      certificates: [certificate('a'), certificate('a-rsa')],
      maxVersion: 'TLSv1.2',
    })
    const rsa = await client(server.port, { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' })
    expect(rsa.getPeerX509Certificate()?.publicKey.asymmetricKeyType).toBe('rsa')
    const ec = await client(server.port, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
    expect(ec.getPeerX509Certificate()?.publicKey.asymmetricKeyType).toBe('ec')
    rsa.destroy()
    ec.destroy()
  })

  it('says by an alert that it does not have the name', async () => {
    await using server = await bed({ unknownName: 'reject' })
    const said = refusal(attempt(server.port, { servername: 'c.example' }))
    expect((await server.failure()).message).toContain('asks for c.example')
    expect(await said).toContain('unrecognized name')
  })

  it('does not renegotiate', async () => {
    await using server = await bed({ maxVersion: 'TLSv1.2' })
    const socket = await client(server.port)
    const { stream } = await server.secure()
    const ours = closing(stream)
    const theirs = refusal(socket)
    socket.renegotiate({ rejectUnauthorized: false }, () => {})
    expect(String((await ours)?.cause)).toContain('ERR_TLS_RENEGOTIATION_DISABLED')
    await theirs
  })
})

describe('certificates of clients', () => {
  const required = { clientCertificate: 'required', clientCa: ca } as const
  const optional = { clientCertificate: 'optional', clientCa: ca } as const

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`are demanded, verified and told of (${version})`, async () => {
      await using server = await bed({ ...required, maxVersion: version })
      const socket = await client(server.port, asClient('client'))
      const { facts } = await server.secure()
      expect(facts.peerCertificate).toMatchObject({
        subject: 'CN=client one, O=Tests',
        commonName: 'client one',
        issuer: 'CN=Test Authority',
        verified: true,
      })
      expect(sslInfoOf(facts)).toMatchObject({
        certificateOnConnection: true,
        verify: 0,
        commonName: 'client one',
        version,
      })
      socket.destroy()
    })

    it(`end the handshake when missing or of a stranger's making (${version})`, async () => {
      await using server = await bed({ ...required, maxVersion: version })
      const without = refusal(attempt(server.port))
      expect(await server.failure()).toMatchObject({ code: 'tls-verify-failed', source: 'client' })
      expect(await without).not.toBe('')
      const stranger = refusal(attempt(server.port, asClient('intruder')))
      expect(await server.failure()).toMatchObject({ code: 'tls-verify-failed', source: 'client' })
      await stranger
    })

    it(`are optional, but not when wrong (${version})`, async () => {
      await using server = await bed({ ...optional, maxVersion: version })
      const without = await client(server.port)
      const plain = await server.secure()
      expect(plain.facts.peerCertificate).toBeUndefined()
      expect(sslInfoOf(plain.facts)).toMatchObject({ certificateInSession: false, verify: 1 })
      const known = await client(server.port, asClient('client'))
      expect((await server.secure()).facts.peerCertificate?.commonName).toBe('client one')
      const stranger = refusal(attempt(server.port, asClient('intruder')))
      expect(await server.failure()).toMatchObject({
        code: 'tls-verify-failed',
        message: expect.stringContaining('UNABLE_TO_VERIFY_LEAF_SIGNATURE') as string,
      })
      await stranger
      without.destroy()
      known.destroy()
    })
  }
})

describe('a certificate without a subject', () => {
  it('is told of by its alternative names', async () => {
    await using server = await bed({ clientCertificate: 'required', clientCa: ca })
    const socket = await client(server.port, asClient('nameless'))
    const { facts } = await server.secure()
    expect(facts.peerCertificate).toMatchObject({
      subject: '',
      commonName: undefined,
      alternativeNames: expect.stringContaining('URI:spiffe://tests/nameless') as string,
      verified: true,
    })
    expect(sslInfoOf(facts)).not.toHaveProperty('commonName')
    socket.destroy()
  })
})

/** Connects, waits for the session, and closes in good order. */
async function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer> {
  const socket = attempt(port, options)
  const [session] = (await once(socket, 'session')) as [Buffer]
  socket.end()
  await refusal(socket)
  return session
}

describe('sessions', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`are resumed by tickets, certificate of the client included (${version})`, async () => {
      await using server = await bed({
        clientCertificate: 'required',
        clientCa: ca,
        maxVersion: version,
      })
      const first = sessionOf(server.port, asClient('client'))
      void closing((await server.secure()).stream)
      const session = await first
      const socket = await client(server.port, { ...asClient('client'), session })
      const { facts } = await server.secure()
      expect([socket.isSessionReused(), facts.resumed]).toEqual([true, true])
      expect(facts.peerCertificate).toMatchObject({ commonName: 'client one', verified: true })
      expect(sslInfoOf(facts)).toMatchObject({
        certificateOnConnection: false,
        certificateInSession: true,
        verify: 0,
      })
      socket.destroy()
    })

    it(`are not resumed for another name, without tickets, or on other keys (${version})`, async () => {
      await using server = await bed({ maxVersion: version })
      const first = sessionOf(server.port, { rejectUnauthorized: false })
      void closing((await server.secure()).stream)
      const session = await first
      await using other = await bed({ maxVersion: version })
      for (const [port, servername] of [
        [server.port, 'b.example'],
        [other.port, 'a.example'],
      ] as const) {
        const socket = await client(port, { session, servername, rejectUnauthorized: false })
        expect(socket.isSessionReused()).toBe(false)
        socket.destroy()
      }
    })
  }

  it('are resumed on another node with the same keys, and after a replacement by the same', async () => {
    const ticketKeys = new Uint8Array(48).fill(9)
    await using one = await bed({ ticketKeys })
    await using two = await bed({ ticketKeys })
    const first = sessionOf(one.port, {})
    void closing((await one.secure()).stream)
    const session = await first
    two.contexts.replace([certificate('b'), certificate('a')])
    const socket = await client(two.port, { session })
    expect(socket.isSessionReused()).toBe(true)
    socket.destroy()
  })

  it('are not offered when tickets are off', async () => {
    await using server = await bed({ tickets: false, maxVersion: 'TLSv1.2' })
    const socket = await client(server.port)
    expect(socket.getTLSTicket()).toBeUndefined()
    socket.destroy()
  })
})

describe('OCSP stapling', () => {
  const response = Uint8Array.from([0x30, 3, 0x0a, 1, 0])

  async function stapled(
    port: number,
    servername: string,
    ask = true,
  ): Promise<Buffer | undefined> {
    const options = { port, host: '127.0.0.1', servername, ca, requestOCSP: ask }
    const client = tlsConnect(options as ConnectionOptions)
    let bytes: Buffer | undefined
    client.on('OCSPResponse', (der: Buffer) => (bytes = der))
    await once(client, 'secureConnect')
    client.destroy()
    return bytes
  }

  it('gives the response of the certificate that is shown to who asks, and follows a replacement', async () => {
    const a = certificate('a', { ocspResponse: response })
    await using server = await bed({ certificates: [a, certificate('b')] })
    expect(await stapled(server.port, 'a.example')).toEqual(Buffer.from(response))
    expect(await stapled(server.port, 'a.example', false)).toBeUndefined()
    expect((await stapled(server.port, 'b.example'))?.length ?? 0).toBe(0)
    const other = Uint8Array.from([0x30, 4, 0x0a, 1, 0, 5])
    server.contexts.replace([{ ...a, ocspResponse: other }])
    expect(await stapled(server.port, 'a.example')).toEqual(Buffer.from(other))
  })

  it.each([
    ['text', Buffer.from('-----BEGIN')],
    ['cut', response.subarray(0, 4)],
    ['another structure', Uint8Array.from([0x30, 3, 0x02, 1, 0])],
    ['a refusal', Uint8Array.from([0x30, 3, 0x0a, 1, 3])],
  ])('is not made of %s', (_, ocspResponse) => {
    expect(() => tlsContexts({ certificates: [certificate('a', { ocspResponse })] })).toThrow(
      expect.objectContaining({ code: 'invalid-option', path: 'tls.certificates[0].ocspResponse' }),
    )
  })
})

describe('replacement', () => {
  it('shows the new certificate to new clients and leaves open connections alone', async () => {
    await using server = await bed({ certificates: [certificate('a')] })
    const old = await client(server.port)
    echo((await server.secure()).stream)
    server.contexts.replace([certificate('a-rsa')])
    const fresh = await client(server.port)
    expect(fresh.getPeerX509Certificate()?.publicKey.asymmetricKeyType).toBe('rsa')
    old.end('still here')
    expect((await readAll(old)).toString()).toBe('still here')
    fresh.destroy()
  })

  it('does not disturb handshakes that go on meanwhile', async () => {
    await using server = await bed({ certificates: [certificate('a')] })
    const names = ['a', 'a-rsa']
    const sockets = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const socket = client(server.port)
        server.contexts.replace([certificate(names[i % 2]!)])
        return socket
      }),
    )
    expect(sockets.every((socket) => socket.authorized)).toBe(true)
    for (const socket of sockets) socket.destroy()
  })
})

describe('what goes wrong', () => {
  /** Sends bytes in the clear and gives what comes back, to the end. */
  async function raw(port: number, bytes: Uint8Array, finish = false): Promise<Buffer> {
    const socket = connect(port, '127.0.0.1')
    if (finish) socket.end(bytes)
    else socket.write(bytes)
    return new Promise((resolve) => {
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('end', () => socket.end())
      socket.on('error', () => {})
      socket.on('close', () => resolve(Buffer.concat(chunks)))
    })
  }

  it('another protocol is closed without an answer', async () => {
    await using server = await bed()
    const answer = raw(server.port, new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'))
    expect((await server.failure()).message).toContain('does not speak TLS')
    expect(await answer).toHaveLength(0)
  })

  it('a malformed ClientHello gets an alert', async () => {
    await using server = await bed()
    const bytes = hello({ extensions: [serverName('a.example', 'b.example')] })
    const answer = raw(server.port, bytes)
    expect(await server.failure()).toMatchObject({
      code: 'tls-handshake-failed',
      source: 'client',
      cause: { code: 'decode' },
    })
    expect([...(await answer)]).toEqual([21, 3, 3, 0, 2, 2, 50])
  })

  it('a FIN inside the ClientHello or right behind it ends the handshake', async () => {
    await using server = await bed()
    const bytes = hello({ extensions: [serverName('a.example')] })
    const early = raw(server.port, bytes.subarray(0, 20), true)
    expect((await server.failure()).message).toContain('closed before')
    await early
    const behind = raw(server.port, bytes, true)
    expect((await server.failure()).code).toBe('tls-handshake-failed')
    await behind
  })

  it('a reset in the middle is told with its cause', async () => {
    await using server = await bed()
    const socket = connect(server.port, '127.0.0.1')
    socket.write(Uint8Array.of(22, 3, 1))
    await once(socket, 'connect')
    socket.resetAndDestroy()
    expect(await server.failure()).toMatchObject({ code: 'tls-handshake-failed', source: 'client' })
  })

  it('time is up for the whole of it, also for a client that drips', async () => {
    const clock = manualClock()
    await using server = await bed({}, { clock, handshakeTimeout: '3s' })
    const socket = connect(server.port, '127.0.0.1')
    const closed = refusal(socket)
    await once(socket, 'connect')
    const failure = server.failure()
    socket.write(Uint8Array.of(22))
    while (clock.pending === 0) await new Promise(setImmediate)
    clock.advance(2999)
    socket.write(Uint8Array.of(3))
    clock.advance(1)
    expect(await failure).toMatchObject({
      code: 'tls-handshake-timeout',
      source: 'client',
      message: expect.stringContaining('3000ms') as string,
    })
    await closed
    expect(clock.pending).toBe(0)
  })

  it('time is up also behind the ClientHello', async () => {
    const clock = manualClock()
    await using server = await bed({}, { clock, handshakeTimeout: '3s' })
    const socket = connect(server.port, '127.0.0.1')
    // A hello that OpenSSL answers; the client then says nothing more.
    const captured = await new Promise<Buffer>((resolve) => {
      void plainServer((inner) => {
        inner.once('data', (bytes: Buffer) => {
          inner.destroy()
          resolve(bytes)
        })
      }).then((listening) => {
        attempt(listening.port).on('error', () => listening.close())
      })
    })
    socket.write(captured)
    await once(socket, 'data')
    socket.on('error', () => {})
    clock.advance(3000)
    expect((await server.failure()).code).toBe('tls-handshake-timeout')
    await once(socket, 'close')
  })

  it('a signal gives it up', async () => {
    const abort = new AbortController()
    await using server = await bed({}, { signal: abort.signal })
    const socket = connect(server.port, '127.0.0.1')
    const closed = refusal(socket)
    const failure = server.failure()
    await once(socket, 'connect')
    socket.write(Uint8Array.of(22))
    abort.abort(new Error('draining'))
    expect(await failure).toMatchObject({ code: 'aborted', source: 'system' })
    await closed
    const late = connect(server.port, '127.0.0.1')
    late.on('error', () => {})
    expect((await server.failure()).code).toBe('aborted')
    late.destroy()
  })

  it('any bytes end in a typed error or wait for more; nothing is thrown, nothing is left open', async () => {
    await using server = await bed()
    const parts = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc
        .tuple(fc.nat(2000), fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 60 }))
        .map(([at, flip, rest]) => {
          const bytes = hello({ extensions: [serverName('a.example')] })
          bytes[at % bytes.length]! ^= flip
          return Uint8Array.of(...bytes, ...rest)
        }),
    )
    await fc.assert(
      fc.asyncProperty(parts, async (bytes) => {
        const answer = raw(server.port, bytes, true)
        const failure = await server.failure()
        expect(failure).toBeInstanceOf(SteelyardError)
        expect(['tls-handshake-failed', 'tls-verify-failed']).toContain(failure.code)
        await answer
      }),
      { numRuns: 150 },
    )
  })
})

describe('the end of a connection', () => {
  it('FIN and close_notify are carried each way by itself', async () => {
    await using server = await bed()
    const socket = await client(server.port, { allowHalfOpen: true } as ConnectionOptions)
    const { stream } = await server.secure()
    const heard: string[] = []
    const over = Promise.withResolvers<unknown>()
    stream.handler = {
      data: (_, bytes) => heard.push(new TextDecoder().decode(bytes)),
      ended(from) {
        heard.push('FIN')
        from.write(new TextEncoder().encode('answer after your FIN'))
        from.end()
      },
      drained() {},
      closed: (_, error) => over.resolve(error),
    }
    stream.resume()
    socket.end('question')
    expect((await readAll(socket)).toString()).toBe('answer after your FIN')
    expect(await over.promise).toBeUndefined()
    expect(heard).toEqual(['question', 'FIN'])
  })

  it('our FIN leaves the client free to go on', async () => {
    await using server = await bed()
    const carrier = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    const socket = await client(server.port, { socket: carrier })
    const { stream } = await server.secure()
    const heard: string[] = []
    const over = Promise.withResolvers<unknown>()
    stream.handler = {
      data: (_, bytes) => heard.push(new TextDecoder().decode(bytes)),
      ended() {},
      drained() {},
      closed: (_, error) => over.resolve(error),
    }
    stream.end()
    stream.resume()
    socket.resume()
    await once(socket, 'end')
    socket.end('still speaking')
    expect(await over.promise).toBeUndefined()
    expect(heard.join('')).toBe('still speaking')
  })

  it('RST is carried both ways', async () => {
    await using server = await bed()
    const carrier = connect(server.port, '127.0.0.1')
    const first = await client(server.port, { socket: carrier })
    const ours = closing((await server.secure()).stream)
    first.on('error', () => {})
    // Until the session tickets are on their way; a write that meets the RST would hide it.
    await new Promise(setImmediate)
    carrier.resetAndDestroy()
    expect(await ours).toMatchObject({ code: 'connection-reset', source: 'client' })
    const second = await client(server.port)
    const { stream } = await server.secure()
    stream.reset()
    expect(await refusal(second)).toBe('ECONNRESET')
  })

  it('bytes that are no TLS any more end it with an error, not with silence', async () => {
    await using server = await bed()
    const carrier = connect(server.port, '127.0.0.1')
    const socket = await client(server.port, { socket: carrier })
    socket.on('error', () => {})
    const ours = closing((await server.secure()).stream)
    carrier.write(Uint8Array.of(23, 3, 3, 0, 20, ...new Uint8Array(20)))
    expect(await ours).toBeInstanceOf(SteelyardError)
    socket.destroy()
  })

  it('much data comes through whole, also to a client that reads slowly', async () => {
    await using server = await bed()
    const socket = await client(server.port)
    const { stream } = await server.secure()
    echo(stream)
    const size = 8 * 1024 * 1024
    const sent = Buffer.alloc(size)
    for (let i = 0; i < size; i += 4) sent.writeUInt32LE((i * 2654435761) >>> 0, i)
    socket.end(sent)
    const chunks: Buffer[] = []
    for await (const chunk of socket) {
      chunks.push(chunk as Buffer)
      if (chunks.length % 50 === 0) await new Promise(setImmediate)
    }
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
    expect(stream.bytesRead).toBe(size)
  })

  it('handshakes, good and bad, leave no socket behind', async () => {
    await using server = await bed({ alpn: ['h2'] })
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => /TCPSocketWrap|TLSWrap/.test(name)).length
    const before = sockets()
    for (let round = 0; round < 20; round++) {
      const good: Socket = await client(server.port)
      const over = closing((await server.secure()).stream)
      good.end()
      await over
      const bad = refusal(attempt(server.port, { ALPNProtocols: ['imap'] }))
      await server.failure()
      await bad
    }
    while (sockets() > before) await new Promise(setImmediate)
    expect(sockets()).toBeLessThanOrEqual(before)
  })
})
